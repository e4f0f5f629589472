"""The few-labels grid: same budget with and without, synthetic from the annotated joints alone."""

from dataclasses import replace

import pytest
import torch

from lamella.recipes import few_labels
from lamella.recipes.few_labels import SEGMENTED, WITH, WITHOUT, Run, Workshop, grid, tiny, train
from lamella.records import LamellaError
from lamella.training.width_images import annotated


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A folder with all runs of the tiny grid for one seed."""
    out = tmp_path_factory.mktemp("few")
    patch = pytest.MonkeyPatch()
    patch.setitem(few_labels.RECIPES, "tiny", lambda data: replace(tiny(data), seeds=(0,)))
    train(data, out, recipe="tiny")
    yield out
    patch.undo()


def test_the_grid_finishes_a_seed_before_the_next(data):
    recipe = tiny(data)
    runs = list(grid(recipe, (WITHOUT, WITH)))
    assert len({run.file for run in runs}) == len(runs) == 8
    assert [run.seed for run in runs] == [0] * 4 + [1] * 4
    assert [run.arm for run in runs[:2]] == [WITHOUT, WITH]


def test_one_file_per_run_with_both_stages(finished):
    files = sorted(file.name for file in (finished / "runs").iterdir())
    assert files == ["with-100-0.pt", "with-50-0.pt", "without-100-0.pt", "without-50-0.pt"]
    run = torch.load(finished / "runs" / "with-50-0.pt", weights_only=True)
    first, last = run["states"]
    assert not torch.equal(first["heads.1.weight"], last["heads.1.weight"])
    assert run["about"]["joints"] == 2


def test_what_is_finished_is_skipped_and_what_lacks_is_made_alike(finished, data):
    files = {file.name: file for file in (finished / "runs").iterdir()}
    before = torch.load(files["with-100-0.pt"], weights_only=True)["states"]
    times = {name: file.stat().st_mtime_ns for name, file in files.items()}
    files["with-100-0.pt"].unlink()
    train(data, finished, recipe="tiny")
    after = torch.load(files["with-100-0.pt"], weights_only=True)["states"]
    for old, new in zip(before, after, strict=True):
        assert all(torch.equal(old[name], new[name]) for name in old)
    for name in set(files) - {"with-100-0.pt"}:
        assert files[name].stat().st_mtime_ns == times[name]


def test_synthetic_joints_come_from_the_annotated_ones_alone(finished, data):
    workshop = Workshop(recipe=tiny(data), out=finished)
    few = annotated(workshop.labelled, 50.0, 0)
    made = workshop.first_images(WITH, few)
    assert set(made.numbers.tolist()) == set(few.numbers.tolist())
    assert len(few) < len(workshop.labelled)


def test_arms_share_everything_but_the_first_images(finished, data):
    workshop = Workshop(recipe=tiny(data), out=finished)
    few = annotated(workshop.labelled, 50.0, 0)
    without, with_it = (
        list(workshop.stages(workshop.first_images(arm, few), few)) for arm in (WITHOUT, WITH)
    )
    assert without[0].images is few
    assert with_it[1].images is few
    for one, other in zip(without, with_it, strict=True):
        assert (one.steps, one.learning_rate) == (other.steps, other.learning_rate)
    weights = [workshop.network(0).state_dict()["heads.1.weight"] for _ in range(2)]
    assert torch.equal(*weights)


def test_the_segmented_arm_takes_all_images(finished, data):
    workshop = Workshop(recipe=tiny(data), out=finished)
    few = annotated(workshop.labelled, 50.0, 0)
    made = workshop.first_images(SEGMENTED, few)
    assert set(made.numbers.tolist()) > set(few.numbers.tolist())


def test_another_grid_is_not_mixed_in(finished, data):
    with pytest.raises(LamellaError, match="another recipe"):
        train(data, finished, steps=3, recipe="tiny")
    with pytest.raises(LamellaError, match="drawn, segmented"):
        train(data, finished, recipe="tiny", variant="drawn-twice")


def test_parts_have_files_of_their_own():
    assert Run(arm=WITH, percent=1.0, seed=2).file == "with-1-2.pt"
    assert Run(arm=WITH, percent=100.0, seed=2).file == "with-100-2.pt"
