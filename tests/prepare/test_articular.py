"""Articular ends: sub-pixel contours that belong to one bone and move with it."""

import numpy as np
import pytest
from scipy import ndimage

import exact_visits
import joints
from lamella.physics.geometry import RigidMotion
from lamella.prepare.articular import bone_ends, joint_frame, moved_end, outlined_motion
from lamella.records import LamellaError, Similarity

SPACING_MM = 0.082


def discs(gap_px: float, shape=(256, 256)) -> dict[str, np.ndarray]:
    """A flat-ended bar above a round-headed one, drawn at eight samples a pixel."""
    fine = (np.arange(8 * shape[0]) + 0.5) / 8 - 0.5
    rows, cols = fine[:, None], fine[None, : 8 * shape[1]]
    upper = (rows < 119.5) & (np.abs(cols - 128) < 60)
    head = (rows - (120 + gap_px + 60)) ** 2 + (cols - 128) ** 2 < 60**2
    shaft = (rows >= 180 + gap_px) & (np.abs(cols - 128) < 60)
    blocks = (shape[0], 8, shape[1], 8)
    return {
        name: part.reshape(blocks).mean(axis=(1, 3)) >= 0.5
        for name, part in (("upper", upper), ("lower", head | shaft))
    }


def test_contours_lie_on_the_outline_to_a_tenth_of_a_pixel():
    ends = bone_ends(discs(10.3), SPACING_MM)
    rows, cols = ends["lower"].arc_px.T
    near = np.abs(cols - 128) < 40
    truth = 190.3 - np.sqrt(60**2 - (cols[near] - 128) ** 2)
    assert np.abs(rows[near] - truth).mean() < 0.15
    assert abs((rows[near] - truth).mean()) < 0.06
    flat = np.abs(ends["upper"].arc_px[:, 1] - 128) < 50
    np.testing.assert_allclose(ends["upper"].arc_px[flat, 0], 119.5, atol=0.06)


def test_an_upright_symmetric_joint_has_an_upright_axis():
    frame = joint_frame(bone_ends(discs(8.0), SPACING_MM))
    assert frame.axis == pytest.approx((-1.0, 0.0), abs=4e-3)
    assert frame.across == pytest.approx((0.0, 1.0), abs=4e-3)
    assert frame.origin_px[1] == pytest.approx(128, abs=0.5)


def test_extents_are_the_widest_parts():
    ends = bone_ends(discs(8.0), SPACING_MM)
    for end in ends.values():
        assert end.extent_px[:, 1] == pytest.approx([68.0, 187.5], abs=1.0)


@pytest.mark.parametrize("angle_deg", [-8.0, 5.0])
def test_the_axis_turns_with_the_image(angle_deg):
    phantom = joints.phantom(jsw_mm=1.0)
    upright = bone_ends(phantom.masks, SPACING_MM)
    turned = {
        name: ndimage.rotate(mask.astype(float), angle_deg, reshape=False, order=1) >= 0.5
        for name, mask in phantom.masks.items()
    }
    before, after = (
        np.rad2deg(np.arctan2(-axis[1], -axis[0]))
        for axis in (joint_frame(upright).axis, joint_frame(bone_ends(turned, SPACING_MM)).axis)
    )
    assert after - before == pytest.approx(angle_deg, abs=1.0)


def test_the_lower_bone_says_nothing_about_the_upper_one():
    masks = discs(8.0)
    lowered = masks | {"lower": np.roll(masks["lower"], 15, axis=0)}
    lowered["lower"][:15] = False
    before, after = bone_ends(masks, SPACING_MM), bone_ends(lowered, SPACING_MM)
    np.testing.assert_array_equal(before["upper"].arc_px, after["upper"].arc_px)
    assert after["lower"].direction == before["lower"].direction == before["upper"].direction
    at = np.linspace(90, 165, 60)
    rows = [np.interp(at, *ends["lower"].arc_px.T[::-1]) for ends in (before, after)]
    np.testing.assert_allclose(rows[1] - rows[0], 15.0, atol=0.03)


def test_a_moved_end_is_the_end_of_the_moved_mask():
    phantom = joints.phantom(jsw_mm=1.0)
    motion = RigidMotion(down_px=7.0, right_px=-4.0)
    moved_mask = np.roll(phantom.masks["lower"], (7, -4), axis=(0, 1))
    moved_mask[:7] = False
    moved_mask[:, -4:] = moved_mask[:, -5:-4]
    found = bone_ends(dict(phantom.masks) | {"lower": moved_mask}, SPACING_MM)["lower"]
    expected = moved_end(bone_ends(phantom.masks, SPACING_MM)["lower"], motion)
    grid = np.linspace(*found.extent_px[:, 1] + [20, -20], 50)
    rows = [np.interp(grid, end.arc_px[:, 1], end.arc_px[:, 0]) for end in (found, expected)]
    np.testing.assert_allclose(rows[0], rows[1], atol=0.1)


def test_more_or_fewer_bones_than_two_are_refused():
    masks = discs(8.0)
    with pytest.raises(LamellaError, match="expected the masks of two bones, got 1"):
        bone_ends({"upper": masks["upper"]}, SPACING_MM)


def test_a_bone_that_fills_the_image_below_has_no_end():
    masks = discs(8.0)
    masks["upper"][:, :] = True
    masks["upper"][0, 0] = False
    with pytest.raises(LamellaError, match="no articular end inside the image"):
        bone_ends(masks, SPACING_MM)


@pytest.mark.parametrize("angle_deg", [-12.0, 0.0, 7.0])
def test_the_motion_of_an_outline_is_read_back(angle_deg):
    made = Similarity(down_px=5.3, right_px=-2.1, rotation_deg=angle_deg, centre_px=(128.0, 128.0))
    for end in bone_ends(discs(8.0), SPACING_MM).values():
        found = outlined_motion(end, exact_visits.moved_end(end, made))
        assert found.rotation_deg == pytest.approx(angle_deg, abs=1e-9)
        assert found.scale == 1.0
        np.testing.assert_allclose(
            found.of_points(end.arc_px), made.of_points(end.arc_px), atol=1e-9
        )


def test_outlines_of_a_shifted_mask_show_the_shift():
    masks = discs(8.0)
    rolled = {name: np.roll(mask, (0, 6), axis=(0, 1)) for name, mask in masks.items()}
    before, after = bone_ends(masks, SPACING_MM), bone_ends(rolled, SPACING_MM)
    for name, end in before.items():
        found = outlined_motion(end, after[name])
        assert (found.down_px, found.right_px) == pytest.approx((0.0, 6.0), abs=0.3)
        assert found.rotation_deg == pytest.approx(0.0, abs=0.1)
        assert found.centre_px == pytest.approx(tuple(end.arc_px[len(end.arc_px) // 2]))
