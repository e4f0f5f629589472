"""The moving average of a network's weights."""

import pytest
import torch
from torch import nn

from lamella.training.averages import average_in, average_of, decay, judged


def network(value: float) -> nn.Module:
    made = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    for weight in (*made.parameters(), made[1].running_mean):
        nn.init.constant_(weight, value)
    return made


def test_parameters_are_averaged_and_buffers_taken_over():
    averaged, other = average_of(network(1.0)), network(2.0)
    average_in(averaged, other, 0.75)
    assert all((weight == 1.25).all() for weight in averaged.parameters())
    assert (averaged[1].running_mean == 2.0).all()
    assert all((weight == 2.0).all() for weight in other.parameters())


def test_an_average_takes_no_gradients_and_shares_no_memory():
    made = network(1.0)
    averaged = average_of(made)
    assert not any(weight.requires_grad for weight in averaged.parameters())
    assert all(weight.requires_grad for weight in made.parameters())
    nn.init.zeros_(made[0].weight)
    assert (averaged[0].weight == 1.0).all()


@pytest.mark.parametrize(("done", "kept"), [(0, 0.1), (8, 0.5), (10**6, 0.998)])
def test_short_runs_average_over_their_own_length(done, kept):
    assert decay(0.998, done) == pytest.approx(kept)


def test_judging_is_without_gradients_and_passes():
    made = network(1.0)
    with judged(made):
        assert not made.training
        assert not made(torch.ones(3, 2)).requires_grad
    assert made.training
    assert made(torch.ones(3, 2)).requires_grad
