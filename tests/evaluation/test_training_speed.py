"""Speed of training: both loops do the same work, and the clock counts it."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from lamella.evaluation import training_speed
from lamella.evaluation.results import load
from lamella.evaluation.training_speed import Clock, images, lamella_loop, plain_loop


@pytest.fixture
def small(monkeypatch):
    """As little work as there can be."""
    numbers = {"BATCH": 1, "ROWS_PX": 16, "COLS_PX": 24, "ROUNDS": 3, "STEPS": 5}
    for name, number in numbers.items():
        monkeypatch.setattr(training_speed, name, number)
    monkeypatch.setattr(training_speed, "GENERATOR_WIDTHS", (8, 8, 8))
    monkeypatch.setattr(training_speed, "SUPERVISOR_WIDTHS", (8, 8, 8))


def test_the_fastest_step_counts_without_the_first_ones():
    clock = Clock(images=images(), times_s=[0.0, 0.1, 0.2, 3.2, 5.2, 9.2])
    assert clock.step_s() == pytest.approx(2.0)


@pytest.mark.parametrize("loop", [lamella_loop, plain_loop])
def test_a_loop_asks_for_a_batch_each_step(small, loop):
    clock = Clock(images=images())
    loop(clock)
    assert len(clock.times_s) == training_speed.STEPS
    assert all(later > earlier for earlier, later in pairwise(clock.times_s))


def test_both_loops_train_the_same_networks_on_the_same_images(small, monkeypatch):
    """What the supervisor loss sees at the first step is the same in both."""
    seen: dict[str, list[torch.Tensor]] = {}

    def run(name, loop):
        losses = seen.setdefault(name, [])

        def watched(made, supervisor, batch):
            losses.append(made.layers.detach().clone())
            return generator_loss(made, supervisor, batch)

        monkeypatch.setattr(training_speed, "generator_loss", watched)
        loop(Clock(images=images()))

    generator_loss = training_speed.generator_loss
    run("lamella", lamella_loop)
    run("plain", plain_loop)
    assert len(seen["lamella"]) == len(seen["plain"]) == training_speed.STEPS
    np.testing.assert_allclose(seen["lamella"][0].numpy(), seen["plain"][0].numpy(), atol=1e-6)


def test_the_table_holds_both_speeds_and_their_ratio(small, tmp_path):
    printed = training_speed.evaluate(None, tmp_path)
    figures = load(tmp_path / "training_speed.json")["figures"]
    assert figures["ratio"] == pytest.approx(np.median(figures["ratio_of_rounds"]))
    assert figures["lamella_images_per_second"] > 0
    for name in ("lamella_images_per_second", "plain_images_per_second", "ratio"):
        assert f"{figures[name]:.2f}" in printed
