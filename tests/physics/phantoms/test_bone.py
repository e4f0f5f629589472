"""Chords through solids against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from lamella.physics.phantoms.anatomy import AnatomySpec, metacarpal, phalanx
from lamella.physics.phantoms.bone import (
    AXIS_MM,
    LIP_FRACTION,
    Bone,
    Bowl,
    Lobe,
    above_bowl,
    lowest_bowl_point,
    outside_bowl,
)


def _tube(radius_mm: float, hole_mm: float) -> Lobe:
    outer, inner = (np.full((3, AXIS_MM.size), value) for value in (radius_mm, hole_mm))
    return Lobe(outer_mm=outer, inner_mm=inner, exponent=2.0)


def _bowl(**change) -> Bowl:
    values = {
        "radius_across_mm": 9.0,
        "brim_mm": 5.0,
        "radius_depth_mm": 8.0,
        "slope": 0.0,
        "plate_radius_mm": 7.0,
        "plate_mm": 0.5,
    }
    return Bowl(**(values | change))


def test_chords_of_a_tube_are_those_of_circles():
    across = np.linspace(-6, 6, 49)[None, :]
    chords = Bone(lobes=(_tube(5.0, 4.0),)).chords(across, np.full_like(across, 3.0))
    whole = 2 * np.sqrt(np.maximum(25 - across**2, 0))
    hollow = 2 * np.sqrt(np.maximum(16 - across**2, 0))
    np.testing.assert_allclose(chords.spongy_mm, hollow, atol=1e-9)
    np.testing.assert_allclose(chords.cortical_mm, whole - hollow, atol=1e-9)
    np.testing.assert_array_equal(chords.inside, np.abs(across) < 5)


@pytest.mark.parametrize("slope", [0.0, 0.2, -0.35])
def test_outside_bowl_agrees_with_counting(slope):
    half, below = np.array([4.0, 4.0, 4.0, 4.0]), np.array([-1.0, 0.0, 0.5, 1.2])
    depth = np.linspace(-4, 4, 200_001)
    bone = depth**2 / 16 - slope * depth > below[:, None]
    np.testing.assert_allclose(
        outside_bowl(half, below, 8.0, slope), 8 * bone.mean(axis=1), atol=1e-3
    )


def test_lips_end_where_the_bowl_ends():
    bowl_mm = (1 - LIP_FRACTION) * 4.0
    rim_mm = bowl_mm**2 / 16
    below = np.array([-5.0, rim_mm - 1e-6, rim_mm + 1e-6])
    path = above_bowl(np.full(3, 4.0), below, 8.0, 0.0)
    np.testing.assert_allclose(path, [8.0, 8 * LIP_FRACTION, 0.0], atol=1e-3)


def test_lowest_bowl_point_of_a_tube():
    """The lower rim of a straight tube hangs b^2/(2 Rz) + |slope| b below the valley."""
    across = np.linspace(-4, 4, 9)
    bowl = _bowl(slope=-0.1)
    half = (1 - LIP_FRACTION) * np.sqrt(25 - across**2)
    expected = bowl.valley_mm(across) - half**2 / 16 - 0.1 * half
    found = lowest_bowl_point(Bone(lobes=(_tube(5.0, 4.0),), bowl=bowl), across)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_lowest_bowl_point_needs_a_bowl():
    with pytest.raises(ValueError, match="bowl"):
        lowest_bowl_point(Bone(lobes=(_tube(5.0, 4.0),)), np.zeros(3))


def test_erosion_is_a_ball_of_air():
    bone = Bone(lobes=(_tube(5.0, 4.0),), erosions_mm=((0.0, 5.0, 2.0),))
    centre = bone.chords(np.zeros((1, 1)), np.full((1, 1), 5.0))
    assert centre.cortical_mm + centre.spongy_mm == pytest.approx(10 - 4, abs=0.9)


@pytest.mark.parametrize("seed", range(8))
def test_drawn_anatomy_is_adult(seed):
    spec = AnatomySpec(seed=seed)
    base, head = phalanx(spec).lobes[0].outer_mm, metacarpal(spec).lobes
    near = (AXIS_MM > -2) & (AXIS_MM < 8)
    assert 12 < (base[0] + base[1])[near].max() < 17
    widths = np.max([lobe.outer_mm[0] + lobe.outer_mm[1] for lobe in head], axis=0)
    assert 10 < widths[near].max() < 19
    shaft = (base[0] + base[1])[np.searchsorted(AXIS_MM, 10)]
    assert 6 < shaft < 12
