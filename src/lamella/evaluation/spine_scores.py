"""How good measured losses and grades are against known ones.

Over answered vertebrae, with ``e = said - true`` of a third's relative height loss:

    MAE = mean |e| over thirds and vertebrae,   bias = mean e,
    macro-F1 = mean over grades 0 to 3 of 2 TP / (2 TP + FP + FN),
    specificity = P(said grade 0 | true grade 0),  sensitivity = P(said >= g | true >= g),
    coverage = part of |e| <= 1.645 stated SD.

Intervals of 95 % resample whole spines, for vertebrae of one spine share a reference; those of
proportions are exact (Clopper and Pearson) and take vertebrae for independent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lamella.evaluation.bootstrap import RESAMPLES, SEED, Interval
from lamella.evaluation.narrowing_scores import cell, interval, proportion_cell
from lamella.evaluation.results import markdown_table
from lamella.evaluation.spine_cases import SpineCase, answered
from lamella.records.narrowing import WIDE_90
from lamella.tasks.reading_scores import Proportion

GRADES = 4
PERCENT = 100.0


@dataclass(frozen=True, kw_only=True)
class LossScore:
    """Said against known losses of some vertebrae.

    Args:
        vertebrae: answered or not.
        refused: not answered.
        mae_pp: mean absolute error of RHLV, percentage points, all thirds.
        largest_mae_pp: of the largest regional loss.
        bias_pp: mean error.
        macro_f1: of the four grades.
        specificity: grade 0 found among true grade 0.
        unharmed: grade 0 found among vertebrae that have lost nothing.
        sensitivity, sensitivity_2: grade >= 1 and >= 2 found.
        covered: errors inside the stated 90 % interval; None where no SD is stated.
        height_mae_mm: mean absolute error of the healthy height.
    """

    vertebrae: int
    refused: int
    mae_pp: Interval
    largest_mae_pp: Interval
    bias_pp: Interval
    macro_f1: Interval
    specificity: Proportion
    unharmed: Proportion
    sensitivity: Proportion
    sensitivity_2: Proportion
    covered: Interval | None
    height_mae_mm: Interval


@dataclass(frozen=True, kw_only=True)
class LossDifference:
    """One method minus another on the vertebrae that both answer.

    Args:
        vertebrae: that both answer.
        mae_pp: difference of the mean absolute errors.
        macro_f1: difference of the macro-F1.
    """

    vertebrae: int
    mae_pp: Interval
    macro_f1: Interval


class SpineResampling:
    """Means over vertebrae whose intervals resample spines.

    Args:
        spines: whose each vertebra is.
    """

    def __init__(self, spines: Sequence[str]) -> None:
        names, self._place = np.unique(list(spines), return_inverse=True)
        rng = np.random.default_rng(SEED)
        counts = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), RESAMPLES)
        self._weights = np.concatenate([np.ones((1, len(names))), counts])

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over vertebrae (n, ...) of the sample itself and of each resample."""
        totals = np.zeros((self._weights.shape[1], *values.shape[1:]))
        np.add.at(totals, self._place, values)
        return np.tensordot(self._weights, totals, axes=1)

    def mean(self, values: np.ndarray) -> Interval:
        """Mean of (n,) or (n, 3) values; NaN are left out."""
        return interval(self.means(values))

    def means(self, values: np.ndarray) -> np.ndarray:
        """The same of the sample itself and of each resample."""
        table = values.reshape(len(values), -1)
        total = self.sums(np.nansum(table, axis=1))
        count = self.sums(np.isfinite(table).sum(axis=1).astype(float))
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)

    def macro_f1s(self, true: np.ndarray, said: np.ndarray) -> np.ndarray:
        """Macro-F1 of the sample itself and of each resample."""
        confusion = np.zeros((len(true), GRADES, GRADES))
        confusion[np.arange(len(true)), true, said] = 1.0
        return macro_f1(self.sums(confusion))


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 of the grades that occur, from confusions (..., true, said)."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    both = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    f1 = np.divide(2.0 * hits, both, out=np.zeros_like(both), where=both > 0)
    return np.asarray(f1.sum(axis=-1) / np.maximum((both > 0).sum(axis=-1), 1))


def loss_score(cases: Sequence[SpineCase]) -> LossScore | None:
    """Scores of some vertebrae; None where nothing was answered."""
    said = answered(cases)
    if not said:
        return None
    pool = SpineResampling([case.spine for case in said])
    errors = errors_pp(said)
    largest = largest_pp(said)
    true, grades = true_grades(said), said_grades(said)
    whole = np.array([case.is_whole for case in said])
    return LossScore(
        vertebrae=len(cases),
        refused=len(cases) - len(said),
        mae_pp=pool.mean(np.abs(errors)),
        largest_mae_pp=pool.mean(np.abs(largest)),
        bias_pp=pool.mean(errors),
        macro_f1=interval(pool.macro_f1s(true, grades)),
        specificity=part(grades[true == 0] == 0),
        unharmed=part(grades[whole] == 0),
        sensitivity=part(grades[true >= 1] >= 1),
        sensitivity_2=part(grades[true >= 2] >= 2),
        covered=_covered(said, pool),
        height_mae_mm=pool.mean(np.abs([case.height_error_mm for case in said])),
    )


def loss_difference(
    cases: Sequence[SpineCase], others: Sequence[SpineCase]
) -> LossDifference | None:
    """How much worse (positive MAE, negative F1) the first method is than the second."""
    beside = {case.key: case for case in answered(others)}
    first = [case for case in answered(cases) if case.key in beside]
    if not first:
        return None
    second = [beside[case.key] for case in first]
    pool = SpineResampling([case.spine for case in first])
    apart = np.abs(errors_pp(first)) - np.abs(errors_pp(second))
    true = true_grades(first)
    f1s = [pool.macro_f1s(true, said_grades(each)) for each in (first, second)]
    return LossDifference(
        vertebrae=len(first), mae_pp=pool.mean(apart), macro_f1=interval(f1s[0] - f1s[1])
    )


def errors_pp(cases: Sequence[SpineCase]) -> np.ndarray:
    """Said minus true RHLV of each third, percentage points, (n, 3)."""
    said = np.array([case.rhlv for case in cases])
    return PERCENT * (said - np.array([case.true_rhlv for case in cases]))


def largest_pp(cases: Sequence[SpineCase]) -> np.ndarray:
    """Said minus true largest regional loss, percentage points, (n,)."""
    return np.array([PERCENT * (max(case.rhlv) - max(case.true_rhlv)) for case in cases])


def true_grades(cases: Sequence[SpineCase]) -> np.ndarray:
    """True grade of each, (n,)."""
    return np.array([case.true_grade for case in cases], int)


def said_grades(cases: Sequence[SpineCase]) -> np.ndarray:
    """Grade each was given, (n,)."""
    return np.array([case.grade for case in cases], int)


def part(hit: np.ndarray) -> Proportion:
    """How many of some are hits."""
    return Proportion(hits=int(hit.sum()), trials=int(hit.size))


def loss_table(title: str, scores: Mapping[str, LossScore | None]) -> str:
    """One row per method."""
    columns = [title, "vertebrae", "refused", "RHLV MAE pp", "largest loss MAE pp", "bias pp"]
    columns += ["macro-F1", "specificity", "of whole ones", "sensitivity", "of grade >= 2"]
    rows = [[name, *_cells(score)] for name, score in scores.items()]
    return markdown_table([*columns, "in 90 % interval", "healthy height MAE mm"], rows)


def difference_table(title: str, found: Mapping[str, LossDifference | None]) -> str:
    """One row per method."""
    rows = [
        [
            name,
            each.vertebrae,
            known(each.mae_pp, 2, signed=True),
            known(each.macro_f1, signed=True),
        ]
        for name, each in found.items()
        if each is not None
    ]
    return markdown_table([title, "vertebrae", "RHLV MAE pp", "macro-F1"], rows)


def known(found: Interval | None, digits: int = 3, *, signed: bool = False) -> str:
    """An interval as tables show it; a dash where there is none."""
    if found is None or not np.isfinite(found.mean):
        return "-"
    return cell(found, digits, signed=signed)


def _covered(cases: Sequence[SpineCase], pool: SpineResampling) -> Interval | None:
    spreads = np.array([case.rhlv_sd for case in cases])
    if not np.isfinite(spreads).any():
        return None
    errors = np.abs(errors_pp(cases)) / PERCENT
    inside = np.where(np.isfinite(spreads), errors <= WIDE_90 * spreads, np.nan)
    return pool.mean(PERCENT * inside)


def _cells(score: LossScore | None) -> list[object]:
    if score is None:
        return ["nothing is said", *["-"] * 11]
    return [
        score.vertebrae,
        score.refused,
        known(score.mae_pp, 2),
        known(score.largest_mae_pp, 2),
        known(score.bias_pp, 2, signed=True),
        known(score.macro_f1),
        proportion_cell(score.specificity),
        proportion_cell(score.unharmed),
        proportion_cell(score.sensitivity),
        proportion_cell(score.sensitivity_2),
        known(score.covered, 1),
        known(score.height_mae_mm, 2),
    ]
