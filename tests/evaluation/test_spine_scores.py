"""Scores of losses on cases worked out by hand."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

import cohorts
from lamella.evaluation.bootstrap import Interval
from lamella.evaluation.spine_scores import (
    SpineResampling,
    difference_table,
    known,
    loss_difference,
    loss_score,
    loss_table,
    macro_f1,
)

WHOLE = (0.0, 0.0, 0.0)


def some(errors, spines=None, true=WHOLE, **given):
    spines = spines or [str(k) for k in range(len(errors))]
    return [
        cohorts.case(tuple(t + error for t in true), true, spine=spine, level=f"L{k}", **given)
        for k, (error, spine) in enumerate(zip(errors, spines, strict=True))
    ]


def test_errors_are_told_in_percentage_points():
    found = loss_score([cohorts.case((0.13, 0.2, 0.01), (0.1, 0.22, 0.0))])
    assert found.mae_pp.mean == pytest.approx(2.0)
    assert found.bias_pp.mean == pytest.approx((3 - 2 + 1) / 3)
    assert found.largest_mae_pp.mean == pytest.approx(2.0)
    assert found.covered is None
    assert found.height_mae_mm.mean != found.height_mae_mm.mean


def test_intervals_resample_spines_and_not_vertebrae():
    alike = loss_score(some([0.02] * 4 + [0.02] * 4, ["a"] * 4 + ["b"] * 4)).mae_pp
    assert (alike.low, alike.high) == pytest.approx((2.0, 2.0))
    apart = loss_score(some([0.0] * 4 + [0.04] * 4, ["a"] * 4 + ["b"] * 4)).mae_pp
    assert (apart.mean, apart.low, apart.high) == pytest.approx((2.0, 0.0, 4.0))


def test_sensitivity_specificity_and_those_that_lost_nothing():
    cases = [
        *some([0.0, 0.0, 0.3]),
        *some([0.0, 0.05], true=cohorts.flat(0.18)),
        *some([0.0, -0.2], true=cohorts.flat(0.3)),
    ]
    found = loss_score(cases)
    assert (found.specificity.hits, found.specificity.trials) == (3, 5)
    assert (found.unharmed.hits, found.unharmed.trials) == (2, 3)
    assert (found.sensitivity.hits, found.sensitivity.trials) == (1, 2)
    assert (found.sensitivity_2.hits, found.sensitivity_2.trials) == (1, 2)


def test_coverage_counts_errors_inside_the_stated_interval():
    cases = some([0.01, 0.05], rhlv_sd=cohorts.flat(0.02))
    assert loss_score(cases).covered.mean == pytest.approx(50.0)


def test_refused_vertebrae_are_counted_and_not_scored():
    cases = [*some([0.02]), *some([0.5], refused="cut off")]
    found = loss_score(cases)
    assert (found.vertebrae, found.refused) == (2, 1)
    assert found.mae_pp.mean == pytest.approx(2.0)
    assert loss_score(some([0.5], refused="cut off")) is None


def test_macro_f1_is_the_usual_one():
    rng = np.random.default_rng(4)
    true, said = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    for labels in (range(4), range(3)):
        keep = np.isin(true, labels) & np.isin(said, labels)
        expected = f1_score(true[keep], said[keep], average="macro")
        pool = SpineResampling([str(k) for k in range(keep.sum())])
        assert pool.macro_f1s(true[keep], said[keep])[0] == pytest.approx(expected)
    assert macro_f1(np.zeros((4, 4))) == 0.0


def test_differences_are_of_the_same_vertebrae():
    worse = some([0.05, 0.05, 0.9], ["a", "b", "c"])
    better = [*some([0.01, 0.01], ["a", "b"]), *some([0.0], ["c"], refused="cut off")]
    found = loss_difference(worse, better)
    assert found.vertebrae == 2
    assert found.mae_pp.mean == pytest.approx(4.0)
    assert found.macro_f1.mean == pytest.approx(0.0)
    assert loss_difference(worse, []) is None


def test_tables_hold_a_row_per_method_and_say_when_nothing_is_said():
    scores = {"one": loss_score(some([0.02, 0.03])), "none": None}
    table = loss_table("targets", scores)
    assert table.count("\n") == 4
    assert "2.50 [" in table
    assert "nothing is said" in table
    rows = {"one": loss_difference(some([0.1]), some([0.0])), "none": None}
    assert "| one | 1 | +10.00 [" in difference_table("minus", rows)
    assert known(None) == "-"
    assert known(Interval(mean=float("nan"), low=0.0, high=1.0)) == "-"
