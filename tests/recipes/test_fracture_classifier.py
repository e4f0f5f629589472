"""The classifier's recipe: its loss, and that it learns to tell what is easy to tell."""

import numpy as np
import pytest
import torch

from lamella.methods.healthivert.classifier import Classifier, Verdict
from lamella.recipes.fracture_classifier import contest_of, fracture_loss, judged
from lamella.recipes.healthivert import tiny
from lamella.training.loop import seeded
from lamella.training.spine_fractures import FractureBatch


def test_the_loss_is_the_cross_entropy_of_fractured():
    said = Verdict(torch.zeros(2, 1, 8, 8), torch.tensor([[2.0], [-1.0]]))
    batch = FractureBatch(torch.zeros(2, 1, 8, 8), torch.tensor([1.0, 1.0]))
    loss, parts = fracture_loss(said, None, batch)
    expected = (np.log1p(np.exp(-2.0)) + np.log1p(np.exp(1.0))) / 2
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    assert float(parts["right"]) == 0.5


@pytest.mark.slow
def test_steps_of_the_recipe_lower_the_loss(spine_material):
    """On one batch, whose slices it may learn by heart."""
    contest = contest_of(tiny(None), spine_material)
    (stage,) = contest.stages
    batch = stage.batches(np.random.default_rng(0))
    network = seeded(Classifier, 0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(12):
        loss, _ = stage.generator_objective(judged(network, batch), None, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_the_judge_watches_what_it_says(spine_material):
    contest = contest_of(tiny(None), spine_material)
    with torch.no_grad():
        figures = contest.validate(contest.generator.eval())
    assert contest.watched in figures
    assert 0.0 <= figures["auc"] <= 1.0
