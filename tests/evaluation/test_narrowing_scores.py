"""Scores on cases worked out by hand."""

import numpy as np
import pytest

from lamella.evaluation.bootstrap import Interval
from lamella.evaluation.narrowing_cases import NarrowingCase
from lamella.evaluation.narrowing_scores import (
    binned_scores,
    cell,
    interval,
    known_score,
    lines,
    plain,
    proportion_cell,
    resampled,
    score_table,
)
from lamella.tasks.reading_scores import Proportion


def cases(slope: float = 1.0, offset_mm: float = 0.0, **stated: float) -> list[NarrowingCase]:
    rng = np.random.default_rng(1)
    return [
        NarrowingCase(
            joint=str(number),
            known_mm=known,
            measured_mm=slope * known + offset_mm + error,
            agreement=0.9,
            **({"sd_mm": 0.02} | stated),
        )
        for number, (known, error) in enumerate(
            zip(np.linspace(0, 1.5, 151).tolist(), rng.normal(0, 0.02, 151).tolist(), strict=True)
        )
    ]


def test_bias_spread_and_line_are_found_with_intervals_around_them():
    found = known_score(cases(0.9, 0.05))
    assert found.cases == 151
    assert found.bias_mm.mean == pytest.approx(0.05 - 0.1 * 0.75, abs=0.005)
    assert found.slope.mean == pytest.approx(0.9, abs=0.01)
    assert found.intercept_mm.mean == pytest.approx(0.05, abs=0.01)
    for each in (found.bias_mm, found.sd_mm, found.rms_mm, found.slope, found.intercept_mm):
        assert each.low < each.mean < each.high < each.low + 0.05


def test_figures_are_those_of_numpy():
    made = cases(1.1, -0.1)
    known = np.array([case.known_mm for case in made])
    measured = np.array([case.measured_mm for case in made])
    found = known_score(made)
    assert found.sd_mm.mean == pytest.approx((measured - known).std(ddof=1))
    assert found.rms_mm.mean == pytest.approx(np.sqrt(((measured - known) ** 2).mean()))
    line = np.polyfit(known, measured, 1)
    assert (found.slope.mean, found.intercept_mm.mean) == pytest.approx(tuple(line))


def test_stated_intervals_are_held_to_account():
    honest, boastful = known_score(cases()), known_score(cases(sd_mm=0.002))
    low, high = honest.covered.interval
    assert low < 0.9 < high
    assert boastful.covered.interval[1] < 0.3
    assert known_score(cases(sd_mm=float("nan"))).covered is None


def test_always_zero_has_no_slope():
    found = known_score(cases(0.0))
    assert found.slope.high < 0.02


def test_refusals_are_counted_and_not_scored():
    made = cases()
    wild = [
        NarrowingCase(joint="x", known_mm=0.0, measured_mm=9.0, refused="poor match"),
        NarrowingCase(joint="y", known_mm=0.0, refused="no joint"),
    ]
    found = known_score([*made, *wild])
    assert (found.refused.hits, found.refused.trials) == (2, 153)
    assert found.bias_mm.mean == known_score(made).bias_mm.mean
    assert found.gross.hits == 0


def test_gross_errors_are_counted():
    made = [*cases(), NarrowingCase(joint="x", known_mm=0.0, measured_mm=0.4, sd_mm=0.1)]
    assert known_score(made).gross.hits == 1


def test_too_few_answers_have_no_score():
    assert known_score(cases()[:2]) is None
    assert "too few answers" in score_table("t", {"a": None})


def test_bins_take_each_case_once():
    found = binned_scores(cases(), (0.0, 0.5, 1.0, 1.6), lambda case: case.known_mm)
    assert list(found) == ["0-0.5", "0.5-1", "1-1.6"]
    assert sum(score.cases for score in found.values()) == 151


def test_without_spread_there_is_no_line():
    slope, _ = lines(np.ones((1, 4)), np.arange(4.0)[None])
    assert np.isnan(slope[0])
    assert interval(np.array([1.0, np.nan])).mean == 1.0


def test_resamples_start_with_the_sample():
    drawn = resampled(5)
    assert drawn[0].tolist() == [0, 1, 2, 3, 4]
    assert drawn.max() == 4


def test_tables_and_json():
    assert cell(Interval(mean=0.01, low=-0.02, high=0.03), signed=True) == "+0.010 [-0.020, +0.030]"
    assert proportion_cell(Proportion(hits=0, trials=10)) == "0.0 % [0.0, 30.8]"
    assert proportion_cell(None) == proportion_cell(Proportion(hits=0, trials=0)) == "-"
    held = plain({"a": known_score(cases())})
    assert held["a"]["refused"]["part"] == 0.0
    assert held["a"]["refused"]["high"] == pytest.approx(0.024, abs=0.001)
    assert "| a | 151 |" in score_table("t", {"a": known_score(cases())})
