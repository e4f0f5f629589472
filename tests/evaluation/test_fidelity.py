"""Fidelity of layers: the formulas by hand."""

import numpy as np
import pytest

from lamella.evaluation.fidelity import (
    SIZE_BINS_PX,
    bin_names,
    layer_fidelity,
    psnr_db,
    size_bin,
)

RNG = np.random.default_rng(0)
TRUE = [RNG.random((20, 24)).astype(np.float32) for _ in range(2)]
OVERLAP = np.zeros((20, 24), bool)
OVERLAP[5:12, 6:14] = True


def test_psnr_of_a_known_error():
    assert psnr_db(0.01) == pytest.approx(20.0)
    assert psnr_db(1.0) == 0.0
    assert psnr_db(0.1**2 / 10) == pytest.approx(30.0)


def test_psnr_of_no_error_is_finite_and_high():
    assert psnr_db(0.0) == pytest.approx(120.0)


def test_identical_layers_have_no_error_and_full_similarity():
    score = layer_fidelity(TRUE, TRUE, OVERLAP)
    assert (score.overlap_px, score.mse) == (7 * 8, 0.0)
    assert score.ssim == pytest.approx(1.0)


def test_mse_is_the_mean_over_both_bones_by_hand():
    found = [TRUE[0] + np.float32(0.1), TRUE[1] - np.float32(0.3)]
    assert layer_fidelity(found, TRUE, OVERLAP).mse == pytest.approx((0.01 + 0.09) / 2, rel=1e-4)


def test_errors_outside_the_overlap_do_not_count():
    found = [np.where(OVERLAP, image, 0.0).astype(np.float32) for image in TRUE]
    assert layer_fidelity(found, TRUE, OVERLAP).mse == 0.0


def test_similarity_falls_with_noise_and_not_with_a_small_offset():
    offset = layer_fidelity([image + np.float32(0.02) for image in TRUE], TRUE, OVERLAP)
    noise = RNG.normal(0, 0.2, (2, 20, 24)).astype(np.float32)
    noisy = layer_fidelity([a + b for a, b in zip(TRUE, noise, strict=True)], TRUE, OVERLAP)
    assert 0.99 < offset.ssim < 1.0
    assert noisy.ssim < 0.9


def test_similarity_by_hand_at_one_pixel():
    """Wang's formula with a uniform 7 x 7 window and sample covariances."""
    first, second = (RNG.random((7, 7)).astype(np.float32) for _ in range(2))
    middle = np.zeros((7, 7), bool)
    middle[3, 3] = True
    means = first.mean(), second.mean()
    covariance = np.cov(first.ravel().astype(float), second.ravel().astype(float))
    c1, c2 = 0.01**2, 0.03**2
    expected = (2 * means[0] * means[1] + c1) * (2 * covariance[0, 1] + c2)
    expected /= (means[0] ** 2 + means[1] ** 2 + c1) * (np.trace(covariance) + c2)
    assert layer_fidelity([first], [second], middle).ssim == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("overlap_px", "name"),
    [
        (0, "<20"),
        (19, "<20"),
        (20, "20-199"),
        (199, "20-199"),
        (200, "200-499"),
        (999, "500-999"),
        (1000, "1000-1999"),
        (2000, ">=2000"),
        (65_536, ">=2000"),
    ],
)
def test_every_overlap_has_its_bin(overlap_px, name):
    assert size_bin(overlap_px) == name


def test_bins_are_named_once_smallest_first():
    assert bin_names() == ["20-199", "200-499", "500-999", "1000-1999", ">=2000"]
    assert [size_bin(low) for low in SIZE_BINS_PX[:-1]] == bin_names()
