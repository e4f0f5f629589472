"""Power by frequency: bands, planes, and ratios of fields that are known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

import joints
from lamella.evaluation.grain_power import (
    BANDS_PER_MM,
    WINDOW_PX,
    mean_of,
    power_ratios,
    window_power,
    windows_in,
    without_plane,
)
from lamella.evaluation.revealed import Former

SPACING_MM = joints.SPACING_MM


@pytest.fixture(scope="module")
def former():
    phantom = joints.phantom(jsw_mm=1.0)
    return Former.of(joints.radiograph_of(phantom), phantom.masks)


def noise(seed, sigma_px=0.0):
    white = np.random.default_rng(seed).normal(size=(256, 256))
    return ndimage.gaussian_filter(white, sigma_px) if sigma_px else white


def test_a_plane_has_no_power_and_leaves_the_rest():
    rows, cols = np.indices((WINDOW_PX, WINDOW_PX), dtype=np.float64)
    np.testing.assert_allclose(without_plane(3.0 + 0.2 * rows - 0.7 * cols), 0.0, atol=1e-9)
    wave = np.sin(2 * np.pi * np.arange(WINDOW_PX) / 4)[None] * np.ones((WINDOW_PX, 1))
    assert np.abs(without_plane(wave)).max() > 0.9


@pytest.mark.parametrize(("cycles_per_mm", "band"), [(1.2, 0), (2.2, 1), (4.0, 2)])
def test_a_wave_lies_in_its_band(cycles_per_mm, band):
    cols = np.arange(WINDOW_PX) * SPACING_MM
    wave = np.cos(2 * np.pi * cycles_per_mm * cols)[None] * np.ones((WINDOW_PX, 1))
    assert window_power(wave, SPACING_MM).argmax() == band


def test_windows_lie_inside_their_region():
    region = np.zeros((40, 40), bool)
    region[4:24, 8:28] = True
    windows = list(windows_in(region.astype(np.float32), region))
    assert len(windows) == 4
    assert all(window.all() for window in windows)


def test_the_same_noise_everywhere_has_ratio_one_and_half_the_amplitude_a_quarter(former):
    former = replace(former, observed=noise(0).astype(np.float32))
    same = power_ratios(noise(0).astype(np.float32), former)
    weaker = np.where(former.bone, 0.5 * noise(0), noise(0)).astype(np.float32)
    for name, ratio in power_ratios(weaker, former).items():
        assert same[name] == pytest.approx(1.0, abs=0.2)
        assert ratio == pytest.approx(0.25 * same[name], rel=0.02)


def test_a_smear_lacks_fine_power_only(former):
    former = replace(former, observed=noise(0).astype(np.float32))
    smeared = np.where(former.bone, 2.5 * noise(0, 1.0), noise(0)).astype(np.float32)
    ratios = power_ratios(smeared, former)
    coarse, middle, fine = (ratios[name] for name in BANDS_PER_MM)
    assert coarse > 2.0 > middle > fine
    assert fine < 0.5


def test_one_edge_beside_moves_the_mean_and_not_the_median(former):
    field = noise(0).astype(np.float32)
    place = np.argwhere(former.visible).mean(axis=0).astype(int)
    edged = field.copy()
    edged[place[0] : place[0] + 3] += np.where(former.visible[place[0] : place[0] + 3], 40.0, 0.0)
    before, after = (
        power_ratios(field, replace(former, observed=observed)) for observed in (field, edged)
    )
    assert after[mean_of("coarse")] < 0.5 * before[mean_of("coarse")]
    assert after["coarse"] == pytest.approx(before["coarse"], rel=0.3)


def test_without_visible_tissue_nothing_is_said(former):
    hidden = replace(former, visible=np.zeros_like(former.visible))
    assert np.isnan(list(power_ratios(noise(0).astype(np.float32), hidden).values())).all()
