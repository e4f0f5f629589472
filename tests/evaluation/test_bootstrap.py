"""Bootstrap intervals of a mean."""

import numpy as np
import pytest

from lamella.evaluation.bootstrap import Interval, mean_interval


def test_the_interval_of_a_gaussian_mean_is_1_96_standard_errors():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    found = mean_interval(values)
    error = 1.96 * values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + error, abs=0.15 * error)


def test_it_is_the_same_every_time_and_moves_with_the_values():
    values = np.random.default_rng(1).normal(0.0, 1.0, 30)
    once, moved = mean_interval(values), mean_interval(values + 5.0)
    assert mean_interval(values) == once
    assert moved.low == pytest.approx(once.low + 5.0)
    assert moved.high == pytest.approx(once.high + 5.0)


def test_equal_values_leave_no_doubt():
    assert mean_interval(np.full(7, 0.25)) == Interval(mean=0.25, low=0.25, high=0.25)


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.2, False)]
)
def test_an_interval_knows_whether_it_excludes_zero(low, high, expected):
    assert Interval(mean=0.5 * (low + high), low=low, high=high).excludes_zero is expected
