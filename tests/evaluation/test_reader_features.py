"""Features: each answers to what it is named after, and to nothing else."""

import numpy as np
import pytest
from scipy import ndimage

from lamella.evaluation.reader_features import features, surroundings_features
from lamella.evaluation.reader_patches import bones_of, levelled, matched_pairs, real_patch


@pytest.fixture(scope="module")
def pair(manifest):
    """A pair with a large overlap."""
    return max(matched_pairs(*bones_of(manifest), 0, folds=1), key=lambda one: one.overlap.sum())


@pytest.fixture(scope="module")
def noise(pair):
    """White noise, levelled."""
    raw = np.random.default_rng(0).normal(0.5, 0.1, pair.seen.shape).astype(np.float32)
    return levelled(pair, raw)


def inside(pair, patch, values):
    return np.where(pair.overlap, values, patch).astype(np.float32)


def test_all_features_are_finite_and_named_alike(pair, noise):
    flat = np.zeros_like(noise)
    found = [features(pair, patch) for patch in (noise, flat, real_patch(pair))]
    assert found[0].keys() == found[1].keys() == found[2].keys()
    assert all(np.isfinite(list(one.values())).all() for one in found)


def test_noise_everywhere_looks_alike_in_and_beside_the_overlap(pair, noise):
    found = features(pair, noise)
    assert abs(found["overlap band 0.7 px"]) < 0.35
    assert abs(found["seam step"]) < 0.5
    assert abs(found["overlap mean"]) < 0.3


def test_a_blurred_overlap_lacks_fine_detail(pair, noise):
    sharp = features(pair, noise)
    blurred = features(pair, inside(pair, noise, ndimage.gaussian_filter(noise, 2.0)))
    assert blurred["overlap band 0.7 px"] < sharp["overlap band 0.7 px"] - 1.5
    assert blurred["overlap smoothness"] > sharp["overlap smoothness"]
    assert blurred["spread slope down at 1.0 px"] < sharp["spread slope down at 1.0 px"]


def test_a_brighter_overlap_is_a_step_at_the_seam(pair, noise):
    before, after = features(pair, noise), features(pair, inside(pair, noise, noise + 3))
    assert after["seam step"] - before["seam step"] == pytest.approx(3.0, abs=1e-4)
    assert after["overlap mean"] - before["overlap mean"] == pytest.approx(3.0, abs=1e-4)
    assert after["beside mean"] == before["beside mean"]
    assert after["seam curvature"] > before["seam curvature"]


def test_the_surroundings_know_nothing_of_the_overlap(pair, noise):
    changed = inside(pair, noise, 5.0 - noise)
    assert surroundings_features(pair, noise) == surroundings_features(pair, changed)
    assert features(pair, noise) != features(pair, changed)
