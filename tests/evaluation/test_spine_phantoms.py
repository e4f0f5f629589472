"""The evaluation on phantoms, end to end on two coarse spines."""

import json

import pytest

import cohorts
from lamella.evaluation.spine_cases import ORACLE
from lamella.evaluation.spine_cohort import FINE
from lamella.evaluation.spine_drawers import AS_IT_IS, STRETCHED, as_it_is, stretched
from lamella.evaluation.spine_drawn import DrawnCase, Likeness
from lamella.evaluation.spine_drawn_scores import drawn_scores
from lamella.evaluation.spine_one import PUBLISHED
from lamella.evaluation.spine_phantoms import (
    CONDITIONAL,
    NAME,
    SVM,
    evaluate,
    main_of,
    promise_table,
    promises,
)
from lamella.zoo.spine import HEALTHIVERT, REFERENCES


@pytest.mark.slow
def test_every_method_stands_in_every_table(tmp_path):
    spines = cohorts.coarse_spines(2)
    drawers = {STRETCHED: stretched, AS_IT_IS: as_it_is}
    table = evaluate(None, tmp_path, spines=spines, drawers=drawers, processes=1)
    found = json.loads((tmp_path / f"{NAME}.json").read_text())
    rows = found["losses"]["3 mm"]
    machine = {f"{CONDITIONAL}{SVM}", f"{STRETCHED}{PUBLISHED}{SVM}"}
    assert set(rows) == {ORACLE, *REFERENCES, f"{STRETCHED}{PUBLISHED}", *machine}
    assert rows[ORACLE]["vertebrae"] == sum(len(spine.targets) for spine in spines)
    assert rows[ORACLE]["mae_pp"]["mean"] < 6.0
    assert found["losses"][FINE][ORACLE] is None
    drawn = found["drawn"]["3 mm"]
    assert drawn[STRETCHED]["aligned"]["dice"]["mean"] > 0.85
    for words in ("targets, 3 mm", "minus the oracle", "drawn, 3 mm", "lost nothing, all"):
        assert words in table
    kept = sorted((tmp_path / f"{NAME}_kept").glob("*.json"))
    times = [path.stat().st_mtime_ns for path in kept]
    assert evaluate(None, tmp_path, spines=spines, drawers=drawers, processes=1) == table
    assert [path.stat().st_mtime_ns for path in kept] == times


def rows_of(error):
    """Two spines whose default method errs by so much, and an oracle that errs by 2 points."""
    truths = [cohorts.flat(0.0), cohorts.flat(0.3)]
    return {
        name: [
            cohorts.case(cohorts.flat(true[0] + by), true, spine=str(k))
            for k, true in enumerate(truths)
        ]
        for name, by in ((ORACLE, 0.02), (CONDITIONAL, error))
    }


def drawings(dice):
    case = DrawnCase(
        known=cohorts.case(cohorts.flat(0.0), cohorts.flat(0.0)),
        aligned=Likeness(dice=dice, psnr_db=30.0, ssim=0.9),
        raw=Likeness(dice=dice, psnr_db=30.0, ssim=0.9),
        height_error_mm=(0.0, 0.0, 0.0),
    )
    return drawn_scores({CONDITIONAL: [case]})


@pytest.mark.parametrize(
    ("error", "dice", "met"),
    [
        (0.022, 0.96, [True, True, True, True]),
        (0.03, 0.94, [False, True, True, False]),
        (0.21, 0.96, [False, False, False, True]),
    ],
)
def test_promises_are_kept_or_not(error, dice, met):
    found = promises(rows_of(error), drawings(dice))
    assert [promise.met for promise in found] == met
    assert promise_table(found).count("| yes |") == sum(met)


def test_the_default_method_is_the_networks_where_there_are_any():
    assert main_of({CONDITIONAL: 1, HEALTHIVERT: 2}) == HEALTHIVERT
    assert main_of({CONDITIONAL: 1}) == CONDITIONAL
