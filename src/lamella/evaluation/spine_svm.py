"""The published grader: a support vector machine on the three losses, by spines it never saw.

HealthiVert-GAN grades with a linear support vector classifier, classes balanced, on standardised
losses of the anterior, middle and posterior third. Its published scores judge five machines on
vertebrae of patients that all five were trained beside; here every spine is graded by a machine
fitted, and scaled, on the other folds' spines alone.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from lamella.evaluation.spine_cases import SpineCase, answered
from lamella.evaluation.spine_scores import true_grades

FOLDS = 5
SEED = 20250


def svm_cases(cases: Sequence[SpineCase], folds: int = FOLDS) -> list[SpineCase]:
    """The same vertebrae with the grade an out-of-fold machine gives.

    Args:
        cases: with losses; those of which nothing is said stay as they are.
        folds: of spines; fewer where there are fewer spines.

    Returns:
        Cases in the same order; all as given where there are fewer than two spines or grades.
    """
    said = answered(cases)
    spines = np.array([case.spine for case in said])
    folds = min(folds, len(set(spines)))
    if folds < 2:
        return list(cases)
    losses, grades = np.array([case.rhlv for case in said]), true_grades(said)
    graded: dict[tuple[str, str], int] = {}
    for rest, held_out in GroupKFold(folds).split(losses, grades, spines):
        if len(set(grades[rest])) < 2:
            return list(cases)
        machine = _machine().fit(losses[rest], grades[rest])
        found = machine.predict(losses[held_out])
        graded |= {said[k].key: int(grade) for k, grade in zip(held_out, found, strict=True)}
    return [
        replace(case, said_grade=graded[case.key]) if case.key in graded else case for case in cases
    ]


def _machine() -> Pipeline:
    machine = LinearSVC(class_weight="balanced", random_state=SEED, max_iter=20_000)
    return make_pipeline(StandardScaler(), machine)
