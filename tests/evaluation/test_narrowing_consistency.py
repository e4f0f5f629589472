"""Measures of consistency, worked out by hand."""

import numpy as np
import pytest

from lamella.evaluation.bootstrap import Interval
from lamella.evaluation.narrowing_consistency import (
    Pooled,
    bland_altman,
    closure_errors,
    closure_sets,
    detectable_change,
    left_by_the_rule,
    mismatch,
)

WIDTHS = (1.5, 1.2, 0.4)


def narrowings(error_mm: float = 0.0) -> dict[tuple[int, int], float]:
    return {(i, j): WIDTHS[i] - WIDTHS[j] + error_mm for i in range(3) for j in range(3) if i != j}


def test_true_narrowings_close():
    assert closure_errors(narrowings()) == pytest.approx(np.zeros(3), abs=1e-12)


def test_an_error_in_each_step_is_left_over_once():
    assert closure_errors(narrowings(0.1)) == pytest.approx(np.full(3, 0.1))
    direct, through = closure_sets(narrowings(0.1))[0]
    assert (direct, through) == pytest.approx((0.4, 0.5))


def test_sums_of_refused_steps_are_absent():
    found = narrowings()
    del found[2, 1]
    assert [each[0] for each in closure_sets(found)] == pytest.approx([1.1, 0.8])
    assert closure_sets({(0, 1): 0.2}) == []
    assert closure_errors({}).size == 0


def test_pooled_figures_are_numpys_and_resample_joints():
    values = np.array([1.0, 2.0, 3.0, 6.0])
    pooled = Pooled(values=values, joints=("a", "a", "b", "c"))
    assert pooled.mean().mean == pytest.approx(3.0)
    assert pooled.rms().mean == pytest.approx(np.sqrt((values**2).mean()))
    assert pooled.sd().mean == pytest.approx(values.std())
    assert pooled.mean().low < 3.0 < pooled.mean().high
    one = Pooled(values=values, joints=("a",) * 4).mean()
    assert one.low == one.high == 3.0
    assert np.isnan(Pooled(values=np.zeros(0), joints=()).mean().mean)


def test_the_rule_drops_the_farthest_until_the_rest_agree():
    agreeing = np.array([0.5] * 9 + [5.0]) + np.linspace(0, 0.01, 10)
    assert left_by_the_rule(agreeing) == 9
    assert left_by_the_rule(np.linspace(0, 0.1, 10)) == 10
    assert left_by_the_rule(np.linspace(0, 30, 10)) == 0


def test_mismatch_counts_dropped_repeats_and_lost_pairs():
    found = mismatch([np.zeros(10), np.array([0.0] * 9 + [4.0]), np.linspace(0, 30, 10)])
    assert (found.repeats.hits, found.repeats.trials) == (11, 30)
    assert (found.pairs.hits, found.pairs.trials) == (1, 3)
    assert mismatch([np.zeros(2)]) is None
    assert mismatch([np.zeros(10)]).repeats.interval[1] == pytest.approx(0.308, abs=0.001)


def test_forward_and_backward():
    found = bland_altman({"a": narrowings(0.05), "b": narrowings(0.05)})
    assert found.pairs == 6
    assert found.bias_mm.mean == pytest.approx(0.1)
    assert found.sd_mm.mean == pytest.approx(0.0, abs=1e-9)
    assert found.limits_mm == pytest.approx((0.1, 0.1))
    assert bland_altman({"a": {(0, 1): 0.2}}) is None


def test_limits_span_the_spread():
    errors = np.random.default_rng(0).normal(0, 0.1, (200, 2))
    found = {str(k): {(0, 1): 0.5 + e, (1, 0): -0.5 + f} for k, (e, f) in enumerate(errors)}
    low, high = bland_altman(found).limits_mm
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(2) * 0.1, rel=0.1)


def test_detectable_change():
    found = detectable_change(Interval(mean=0.1, low=0.05, high=0.2))
    assert (found.mean, found.low, found.high) == pytest.approx((0.196, 0.098, 0.392))
