"""What a run is made of: places, chunk ends, rates, and records taken apart."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from contests import PACE, batch, contest, stage
from lamella.records import LamellaError
from lamella.training.contest import Pace, chunk_ends, place, rate, tensors_in, with_each

STAGES = (stage(5, name="first"), stage(7, name="second"))


@pytest.mark.parametrize(
    ("step", "name", "first"),
    [(0, "first", 0), (4, "first", 0), (5, "second", 5), (12, "second", 5)],
)
def test_a_step_lies_in_a_stage(step, name, first):
    where = place(STAGES, step)
    assert (where.stage.name, where.first) == (name, first)


@pytest.mark.parametrize(
    ("chunk_steps", "ends"), [(3, [3, 5, 8, 11, 12]), (5, [5, 10, 12]), (99, [5, 12])]
)
def test_chunks_end_with_their_stage(chunk_steps, ends):
    assert chunk_ends(contest(stages=STAGES, chunk_steps=chunk_steps)) == ends


def test_rates_rise_linearly_and_fall_as_a_cosine_in_each_stage():
    made = contest(stages=STAGES, warmup_steps=2)
    rates = [rate(made, step) for step in range(12)]
    falls = [
        [0.5 * (1 + np.cos(np.pi * k / (steps - 2))) + 1e-3 for k in range(steps - 2)]
        for steps in (5, 7)
    ]
    assert rates == pytest.approx([0.5, 1.0, *falls[0], 0.5, 1.0, *falls[1]])


def test_a_contest_has_stages_with_steps():
    with pytest.raises(LamellaError, match="expected stages of 1 step or more"):
        contest(stages=(stage(5), stage(0)))
    with pytest.raises(LamellaError, match="expected stages of 1 step or more"):
        contest(stages=())


def test_a_supervisor_is_taught_in_every_stage():
    untaught = stage(5, supervisor_objective=None)
    with pytest.raises(LamellaError, match="expected an objective for the supervisor"):
        contest(stages=(stage(5), untaught))
    assert contest(stages=(untaught,), supervisor=None).steps == 5


def test_a_precision_that_would_need_scaled_losses_is_refused():
    with pytest.raises(LamellaError, match="among bf16-mixed, 32-true, got '16-mixed'"):
        Pace(precision="16-mixed")


def test_processes_are_devices_of_all_nodes():
    assert Pace(devices=8, nodes=2).processes == 16
    assert PACE.processes == 1


def test_nested_records_keep_their_kind():
    made = batch(np.random.default_rng(0))
    doubled = with_each(made, lambda tensor: 2 * tensor)
    assert type(doubled) is type(made)
    assert type(doubled.pair) is type(made.pair)
    torch.testing.assert_close(doubled.pair.mirrored, 2 * made.pair.mirrored)
    assert [tensor is part for tensor, part in zip(tensors_in(made), made.pair, strict=True)] == [
        True,
        True,
    ]


class Partly(NamedTuple):
    image: torch.Tensor
    others: tuple[torch.Tensor, ...]
    truth: torch.Tensor | None


def test_what_is_no_tensor_stays():
    made = with_each(Partly(torch.ones(2), (torch.ones(1),), None), torch.neg)
    assert made.truth is None
    assert made.others[0].item() == -1.0
    assert len(tensors_in(made)) == 2
