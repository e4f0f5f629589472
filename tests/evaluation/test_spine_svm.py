"""The published grader, out of fold."""

from dataclasses import replace

import numpy as np

import cohorts
from lamella.evaluation.spine_svm import svm_cases

LEVELS = {0: 0.05, 1: 0.22, 2: 0.32, 3: 0.5}


def cohort(spines=10, seed=1):
    rng = np.random.default_rng(seed)
    return [
        cohorts.case(
            cohorts.flat(LEVELS[grade] + float(rng.normal(0, 0.004))),
            cohorts.flat(LEVELS[grade]),
            spine=f"s{spine}",
            level=f"L{grade + 1}",
        )
        for spine in range(spines)
        for grade in LEVELS
    ]


def test_separable_extremes_are_graded():
    graded = svm_cases(cohort())
    for end in (0, 3):
        said = [case.grade for case in graded if case.true_grade == end]
        assert set(said) == {end}
    assert [case.key for case in graded] == [case.key for case in cohort()]


def test_a_spine_s_own_grades_have_no_say_in_its_own():
    """Turn one spine's truth upside down: its grades stay, for others' machines give them."""
    told = cohort()
    turned = [
        replace(case, true_rhlv=cohorts.flat(LEVELS[3 - case.true_grade]))
        if case.spine == "s3"
        else case
        for case in told
    ]
    grades = [
        {case.key: case.grade for case in svm_cases(cases) if case.spine == "s3"}
        for cases in (told, turned)
    ]
    assert grades[0] == grades[1]


def test_too_few_spines_or_grades_are_left_as_they_are():
    one = [case for case in cohort() if case.spine == "s0"]
    assert svm_cases(one) == one
    whole = [replace(case, true_rhlv=cohorts.flat(0.0)) for case in cohort()]
    assert svm_cases(whole) == whole


def test_what_is_refused_stays_refused():
    cases = [replace(cohort()[0], refused="cut off", spine="x"), *cohort()]
    assert svm_cases(cases)[0].refused == "cut off"
