"""The phantom's vertebral arch: distances of swept ellipsoids, and where the parts lie."""

from functools import lru_cache

import numpy as np
import pytest

from lamella.physics.phantoms.spine import SpinePhantomSpec
from lamella.physics.phantoms.spine.arch import Strut, arch, arch_sizes, corners
from lamella.physics.phantoms.spine.column import column

BALL = Strut(start_mm=np.zeros(3), end_mm=np.array([10.0, 0.0, 0.0]), radii_mm=np.full(3, 2.0))


@lru_cache
def sizes(level):
    spec = SpinePhantomSpec(levels=(level,))
    drawn = spec.population.draw(np.random.default_rng(0), spec.levels)
    return arch_sizes(column(spec, drawn)[0])


def depth(strut, *place):
    places = tuple(np.full(1, x, np.float32) for x in place)
    return float(strut.distance((places[0], places[1], places[2]))[0])


@pytest.mark.parametrize(
    ("place", "wanted"),
    [((5.0, 0.0, 0.0), 2.0), ((5.0, 2.0, 0.0), 0.0), ((-3.0, 0.0, 0.0), -1.0), ((11, 0, 0), 1.0)],
)
def test_depth_in_a_swept_ball_is_the_distance_to_its_surface(place, wanted):
    assert depth(BALL, *place) == pytest.approx(wanted, abs=1e-5)


def test_radii_stretch_a_part_along_the_axes():
    flat = Strut(start_mm=BALL.start_mm, end_mm=BALL.end_mm, radii_mm=np.array([2.0, 1.0, 6.0]))
    assert depth(flat, 5.0, 0.9, 0.0) > 0.0 > depth(flat, 5.0, 1.1, 0.0)
    assert depth(flat, 5.0, 0.0, 5.9) > 0.0 > depth(flat, 5.0, 0.0, 6.1)


def test_corners_hold_the_part():
    box = BALL.corners_mm
    np.testing.assert_array_equal(box.min(axis=0), [-2.0, -2.0, -2.0])
    np.testing.assert_array_equal(box.max(axis=0), [12.0, 2.0, 2.0])
    assert corners(np.zeros(3), np.ones(3)).shape == (8, 3)


@pytest.mark.parametrize("level", ["T5", "T12", "L4"])
def test_the_canal_is_open_and_pedicles_bridge_it(level):
    made, parts = sizes(level), arch(sizes(level))
    canal = [max(depth(p, made.wall + x, 0.0, 0.0) for p in parts) for x in (3.0, 6.0, 9.0)]
    assert max(canal) < 0.0
    pedicle = max(depth(p, made.wall + 3.0, made.pillar, 0.2 * made.height) for p in parts)
    assert pedicle > 1.0
    spinous = max(
        depth(p, made.wall + made.canal_depth + 12.0, 0.0, -0.22 * made.height - x)
        for p in parts
        for x in (0.0, 6.0, 12.0)
    )
    assert spinous > 0.0


def test_both_sides_are_mirrors():
    parts = arch(sizes("L2"))
    for y in (5.0, 14.0, 30.0):
        sides = [max(depth(p, 24.0, sign * y, 3.0) for p in parts) for sign in (1.0, -1.0)]
        assert sides[0] == sides[1]


def test_lumbar_processes_reach_wider_and_thoracic_spines_lower():
    wide = {
        level: max(p.corners_mm[:, 1].max() for p in arch(sizes(level))) for level in ("T6", "L3")
    }
    assert wide["L3"] > wide["T6"] + 8.0
    low = {level: arch(sizes(level))[-1].end_mm[2] for level in ("T6", "L3")}
    assert low["T6"] < low["L3"] - 10.0
