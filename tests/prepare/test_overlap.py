"""Joints closed on purpose: layers known exactly, whole-pixel closings, honest refusals."""

from dataclasses import replace

import numpy as np
import pytest

import joints
from lamella.physics.geometry import RigidMotion
from lamella.prepare.overlap import (
    SMALLEST_OVERLAP_PX,
    KnownLayers,
    closed,
    closing,
    layers_without_overlap,
)
from lamella.records import LamellaError

NAMES = ("upper", "lower")


@pytest.fixture(scope="module")
def known(apart) -> KnownLayers:
    return layers_without_overlap(joints.radiograph_of(apart), apart.masks)


def test_layers_superpose_to_the_radiograph(apart, known):
    observed = -np.log1p(-np.minimum(apart.intensity, 1 - joints.GREY / 2))
    assert np.abs(known.absorbance - observed).max() <= 1e-6
    assert known.soft.min() >= 0
    assert all(bone.min() >= 0 for bone in known.bones.values())


def test_each_bone_has_what_its_mask_holds_alone(known):
    for name, other in (NAMES, NAMES[::-1]):
        far = known.masks[name]
        assert known.bones[name][far].sum() > 0.9 * known.bones[name].sum()
        assert known.bones[other][far].sum() < 0.02 * known.bones[name][far].sum()


def test_layers_are_near_the_phantoms_true_ones(apart, known):
    """Only the soft tissue is estimated: errors stay small against the bones' absorbance."""
    for name in NAMES:
        inside = apart.masks[name]
        true = apart.bone_absorbance[name][inside]
        error = (known.bones[name] - true_with_noise(apart, name))[inside]
        assert np.sqrt(np.mean(error**2)) < 0.15 * true.mean()


def true_with_noise(apart, name: str) -> np.ndarray:
    """A bone's layer as the radiograph shows it: its own absorbance and the noise."""
    noise = np.log1p(-apart.clean_intensity) - np.log1p(-apart.intensity)
    return apart.bone_absorbance[name] + noise


def test_order_of_the_masks_is_irrelevant_and_the_top_bone_comes_first(apart, known):
    turned = layers_without_overlap(
        joints.radiograph_of(apart), dict(reversed(apart.masks.items()))
    )
    assert list(turned.bones) == list(turned.masks) == list(known.bones) == list(NAMES)
    for name in NAMES:
        np.testing.assert_array_equal(turned.bones[name], known.bones[name])


def test_bones_that_overlap_are_refused(overlapping):
    with pytest.raises(LamellaError, match="bones overlap: known layers need a joint without"):
        layers_without_overlap(joints.radiograph_of(overlapping), overlapping.masks)


@pytest.mark.parametrize(("overlap_px", "refused"), [(19, False), (20, True)])
def test_refusal_begins_at_twenty_pixels_of_overlap(apart, overlap_px, refused):
    shared = np.zeros_like(apart.masks["lower"])
    where = np.flatnonzero(apart.masks["upper"])[-overlap_px:]
    shared.flat[where] = True
    masks = {"upper": apart.masks["upper"], "lower": apart.masks["lower"] | shared}
    assert SMALLEST_OVERLAP_PX == 20
    if refused:
        with pytest.raises(LamellaError, match="bones overlap"):
            layers_without_overlap(joints.radiograph_of(apart), masks)
    else:
        assert layers_without_overlap(joints.radiograph_of(apart), masks).overlap.sum() == 19


@pytest.mark.parametrize("closing_px", [0, 1, 7, 12])
def test_a_closing_is_shared_in_whole_pixels(closing_px):
    motions = closing(NAMES, closing_px)
    down, up = motions["upper"].down_px, -motions["lower"].down_px
    assert down + up == closing_px
    assert abs(down - up) <= 1
    assert float(down).is_integer()
    assert motions["upper"].right_px == motions["lower"].rotation_deg == 0


def test_closing_moves_bones_exactly_and_leaves_the_soft_tissue(known):
    made = closed(known, closing(NAMES, 13))
    rows = known.soft.shape[0]
    assert made.soft.shape[0] == rows - 2 * 7
    np.testing.assert_array_equal(made.soft, known.soft[7 : rows - 7])
    np.testing.assert_array_equal(made.bones["upper"], known.bones["upper"][1 : rows - 13])
    np.testing.assert_array_equal(made.bones["lower"], known.bones["lower"][14:rows])
    np.testing.assert_array_equal(made.masks["upper"], known.masks["upper"][1 : rows - 13])
    np.testing.assert_array_equal(made.masks["lower"], known.masks["lower"][14:rows])


def test_the_closed_joint_is_beer_lambert_of_its_layers(known):
    made = closed(known, closing(NAMES, 13))
    assert made.overlap.sum() >= SMALLEST_OVERLAP_PX
    np.testing.assert_array_equal(made.overlap, made.masks["upper"] & made.masks["lower"])
    expected = 1 - np.exp(-(made.soft + made.bones["upper"] + made.bones["lower"]))
    pixels = made.radiograph().pixels
    assert np.abs(pixels - expected).max() <= 0.5 * made.grey_level + 1e-6
    levels = pixels / made.grey_level
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-4)


def test_a_layer_image_is_one_bone_with_its_soft_tissue(known):
    expected = 1 - np.exp(-(known.soft + known.bones["lower"]))
    np.testing.assert_allclose(known.bone_image("lower"), expected, atol=1e-6)


def test_without_motion_nothing_changes(known):
    for motions in ({}, {"upper": RigidMotion()}):
        made = closed(known, motions)
        np.testing.assert_array_equal(made.absorbance, known.absorbance)


def test_what_enters_from_outside_is_cropped_away(known):
    """A motion leaves empty rows and columns; none of them is left in the result."""
    full = replace(known, bones={name: np.ones_like(known.soft) for name in NAMES})
    made = closed(full, {"upper": RigidMotion(down_px=5.0, right_px=-4.0)})
    rows, cols = known.soft.shape
    assert made.soft.shape == (rows - 10, cols - 8)
    np.testing.assert_allclose(made.bones["upper"], 1.0, atol=1e-5)


def test_spacing_may_be_unknown(known):
    assert known.radiograph(None).pixel_spacing_mm is None
    assert known.radiograph(0.1).pixel_spacing_mm == 0.1
