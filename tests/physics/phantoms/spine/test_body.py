"""The phantom's vertebral body: its implicit surface has the heights that are commanded."""

import numpy as np
import pytest

from lamella.physics.phantoms.spine.body import (
    ROUNDING_MM,
    BodyShape,
    rounded_minimum,
    zone_vector,
)
from lamella.physics.vertebra_zones import zone_heights
from lamella.records import LamellaError

SHAPE = BodyShape(depth_mm=31.0, width_mm=42.0)
WANTED = np.array([17.0, 19.5, 23.0])


def test_thirds_have_the_commanded_means():
    np.testing.assert_allclose(zone_vector(SHAPE.with_heights(WANTED).zones), WANTED, atol=1e-9)


def test_the_surface_itself_has_those_heights():
    """Counted along rays through the implicit body, edges rounded, not read off the formula."""
    shape = SHAPE.with_heights(WANTED).centred()
    depth, width = np.arange(-16.0, 16.1, 1.0), np.arange(-21.0, 21.1, 1.0)
    up = np.arange(-16.0, 16.0, 0.05)
    grid = np.meshgrid(depth, width, up, indexing="ij")
    inside = rounded_minimum(*shape.distances((grid[0], grid[1], grid[2])), ROUNDING_MM) > 0.0
    heights = np.where(inside.any(axis=2), inside.sum(axis=2) * 0.05, np.nan)
    front, back = shape.depth_range_mm
    shift = shape.origin_mm[0]
    found = zone_heights(depth, width, heights, (front + shift, back + shift), shape.width_range_mm)
    np.testing.assert_allclose(zone_vector(found), WANTED, atol=0.05)


def test_both_endplates_lean_alike_so_that_the_axis_is_their_mean_normal():
    shape = SHAPE.with_heights(WANTED)
    upper, lower = shape.endplates(np.array([-12.0, 12.0]), np.zeros(2))
    assert upper[1] - upper[0] == pytest.approx(lower[0] - lower[1])
    assert upper[1] > upper[0]


def test_the_frame_is_the_centroid():
    shape = SHAPE.with_heights(WANTED).centred()
    axes = [np.arange(-24.0, 24.1, 0.75)] * 3
    grid = np.meshgrid(*axes, indexing="ij")
    inside = np.minimum(*shape.distances((grid[0], grid[1], grid[2]))) > 0.0
    centroid = [float(axis[inside].mean()) for axis in grid]
    np.testing.assert_allclose(centroid, 0.0, atol=0.1)


def test_the_waist_is_narrower_than_both_endplates_and_the_posterior_wall_hollow():
    t = np.linspace(-1.1, 1.1, 2001)
    widths = [(SHAPE.wall(np.zeros(1), t, np.full(1, z)) <= 1.0).mean() for z in (-1.0, 0.0, 1.0)]
    assert widths[1] < min(widths[0], widths[2])
    assert widths[0] > widths[2], "the lower endplate is the wider one"
    behind = SHAPE.wall(np.array([0.88]), np.array([0.0, 0.5]), np.zeros(1))
    assert behind[0] > 1.0 > SHAPE.wall(np.array([-0.88]), np.zeros(1), np.zeros(1))[0]


def test_rounding_only_touches_edges():
    far, near = np.array([3.0, 0.5]), np.array([0.0, 0.2])
    rounded = rounded_minimum(far, near, 1.6)
    assert rounded[0] == 0.0
    assert rounded[1] == pytest.approx(0.2 - (1.6 - 0.3) ** 2 / 6.4)


def test_heights_that_leave_no_body_are_refused():
    with pytest.raises(LamellaError, match="leave no body"):
        SHAPE.with_heights(np.array([1.0, 10.0, 24.0]))
