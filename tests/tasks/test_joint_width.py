"""The width of a joint space against analytic truth, and the laws it obeys."""

import numpy as np
import pytest

import joints
from lamella.prepare.articular import bone_ends
from lamella.records import BoneMasks, LamellaError, SpacingSource
from lamella.tasks.joint_width import (
    DRAWN,
    EXACT,
    OutlineError,
    joint_space_between,
    measure_joint_space,
)

SPACING_MM = 0.082


def bars(gap_px: int, slope: float = 0.0, width: int = 160) -> dict[str, np.ndarray]:
    """Two bars with straight ends: the lower one's is tilted by a slope in rows per column."""
    rows, cols = np.mgrid[:256, :256]
    beside = np.abs(cols - 127.5) < width / 2
    return {
        "upper": beside & (rows < 120),
        "lower": beside & (rows >= 120 + gap_px + np.round(slope * (cols - 127.5))),
    }


@pytest.mark.parametrize("gap_px", [-25, -3, 0, 1, 12, 30])
def test_parallel_bars_are_their_gap_apart_everywhere(gap_px):
    space = measure_joint_space(bars(gap_px), SPACING_MM, EXACT)
    assert space.jsw_px == pytest.approx(gap_px, abs=0.05)
    assert space.minimum_px == pytest.approx(gap_px, abs=0.05)
    assert space.jsw_mm == pytest.approx(gap_px * SPACING_MM, abs=0.005)
    assert space.area_px2 == pytest.approx(gap_px * 80, abs=0.7 * abs(gap_px) + 4)
    assert np.ptp(space.across_px[space.central]) == pytest.approx(80, abs=1.0)


def test_the_mean_is_central_and_the_contact_is_anywhere():
    space = measure_joint_space(bars(20, slope=0.1), SPACING_MM, EXACT)
    assert space.jsw_px == pytest.approx(20, abs=0.3)
    assert space.minimum_px == pytest.approx(20 - 0.1 * 40, abs=0.6)
    assert space.contact_px < space.minimum_px - 2


def test_the_definition_is_the_formula():
    space = measure_joint_space(joints.phantom(jsw_mm=0.9).masks, SPACING_MM, EXACT)
    first, last = space.across_px[[0, -1]]
    inside = np.abs(space.across_px - (first + last) / 2) <= (last - first) / 4 + 1e-9
    np.testing.assert_array_equal(space.central, inside)
    places, widths = space.across_px[inside], space.width_px[inside]
    assert space.jsw_px == pytest.approx(np.trapezoid(widths, places) / np.ptp(places))
    assert space.area_px2 == pytest.approx(np.trapezoid(widths, places))
    assert space.minimum_px == widths.min()
    assert space.contact_px == space.width_px.min()


@pytest.mark.parametrize("jsw_mm", [-1.0, 0.0, 0.7, 2.4])
@pytest.mark.parametrize("seed", [0, 3])
def test_phantoms_are_as_wide_as_they_were_made(jsw_mm, seed):
    phantom = joints.phantom(jsw_mm=jsw_mm, seed=seed)
    space = measure_joint_space(phantom.masks, SPACING_MM, EXACT)
    assert space.jsw_mm == pytest.approx(phantom.jsw_mm, abs=0.06)


def test_moving_a_bone_along_the_axis_by_d_widens_by_d():
    masks = dict(joints.phantom(jsw_mm=0.5).masks)
    before = measure_joint_space(masks, SPACING_MM, EXACT)
    masks["upper"] = np.roll(masks["upper"], -9, axis=0)
    masks["upper"][-9:] = False
    after = measure_joint_space(masks, SPACING_MM, EXACT)
    across_drift = abs(before.frame.axis[1]) * 9
    assert after.jsw_px - before.jsw_px == pytest.approx(9, abs=0.1 + 0.3 * across_drift)


def test_twice_the_spacing_twice_the_millimetres():
    ends = bone_ends(joints.phantom(jsw_mm=0.9).masks, SPACING_MM)
    once, twice = (
        joint_space_between(ends, spacing, EXACT, SpacingSource.GIVEN) for spacing in (0.1, 0.2)
    )
    assert twice.jsw_mm == pytest.approx(2 * once.jsw_mm)
    assert twice.area_mm2 == pytest.approx(4 * once.area_mm2)


def test_unknown_spacing_gives_pixels_and_no_millimetre():
    space = measure_joint_space(bars(12), None)
    assert space.jsw_px == pytest.approx(12, abs=0.05)
    assert all(value is None for value in space.figures().values())
    assert space.spacing_source is SpacingSource.UNKNOWN


def test_the_order_of_bones_does_not_matter():
    masks = bars(12)
    other = measure_joint_space(dict(reversed(masks.items())), SPACING_MM)
    assert other.jsw_px == measure_joint_space(masks, SPACING_MM).jsw_px


def test_errors_of_both_outlines_add_in_quadrature():
    error = OutlineError(offset_mm=0.03, ripple_mm=0.04)
    space = measure_joint_space(bars(12), SPACING_MM, error)
    assert space.jsw_sd_mm == pytest.approx(np.sqrt(2) * 0.03)
    assert space.minimum_sd_mm == pytest.approx(np.sqrt(2) * 0.05)
    assert space.contact_sd_mm == space.minimum_sd_mm
    assert space.area_sd_mm2 == pytest.approx(space.jsw_sd_mm * 80 * SPACING_MM, rel=0.02)
    assert measure_joint_space(bars(12), SPACING_MM).jsw_sd_mm == pytest.approx(
        np.sqrt(2) * DRAWN.offset_mm
    )


def test_bones_that_miss_each_other_are_refused():
    masks = bars(12, width=60)
    masks["lower"] = np.roll(masks["lower"], 55, axis=1)
    with pytest.raises(LamellaError, match="face each other over 2 mm or more"):
        measure_joint_space(masks, SPACING_MM)


def test_refused_masks_are_refused_again():
    nothing = np.zeros((64, 64), bool)
    masks = BoneMasks(masks={"upper": nothing, "lower": nothing}, refused="no finger joint")
    with pytest.raises(LamellaError, match="not accepted as a finger joint: no finger joint"):
        measure_joint_space(masks, SPACING_MM)


def test_a_joint_that_does_not_stand_upright_is_flagged():
    rows, cols = np.mgrid[:256, :256]
    leaning = bars(30)
    leaning["upper"] = (np.abs(cols - 127.5) < 80) & (rows < 110 + 0.3 * (cols - 127.5))
    leaning["lower"] = (np.abs(cols - 127.5) < 80) & (rows > 140 + 0.3 * (cols - 127.5))
    assert any("+17 degrees off" in flag for flag in measure_joint_space(leaning, SPACING_MM).flags)
    assert measure_joint_space(bars(30), SPACING_MM).flags == ()
