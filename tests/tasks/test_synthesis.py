"""Synthetic joints: the law they are made by, their exact widths, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

import joints
import laws
from lamella.records import LamellaError, Layers, Pose
from lamella.tasks.joint_width import EXACT, measure_joint_space
from lamella.tasks.movable import movable
from lamella.tasks.separation import separate_joint
from lamella.tasks.synthesis import MARGIN_MM, AdjustableJoint

SPACING_MM = 0.082
WITHOUT_NOISE = {"noise": 0.0, "texture": 0.0}


def layers_of(**spec) -> Layers:
    """True layers of a phantom."""
    phantom = joints.phantom(**spec)
    radiograph = joints.radiograph_of(phantom, pixels=phantom.clean_intensity)
    layers = separate_joint(radiograph, phantom.masks, joints.estimate_saying(), "test")
    return replace(
        layers,
        soft_absorbance=phantom.soft_absorbance,
        bone_absorbance=dict(phantom.bone_absorbance),
    )


@pytest.fixture(scope="module")
def joint() -> AdjustableJoint:
    phantom = joints.phantom(jsw_mm=0.8)
    radiograph = joints.radiograph_of(phantom)
    layers = separate_joint(radiograph, phantom.masks, joints.estimate_saying(), "test")
    return AdjustableJoint.of(layers, EXACT)


def test_a_joint_that_does_not_move_is_the_radiograph(joint):
    laws.still_joints_are_the_radiograph(joint)


@pytest.mark.parametrize("jsw_mm", [-1.2, 0.0, 0.4, 1.7, 3.0])
def test_the_width_asked_for_is_the_width_of_the_contours(joint, jsw_mm):
    made = joint.at(joint.posed(jsw_mm, 0.3, -2.0))
    assert made.jsw_mm == pytest.approx(jsw_mm, abs=1e-4)
    assert made.joint_space.frame.axis == pytest.approx(joint.joint_space.frame.axis, abs=0.03)


@pytest.mark.parametrize("jsw_mm", [0.2, 2.0])
def test_the_moved_masks_have_that_width_too_as_far_as_pixels_can_say(joint, jsw_mm):
    """A straight edge between two pixel rows belongs to either: half a pixel for both bones."""
    made = joint.at(joint.posed(jsw_mm))
    assert measure_joint_space(made.masks, SPACING_MM, EXACT).jsw_mm == pytest.approx(
        jsw_mm, abs=0.5 * SPACING_MM
    )


def test_a_displacement_along_the_axis_changes_the_width_by_itself(joint):
    laws.displacement_is_the_change_of_width(joint, displacement_mm=0.731)


def test_the_image_is_the_formula(joint):
    """a = soft + h (m - C) + sum b_i moved, by whole pixels, where no interpolation matters."""
    row, col = joint.joint_space.frame.axis
    pose = Pose(along_px=-8.0 * row, across_px=-8.0 * col)  # 4 px up and 4 px down, upright
    motions = joint.motions(pose)
    assert motions["upper"].down_px == pytest.approx(-motions["lower"].down_px)
    whole = {"upper": -4, "lower": 4}
    for name, rows in whole.items():
        assert motions[name].down_px == pytest.approx(rows, abs=1e-9)
        assert motions[name].right_px == pytest.approx(0, abs=1e-9)
    made = joint.at(pose)
    pad = joint.margin_px
    inside = (slice(pad, -pad), slice(pad, -pad))
    moved = [np.roll(part, whole[name], 0)[inside] for name, part in _by_name(joint, joint.mattes)]
    resting = movable(joint.layers, joint.mattes[:, *inside], SPACING_MM, 0).bones
    bones = {
        name: np.roll(np.pad(bone, pad, mode="reflect"), whole[name], 0)[inside]
        for name, bone in _by_name(joint, resting)
    }
    soft = joint.soft + joint.grain * (joint.matte - np.max(moved, axis=0))
    absorbance = np.maximum(soft, 0) + sum(bones.values())
    np.testing.assert_allclose(made.image, 1 - np.exp(-absorbance), atol=2e-5)


def test_known_layers_move_as_the_phantom_itself_would():
    """Without noise and texture: the synthesised joint against the phantom made at that width."""
    spec = {**WITHOUT_NOISE, "seed": 2, "soft_gradient": 0.0}
    narrow, wide = (joints.phantom(jsw_mm=width, **spec) for width in (0.8, 2.0))
    joint = AdjustableJoint.of(layers_of(jsw_mm=0.8, **spec), EXACT)
    row, col = joint.joint_space.frame.axis
    rise_px = 1.2 / SPACING_MM  # the phantom lifts its upper bone alone, straight up
    made = joint.at(Pose(along_px=-row * rise_px, across_px=-col * rise_px))
    half = rise_px / 2
    lifted = np.stack([np.roll(wide.clean_intensity, shift, 0) for shift in (7, 8)])
    expected = lifted[0] * (8 - half) + lifted[1] * (half - 7)
    middle = (slice(40, -40), slice(30, -30))
    error = np.abs(made.image - expected)[middle]
    assert np.median(error) < 0.004
    assert np.abs(narrow.clean_intensity - expected)[middle].mean() > 3 * error.mean()


def test_a_moved_bone_leaves_no_ghost_and_no_smear(joint):
    """Where the bones were, grain is as strong as beside; where they are, it is not doubled."""
    made = joint.at(joint.posed(3.0))
    still = joint.matte >= 1.0
    covered = np.zeros_like(still)
    for mask in made.masks.values():
        covered |= mask
    near = laws.within(covered, 8)
    revealed, beside = still & ~near, (joint.matte == 0) & ~joint.air
    fine = made.soft_absorbance - laws.smoothed(made.soft_absorbance, 2.0)
    ratio = fine[laws.core(revealed, 3)].std() / fine[laws.core(beside, 6)].std()
    assert 0.8 < ratio < 1.25


def test_bones_reach_the_border_however_they_move(joint):
    apart = joint.at(joint.posed(3.0))
    assert apart.masks["upper"][0].any()
    assert apart.masks["lower"][-1].any()
    columns = np.flatnonzero(joint.layers.masks["upper"][0])[8:-8]
    before, after = joint.layers.radiograph.pixels[0, columns], apart.image[0, columns]
    assert after.mean() > 0.8 * before.mean()


def test_grain_follows_its_seed():
    layers = layers_of(jsw_mm=0.8, noise=0.007)
    first, same, other = (AdjustableJoint.of(layers, EXACT, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.grain, same.grain)
    hidden = first.matte >= 1
    assert np.abs(first.grain - other.grain)[hidden].max() > 0
    np.testing.assert_array_equal(
        first.grain[~hidden & (first.matte == 0)], other.grain[~hidden & (first.matte == 0)]
    )


def test_landmarks_move_with_their_bones(joint):
    pose = joint.posed(2.0)
    made, here = joint.at(pose), joint.at(Pose())
    for name, motion in made.motions.items():
        before = np.array([here.landmarks[f"{name}_middle"]])
        np.testing.assert_allclose(
            motion.of_points(before)[0], made.landmarks[f"{name}_middle"], atol=1e-9
        )


def test_unknown_spacing_allows_turning_but_no_millimetre(joint):
    layers = joint.layers
    unknown = replace(layers.radiograph, pixel_spacing_mm=None, spacing_source=None)
    blind = AdjustableJoint.of(replace(layers, radiograph=unknown))
    with pytest.raises(LamellaError, match="the pixel spacing is unknown"):
        blind.posed(1.0)
    made = blind.at(blind.posed(rotation_deg=2.0))
    assert made.jsw_mm is None
    assert np.abs(made.image - unknown.pixels).max() > 0.05


def test_what_the_image_cannot_show_is_refused(joint):
    with pytest.raises(LamellaError, match=f"move by at most {MARGIN_MM:g} mm"):
        joint.at(joint.posed(14.0))
    with pytest.raises(LamellaError, match="expected finite numbers"):
        joint.posed(float("nan"))


def test_bones_do_not_leave_the_finger():
    joint = AdjustableJoint.of(layers_of(jsw_mm=0.8, air=True, seed=1), EXACT)
    assert joint.air.any()
    at_left = np.nonzero(joint.air)[1].mean() < 128
    aside = -8.0 if at_left else 8.0
    with pytest.raises(LamellaError, match="would lie over air"):
        joint.at(Pose(across_px=aside / SPACING_MM))


def _by_name(joint: AdjustableJoint, stack: np.ndarray):
    return zip(joint.names, stack, strict=True)
