"""Windows say nothing about level and slope; what differs in texture is found."""

import numpy as np
import pytest
from scipy import ndimage

import joints
from lamella.evaluation import bone_finder, reader
from lamella.evaluation import told_apart as told_module
from lamella.evaluation.bone_finder import (
    CONTRASTS,
    found_by,
    names_of_features,
    rounded,
    window_features,
    windows_of,
)
from lamella.evaluation.grain_power import WINDOW_PX
from lamella.evaluation.revealed import Former


@pytest.fixture(scope="module")
def former():
    phantom = joints.phantom(jsw_mm=1.0)
    return Former.of(joints.radiograph_of(phantom), phantom.masks)


JOINTS = 6


@pytest.fixture(autouse=True)
def small_forest(monkeypatch):
    monkeypatch.setattr(told_module, "TREES", 30)
    monkeypatch.setattr(reader, "RESAMPLES", 50)
    monkeypatch.setattr(bone_finder, "WINDOWS", 12)


def field(seed, sigma_px=0.7):
    white = np.random.default_rng(seed).normal(size=(256, 256))
    return (0.3 + 0.05 * ndimage.gaussian_filter(white, sigma_px)).astype(np.float32)


def test_level_and_slope_change_no_number():
    window = np.random.default_rng(0).normal(0, 0.01, (WINDOW_PX, WINDOW_PX))
    rows, cols = np.indices(window.shape)
    moved = window_features(window + 0.4 + 0.003 * rows - 0.001 * cols)
    for name, value in window_features(window).items():
        assert moved[name] == pytest.approx(value, abs=1e-6)


def test_names_are_the_columns():
    assert names_of_features() == list(window_features(field(0)[:16, :16]))


def test_contrasts_have_their_windows(former):
    found = windows_of(field(0), former, seed=1)
    assert {region for pair in CONTRASTS.values() for region in pair} <= set(found)
    assert len(found["bone"]) == len(found["contour"]) == bone_finder.WINDOWS
    assert len(found["near"]) + len(found["far"]) == len(found["beside"])


def test_a_smear_is_found_and_plain_grain_is_not(former):
    plain, smeared = [], []
    for seed in range(JOINTS):
        grain = field(seed)
        plain.append(windows_of(grain, former, seed))
        other = np.where(former.hidden, ndimage.gaussian_filter(grain, 1.0), grain)
        smeared.append(windows_of(other, former, seed))
    assert found_by(smeared, "former bone").auc > 0.95
    assert found_by(plain, "former bone").auc == pytest.approx(0.5, abs=0.15)


def test_a_ghost_is_found_on_the_contour_only(former):
    edge = former.bone & ~ndimage.binary_erosion(former.bone)
    ghosts = [
        windows_of(field(seed) + 0.1 * edge.astype(np.float32), former, seed)
        for seed in range(JOINTS)
    ]
    assert found_by(ghosts, "old contour").auc > 0.95
    assert found_by(ghosts, "beside, near").auc < 0.75


def test_too_few_joints_tell_nothing(former):
    assert found_by([windows_of(field(0), former, 0)], "former bone") is None


def test_rounding_is_to_the_grey_levels_of_the_source():
    grey = 1 / 255
    levels = (1 - np.exp(-rounded(field(0), grey))) / grey
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)
