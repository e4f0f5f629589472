"""Scores of a reading study: how well readers tell generated images from real ones.

"Generated" is the positive answer: sensitivity = P(says generated | generated), specificity =
P(says real | real). 0.5 of both is guessing. Intervals are exact (Clopper and Pearson 1934).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from lamella.records import LamellaError
from lamella.tasks.reading import Kind

LEVEL = 0.95

Answers = Mapping[str, Kind]
"""Image -> what a reader, or the key, says it is."""


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """``hits`` of ``trials`` with an exact binomial interval.

    Args:
        hits: at most ``trials``.
        trials: at least 1.

    Example:
        >>> Proportion(hits=5, trials=10).interval
        (0.187..., 0.812...)
    """

    hits: int
    trials: int

    @property
    def value(self) -> float:
        """``hits / trials``."""
        return self.hits / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's 95 % interval.

        Bounds are the 0.025 quantile of Beta(k, n - k + 1) and the 0.975 quantile of
        Beta(k + 1, n - k).
        """
        bounds = stats.binomtest(self.hits, self.trials).proportion_ci(LEVEL, method="exact")
        return float(bounds.low), float(bounds.high)


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one reader, or all of them pooled, reached on one set."""

    sensitivity: Proportion
    specificity: Proportion
    accuracy: Proportion


def score(answers: Sequence[Answers], key: Answers) -> Score:
    """Score of one reader, or of several pooled: every answer counts once.

    Pooled answers to one image are not independent, so a pooled interval is on the narrow side.

    Args:
        answers: of each reader, to every image of the key.
        key: the truth.

    Raises:
        LamellaError: the key lacks one of the kinds.
    """
    hits, trials = {}, {}
    for kind in Kind:
        images = [image for image, true in key.items() if true is kind]
        if not images:
            raise LamellaError(f"expected real and generated images, got none that is {kind}")
        trials[kind] = len(images) * len(answers)
        hits[kind] = sum(said[image] is kind for said in answers for image in images)
    return Score(
        sensitivity=Proportion(hits=hits[Kind.GENERATED], trials=trials[Kind.GENERATED]),
        specificity=Proportion(hits=hits[Kind.REAL], trials=trials[Kind.REAL]),
        accuracy=Proportion(hits=sum(hits.values()), trials=sum(trials.values())),
    )


def agreement(answers: Sequence[Answers], images: Sequence[str]) -> float | None:
    """Fleiss' kappa of several readers on some images; None where it is undefined."""
    said = [[reader[image] is kind for kind in Kind for reader in answers] for image in images]
    counts = np.array(said, int).reshape(len(images), len(Kind), len(answers)).sum(axis=2)
    return fleiss_kappa(counts)


def fleiss_kappa(counts: Int[np.ndarray, "images kinds"]) -> float | None:
    """Agreement of readers beyond chance (Fleiss 1971).

    ``kappa = (P - P_e) / (1 - P_e)`` with ``P`` the mean over images of
    ``sum_j n_ij (n_ij - 1) / (n (n - 1))`` and ``P_e = sum_j p_j^2`` over the shares of all
    answers.

    Args:
        counts: readers that gave image i the answer j; every row adds up to the same n.

    Returns:
        kappa, or None for fewer than two readers or when all answers are the same.
    """
    readers = int(counts.sum(axis=1)[0])
    expected = float(np.square(counts.sum(axis=0) / counts.sum()).sum())
    if readers < 2 or expected == 1.0:
        return None
    observed = float((counts * (counts - 1)).sum(axis=1).mean() / (readers * (readers - 1)))
    return (observed - expected) / (1.0 - expected)


def area_under_curve(
    is_generated: Bool[np.ndarray, "images"], suspicion: Float[np.ndarray, "images"]
) -> float:
    """Area under the ROC curve: P(suspicion of a generated image > of a real one), ties half.

    ``(R - n (n + 1) / 2) / (n m)`` with R the sum of ranks of the n generated among all n + m
    (Mann and Whitney 1947).
    """
    count = int(is_generated.sum())
    others = is_generated.size - count
    ranks = float(stats.rankdata(suspicion)[is_generated].sum())
    return (ranks - count * (count + 1) / 2) / (count * others)
