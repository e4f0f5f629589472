"""Grain: what is drawn where a bone hid it must be like what is seen beside."""

import numpy as np
import pytest
from scipy import ndimage

from lamella.physics.grain import grain_beside, grain_like, visible_tissue

SPACING_MM = 0.082
SIDE = 192


def correlated_noise(seed: int, sd: float = 0.01, sigma_px: float = 1.0) -> np.ndarray:
    white = np.random.default_rng(seed).standard_normal((SIDE, SIDE))
    field = ndimage.gaussian_filter(white, sigma_px, mode="wrap")
    return (sd * field / field.std()).astype(np.float32)


@pytest.fixture
def slope() -> np.ndarray:
    return np.tile(np.linspace(0.3, 0.5, SIDE, dtype=np.float32), (SIDE, 1))


@pytest.fixture
def visible() -> np.ndarray:
    seen = np.ones((SIDE, SIDE), bool)
    seen[:, 70:130] = False
    return seen


def neighbour_correlation(field: np.ndarray) -> float:
    return float(np.corrcoef(field[:, :-1].ravel(), field[:, 1:].ravel())[0, 1])


def test_grain_is_what_the_slope_is_not(slope, visible):
    noise = correlated_noise(0)
    grain = grain_beside(slope + noise, visible, SPACING_MM)
    assert (grain[~visible] == 0).all()
    inner = visible.copy()
    inner[:, 60:140] = inner[:, :10] = inner[:, -10:] = False
    assert np.corrcoef(grain[inner], noise[inner])[0, 1] > 0.95
    assert np.abs(grain[inner]).max() < 0.06


def test_a_smooth_image_has_no_grain(slope, visible):
    grain = grain_beside(slope, visible, SPACING_MM)
    assert np.abs(grain[:, 20:50]).max() < 1e-3


@pytest.mark.parametrize("sigma_px", [0.7, 1.5])
def test_drawn_grain_has_the_power_and_the_correlation_of_the_seen(visible, sigma_px):
    seen = np.where(visible, correlated_noise(1, sigma_px=sigma_px), 0).astype(np.float32)
    drawn = grain_like(seen, visible, SPACING_MM, seed=3)
    hidden = drawn[:, 75:125]
    assert hidden.std() == pytest.approx(0.01, rel=0.08)
    wanted = neighbour_correlation(correlated_noise(2, sigma_px=sigma_px))
    assert neighbour_correlation(hidden) == pytest.approx(wanted, abs=0.05)


def test_drawn_grain_is_not_the_seen_and_follows_its_seed(visible):
    seen = np.where(visible, correlated_noise(1), 0).astype(np.float32)
    drawn = grain_like(seen, visible, SPACING_MM, seed=3)
    assert abs(np.corrcoef(drawn[visible], seen[visible])[0, 1]) < 0.05
    np.testing.assert_array_equal(drawn, grain_like(seen, visible, SPACING_MM, seed=3))
    assert np.abs(drawn - grain_like(seen, visible, SPACING_MM, seed=4)).max() > 0.01


def test_drawn_grain_is_stronger_where_the_seen_is():
    visible = np.ones((SIDE, SIDE), bool)
    seen = correlated_noise(1)
    seen[: SIDE // 2] *= 3
    drawn = grain_like(seen, visible, SPACING_MM, seed=0)
    assert drawn[:40].std() > 2 * drawn[-40:].std()


def test_too_little_tissue_gives_no_grain():
    visible = np.zeros((SIDE, SIDE), bool)
    visible[:6, :6] = True
    drawn = grain_like(np.where(visible, 0.1, 0).astype(np.float32), visible, SPACING_MM, seed=0)
    assert (drawn == 0).all()


def test_drawn_grain_keeps_what_no_gaussian_field_has(visible):
    """A texture of rare bright points stays one."""
    points = (np.random.default_rng(0).random((SIDE, SIDE)) < 0.01).astype(np.float32)
    seen = np.where(visible, 0.02 * ndimage.gaussian_filter(points, 0.8), 0).astype(np.float32)
    drawn = grain_like(seen, visible, SPACING_MM, seed=0)[:, 75:125]

    def kurtosis(field):
        return float(((field - field.mean()) ** 4).mean() / field.var() ** 2)

    assert kurtosis(drawn) > 0.5 * kurtosis(seen[visible]) > 6


def test_air_and_the_skin_beside_it_are_not_visible_tissue(slope):
    image = slope.copy()
    image[:, :40] = 0.01
    hidden = np.zeros((SIDE, SIDE), bool)
    hidden[:, 100:130] = True
    seen = visible_tissue(image, hidden, SPACING_MM)
    assert not seen[:, :50].any()
    assert not seen[:, 100:130].any()
    assert seen[:, 60:95].all()
