"""What a separator sees: soft tissue, soft edges and a scale that takes the exposure out."""

import numpy as np
import pytest

from lamella.prepare.scene import CORRECTION_REACH_PX, scene


def test_a_scene_knows_the_phantoms_soft_tissue_where_no_bone_is(overlapping, overlapping_scene):
    visible = overlapping_scene.mattes.max(axis=0) == 0
    np.testing.assert_array_equal(
        overlapping_scene.soft[visible], overlapping_scene.absorbance[visible]
    )
    error = (overlapping_scene.soft - overlapping.soft_absorbance)[~visible]
    assert np.sqrt(np.mean(error**2)) < 0.1 * overlapping_scene.scale


def test_the_scale_is_the_mean_bone_absorbance_where_one_bone_is_alone(overlapping):
    seen = scene(
        -np.log1p(-overlapping.intensity),
        list(overlapping.masks.values()),
        overlapping.spec.pixel_spacing_mm,
    )
    alone = overlapping.masks["upper"] ^ overlapping.masks["lower"]
    true = sum(overlapping.bone_absorbance.values())[alone].mean()
    assert seen.scale == pytest.approx(true, rel=0.15)


def test_twice_the_absorbance_gives_the_same_features(overlapping, overlapping_scene):
    twice = scene(
        2 * overlapping_scene.absorbance,
        list(overlapping.masks.values()),
        overlapping.spec.pixel_spacing_mm,
    )
    assert twice.scale == pytest.approx(2 * overlapping_scene.scale, rel=1e-3)
    np.testing.assert_allclose(twice.features(), overlapping_scene.features(), atol=2e-3)


def test_features_are_bone_and_soft_tissue_over_the_scale_and_two_mattes(overlapping_scene):
    features = overlapping_scene.features()
    assert features.shape == (4, 128, 128)
    assert features.dtype == np.float32
    np.testing.assert_allclose(
        (features[0] + features[1]) * overlapping_scene.scale,
        overlapping_scene.absorbance,
        atol=1e-5,
    )
    np.testing.assert_array_equal(features[2:], overlapping_scene.mattes)


def test_soft_tissue_may_be_corrected_at_the_overlap_and_fades_around_it(overlapping_scene):
    window, both = overlapping_scene.correction_window(), overlapping_scene.both
    certain = overlapping_scene.mattes.min(axis=0) == 1
    assert certain.any()
    np.testing.assert_array_equal(window[certain], 1.0)
    rows, cols = np.nonzero(window > 0)
    near = np.argwhere(both)
    for row, col in list(zip(rows, cols, strict=True))[:: len(rows) // 50]:
        assert np.hypot(*(near - (row, col)).T).min() < CORRECTION_REACH_PX
    assert (window[overlapping_scene.mattes.max(axis=0) == 0] == 0).all()
