"""Pieces of one step."""

import numpy as np
import pytest
import torch
from torch import nn

import contests
from contests import contest
from lamella.training.steps import Steps, chance, detached, frozen, named, trainable


def test_steps_draw_from_the_seed_and_their_number_in_the_run():
    steps = Steps(contest(), 4, 9)
    assert len(steps) == 5
    expected = contests.batch(np.random.default_rng([contests.PACE.seed, 6]))
    assert torch.equal(steps[2].batch.pair.image, expected.pair.image)
    assert steps[2].samples == 4


def test_chance_differs_from_step_to_step_and_seed_to_seed():
    assert chance(0, 1) == chance(0, 1)
    assert len({chance(seed, step) for seed in range(10) for step in range(100)}) == 1000


def test_frozen_weights_pass_gradients_on_and_thaw_after_an_error():
    network, image = nn.Linear(2, 1), torch.ones(1, 2, requires_grad=True)
    with pytest.raises(ZeroDivisionError), frozen([trainable(network)]):  # noqa: PT012
        network(image).sum().backward()
        raise ZeroDivisionError
    assert torch.equal(image.grad, network.weight.data)
    assert network.weight.grad is None
    assert len(trainable(network)) == 2


def test_what_was_made_is_detached():
    made = contests.make(contests.generator(), contests.batch(np.random.default_rng(0)))
    assert made.image.requires_grad
    assert not detached(made).image.requires_grad
    assert torch.equal(detached(made).image, made.image)


def test_losses_bear_the_name_of_who_learns():
    parts = named("supervisor", torch.tensor(1.0), {"real": torch.tensor(2.0)})
    assert {name: part.item() for name, part in parts.items()} == {
        "supervisor/loss": 1.0,
        "supervisor/real": 2.0,
    }
