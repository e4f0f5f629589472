"""Fractures made on purpose, told from the fractured spine alone."""

import pytest

import cohorts
from lamella.evaluation.spine_drawers import AS_IT_IS, STRETCHED, as_it_is, stretched
from lamella.evaluation.spine_virtual import (
    BETWEEN,
    Fracture,
    broken,
    drawn_cases,
    fractures_of,
    loss_cases,
)
from lamella.physics.virtual_fracture import FractureSpec
from lamella.zoo.spine import REFERENCES

CRUSH = Fracture(level="L2", spec=FractureSpec(kind="crush", loss=0.3))


@pytest.fixture(scope="module")
def crushed():
    return next(broken(cohorts.measured(), cohorts.phantom().ct, [CRUSH]))


def test_every_level_kind_and_loss():
    names = [fracture.name for fracture in fractures_of(["L1", "L2"], (0.2, 0.3))]
    assert len(set(names)) == 12
    assert "L2 wedge 30 %" in names


def test_the_loss_is_the_one_that_was_made_and_measuring_finds_it(crushed):
    assert crushed.known.true_rhlv == pytest.approx((0.3, 0.3, 0.3), abs=0.01)
    found = loss_cases(crushed, {"norms": REFERENCES["norms"]})
    assert list(found) == [BETWEEN, "norms"]
    assert found[BETWEEN].rhlv == pytest.approx((0.3, 0.3, 0.3), abs=0.06)
    assert found["norms"].rhlv == pytest.approx((0.3, 0.3, 0.3), abs=0.2)
    assert found["norms"].kind == "crush"


def test_restoring_brings_the_vertebra_back_towards_what_it_was(crushed):
    drawers = {STRETCHED: stretched, AS_IT_IS: as_it_is}
    found = drawn_cases(crushed, REFERENCES["conditional"], drawers)
    assert found[AS_IT_IS].aligned.dice < 0.88
    assert found[STRETCHED].aligned.dice > found[AS_IT_IS].aligned.dice + 0.04
    lost = 0.3 * crushed.made.healthy_heights_mm.whole
    assert sum(found[AS_IT_IS].height_error_mm) / 3 == pytest.approx(-lost, abs=1.0)
