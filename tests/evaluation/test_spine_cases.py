"""What is true of a vertebra, and what is said of it."""

import json

import numpy as np
import pytest

import cohorts
import spines
from lamella.evaluation.spine_cases import (
    ORACLE,
    answered,
    grade_of,
    known_cases,
    oracle_case,
    plain_case,
    read_case,
    reference_cases,
    triple,
)
from lamella.records import LamellaError

FRACTURED = cohorts.coarse_spines(1)[0]


@pytest.mark.parametrize(
    ("losses", "grade"),
    [
        ((0.19, 0.0, 0.0), 0),
        ((0.2, 0.0, 0.0), 1),
        ((0.0, 0.25, 0.1), 2),
        ((0.1, 0.1, 0.4), 3),
        ((-0.3, -0.1, 0.0), 0),
    ],
)
def test_grades_follow_the_largest_loss(losses, grade):
    assert grade_of(losses) == grade


def test_the_true_loss_is_the_one_that_was_made():
    known = known_cases(FRACTURED, cohorts.spine_phantom(FRACTURED.spec))
    assert set(known) == set(FRACTURED.spec.levels)
    for level, case in known.items():
        fracture = FRACTURED.spec.fractures.get(level)
        made = fracture.zone_losses if fracture else np.zeros(3)
        assert case.true_rhlv == pytest.approx(made, abs=2e-3)
        assert case.is_whole == (fracture is None)
        assert case.target == (level in FRACTURED.targets)


def test_the_oracle_errs_by_the_vertebra_s_own_residual_alone():
    phantom = cohorts.spine_phantom(FRACTURED.spec)
    for level, case in known_cases(FRACTURED, phantom).items():
        said = oracle_case(case, phantom)
        healthy = np.array(triple(phantom.healthy_heights[level]))
        expected = np.exp(phantom.expected_log_heights[level])
        assert said.height_error_mm == pytest.approx(expected - healthy)
        kept = (1 - np.array(case.true_rhlv)) * healthy / expected
        assert said.rhlv == pytest.approx(1 - kept)
        assert np.abs(np.log(expected / healthy)).max() < 0.15


def truthful(level, bodies, healthy):
    del bodies, healthy
    return spines.told(cohorts.phantom().healthy_heights[level])


def failing(level, bodies, healthy):
    raise LamellaError("it says nothing")


def test_a_reference_that_knows_leaves_the_error_of_measuring():
    known = spine_of_spec()
    rows = reference_cases(
        known, cohorts.phantom(), cohorts.measured(), {"true": truthful, "dumb": failing}
    )
    assert list(rows) == [ORACLE, "true", "dumb"]
    fractured = next(case for case in rows["true"] if case.level == "L1")
    assert fractured.true_rhlv == pytest.approx((0.4, 0.22, 0.04), abs=2e-3)
    assert fractured.height_error_mm == pytest.approx((0.0, 0.0, 0.0))
    assert fractured.rhlv == pytest.approx(fractured.true_rhlv, abs=0.06)
    assert fractured.grade == fractured.true_grade == 3
    assert {case.refused for case in rows["dumb"]} == {"it says nothing"}
    assert answered(rows["dumb"]) == []


def spine_of_spec():
    """A spine of the cohort's kind with the helper's specification."""

    class Known:
        name, spec, targets = "helper", cohorts.SPEC, ("L1",)

    return Known()


def test_cases_survive_their_file():
    case = cohorts.case((0.1, 0.2, float("nan")), (0.1, 0.2, 0.3), refused="torn")
    again = read_case(json.loads(json.dumps(plain_case(case))))
    assert again.key == case.key
    assert again.true_rhlv == case.true_rhlv
    assert again.refused == "torn"
    assert np.isnan(again.rhlv[2])
    assert not again.is_answered
