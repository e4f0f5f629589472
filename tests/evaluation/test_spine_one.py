"""One spine by every method."""

import numpy as np
import pytest

import cohorts
import spines
from lamella.evaluation.spine_cases import ORACLE
from lamella.evaluation.spine_drawers import AS_IT_IS, INPAINTED, STRETCHED
from lamella.evaluation.spine_one import (
    PUBLISHED,
    SpineWork,
    calibrated_references,
    published_case,
)
from lamella.prepare.spine.straight import straighten
from lamella.records import LamellaError
from lamella.tasks.pseudo_healthy import Restored
from lamella.zoo.spine import REFERENCES

SPINE = cohorts.coarse_spines(1)[0]


def raising(wanted):
    raise LamellaError("it cannot draw")


@pytest.mark.slow
def test_every_vertebra_is_said_of_and_every_target_drawn():
    found = cohorts.result()
    assert set(found.losses) == {ORACLE, *REFERENCES, f"{STRETCHED}{PUBLISHED}"}
    for name in (ORACLE, *REFERENCES):
        assert [case.level for case in found.losses[name]] == list(SPINE.spec.levels)
    assert set(found.drawn) == {STRETCHED, INPAINTED, AS_IT_IS}
    for cases in found.drawn.values():
        assert [case.known.level for case in cases] == list(SPINE.targets)
    assert {"phantom", "measuring", "drawing"} <= set(found.seconds)


def test_a_drawer_that_fails_is_refused_and_the_others_go_on():
    work = SpineWork(references=calibrated_references(), drawers={"bad": raising})
    found = work(SPINE)
    assert {case.refused for case in found.drawn["bad"]} == {"it cannot draw"}
    assert {case.refused for case in found.losses["bad"]} == {"it cannot draw"}
    assert {case.refused for case in found.losses[f"bad{PUBLISHED}"]} == {"it cannot draw"}


def test_without_drawers_only_heights_are_compared():
    found = SpineWork(references={"norms": REFERENCES["norms"]})(SPINE)
    assert list(found.losses) == [ORACLE, "norms"]
    assert found.drawn == {}


def test_the_published_loss_of_a_vertebra_against_itself_is_none():
    spine = cohorts.measured()
    straight = straighten(cohorts.phantom().ct, spine.labels, spine.bodies, curve=spine.curve)
    known = cohorts.case(cohorts.flat(0.0), cohorts.flat(0.0), level="L2")
    told = spines.told(spines.alike(24.0))
    rows = np.zeros(straight.ids.shape[1])
    same = Restored(straight=straight, shift_down_mm=rows, healthy=told)
    assert published_case(known, straight, same).rhlv == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)
    assert published_case(known, straight, LamellaError("no")).refused == "no"
