"""Random fields: variance, spectrum, direction, movement with the bone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lamella.physics.phantoms.texture import (
    TILE_SPACING_MM,
    TrabecularSpec,
    band_noise,
    detector_noise,
    power_law_noise,
    sample_tile,
    trabecular_tile,
)


def _spectrum(field: np.ndarray, spacing_mm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Power, and frequency along rows and along columns in cycles per mm."""
    power = np.abs(np.fft.fft2(field - field.mean())) ** 2
    rows, cols = (np.fft.fftfreq(size, spacing_mm) for size in field.shape)
    return power, *np.meshgrid(rows, cols, indexing="ij")


def _slope(field: np.ndarray, spacing_mm: float, band: tuple[float, float]) -> float:
    power, rows, cols = _spectrum(field, spacing_mm)
    radius = np.hypot(rows, cols)
    edges = np.geomspace(*band, 9)
    mean = [power[(radius >= a) & (radius < b)].mean() for a, b in itertools.pairwise(edges)]
    return float(np.polyfit(np.log(np.sqrt(edges[:-1] * edges[1:])), np.log(mean), 1)[0])


@pytest.mark.parametrize("exponent", [1.5, 2.0, 3.0])
def test_power_law_noise_has_its_exponent(exponent):
    field = power_law_noise((256, 256), 0.1, exponent, np.random.default_rng(0))
    assert _slope(field, 0.1, (0.2, 3.0)) == pytest.approx(-exponent, abs=0.25)


def test_trabeculae_fall_off_like_projected_bone():
    tiles = [trabecular_tile(TrabecularSpec(), np.random.default_rng(seed)) for seed in range(4)]
    slopes = [_slope(tile, TILE_SPACING_MM, (0.8, 3.0)) for tile in tiles]
    assert -3.5 < np.mean(slopes) < -0.8


def test_trabeculae_run_along_the_bone():
    tile = trabecular_tile(TrabecularSpec(elongation=2.5), np.random.default_rng(1))
    power, rows, cols = _spectrum(tile, TILE_SPACING_MM)
    band = (np.hypot(rows, cols) > 0.5) & (np.hypot(rows, cols) < 2)
    across = power[band & (np.abs(cols) > 2 * np.abs(rows))].mean()
    along = power[band & (np.abs(rows) > 2 * np.abs(cols))].mean()
    assert across > 1.5 * along


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: band_noise((64, 96), 0.2, (0.5, 0.3), rng),
        lambda rng: power_law_noise((64, 96), 0.2, 2.0, rng),
        lambda rng: trabecular_tile(TrabecularSpec(), rng),
    ],
)
def test_fields_are_standardised(make):
    field = make(np.random.default_rng(2))
    assert field.mean() == pytest.approx(0, abs=1e-9)
    assert field.std() == pytest.approx(1, abs=1e-9)


def test_tile_is_periodic_and_exact_at_its_own_pixels():
    tile = trabecular_tile(TrabecularSpec(), np.random.default_rng(3))
    rows, cols = np.meshgrid(np.arange(8.0), np.arange(8.0), indexing="ij")
    period_mm = tile.shape[0] * TILE_SPACING_MM
    here = sample_tile(tile, cols * TILE_SPACING_MM, rows * TILE_SPACING_MM)
    there = sample_tile(tile, cols * TILE_SPACING_MM - period_mm, rows * TILE_SPACING_MM)
    np.testing.assert_allclose(here, tile[:8, :8], atol=1e-4)
    np.testing.assert_allclose(here, there, atol=1e-4)


def test_noise_grows_with_transmittance():
    transmittance = np.full((200, 200), 0.5)
    transmittance[:, 100:] = 0.125
    noise = detector_noise(transmittance, 0.082, 0.01, np.random.default_rng(4))
    assert noise[:, :100].std() == pytest.approx(0.01, rel=0.1)
    assert noise[:, 100:].std() == pytest.approx(0.005, rel=0.1)
