"""Scores of width and narrowing class, with intervals from resampled joints and seeds.

With widths w, predicted w', classes k, k' and images weighted by how often their joint was drawn:

    MAE = mean |w' - w|,   R2 = 1 - sum (w' - w)^2 / sum (w - mean w)^2,
    balanced accuracy = mean over the classes present of the part found,
    kappa = 1 - sum v O / sum v E,   v = (k - k')^2,  O observed, E expected from the margins.

A resample draws joints with replacement, and seeds too: seeds trained on other joints, so their
spread is part of what is not known. Paired differences use the same draws on both sides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lamella.evaluation.bootstrap import LEVEL_PERCENT, RESAMPLES, SEED, Interval
from lamella.training.width_images import CLASSES

BETTER_ABOVE = {"mae_mm": False, "mae_over_sd": False, "r2": True, "balanced": True, "kappa": True}
"""Score -> True where more is better."""

Scores = dict[str, Float[np.ndarray, "resamples"]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """What is to be read off the images of a manifest.

    Args:
        width_mm: (image,).
        narrowing: class, (image,).
        joints: name of each image's joint, (image,).
    """

    width_mm: Float[np.ndarray, "images"]
    narrowing: Int[np.ndarray, "images"]
    joints: np.ndarray

    @property
    def sd_mm(self) -> float:
        """Standard deviation of the widths."""
        return float(self.width_mm.std())


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """What one network read: width in mm and class of each image, (image,)."""

    width_mm: Float[np.ndarray, "images"]
    narrowing: Int[np.ndarray, "images"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Draws:
    """Resamples; the first is the sample itself.

    Args:
        images: how often each image counts, (resample, image).
        seeds: how often each seed counts, (resample, seed), rows sum to 1.
    """

    images: Float[np.ndarray, "resamples images"]
    seeds: Float[np.ndarray, "resamples seeds"]


def draws(joints: np.ndarray, seeds: int) -> Draws:
    """``RESAMPLES`` draws of joints and of seeds, after the sample itself; fixed chance."""
    rng = np.random.default_rng(SEED)
    names, place = np.unique(joints, return_inverse=True)
    counts = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), RESAMPLES)
    runs = rng.multinomial(seeds, np.full(seeds, 1.0 / seeds), RESAMPLES) / seeds
    return Draws(
        images=np.concatenate([np.ones((1, len(joints))), counts[:, place]]).astype(np.float64),
        seeds=np.concatenate([np.full((1, seeds), 1.0 / seeds), runs]),
    )


def scores(truth: Truth, readings: Sequence[Reading], drawn: Draws) -> Scores:
    """Each score over all resamples, the mean over the seeds' readings.

    Args:
        truth: of every image.
        readings: one for each seed.
        drawn: as :func:`draws` gives them for so many seeds.
    """
    each = [_of_one(truth, reading, drawn.images) for reading in readings]
    return {
        name: np.sum([part[name] * drawn.seeds[:, at] for at, part in enumerate(each)], axis=0)
        for name in BETTER_ABOVE
    }


def interval(resampled: Float[np.ndarray, "resamples"]) -> Interval:
    """The sample's own value with the percentile interval of its resamples."""
    tail = 0.5 * (100.0 - LEVEL_PERCENT)
    low, high = np.percentile(resampled[1:], (tail, 100.0 - tail))
    return Interval(mean=float(resampled[0]), low=float(low), high=float(high))


def intervals(found: Scores) -> dict[str, Interval]:
    """Interval of every score."""
    return {name: interval(values) for name, values in found.items()}


def gain(with_it: Scores, without: Scores) -> dict[str, Interval]:
    """With minus without, paired, positive where more is better and with it there is more."""
    return intervals({name: with_it[name] - without[name] for name in with_it})


def helps(difference: Mapping[str, Interval], name: str) -> bool:
    """True when the interval of a paired difference lies on the better side of zero."""
    found = difference[name]
    return found.low > 0 if BETTER_ABOVE[name] else found.high < 0


def _of_one(truth: Truth, reading: Reading, weights: np.ndarray) -> Scores:
    total = weights.sum(axis=1)
    wrong = reading.width_mm - truth.width_mm
    mean = weights @ truth.width_mm / total
    variance = weights @ truth.width_mm**2 / total - mean**2
    mae = weights @ np.abs(wrong) / total
    sd = np.sqrt(np.maximum(variance, 1e-12))
    table = _tables(truth.narrowing, reading.narrowing, weights)
    return {
        "mae_mm": mae,
        "mae_over_sd": mae / sd,
        "r2": 1.0 - (weights @ wrong**2 / total) / np.maximum(variance, 1e-12),
        "balanced": _balanced_accuracy(table),
        "kappa": _weighted_kappa(table),
    }


def _tables(true: np.ndarray, read: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Confusion table of every resample, (resample, true, read)."""
    cell = np.eye(CLASSES * CLASSES)[true * CLASSES + read]
    return np.asarray((weights @ cell).reshape(-1, CLASSES, CLASSES))


def _balanced_accuracy(tables: np.ndarray) -> np.ndarray:
    there = tables.sum(axis=2)
    found = np.diagonal(tables, axis1=1, axis2=2) / np.maximum(there, 1e-12)
    return np.asarray(found.sum(axis=1) / np.maximum((there > 0).sum(axis=1), 1))


def _weighted_kappa(tables: np.ndarray) -> np.ndarray:
    places = np.arange(CLASSES)
    penalty = (places[:, None] - places) ** 2
    margins = tables.sum(axis=2)[:, :, None] * tables.sum(axis=1)[:, None, :]
    expected = margins / tables.sum(axis=(1, 2))[:, None, None]
    chance = np.maximum((penalty * expected).sum(axis=(1, 2)), 1e-12)
    return np.asarray(1.0 - (penalty * tables).sum(axis=(1, 2)) / chance)
