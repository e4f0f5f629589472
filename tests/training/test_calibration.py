"""Calibration of standard deviations: intervals that cover as they state."""

import numpy as np
import pytest
import torch
from torch import nn

from joints import loaded, phantom
from lamella.methods.shares.calibrate import NORMAL_QUANTILE, Calibration
from lamella.methods.shares.networks import SharesNetwork
from lamella.training.calibration import (
    SD_BINS,
    fit_table,
    fitted_calibration,
    torch_runner,
)

Measured = list[tuple[float, np.ndarray, np.ndarray]]
SIZES_PX = (50.0, 300.0, 800.0, 1500.0)


def synthetic(rng: np.random.Generator, wrong_by: float = 1.0, pixels: int = 4000) -> Measured:
    """Gaussian errors; the true SD is ``wrong_by`` times the stated one and grows with the size."""
    measured = []
    for size in SIZES_PX:
        for _ in range(3):
            raw = np.exp(rng.uniform(np.log(0.002), np.log(0.05), pixels))
            true_sd = wrong_by * raw * (1 + size / 1500)
            measured.append((size, raw, np.abs(rng.normal(0, true_sd))))
    return measured


def coverage(calibration: Calibration, measured: Measured) -> float:
    inside = [
        error <= NORMAL_QUANTILE * raw * calibration.factor(raw[None], size)[0]
        for size, raw, error in measured
    ]
    return float(np.concatenate(inside).mean())


@pytest.mark.parametrize("wrong_by", [0.2, 1.0, 5.0])
def test_intervals_cover_nine_tenths_of_new_gaussian_errors(wrong_by):
    rng = np.random.default_rng(0)
    calibration = fit_table(synthetic(rng, wrong_by))
    fresh = synthetic(rng, wrong_by)
    assert coverage(calibration, fresh) == pytest.approx(0.9, abs=0.01)
    for size in SIZES_PX:
        part = [entry for entry in fresh if entry[0] == size]
        assert coverage(calibration, part) == pytest.approx(0.9, abs=0.02)


def test_without_calibration_wrong_sds_do_not_cover():
    measured = synthetic(np.random.default_rng(0), wrong_by=5.0)
    assert coverage(Calibration.none(), measured) < 0.5


def test_factors_of_right_gaussian_sds_are_one():
    rng = np.random.default_rng(1)
    raw = np.exp(rng.uniform(np.log(0.002), np.log(0.05), 40_000))
    calibration = fit_table([(300.0, raw, np.abs(rng.normal(0, raw)))])
    np.testing.assert_allclose(calibration.factors, 1.0, atol=0.05)
    assert calibration.factors.shape == (1, SD_BINS)
    assert (np.diff(calibration.sd_knots) > 0).all()


def test_factors_follow_errors_that_depend_on_the_stated_sd():
    """Small SDs that are overconfident and large ones that are not get different factors."""
    rng = np.random.default_rng(2)
    raw = np.exp(rng.uniform(np.log(0.002), np.log(0.05), 40_000))
    true_sd = np.where(raw < 0.01, 3 * raw, raw)
    calibration = fit_table([(300.0, raw, np.abs(rng.normal(0, true_sd)))])
    assert calibration.factors[0, 0] == pytest.approx(3.0, rel=0.1)
    assert calibration.factors[0, -1] == pytest.approx(1.0, rel=0.1)


def test_sizes_without_joints_have_no_row():
    calibration = fit_table(synthetic(np.random.default_rng(3))[:6])
    assert calibration.size_knots.tolist() == [50.0, 300.0]


def test_bins_with_few_pixels_use_all_pixels_of_their_size():
    """300 pixels in all: each bin alone would be noise, so every factor is the common one."""
    rng = np.random.default_rng(4)
    raw = np.exp(rng.uniform(np.log(0.002), np.log(0.05), 300))
    factors = fit_table([(300.0, raw, np.abs(rng.normal(0, raw)))]).factors
    assert np.ptp(factors) == 0


def test_the_runner_gives_what_the_network_gives():
    network = SharesNetwork((8, 8, 16, 16))
    nn.init.normal_(network.share.weight)
    features = np.random.default_rng(0).random((2, 4, 32, 32), dtype=np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(features)).numpy()
    found = torch_runner(network)(features)
    np.testing.assert_array_equal(found, expected)
    assert not network.training


def test_closed_phantoms_are_covered_by_their_own_calibration(apart):
    """The network knows nothing (equal split); its calibrated intervals hold all the same."""
    network = SharesNetwork((8, 8, 16, 16))
    material = [loaded(apart), loaded(phantom(jsw_mm=1.2, seed=1), "00002_R_2")]
    calibration = fitted_calibration(network, material, seed=0)
    assert np.isfinite(calibration.factors).all()
    assert (calibration.factors > 0).all()
    again = fitted_calibration(network, material, seed=0)
    np.testing.assert_array_equal(again.factors, calibration.factors)
