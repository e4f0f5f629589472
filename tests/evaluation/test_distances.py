"""Distances between sets: closed forms, symmetries, and what is known of their scatter."""

import numpy as np
import pytest
from scipy import linalg

from lamella.evaluation.distances import (
    frechet_distance,
    jackknife_sd,
    kernel_distance,
    paired_kernel_distance,
    pixel_row_fid,
)
from lamella.records import LamellaError


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("counts", [(400, 300), (400, 6), (6, 5)])
def test_the_frechet_distance_is_its_formula(rng, counts):
    """Against a matrix root, also with fewer vectors than features."""
    first = rng.normal(size=(counts[0], 8)) @ rng.normal(size=(8, 8))
    second = rng.normal(size=(counts[1], 8)) + 1.0
    one, other = np.cov(first.T), np.cov(second.T)
    root = linalg.sqrtm(one @ other + 1e-13 * np.eye(8)).real
    apart = first.mean(axis=0) - second.mean(axis=0)
    expected = apart @ apart + np.trace(one + other - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-5)


def test_a_shift_and_a_scale_have_their_closed_forms(rng):
    """N(0, s^2) against N(m, (2 s)^2): m^2 + s^2 in one dimension."""
    values = rng.normal(size=(500, 1))
    assert frechet_distance(values, values + 3.0) == pytest.approx(9.0)
    centred = values - values.mean()
    assert frechet_distance(centred, 2 * centred) == pytest.approx(values.var(ddof=1))


def test_one_vector_has_no_covariance():
    with pytest.raises(LamellaError, match="expected two vectors or more, got 1"):
        frechet_distance(np.ones((1, 3)), np.ones((2, 3)))


def test_identical_images_are_0_apart_even_where_rows_are_empty(rng):
    image = rng.random((256, 256)).astype(np.float32)
    image[100:] = 0.0
    assert pixel_row_fid(image, image.copy()) < 1e-10


def test_pixel_row_fid_takes_rows_for_samples(rng):
    """Shuffled rows are the same samples; shuffled columns are other features."""
    image = rng.random((40, 30)) * np.linspace(0, 1, 30)
    assert pixel_row_fid(image, image[rng.permutation(40)]) < 1e-10
    assert pixel_row_fid(image, image[:, ::-1]) > 0.1


def test_the_kernel_distance_is_unbiased(rng):
    """Equal distributions: the mean over many draws is 0 within its error, not above."""
    found = [kernel_distance(*rng.normal(size=(2, 20, 4))) for _ in range(300)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(300)
    assert min(found) < 0


def test_the_kernel_distance_by_hand():
    """k(x, y) = (x y + 1)^3 in one dimension."""
    first, second = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    expected = 1.0 + 7.0**3 - 2 * (1 + 1 + 27 + 64) / 4
    assert kernel_distance(first, second) == pytest.approx(expected)
    assert paired_kernel_distance(first, second) == pytest.approx(1 + 343 - 2 * (1 + 27) / 2)


def test_equal_pairs_are_0_apart(rng):
    vectors = rng.normal(size=(12, 5))
    assert paired_kernel_distance(vectors, vectors.copy()) == pytest.approx(0.0, abs=1e-12)
    assert jackknife_sd(paired_kernel_distance, vectors, vectors, paired=True) < 1e-10
    assert paired_kernel_distance(vectors, vectors + 1.0) > 0.1


def test_the_jackknife_knows_the_standard_error_of_a_mean(rng):
    """For means it is exact: the square root of the sum of both s^2 / n."""
    first, second = rng.normal(size=(30, 1)), 2 * rng.normal(size=(20, 1))

    def gap(a, b):
        return float(a.mean() - b.mean())

    expected = np.sqrt(first.var(ddof=1) / 30 + second.var(ddof=1) / 20)
    assert jackknife_sd(gap, first, second) == pytest.approx(expected)
    differences = (first[:20] - second).var(ddof=1)
    assert jackknife_sd(gap, first[:20], second, paired=True) == pytest.approx(
        np.sqrt(differences / 20)
    )
