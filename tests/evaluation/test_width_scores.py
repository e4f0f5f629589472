"""Scores of widths and classes against scikit-learn's, and what their intervals mean."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, r2_score

from lamella.evaluation.width_scores import Reading, Truth, draws, gain, helps, intervals, scores
from lamella.training.width_images import CLASSES, narrowing_class

IMAGES = 120


def truth(seed: int = 0) -> Truth:
    """Widths of 40 joints with three visits each."""
    width = np.random.default_rng(seed).normal(0.3, 0.5, IMAGES)
    return Truth(
        width_mm=width,
        narrowing=narrowing_class(width),
        joints=np.repeat(np.arange(IMAGES // 3), 3),
    )


def read(of: Truth, error_mm: float, seed: int) -> Reading:
    """A reading with a normal error."""
    width = of.width_mm + np.random.default_rng(seed).normal(0.0, error_mm, IMAGES)
    return Reading(width_mm=width, narrowing=narrowing_class(width))


def test_scores_are_those_of_scikit_learn_averaged_over_seeds():
    known = truth()
    readings = [read(known, 0.2, seed) for seed in (1, 2, 3)]
    found = scores(known, readings, draws(known.joints, 3))
    expected = {
        "mae_mm": [np.abs(r.width_mm - known.width_mm).mean() for r in readings],
        "mae_over_sd": [np.abs(r.width_mm - known.width_mm).mean() / known.sd_mm for r in readings],
        "r2": [r2_score(known.width_mm, r.width_mm) for r in readings],
        "balanced": [balanced_accuracy_score(known.narrowing, r.narrowing) for r in readings],
        "kappa": [
            cohen_kappa_score(known.narrowing, r.narrowing, weights="quadratic") for r in readings
        ],
    }
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name][0] == pytest.approx(np.mean(values), abs=1e-9)


def test_a_class_that_is_absent_does_not_count():
    known = truth()
    few = Truth(
        width_mm=known.width_mm, narrowing=np.minimum(known.narrowing, 3), joints=known.joints
    )
    perfect = Reading(width_mm=few.width_mm, narrowing=few.narrowing)
    found = scores(few, [perfect], draws(few.joints, 1))
    assert found["balanced"] == pytest.approx(1.0)
    assert found["kappa"] == pytest.approx(1.0)
    assert few.narrowing.max() < CLASSES - 1


def test_all_images_of_a_joint_are_drawn_together():
    known = truth()
    images = draws(known.joints, 2).images
    assert np.array_equal(images[:, 0::3], images[:, 1::3])
    assert np.allclose(images.sum(axis=1), IMAGES)
    assert (images[0] == 1).all()
    assert draws(known.joints, 2).seeds.sum(axis=1) == pytest.approx(1.0)


def test_paired_differences_are_narrower_than_the_scores_and_see_a_small_gain():
    known = truth()
    worse = [read(known, 0.3, seed) for seed in (1, 2, 3)]
    better = [
        Reading(
            width_mm=(width := known.width_mm + 0.9 * (r.width_mm - known.width_mm)),
            narrowing=narrowing_class(width),
        )
        for r in worse
    ]
    drawn = draws(known.joints, 3)
    bare, own = scores(known, worse, drawn), scores(known, better, drawn)
    difference = gain(own, bare)
    alone = intervals(own)["mae_mm"]
    assert difference["mae_mm"].mean == pytest.approx(-0.1 * bare["mae_mm"][0])
    paired = difference["mae_mm"].high - difference["mae_mm"].low
    assert paired < 0.3 * (alone.high - alone.low)
    assert helps(difference, "mae_mm")
    assert helps(difference, "r2")
    assert not helps(gain(bare, own), "r2")


def test_chance_of_one_seed_alone_is_no_gain():
    known = truth()
    worse = [read(known, 0.3, seed) for seed in (1, 2, 3)]
    lucky = [read(known, 0.1, 7), *worse[1:]]
    drawn = draws(known.joints, 3)
    difference = gain(scores(known, lucky, drawn), scores(known, worse, drawn))
    assert difference["r2"].mean > 0
    assert not helps(difference, "r2")
