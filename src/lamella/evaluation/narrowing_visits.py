"""Are real visits measured consistently? ``lamella evaluate narrowing-visits``.

Joints with several visits, whose order is unknown: they test consistency, never progression.

- registered bones: MSE on pixels of one bone alone, with and without separation
  (:mod:`lamella.evaluation.narrowing_mse`), against overlap size; every registration counts,
  answered or refused, where all methods made one;
- sigma, sigma', closure, mismatch, smallest detectable change, forward against backward
  (:mod:`lamella.evaluation.narrowing_consistency`), of answers; what was refused is counted.

Intervals resample joints; patients cannot be told apart, so they are optimistic.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamella.evaluation.bootstrap import Interval
from lamella.evaluation.narrowing_cases import all_methods
from lamella.evaluation.narrowing_consistency import (
    BlandAltman,
    Mismatch,
    Ordered,
    Pooled,
    bland_altman,
    closure_errors,
    closure_sets,
    detectable_change,
    mismatch,
)
from lamella.evaluation.narrowing_scores import cell, plain, proportion_cell
from lamella.evaluation.narrowing_separation import separation_result, separation_tables
from lamella.evaluation.narrowing_visit_cases import (
    REPEATED_PAIRS,
    RepeatedPair,
    VisitCase,
    repeated_pairs,
    visit_cases,
)
from lamella.evaluation.results import markdown_table, save
from lamella.tasks.reading_scores import Proportion

NAME = "narrowing_visits"
PUBLISHED = {
    "mse_without_separation": 0.0103,
    "mse_with_separation": 0.0088,
    "sigma_mm": 0.0661,
    "phase_only_sd_mm": 0.0519,
    "mismatch": 0.0048,
}
"""BLS-GAN (arXiv 2409.07304), Wang 2023, Ou 2023 (``docs/papers``): other images, other pairs."""


@dataclass(frozen=True, kw_only=True)
class Repeatability:
    """Consistency over repeats of some pairs.

    Args:
        pairs: repeated.
        refused: repeats without an answer.
        sigma_mm: mean over pairs of the standard deviation of the answers.
        sigma_all_mm: the same of all that was measured, refused or not.
        detectable_mm: smallest detectable change.
        mismatch: of the answers.
        mismatch_all: of all that was measured.
    """

    pairs: int
    refused: Proportion
    sigma_mm: Interval
    sigma_all_mm: Interval
    detectable_mm: Interval
    mismatch: Mismatch | None
    mismatch_all: Mismatch | None


@dataclass(frozen=True, kw_only=True)
class Closure:
    """Consistency over three or more visits.

    Args:
        pairs: with a two-step sum.
        refused: comparisons without an answer, both directions.
        sigma_mm: sigma'.
        rms_mm: root of the mean squared closure error.
        detectable_mm: smallest detectable change that implies.
        forward_backward: Bland and Altman's.
    """

    pairs: int
    refused: Proportion
    sigma_mm: Interval
    rms_mm: Interval
    detectable_mm: Interval
    forward_backward: BlandAltman | None


def evaluate(
    data: Path,
    out: Path,
    count: int | None = None,
    pairs: int = REPEATED_PAIRS,
    methods: Sequence[str] | None = None,
) -> str:
    """Compare visits of each joint with every method.

    Args:
        data: manifest (``dev.json``).
        out: folder for ``narrowing_visits.json``, ``.md`` and a figure.
        count: most joints; all when None.
        pairs: of visits that are repeated with jitter.
        methods: names of comparators; all when None.
    """
    rows = all_methods(methods)
    cases = visit_cases(data, rows, count)
    repeated = {
        name: repeatability(found) for name, found in repeated_pairs(data, rows, pairs).items()
    }
    closed = {name: closure(found) for name, found in cases.items()}
    separation = separation_result(cases, out / f"{NAME}_overlap")
    result: dict[str, Any] = {
        "joints": len({case.joint for found in cases.values() for case in found}),
        "repeated_pairs": pairs,
        "registered_bones": plain(separation),
        "repeats": plain(repeated),
        "closure": plain(closed),
        "published": PUBLISHED,
    }
    tables = [*separation_tables(separation), repeat_table(repeated), closure_table(closed)]
    return save(out, NAME, result, "\n".join(tables))


def repeatability(found: Sequence[RepeatedPair]) -> Repeatability:
    """Figures of repeated pairs."""
    accepted = np.concatenate([pair.accepted for pair in found])
    answered = [(pair.joint, pair.answered_mm) for pair in found if pair.answered_mm.size > 1]
    made = [(pair.joint, pair.made_mm) for pair in found if pair.made_mm.size > 1]
    return Repeatability(
        pairs=len(found),
        refused=Proportion(hits=int((~accepted).sum()), trials=accepted.size),
        sigma_mm=_spread(answered).mean(),
        sigma_all_mm=_spread(made).mean(),
        detectable_mm=detectable_change(_spread(answered).rms()),
        mismatch=mismatch([values for _, values in answered]),
        mismatch_all=mismatch([values for _, values in made]),
    )


def closure(cases: Sequence[VisitCase]) -> Closure:
    """Figures of comparisons among the visits of each joint."""
    answered = ordered(cases)
    sets = [(joint, each) for joint, found in answered.items() for each in closure_sets(found)]
    errors = [
        (joint, float(each)) for joint, found in answered.items() for each in closure_errors(found)
    ]
    pooled = Pooled(
        values=np.array([each for _, each in errors]), joints=tuple(joint for joint, _ in errors)
    )
    rms = pooled.rms()
    third = np.sqrt(1.0 / 3.0)
    standard_error = Interval(mean=third * rms.mean, low=third * rms.low, high=third * rms.high)
    return Closure(
        pairs=len(sets),
        refused=Proportion(
            hits=sum(not case.case.is_accepted for case in cases), trials=len(cases)
        ),
        sigma_mm=_spread(sets).mean(),
        rms_mm=rms,
        detectable_mm=detectable_change(standard_error),
        forward_backward=bland_altman(answered),
    )


def ordered(cases: Sequence[VisitCase]) -> dict[str, Ordered]:
    """Joint -> its answered comparisons."""
    found: dict[str, dict[tuple[int, int], float]] = defaultdict(dict)
    for case in cases:
        if case.case.is_accepted:
            found[case.joint][case.first, case.last] = case.case.measured_mm
    return dict(found)


def repeat_table(found: Mapping[str, Repeatability]) -> str:
    """One row per method."""
    rows = [
        [
            name,
            each.pairs,
            proportion_cell(each.refused),
            cell(each.sigma_mm, 4),
            cell(each.sigma_all_mm, 4),
            cell(each.detectable_mm),
            proportion_cell(each.mismatch.repeats if each.mismatch else None),
            proportion_cell(each.mismatch_all.repeats if each.mismatch_all else None),
        ]
        for name, each in found.items()
    ]
    published = ["published (Wang 2023)", "-", "-", "-", "0.0661", "-", "-", "0.48 %"]
    columns = ["repeats with jitter", "pairs", "refused", "sigma mm", "sigma mm, refused too"]
    columns += ["detectable mm", "mismatch", "mismatch, refused too"]
    return markdown_table(columns, [*rows, published])


def closure_table(found: Mapping[str, Closure]) -> str:
    """One row per method."""
    columns = ["three visits or more", "pairs", "refused", "sigma' mm", "closure RMS mm"]
    columns += ["detectable mm", "forward + backward, mean mm", "limits of agreement mm"]
    rows = [
        [
            name,
            each.pairs,
            proportion_cell(each.refused),
            cell(each.sigma_mm, 4),
            cell(each.rms_mm, 4),
            cell(each.detectable_mm),
            *_both_ways(each.forward_backward),
        ]
        for name, each in found.items()
    ]
    return markdown_table(columns, rows)


def _both_ways(found: BlandAltman | None) -> list[str]:
    if found is None:
        return ["-", "-"]
    low, high = found.limits_mm
    return [cell(found.bias_mm, 4, signed=True), f"{low:+.3f} to {high:+.3f}"]


def _spread(sets: Sequence[tuple[str, np.ndarray]]) -> Pooled:
    return Pooled(
        values=np.array([values.std(ddof=1) for _, values in sets]),
        joints=tuple(joint for joint, _ in sets),
    )
