"""Can two kinds of picture be told apart? A forest, cross-validated by joint.

Extremely randomised trees (Geurts 2006) learn from numbers with names; every joint is judged by
a forest that saw no picture of it. An area under the ROC curve of 0.5 is guessing, 1 certainty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.ensemble import ExtraTreesClassifier

from lamella.evaluation.reader import bootstrap_interval
from lamella.tasks.reading_scores import area_under_curve

SEED = 20250
TREES = 200
FEWEST_IN_LEAF = 3
FOLDS = 5
TELLS = 4


@dataclass(frozen=True, kw_only=True)
class Told:
    """How well two kinds could be told apart.

    Args:
        auc: area under the ROC curve.
        interval: 95 %, joints resampled.
        pictures: of both kinds together.
        tells: the numbers that alone tell most, with their own area; below 0.5: less of it in
            the suspect.
    """

    auc: float
    interval: tuple[float, float]
    pictures: int
    tells: Mapping[str, float]

    def as_record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def cells(self) -> list[str]:
        """For a table: area with interval, and what gave it away."""
        tells = ", ".join(f"{name} ({area:.2f})" for name, area in self.tells.items())
        low, high = self.interval
        return [f"{self.auc:.3f} ({low:.3f} to {high:.3f})", tells]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lineup:
    """Pictures of two kinds, each by its numbers.

    Args:
        names: of the numbers.
        numbers: (picture, number).
        is_suspect: (picture,).
        joints: which joint each picture shows, (picture,).
    """

    names: Sequence[str]
    numbers: Float[np.ndarray, "pictures numbers"]
    is_suspect: Bool[np.ndarray, "pictures"]
    joints: Int[np.ndarray, "pictures"]


def told_apart(lineup: Lineup) -> Told:
    """Cross-validate by joint and measure over pictures."""
    suspicion = _suspicion(lineup)
    return Told(
        auc=area_under_curve(lineup.is_suspect, suspicion),
        interval=bootstrap_interval(lineup.is_suspect, suspicion, lineup.joints),
        pictures=len(suspicion),
        tells=_tells(lineup),
    )


def folds_of(joints: Int[np.ndarray, "pictures"]) -> Int[np.ndarray, "pictures"]:
    """Fold of each picture: joints dealt out at random, fixed seed."""
    known, number = np.unique(joints, return_inverse=True)
    order = np.random.default_rng(SEED).permutation(len(known))
    return np.asarray(order[number] % FOLDS, np.int64)


def _suspicion(lineup: Lineup) -> Float[np.ndarray, "pictures"]:
    fold = folds_of(lineup.joints)
    suspicion = np.zeros(len(fold))
    for held_out in np.unique(fold):
        test = fold == held_out
        forest = ExtraTreesClassifier(TREES, min_samples_leaf=FEWEST_IN_LEAF, random_state=SEED)
        forest.fit(lineup.numbers[~test], lineup.is_suspect[~test])
        suspicion[test] = forest.predict_proba(lineup.numbers[test])[:, 1]
    return suspicion


def _tells(lineup: Lineup) -> dict[str, float]:
    areas = {
        name: area_under_curve(lineup.is_suspect, column)
        for name, column in zip(lineup.names, lineup.numbers.T, strict=True)
    }
    ranked = sorted(areas, key=lambda name: -abs(areas[name] - 0.5))
    return {name: areas[name] for name in ranked[:TELLS]}
