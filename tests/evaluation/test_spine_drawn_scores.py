"""Means of drawings worked out by hand."""

import pytest

import cohorts
from lamella.evaluation.spine_drawn import DrawnCase, Likeness
from lamella.evaluation.spine_drawn_scores import (
    drawn_difference,
    drawn_difference_table,
    drawn_score,
    drawn_scores,
    drawn_table,
)


def drawn(dice, spine="a", level="L1", error_mm=0.5, refused=None):
    known = cohorts.case(cohorts.flat(0.0), cohorts.flat(0.0), spine=spine, level=level)
    like = Likeness(dice=dice, psnr_db=30.0 * dice, ssim=dice / 2)
    raw = Likeness(dice=dice - 0.1, psnr_db=20.0, ssim=0.3)
    return DrawnCase(
        known=known,
        aligned=like,
        raw=raw,
        height_error_mm=(error_mm, -error_mm, error_mm),
        refused=refused,
    )


CASES = [drawn(0.9, "a"), drawn(0.8, "b"), drawn(0.1, "c", refused="no CT")]


def test_means_leave_out_what_was_not_drawn():
    found = drawn_score(CASES)
    assert (found.vertebrae, found.refused) == (3, 1)
    assert found.aligned.dice.mean == pytest.approx(0.85)
    assert (found.aligned.dice.low, found.aligned.dice.high) == pytest.approx((0.8, 0.9))
    assert found.raw.dice.mean == pytest.approx(0.75)
    assert found.aligned.psnr_db.mean == pytest.approx(25.5)
    assert found.height_mae_mm.mean == pytest.approx(0.5)
    assert found.height_bias_mm.mean == pytest.approx(0.5 / 3)
    assert drawn_score(CASES[2:]) is None


def test_some_drawings_can_be_scored_alone():
    found = drawn_scores({"one": CASES}, lambda case: case.known.spine == "b")
    assert found["one"].aligned.dice.mean == pytest.approx(0.8)


def test_differences_pair_vertebrae():
    better = [drawn(0.95, "a", error_mm=0.1), drawn(0.9, "b", error_mm=0.1), drawn(0.9, "c")]
    found = drawn_difference(CASES, better)
    assert found.vertebrae == 2
    assert found.dice.mean == pytest.approx(-0.075)
    assert found.psnr_db.mean == pytest.approx(-2.25)
    assert found.height_mae_mm.mean == pytest.approx(0.4)
    assert drawn_difference(CASES, []) is None


def test_tables():
    table = drawn_table("drawn", {"one": drawn_score(CASES), "none": None})
    assert "| one | 3 | 1 | 0.850 [0.800, 0.900] |" in table
    assert "nothing is drawn" in table
    apart = drawn_difference_table("minus", {"one": drawn_difference(CASES, CASES), "none": None})
    assert "| one | 2 | +0.000" in apart
    assert "none" not in apart
