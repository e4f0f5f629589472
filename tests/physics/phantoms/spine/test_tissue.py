"""Tissue around the bones: air, lungs, canal, discs that fill the dishes, texture."""

from functools import lru_cache

import numpy as np
import pytest

from lamella.physics.phantoms.spine.tissue import TILE_MM, textured, trabecular_tile
from spines import spine


@lru_cache
def quiet():
    return spine(levels=("T12", "L1"), spacing_mm=1.5, noise_hu=0.0, psf_mm=0.0)


def hu_at(phantom, level, posterior, left, cranial):
    place = phantom.frames[level].to_world(np.array([posterior, left, cranial]))
    index = np.linalg.solve(phantom.ct.affine, np.append(place, 1.0))[:3]
    return float(phantom.ct.hu[tuple(np.rint(index).astype(int))])


def test_disc_fills_the_space_between_the_bodies():
    phantom = quiet()
    middle = [phantom.frames[level].centre_mm for level in ("T12", "L1")]
    upper = phantom.heights["T12"].middle / 2
    gap = np.linalg.norm(middle[0] - middle[1])
    assert gap > upper + 4.0
    assert hu_at(phantom, "T12", 0.0, 0.0, -upper - 4.0) == pytest.approx(100.0, abs=20.0)


def test_fluid_stands_behind_the_body():
    phantom = quiet()
    wall = phantom.depths_mm["L1"] / 2
    found = [hu_at(phantom, "L1", wall + x, 5.0, 0.0) for x in (6.0, 8.0)]
    assert all(0.0 < hu < 45.0 for hu in found)


def test_a_whole_trunk_ends_in_air_and_chests_hold_lungs():
    trunk = spine(levels=("T6", "T7"), spacing_mm=4.0, cropped=False, noise_hu=0.0)
    assert trunk.ct.hu[0, 0].max() == pytest.approx(-1000.0)
    assert hu_at(trunk, "T7", -40.0, 60.0, 0.0) == pytest.approx(-800.0, abs=80.0)


def test_texture_is_longer_along_the_axis_than_across():
    tile = trabecular_tile(np.random.default_rng(0))
    assert tile.mean() == pytest.approx(0.0, abs=1e-3)
    assert tile.std() == pytest.approx(1.0, abs=1e-3)
    across, along = (np.mean(tile * np.roll(tile, 3, axis)) for axis in (0, 2))
    assert along > across + 0.1


def test_texture_moves_with_the_bone():
    tile = trabecular_tile(np.random.default_rng(0))
    places = tuple(np.linspace(-20.0, 20.0, 7, dtype=np.float32) for _ in range(3))
    here = textured(tile, (places[0], places[1], places[2]), np.zeros(3))
    period = TILE_MM * tile.shape[0]
    there = textured(tile, (places[0] + np.float32(period), places[1], places[2]), np.zeros(3))
    np.testing.assert_allclose(here, there, atol=1e-3)
