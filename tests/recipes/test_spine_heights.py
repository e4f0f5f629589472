"""Fitting the weight of drawings and the spread of what neighbours tell."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lamella.evaluation.spine_cases import SpineCase
from lamella.evaluation.spine_cohort import FINE, CohortSpine
from lamella.evaluation.spine_drawn import DrawnCase, Likeness
from lamella.evaluation.spine_runs import SpineResult
from lamella.recipes import spine_heights
from lamella.recipes.spine_heights import (
    PARTS,
    HeightsRecipe,
    Told,
    best_part,
    drawn_weight,
    shape_overlaps,
    spread,
    train,
)


def rows_of(drawing_sd: float, told_sd: float, stated_sd: float, count: int = 4000) -> list[Told]:
    """Thirds whose neighbours and drawings err independently."""
    rng = np.random.default_rng(0)
    was = rng.uniform(18.0, 28.0, count)
    told = was * np.exp(told_sd * rng.standard_normal(count))
    drawn = was * np.exp(drawing_sd * rng.standard_normal(count))
    return [
        Told(
            observed_mm=float(h),
            observed_sd_mm=1e-6,
            seen_mm=float(h),
            was_mm=float(h),
            told_mm=float(t),
            told_sd_mm=float(stated_sd * t),
            drawn_mm=float(d),
        )
        for h, t, d in zip(was, told, drawn, strict=True)
    ]


def test_independent_errors_weigh_by_their_precision():
    weight = drawn_weight(rows_of(drawing_sd=0.02, told_sd=0.04, stated_sd=0.04))
    assert weight == pytest.approx(0.04**2 / (0.04**2 + 0.02**2), abs=0.02)


def test_a_drawing_that_only_repeats_the_neighbours_counts_for_nothing():
    repeated = [replace(row, drawn_mm=row.told_mm) for row in rows_of(0.1, 0.04, 0.04, 50)]
    assert drawn_weight(repeated) == 0.0


def test_spread_is_the_ratio_of_true_to_stated():
    assert spread(rows_of(0.1, told_sd=0.06, stated_sd=0.04)) == pytest.approx(1.5, abs=0.06)
    assert spread(rows_of(0.1, told_sd=0.04, stated_sd=0.04)) == pytest.approx(1.0, abs=0.04)


def test_the_part_with_the_largest_overlap_is_taken():
    assert best_part({0.0: 0.91, 0.5: 0.95, 1.0: 0.93}) == 0.5
    assert best_part({}) == 0.0


def test_overlaps_are_means_over_fine_spines_for_every_part(monkeypatch: pytest.MonkeyPatch):
    """Dice falls with the square of the distance from 0.25 and differs from spine to spine."""
    seen = []

    class Work:
        def __init__(self, references, drawers):
            assert list(references) == ["conditional"]
            self.names = list(drawers)

        def __call__(self, spine):
            seen.append(spine.number)
            best = 0.9 + 0.01 * spine.number
            dice = {name: best - (float(name) - 0.25) ** 2 for name in self.names}
            cases = {name: [case(value), case(float("nan"))] for name, value in dice.items()}
            return SpineResult(name=spine.name, losses={}, drawn=cases, seconds={})

    monkeypatch.setattr(spine_heights, "SpineWork", Work)
    spines = [
        CohortSpine(number=number, spacing_mm=spacing, vertebrae=(4, 4))
        for number, spacing in ((3, 1.0), (4, 3.0), (5, 0.7))
    ]
    overlaps = shape_overlaps(spines, weight=0.0)
    assert seen == [3, 5]
    assert overlaps == pytest.approx({part: 0.94 - (part - 0.25) ** 2 for part in PARTS})
    assert best_part(overlaps) == 0.25
    assert not shape_overlaps(spines[1:2], weight=0.0)


def case(dice: float) -> DrawnCase:
    known = SpineCase(
        spine="spine", level="L1", spacing=FINE, target=True, kind=None, true_rhlv=(0.0, 0.0, 0.0)
    )
    return DrawnCase(known=known, aligned=Likeness(dice=dice))


def test_a_run_writes_what_it_fitted_and_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lamella.zoo.spine.shipped_networks", lambda: None)
    recipe = HeightsRecipe(spines=1, spacings_mm=(3.0,), vertebrae=(4, 4))
    stored = json.loads(train(None, tmp_path, config=recipe).read_text())
    assert stored["fusion"]["drawn_weight"] == 0.0
    assert stored["fusion"]["drawn_shape"] == 0.0
    assert 0.5 <= stored["fusion"]["spread"] <= 3.0
    assert stored["fitted_on"]["thirds"] in (9.0, 12.0)
    assert stored["recipe"]["spines"] == 1
