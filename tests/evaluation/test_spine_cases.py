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
from lamella.tasks.spine import measured_spine

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


def test_a_reference_that_knows_leaves_the_error_of_measuring():
    phantom = cohorts.spine_phantom(FRACTURED.spec)

    def truthful(level, bodies, healthy):
        del bodies, healthy
        return spines.told(phantom.healthy_heights[level])

    def failing(level, bodies, healthy):
        raise LamellaError("it says nothing")

    measured = measured_spine(phantom.labels, phantom.ct)
    rows = reference_cases(FRACTURED, phantom, measured, {"true": truthful, "dumb": failing})
    assert list(rows) == [ORACLE, "true", "dumb"]
    for case in rows["true"]:
        body = measured.by_level[case.level]
        exact = np.array(triple(phantom.healthy_heights[case.level]))
        assert case.height_error_mm == pytest.approx((0.0, 0.0, 0.0))
        assert case.rhlv == pytest.approx(1 - np.array(triple(body.heights_mm)) / exact)
        assert case.rhlv == pytest.approx(case.true_rhlv, abs=0.12)
    assert {case.refused for case in rows["dumb"]} == {"it says nothing"}
    assert answered(rows["dumb"]) == []


def test_cases_survive_their_file():
    case = cohorts.case((0.1, 0.2, float("nan")), (0.1, 0.2, 0.3), refused="torn")
    again = read_case(json.loads(json.dumps(plain_case(case))))
    assert again.key == case.key
    assert again.true_rhlv == case.true_rhlv
    assert again.refused == "torn"
    assert np.isnan(again.rhlv[2])
    assert not again.is_answered
