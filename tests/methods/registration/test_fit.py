"""Least squares over a similarity: right to a hundredth of a pixel, honest about its noise."""

from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from lamella.methods.registration.fit import BLUR_MM, SCALE_SD, Fit, fitted
from lamella.methods.registration.views import BoneView
from lamella.records import Similarity

SHAPE = (150, 130)
SPACING_MM = 0.08
SMOOTH_MM = 0.12
ROWS, COLS = np.indices(SHAPE, dtype=np.float64)
PLACES = np.column_stack([ROWS.ravel(), COLS.ravel()])
NEAR = Similarity(
    down_px=1.25, right_px=-1.05, rotation_deg=1.1, scale=1.001, centre_px=(74.5, 64.5)
)
"""As near as the coarser levels leave it."""

STILL = Similarity(centre_px=(74.5, 64.5))
MADE = Similarity(down_px=1.4, right_px=-0.9, rotation_deg=1.2, scale=1.002, centre_px=(74.5, 64.5))
CORNERS = np.array([[30.0, 30.0], [30.0, 100.0], [120.0, 30.0], [120.0, 100.0]])


def pattern(points: np.ndarray) -> np.ndarray:
    """Waves of 9 to 40 px in all directions; defined everywhere, so motions of it are exact."""
    rng = np.random.default_rng(3)
    total = np.zeros(len(points))
    for _ in range(40):
        angle, phase = rng.uniform(0.0, np.pi), rng.uniform(0.0, 2.0 * np.pi)
        length = rng.uniform(9.0, 40.0)
        along = points @ np.array([np.cos(angle), np.sin(angle)])
        total += np.sin(2.0 * np.pi * along / length + phase)
    return 0.01 * total


@lru_cache(maxsize=8)
def moved(motion: Similarity) -> np.ndarray:
    """The pattern after a motion, (row, col)."""
    return pattern(motion.inverse().of_points(PLACES)).reshape(SHAPE)


def inset(margin_px: int) -> np.ndarray:
    """All pixels but a margin."""
    inner = np.zeros(SHAPE, bool)
    inner[margin_px:-margin_px, margin_px:-margin_px] = True
    return inner


def view(
    motion: Similarity = STILL,
    noise: float = 0.0,
    seed: int = 0,
    gain: float = 1.0,
    region: np.ndarray | None = None,
) -> BoneView:
    """The pattern after a motion, with noise as blurred as a radiograph's, on every pixel."""
    image = moved(motion)
    grain = np.random.default_rng(seed).standard_normal(SHAPE)
    grain = ndimage.gaussian_filter(grain, BLUR_MM / SPACING_MM)
    detail = gain * image + noise * grain / grain.std()
    seen = inset(3) if region is None else region
    return BoneView(
        detail=np.asarray(detail * seen, np.float32),
        region=seen,
        trust=(seen & inset(12)).astype(np.float32),
        spacing_mm=SPACING_MM,
    )


def fit(fixed: BoneView, moving: BoneView, start: Similarity = STILL) -> Fit:
    return fitted(fixed, moving, (fixed.level(SMOOTH_MM), moving.level(SMOOTH_MM)), start)


def error_px(found: Fit, truth: Similarity = MADE) -> float:
    return float(np.abs(found.motion.of_points(CORNERS) - truth.of_points(CORNERS)).max())


def test_a_known_similarity_is_found():
    found = fit(view(), view(MADE), NEAR)
    assert error_px(found) < 0.01
    assert found.motion.rotation_deg == pytest.approx(1.2, abs=0.005)
    assert found.motion.scale == pytest.approx(1.002, abs=1e-4)
    assert found.ncc > 0.999
    assert 0.9 < found.coverage <= 1.0


def test_a_start_two_pixels_off_comes_nearly_there_and_then_all_the_way():
    assert np.abs(STILL.of_points(CORNERS) - MADE.of_points(CORNERS)).max() > 2.0
    first = fit(view(), view(MADE))
    assert error_px(first) < 0.1
    assert error_px(fit(view(), view(MADE), first.motion)) < 0.005


def test_a_still_view_is_perfect():
    found = fit(view(), view())
    assert error_px(found, STILL) < 1e-3
    assert found.ncc == pytest.approx(1.0, abs=1e-5)
    assert found.coverage == 1.0


def test_gain_and_offset_do_not_count():
    """0.6 times the contrast and a constant on top: the same motion and correlation."""
    other = view(MADE, gain=0.6)
    other = BoneView(
        detail=np.asarray(other.detail + 0.3, np.float32),
        region=other.region,
        trust=other.trust,
        spacing_mm=SPACING_MM,
    )
    plain, found = fit(view(), view(MADE)), fit(view(), other)
    assert error_px(found, plain.motion) < 2e-3
    assert found.ncc == pytest.approx(plain.ncc, abs=1e-3)


def test_untrusted_pixels_do_not_count():
    """A patch that moved elsewhere altogether spoils the fit unless its trust is 0."""
    fixed, moving = view(), view(MADE)
    patch = np.zeros(SHAPE, bool)
    patch[20:90, 20:90] = True
    stray = np.roll(moving.detail, 6, axis=0)
    spoilt = BoneView(
        detail=np.where(patch, 2.0 * stray, moving.detail).astype(np.float32),
        region=moving.region,
        trust=moving.trust,
        spacing_mm=SPACING_MM,
    )
    blind = np.where(ndimage.binary_dilation(patch, iterations=10), 0.0, 1.0)
    careful = BoneView(
        detail=fixed.detail,
        region=fixed.region,
        trust=np.asarray(fixed.trust * blind, np.float32),
        spacing_mm=SPACING_MM,
    )
    misled, right = (error_px(fit(each, spoilt, NEAR)) for each in (fixed, careful))
    assert right < 0.03
    assert misled > 5.0 * right


def deviations(found: Fit) -> np.ndarray:
    return np.sqrt(np.diag(found.covariance))


def test_the_covariance_grows_with_the_noise():
    found = [
        deviations(fit(view(noise=noise, seed=1), view(MADE, noise=noise, seed=2), NEAR))
        for noise in (0.003, 0.009)
    ]
    np.testing.assert_allclose(found[1][:3] / found[0][:3], 3.0, rtol=0.1)
    assert found[0][3] < found[1][3] <= SCALE_SD


def test_the_covariance_is_the_scatter_of_repeats():
    """Stated and true deviation over twenty draws of the noise agree to a third."""
    errors, stated = [], []
    for draw in range(20):
        pair = view(noise=0.03, seed=2 * draw), view(MADE, noise=0.03, seed=2 * draw + 1)
        found = fit(*pair, start=MADE)
        turn = np.deg2rad(found.motion.rotation_deg - MADE.rotation_deg)
        shift = (found.motion.down_px - MADE.down_px, found.motion.right_px - MADE.right_px)
        errors.append([*shift, turn])
        stated.append(deviations(found)[:3])
    true = np.sqrt(np.mean(np.square(errors), axis=0))
    ratio = np.median(stated, axis=0) / true
    assert (ratio > 0.65).all(), ratio
    assert (ratio < 1.5).all(), ratio


def test_the_magnification_is_held_near_one():
    """With next to nothing to see, the prior speaks; a clear view overrules it."""
    grown = Similarity(scale=1.01, centre_px=STILL.centre_px)
    clear = fit(view(), view(grown))
    assert clear.motion.scale == pytest.approx(1.01, abs=5e-4)
    dark = fit(view(noise=1.0, seed=1), view(grown, noise=1.0, seed=2))
    assert abs(dark.motion.scale - 1.0) < 3.0 * SCALE_SD
    assert deviations(dark)[3] == pytest.approx(SCALE_SD, rel=0.2)


def test_coverage_is_the_part_seen_at_both_visits():
    half = np.zeros(SHAPE, bool)
    half[3:75, 3:-3] = True
    found = fit(view(), view(region=half))
    assert found.coverage == pytest.approx(0.5, abs=0.03)
    assert error_px(found, STILL) < 0.02


def test_too_little_in_common_is_no_fit():
    sliver = np.zeros(SHAPE, bool)
    sliver[3:25, 3:-3] = True
    found = fit(view(), view(region=sliver), MADE)
    assert found.ncc == -1.0
    assert found.coverage < 0.3
    assert np.isinf(found.covariance).all()
    np.testing.assert_allclose(found.motion.of_points(CORNERS), MADE.of_points(CORNERS))


def test_unlike_patterns_do_not_correlate():
    other = view(Similarity(down_px=700.0, right_px=300.0, rotation_deg=60.0))
    assert fit(view(), other).ncc < 0.6
