"""The table of factors on standard deviations."""

import json

import numpy as np
import pytest

from lamella.methods.shares.calibrate import NOMINAL_COVERAGE, NORMAL_QUANTILE, Calibration

TABLE = Calibration(
    sd_knots=np.array([0.01, 0.04]),
    size_knots=np.array([100.0, 400.0]),
    factors=np.array([[1.0, 2.0], [3.0, 6.0]]),
)


def factor(sd: float, overlap_px: float) -> float:
    return float(TABLE.factor(np.full((1, 1), sd), overlap_px)[0, 0])


def test_at_its_knots_the_table_is_read_as_it_is():
    found = [[factor(sd, size) for sd in TABLE.sd_knots] for size in TABLE.size_knots]
    np.testing.assert_allclose(found, TABLE.factors, rtol=1e-6)


def test_between_knots_it_is_linear_in_logarithms():
    assert factor(0.02, 100.0) == pytest.approx(1.5)
    assert factor(0.01, 200.0) == pytest.approx(2.0)
    assert factor(0.02, 200.0) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("sd", "overlap_px", "expected"),
    [(0.0, 0.0, 1.0), (1e-9, 100.0, 1.0), (9.0, 1.0, 2.0), (0.0, 1e9, 3.0), (9.0, 1e9, 6.0)],
)
def test_beyond_its_knots_it_is_constant(sd, overlap_px, expected):
    assert factor(sd, overlap_px) == pytest.approx(expected)


def test_every_pixel_has_its_own_factor():
    raw = np.array([[0.001, 0.01], [0.02, 0.5]])
    found = TABLE.factor(raw, 100.0)
    np.testing.assert_allclose(found, [[1.0, 1.0], [1.5, 2.0]], rtol=1e-6)
    assert found.dtype == np.float32


def test_no_calibration_leaves_everything_as_it_is():
    raw = np.random.default_rng(0).random((4, 5))
    np.testing.assert_array_equal(Calibration.none().factor(raw, 500.0), 1.0)


def test_a_table_survives_a_model_card():
    again = Calibration.of(json.loads(json.dumps(TABLE.table())))
    for name in ("sd_knots", "size_knots", "factors"):
        np.testing.assert_array_equal(getattr(again, name), getattr(TABLE, name))


def test_the_quantile_belongs_to_the_nominal_coverage():
    from scipy.stats import norm

    assert norm.cdf(NORMAL_QUANTILE) - norm.cdf(-NORMAL_QUANTILE) == pytest.approx(
        NOMINAL_COVERAGE, abs=1e-12
    )
