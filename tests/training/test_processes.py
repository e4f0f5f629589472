"""Several processes on one batch."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import contests
from lamella.records import LamellaError
from lamella.training.processes import (
    add_up,
    add_up_gradients,
    allotted,
    slice_of,
    world,
)

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_slices_part_a_batch(processes):
    whole = contests.batch(np.random.default_rng(0), size=5)
    slices = [slice_of(whole, rank, processes) for rank in range(processes)]
    assert {each.samples for each in slices} == {5}
    seen = torch.cat([each.batch.pair.image for each in slices])
    assert torch.equal(seen.sum(dim=(1, 2, 3)).sort()[0], whole.pair.image.sum((1, 2, 3)).sort()[0])
    for each in slices:
        assert torch.equal(each.batch.pair.image, each.batch.pair.mirrored.flip(-1))


def test_a_process_without_a_sample_is_refused():
    whole = contests.batch(np.random.default_rng(0), size=3)
    with pytest.raises(LamellaError, match="each of 4 processes, got a batch of 3"):
        slice_of(whole, 0, 4)


def test_a_process_alone_keeps_its_gradients():
    assert world() == (0, 1)
    weight, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    weight.grad = torch.tensor([1.0, 2.0])
    assert not add_up_gradients([weight, unused], 1.0)
    assert add_up_gradients([weight, unused], 1.0, flag=True)
    assert weight.grad.tolist() == [1.0, 2.0]
    assert unused.grad is None
    assert add_up(torch.tensor([3.0]), 1.0).item() == 3.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def two_and_one(tmp_path_factory) -> tuple[dict, dict]:
    """Checkpoints of five steps by two processes and by one; batches of 5 part into 3 and 2."""
    two, one = tmp_path_factory.mktemp("two"), tmp_path_factory.mktemp("one")
    command = [sys.executable, str(TESTS / "contests.py"), str(two), str(free_port())]
    both = subprocess.Popen(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        contests.main(one, 1)
        _, said = both.communicate(timeout=240)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(both.pid, signal.SIGKILL)
    assert both.returncode == 0, said
    return tuple(torch.load(folder / "last.ckpt", weights_only=True) for folder in (two, one))


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(two_and_one):
    two, one = two_and_one
    first = [contests.generator(0.0).state_dict(), contests.supervisor().state_dict()]
    for found, expected, before in zip(two["networks"], one["networks"], first, strict=True):
        for name, weight in expected.items():
            torch.testing.assert_close(found[name], weight, atol=1e-5, rtol=0)
            assert (weight - before[name]).abs().max() > 1e-3
    for name, weight in one["averaged"].items():
        torch.testing.assert_close(two["averaged"][name], weight, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_two_processes_judge_once_and_agree(two_and_one):
    two, one = two_and_one
    assert two["settings"] == one["settings"]
    assert two["standing"] == pytest.approx(one["standing"], abs=1e-5)


@pytest.mark.parametrize(
    ("said", "devices", "nodes"),
    [
        ({"LOCAL_WORLD_SIZE": "8", "WORLD_SIZE": "16"}, 8, 2),
        ({"SLURM_NTASKS_PER_NODE": "4", "SLURM_NNODES": "3"}, 4, 3),
        ({"SLURM_NTASKS_PER_NODE": "2"}, 2, 1),
        ({}, max(1, torch.cuda.device_count()), 1),
    ],
)
def test_processes_are_those_that_were_allotted(monkeypatch, said, devices, nodes):
    for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE", "SLURM_NTASKS_PER_NODE", "SLURM_NNODES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert allotted() == (devices, nodes)
