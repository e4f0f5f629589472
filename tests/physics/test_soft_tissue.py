"""Harmonic continuation of soft tissue under bone."""

import numpy as np
import pytest

from lamella.physics.soft_tissue import (
    FADE_MM,
    PENUMBRA_MM,
    air_beside,
    harmonic_fill,
    matte,
    soft_tissue_under,
)
from lamella.records import LamellaError

SPACING_MM = 0.082


def disc(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    rows, cols = np.indices(shape)
    return np.hypot(rows - centre[0], cols - centre[1]) < radius


def test_fill_reproduces_a_harmonic_function() -> None:
    rows, cols = np.indices((96, 128)) / 100.0
    truth = 0.5 + 0.3 * (rows**2 - cols**2) + 0.2 * rows * cols + 0.1 * cols
    hole = disc((96, 128), (48, 60), 36)
    filled = harmonic_fill(np.where(hole, 9.0, truth), hole)
    assert np.abs(filled - truth).max() < 2e-5


def test_fill_lets_nothing_flow_through_the_border() -> None:
    """Between a left wall of 1 and a right wall of 0 the value only depends on the column."""
    values = np.zeros((20, 41))
    values[:, 0] = 1.0
    hole = np.ones((20, 41), bool)
    hole[:, [0, -1]] = False
    filled = harmonic_fill(values, hole)
    assert filled == pytest.approx(np.tile(np.linspace(1, 0, 41), (20, 1)), abs=1e-4)


def test_fill_obeys_the_maximum_principle_and_ignores_excluded_pixels() -> None:
    rng = np.random.default_rng(0)
    values = 0.3 + 0.1 * rng.random((64, 64))
    hole = disc((64, 64), (32, 32), 20)
    air = np.zeros((64, 64), bool)
    air[:, :8] = True
    values[air] = -50.0
    filled = harmonic_fill(values, hole, air)
    assert filled[hole].min() >= 0.3
    assert filled[hole].max() <= 0.4


def test_fill_without_anything_known_is_refused() -> None:
    with pytest.raises(LamellaError, match="no soft tissue"):
        harmonic_fill(np.ones((40, 40)), np.ones((40, 40), bool))


def test_an_isolated_hole_takes_the_mean() -> None:
    hole = np.zeros((40, 40), bool)
    hole[:10] = True
    walled = np.zeros((40, 40), bool)
    walled[10:14] = True
    filled = harmonic_fill(np.full((40, 40), 0.25), hole, walled)
    assert filled[hole] == pytest.approx(0.25, abs=1e-6)


def test_matte_covers_the_penumbra_and_fades_out_beyond_it() -> None:
    mask = disc((128, 128), (64, 64), 30)
    edge = matte(mask, SPACING_MM)
    outside_mm = (np.hypot(*(np.indices((128, 128)) - 64)) - 30) * SPACING_MM
    assert (edge[outside_mm < PENUMBRA_MM - SPACING_MM] == 1).all()
    assert (edge[outside_mm > PENUMBRA_MM + FADE_MM + SPACING_MM] == 0).all()
    middle = np.abs(outside_mm - PENUMBRA_MM - FADE_MM / 2) < SPACING_MM / 2
    assert 0.2 < edge[middle].mean() < 0.8


def test_soft_tissue_is_found_under_bone_and_never_above_the_observation() -> None:
    rows, cols = np.indices((256, 256)) / 256.0
    soft = 0.25 + 0.1 * cols - 0.05 * rows
    bone = disc((256, 256), (128, 128), 70)
    observed = (soft + 0.6 * bone).astype(np.float32)
    found = soft_tissue_under(observed, matte(bone, SPACING_MM), SPACING_MM)
    assert (found <= observed + 1e-7).all()
    assert np.abs(found - soft)[bone].max() < 5e-3
    assert np.array_equal(found[:40], observed[:40])


def test_air_is_not_soft_tissue() -> None:
    observed = np.full((128, 128), 0.3, np.float32)
    observed[:, :20] = 0.02
    bone = disc((128, 128), (64, 45), 30)
    observed[bone] += 0.5
    assert air_beside(observed, bone)[:, :14].all()
    found = soft_tissue_under(observed, matte(bone, SPACING_MM), SPACING_MM)
    assert found[bone].min() > 0.28


def test_masks_over_the_whole_image_are_refused() -> None:
    with pytest.raises(LamellaError, match="no soft tissue"):
        soft_tissue_under(np.full((64, 64), 0.3, np.float32), np.ones((64, 64), np.float32))
