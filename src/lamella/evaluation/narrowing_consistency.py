"""How consistent are narrowings whose truth nobody knows?

The published measures (Wang 2023, arXiv 2304.13938; LSN, arXiv 2502.01972) and two more. With
``J_ij`` the narrowing from visit i to visit j of one joint, mm:

- sigma: standard deviation of ``J_ij`` over repeats of one pair, mean over pairs;
- sigma': standard deviation of ``J_ij`` and all two-step sums ``J_ik + J_kj``, mean over pairs;
- closure error: ``J_ik + J_kj - J_ij``;
- mismatch: of a pair's repeats the one farthest from their mean is dropped until their standard
  deviation is below 0.3 mm; a pair with three or fewer left is mismatched as a whole;
- smallest detectable change: OMERACT's 1.96 SD(d) / sqrt 2 for one reading, ``d`` being the
  difference of two repeated change scores. A narrowing *is* a change score: with ``s`` its
  standard error SD(d) = sqrt 2 s, so SDC = 1.96 s. From repeats s is their pooled standard
  deviation; from closure, whose error sums three narrowings, s = RMS / sqrt 3. Repeats share the
  radiographs and closures share the visits, so both are lower bounds.

Consistency is not truth: a method that always says zero is perfectly consistent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lamella.evaluation.bootstrap import Interval
from lamella.evaluation.narrowing_scores import interval, resampled
from lamella.tasks.reading_scores import Proportion

MISMATCH_SD_MM = 0.3
MISMATCHED_LEFT = 3
DETECTABLE = 1.96
LIMITS = 1.96

Ordered = Mapping[tuple[int, int], float]
"""(visit, later compared visit) -> narrowing of one joint, mm; refused ones are absent."""


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """Values that belong to joints: their mean, or what is made of it, by resampled joints.

    Args:
        values: of pairs of visits or of closures.
        joints: whose each is.
    """

    values: np.ndarray
    joints: tuple[str, ...]

    def mean(self) -> Interval:
        """Mean over the values."""
        return interval(self._means(np.asarray(self.values, np.float64)))

    def rms(self) -> Interval:
        """Root of the mean square."""
        return interval(np.sqrt(self._means(np.asarray(self.values, np.float64) ** 2)))

    def sd(self) -> Interval:
        """Standard deviation about the mean of all."""
        away = np.asarray(self.values, np.float64) - np.mean(self.values)
        return interval(np.sqrt(self._means(away**2)))

    def _means(self, values: np.ndarray) -> np.ndarray:
        """Means of the sample itself and of each resample of joints."""
        if not values.size:
            return np.full(2, np.nan)
        names, place = np.unique(self.joints, return_inverse=True)
        sums = np.bincount(place, weights=values)
        counts = np.bincount(place)
        drawn = resampled(len(names))
        return np.asarray(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """What the published rule drops.

    Args:
        repeats: dropped ones, all of a mismatched pair included. The bounds take repeats for
            independent, which those of one pair are not.
        pairs: mismatched as a whole.
    """

    repeats: Proportion
    pairs: Proportion


@dataclass(frozen=True, kw_only=True)
class BlandAltman:
    """Forward narrowing against minus the backward one, ``J_ij + J_ji``.

    Args:
        pairs: measured both ways.
        bias_mm: mean difference.
        sd_mm: standard deviation of the differences.
        limits_mm: bias -+ 1.96 SD.
    """

    pairs: int
    bias_mm: Interval
    sd_mm: Interval
    limits_mm: tuple[float, float]


def closure_sets(found: Ordered) -> list[np.ndarray]:
    """For every measured pair i < j, ``J_ij`` first, then its two-step sums; one at least."""
    visits = sorted({visit for pair in found for visit in pair})
    sets = []
    for first, last in sorted(pair for pair in found if pair[0] < pair[1]):
        sums = [
            found[first, between] + found[between, last]
            for between in visits
            if (first, between) in found and (between, last) in found
        ]
        if sums:
            sets.append(np.array([found[first, last], *sums]))
    return sets


def closure_errors(found: Ordered) -> np.ndarray:
    """``J_ik + J_kj - J_ij`` of one joint, mm."""
    parts = [each[1:] - each[0] for each in closure_sets(found)]
    return np.concatenate(parts) if parts else np.zeros(0)


def left_by_the_rule(repeats: np.ndarray) -> int:
    """Repeats of a pair left when the farthest from the mean are dropped; 0 if mismatched."""
    kept = np.asarray(repeats, np.float64)
    while kept.size > MISMATCHED_LEFT and kept.std(ddof=1) >= MISMATCH_SD_MM:
        kept = np.delete(kept, np.argmax(np.abs(kept - kept.mean())))
    return int(kept.size) if kept.size > MISMATCHED_LEFT else 0


def mismatch(repeats: Sequence[np.ndarray]) -> Mismatch | None:
    """The published mismatch ratio of some pairs' repeats; None when there are none."""
    counted = [values for values in repeats if values.size > MISMATCHED_LEFT]
    if not counted:
        return None
    left = [left_by_the_rule(values) for values in counted]
    total = sum(values.size for values in counted)
    return Mismatch(
        repeats=Proportion(hits=total - sum(left), trials=total),
        pairs=Proportion(hits=sum(each == 0 for each in left), trials=len(left)),
    )


def bland_altman(found: Mapping[str, Ordered]) -> BlandAltman | None:
    """Forward against backward over joints; None when nothing was measured both ways."""
    differences = [
        (joint, values[first, last] + values[last, first])
        for joint, values in found.items()
        for first, last in values
        if first < last and (last, first) in values
    ]
    if len(differences) < 2:
        return None
    pooled = Pooled(
        values=np.array([each for _, each in differences]),
        joints=tuple(joint for joint, _ in differences),
    )
    bias, sd = pooled.mean(), pooled.sd()
    reach = LIMITS * sd.mean
    return BlandAltman(
        pairs=len(differences),
        bias_mm=bias,
        sd_mm=sd,
        limits_mm=(bias.mean - reach, bias.mean + reach),
    )


def detectable_change(standard_error: Interval) -> Interval:
    """Smallest detectable change of a narrowing with that standard error."""
    ends = (standard_error.mean, standard_error.low, standard_error.high)
    mean, low, high = (DETECTABLE * end for end in ends)
    return Interval(mean=mean, low=low, high=high)
