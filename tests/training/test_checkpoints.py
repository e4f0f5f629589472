"""The state of a run on disk."""

import pytest
import torch
from torch import nn

import contests
from contests import contest, stage
from lamella.records import LamellaError
from lamella.training.checkpoints import load_fitting, load_weights, save_whole, settings


def test_an_interrupted_write_leaves_the_former_checkpoint(tmp_path):
    path = tmp_path / "run" / "last.ckpt"
    save_whole({"settings": settings(contest()), "step": 1}, path)
    with pytest.raises(Exception, match="pickle"):
        save_whole({"step": lambda: None}, path)
    assert load_fitting(path, contest())["step"] == 1


def test_where_there_is_no_run_there_is_no_state(tmp_path):
    assert load_fitting(tmp_path / "last.ckpt", contest()) is None


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (contest(seed=4), "seed = 3, got 4"),
        (contest(precision="bf16-mixed"), "precision = 32-true, got bf16-mixed"),
        (contest(watched="other"), "watched = fidelity, got other"),
        (contest(supervisor=None), "supervisor = True, got False"),
        (contest(stages=(stage(12),)), "stage 1: name = pre-training, stage 1: steps = 5"),
    ],
)
def test_another_run_is_refused_with_what_differs(tmp_path, other, message):
    path = tmp_path / "last.ckpt"
    save_whole({"settings": settings(contest())}, path)
    with pytest.raises(LamellaError, match=message) as refused:
        load_fitting(path, other)
    assert "\n" not in str(refused.value)


def test_what_changes_nothing_that_is_learnt_may_differ(tmp_path):
    path = tmp_path / "last.ckpt"
    save_whole({"settings": settings(contest())}, path)
    moved = contest(devices=8, nodes=2, accelerator="gpu", workers=4, panel_every_chunks=1)
    assert load_fitting(path, moved) is not None


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(LamellaError, match="expected a checkpoint of this run"):
        load_fitting(path, contest())


def test_a_checkpoint_of_another_loop_is_refused(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "last.ckpt")
    with pytest.raises(LamellaError, match="expected a checkpoint of this run"):
        load_fitting(tmp_path / "last.ckpt", contest())


def test_weights_of_another_architecture_are_refused(tmp_path):
    weights = nn.Linear(3, 3).state_dict()
    with pytest.raises(LamellaError, match="got another architecture") as refused:
        load_weights(contests.generator(), weights, tmp_path)
    assert "\n" not in str(refused.value)
