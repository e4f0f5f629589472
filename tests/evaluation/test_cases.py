"""Benchmark cases: layers known exactly, the same every time."""

import numpy as np
import pytest

from lamella.evaluation.cases import (
    CLOSING_PX,
    CLOSINGS_PER_JOINT,
    closed_joints,
    finger_soft_tissue,
    phantom_joints,
)
from lamella.prepare.overlap import SMALLEST_OVERLAP_PX
from lamella.records import LamellaError


def test_only_joints_without_overlap_and_with_sound_masks_are_closed(closed_cases):
    assert CLOSINGS_PER_JOINT <= len(closed_cases) <= 2 * CLOSINGS_PER_JOINT


def test_the_layers_of_closed_joints_superpose_to_the_radiograph(closed_cases):
    for known, radiograph in closed_cases:
        total = known.soft + known.bones["upper"] + known.bones["lower"]
        error = np.abs(radiograph.pixels - (1 - np.exp(-total)))
        assert error.max() <= 0.5 / 255 + 1e-6
        levels = radiograph.pixels * 255
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)
        assert radiograph.grey_level == 1 / 255


def test_closed_joints_overlap_by_what_was_closed(closed_cases):
    for known, radiograph in closed_cases:
        overlap = known.masks["upper"] & known.masks["lower"]
        assert overlap.sum() >= SMALLEST_OVERLAP_PX
        assert overlap.any(axis=1).sum() <= CLOSING_PX[1]
        assert list(known.bones) == list(known.masks) == ["upper", "lower"]
        assert radiograph.shape == overlap.shape
        for name in known.masks:
            assert known.bones[name][overlap].mean() > 0.02


def test_closings_replay_and_change_with_the_seed(manifest, closed_cases):
    again = next(closed_joints(manifest))[1].pixels
    np.testing.assert_array_equal(again, closed_cases[0][1].pixels)
    sizes = [int(known.overlap.sum()) for known, _ in closed_cases]
    other = [int(known.overlap.sum()) for known, _ in closed_joints(manifest, seed=1)]
    assert sizes != other
    assert len(set(sizes)) > 1


def test_phantoms_overlap_and_their_true_layers_are_free_of_noise():
    for known, radiograph in phantom_joints(2):
        assert known.overlap.sum() >= SMALLEST_OVERLAP_PX
        error = radiograph.pixels - (1 - np.exp(-known.absorbance))
        assert 0.002 < error.std() < 0.03
        assert np.abs(error.mean()) < 0.002
        assert radiograph.pixel_spacing_mm == 0.082


def test_phantoms_replay_and_fewer_are_the_first_of_more(phantom_case):
    known, radiograph = next(phantom_joints(2))
    np.testing.assert_array_equal(radiograph.pixels, phantom_case[1].pixels)
    np.testing.assert_array_equal(known.soft, phantom_case[0].soft)


def test_no_phantom_at_all_is_refused():
    with pytest.raises(LamellaError, match="at least one phantom, got 0"):
        next(phantom_joints(0))


def test_soft_tissue_of_the_phantom_cases_is_not_the_training_phantoms(phantom_case):
    known, _ = phantom_case
    soft = finger_soft_tissue((256, 256), np.random.default_rng(3))
    assert 0.02 <= soft.min() < soft.max() < 0.7
    middle, edge = soft[:, 96:160].mean(), soft[:, :32].mean()
    assert middle > edge
    assert known.soft.shape == (256, 256)
