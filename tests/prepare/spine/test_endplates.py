"""Endplates between voxels: against bodies by formula at random angles."""

import numpy as np
import pytest

from lamella.prepare.spine.endplates import (
    frame_along,
    height_map,
    heights_of,
    mapped,
    occupancy_of,
    quadratic,
    section,
    within,
)
from lamella.records.images import LamellaError
from vertebral import FormulaBody

NAMES = ("anterior", "middle", "posterior", "whole")


def errors(body: FormulaBody, spacing_mm, count: int, seed: int = 0) -> np.ndarray:
    """(trial, zone) error in mm at random angles, from a start 8 degrees off."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        ids, affine, axes = body.volume(spacing_mm, rng)
        smooth = occupancy_of(ids, affine, "L1")
        start = frame_along(smooth.middle_mm, axes[2] + 0.1 * rng.standard_normal(3), axes[0])
        surface = mapped(smooth, start)
        zones = heights_of(surface, section(smooth, surface.frame))
        found.append([zones.of(name) - body.zones.of(name) for name in NAMES])
    return np.array(found)


@pytest.mark.parametrize(
    ("spacing_mm", "least_bias", "least_error"),
    [(1.0, 0.07, 0.3), (2.0, 0.15, 0.8), ((0.8, 0.8, 2.5), 0.3, 1.4)],
)
def test_zone_heights_are_right_between_voxels(spacing_mm, least_bias, least_error) -> None:
    found = errors(FormulaBody(), spacing_mm, 6)
    assert np.abs(found.mean(axis=0)).max() < least_bias
    assert np.abs(found).max() < least_error


def test_a_crushed_body_of_9_mm_is_measured() -> None:
    body = FormulaBody(height_mm=9.0, wedge=0.05, dish_mm=1.0)
    assert np.abs(errors(body, 1.0, 4)).max() < 0.3


def test_the_frame_is_the_mean_of_both_endplates() -> None:
    rng = np.random.default_rng(1)
    ids, affine, axes = FormulaBody(wedge=0.3).volume(1.0, rng)
    surface = height_map(ids, affine, "L1", None)
    assert surface.frame.cranial @ axes[2] > np.cos(np.radians(1.0))
    assert surface.frame.axes @ surface.frame.axes.T == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(surface.frame.axes) == pytest.approx(-1.0)


def test_the_section_has_the_bodys_depth_and_width() -> None:
    rng = np.random.default_rng(2)
    body = FormulaBody()
    ids, affine, axes = body.volume(1.0, rng)
    smooth = occupancy_of(ids, affine, "L1")
    sides = section(smooth, frame_along(smooth.middle_mm, axes[2], axes[0]))
    assert np.ptp(sides.depth_range_mm) == pytest.approx(body.depth_mm, abs=0.5)
    assert np.ptp(sides.width_range_mm) == pytest.approx(body.width_mm, abs=0.5)


def test_columns_outside_the_body_are_unknown() -> None:
    ids, affine, _ = FormulaBody().volume(1.0, np.random.default_rng(3))
    surface = height_map(ids, affine, "L1")
    assert np.isnan(surface.upper_mm[0, 0])
    area = np.isfinite(surface.heights_mm).sum()
    assert area == pytest.approx(np.pi * 16 * 22, rel=0.05)
    smooth = occupancy_of(ids, affine, "L1")
    box, kept = within(surface, section(smooth, surface.frame))
    assert kept.mean() == pytest.approx(0.7 * 0.6, abs=0.06)
    assert np.isnan(box.upper_mm[~kept]).all()


def test_a_quadratic_is_found_again() -> None:
    back, left = np.arange(-9.0, 10.0), np.arange(-12.0, 13.0)
    first, second = np.meshgrid(back, left, indexing="ij")
    surface = 3 + 0.1 * first - 0.2 * second + 0.01 * first**2 - 0.02 * first * second
    surface[0, :4] = np.nan
    found = quadratic(back, left, surface)
    assert found == pytest.approx([3, 0.1, -0.2, 0.01, -0.02, 0], abs=1e-9)


def test_no_body_is_refused() -> None:
    with pytest.raises(LamellaError, match="a body of L2"):
        height_map(np.zeros((9, 9, 9), np.uint8), np.eye(4), "L2")
