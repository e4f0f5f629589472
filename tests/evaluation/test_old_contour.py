"""Ghosts, seams and smears along an old contour are seen; plain grain passes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

import joints
from lamella.evaluation.old_contour import BAND_MM, STEP_MM, contour_figures, profile
from lamella.evaluation.revealed import Former

SPACING_MM = joints.SPACING_MM


@pytest.fixture(scope="module")
def former(grain):
    phantom = joints.phantom(jsw_mm=1.0)
    return replace(Former.of(joints.radiograph_of(phantom), phantom.masks), observed=grain)


@pytest.fixture(scope="module")
def grain():
    rows, cols = np.indices((256, 256))
    white = np.random.default_rng(1).normal(size=(256, 256))
    field = 0.3 + 0.0004 * rows + 0.0002 * cols + 0.02 * ndimage.gaussian_filter(white, 0.7)
    return field.astype(np.float32)


def near_outline(former, reach_mm):
    mask = former.bone
    inside, outside = (ndimage.distance_transform_edt(part) for part in (mask, ~mask))
    return (inside + outside) * former.spacing_mm <= reach_mm


def test_grain_without_any_trace_passes(former, grain):
    figures = contour_figures(grain, former)
    assert figures.energy == pytest.approx(1.0, abs=0.1)
    assert figures.normal == pytest.approx(1.0, abs=0.12)
    assert figures.tangential == pytest.approx(1.0, abs=0.12)
    assert figures.relief < 0.3
    assert figures.relief_beside < 0.3


def test_a_ghost_shows_across_the_contour_and_in_relief(former, grain):
    ridge = grain + 0.03 * near_outline(former, 0.12).astype(np.float32)
    figures, plain = contour_figures(ridge, former), contour_figures(grain, former)
    assert figures.normal > 1.5 * figures.tangential
    assert figures.energy > 1.3
    assert figures.relief > 4 * plain.relief
    assert figures.relief_beside == pytest.approx(plain.relief_beside)


def test_a_smear_lacks_energy_in_both_directions(former, grain):
    smooth = ndimage.gaussian_filter(grain, 4.0)
    figures = contour_figures(np.where(former.hidden, smooth, grain), former)
    assert figures.energy < 0.5
    assert figures.tangential < 0.5


def test_a_slope_across_the_finger_is_no_relief(former):
    slope = (0.3 + 0.001 * np.indices((256, 256))[1]).astype(np.float32)
    white = np.random.default_rng(2).normal(0, 1e-3, (256, 256)).astype(np.float32)
    tissue = slope + white
    assert contour_figures(tissue, replace(former, observed=tissue)).relief < 1.0


def test_the_profile_is_the_mean_at_each_distance():
    signed = np.tile((np.arange(100) - 49.5) * STEP_MM, (80, 1))
    values = np.where(signed > 0, 1.0, 0.0).astype(np.float32)
    at, mean = profile(values, signed, np.ones(signed.shape, bool))
    assert at[0] == pytest.approx(-at[-1])
    assert np.nanmax(np.abs(mean[at < -STEP_MM])) == 0.0
    assert np.nanmin(mean[at > STEP_MM]) == 1.0


def test_a_layer_is_compared_with_the_tissue_that_is_seen_not_with_itself(former, grain):
    loud = 0.3 + 2.0 * (grain - 0.3)
    assert contour_figures(loud, former).energy == pytest.approx(
        4.0 * contour_figures(grain, former).energy, rel=0.01
    )


def test_nothing_visible_nothing_said(former, grain):
    hidden = replace(former, visible=np.zeros_like(former.visible))
    assert np.isnan(contour_figures(grain, hidden).energy)
    assert BAND_MM < 0.45
