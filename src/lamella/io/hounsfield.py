"""Whether a volume's values can be Hounsfield units, and what they look like when not.

A CT of a spine holds air or fat below 0, soft tissue around 0 (at least ``SOFT_SHARE`` of its
voxels within ``SOFT_HU``) and bone above ``BONE_HU``. Everything is judged on a sample of every
n-th voxel, so that it costs the same for any volume.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamella.records import LamellaError

SAMPLES_PER_AXIS = 128
SOFT_HU = (-250.0, 250.0)
SOFT_SHARE = 0.01
BONE_HU = 150.0
BACKGROUND_RANGE = 0.1
FLAT_SHARE = 0.7
WATER_PER_CM = (0.15, 0.27)
DENSEST = 3.5  # times water, bone and teeth stay below
WATER_PLUS_1024 = (850.0, 1250.0)
LOW_QUANTILE = 0.01
AIR_PLUS_1024 = -150.0  # at a noise of 75 a hundredth of the air at 24 lies below


@dataclass(frozen=True, kw_only=True)
class ValueSpread:
    """What a volume's values are like.

    Args:
        lowest, highest: of the sample.
        low: the hundredth part of the sample lies below it.
        whole: whether all are integers.
        commonest: most frequent value above the lowest tenth of the range.
        soft_share: fraction within ``SOFT_HU``.
        flat_share: fraction of neighbours above the lowest value that are exactly alike.
    """

    lowest: float
    low: float
    highest: float
    whole: bool
    commonest: float
    soft_share: float
    flat_share: float


@dataclass(frozen=True, kw_only=True)
class Lookalike:
    """One way not to be in Hounsfield units: when, what it looks like, and the remedy."""

    when: Callable[[ValueSpread], bool]
    what: str
    remedy: str


def _is_attenuation(spread: ValueSpread, scale: float) -> bool:
    low, high = (scale * end for end in WATER_PER_CM)
    return (
        spread.lowest > -low and low <= spread.commonest <= high and spread.highest < DENSEST * high
    )


LOOKALIKES = (
    Lookalike(
        when=lambda spread: spread.lowest == spread.highest,
        what="one value everywhere",
        remedy="export the CT again",
    ),
    Lookalike(
        when=lambda spread: spread.whole and spread.lowest >= 0 and spread.flat_share > FLAT_SHARE,
        what="a label map",
        remedy="give the CT as the CT and the labels as the labels",
    ),
    Lookalike(
        when=lambda spread: _is_attenuation(spread, 1.0),
        what="values like attenuation in 1/cm",
        remedy="convert them, HU = 1000 (mu - mu_water) / mu_water",
    ),
    Lookalike(
        when=lambda spread: _is_attenuation(spread, 0.1),
        what="values like attenuation in 1/mm",
        remedy="convert them, HU = 1000 (mu - mu_water) / mu_water",
    ),
    Lookalike(
        when=lambda spread: spread.lowest >= -1.5 and spread.highest <= 1.5,
        what="values scaled to 0..1 or -1..1",
        remedy="give the CT before it was normalised",
    ),
    Lookalike(
        when=lambda spread: spread.lowest > -50.0 and spread.highest < 50.0,
        what="values normalised by mean and deviation",
        remedy="give the CT before it was normalised",
    ),
    Lookalike(
        when=lambda spread: spread.whole and spread.lowest >= 0 and spread.highest <= 255,
        what="grey values 0..255",
        remedy="give the CT before it was windowed to 8 bits",
    ),
    Lookalike(
        when=lambda spread: (
            spread.low > AIR_PLUS_1024
            and spread.highest > WATER_PLUS_1024[1]
            and WATER_PLUS_1024[0] <= spread.commonest <= WATER_PLUS_1024[1]
        ),
        what="unsigned values like HU + 1024",
        remedy="subtract 1024, or give an MR to another program",
    ),
    Lookalike(
        when=lambda spread: spread.lowest >= 0,
        what="no value below 0, neither air nor fat, as in an MR",
        remedy="give a CT",
    ),
    Lookalike(
        when=lambda spread: spread.soft_share < SOFT_SHARE,
        what="hardly any soft tissue around 0",
        remedy="check the rescale intercept",
    ),
    Lookalike(
        when=lambda spread: spread.highest < BONE_HU,
        what="no bone above 150",
        remedy="give the CT before it was windowed",
    ),
)
"""Tried from first to last."""


def refuse_not_hounsfield(values: NDArray[Any]) -> None:
    """Check that values can be the Hounsfield units of a CT of a spine.

    Args:
        values: (first, second, third).

    Raises:
        LamellaError: NaN or infinite values, or a pattern of :data:`LOOKALIKES`.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        missing = int(values.size - np.isfinite(values).sum())
        raise LamellaError(
            f"expected finite values, got {missing} NaN or infinite: fill them with -1024 (air)"
        )
    spread = spread_of(values)
    for lookalike in LOOKALIKES:
        if lookalike.when(spread):
            raise LamellaError(
                f"expected a CT in Hounsfield units, got {lookalike.what} "
                f"({spread.lowest:.4g} to {spread.highest:.4g}): {lookalike.remedy}"
            )


def spread_of(values: NDArray[Any]) -> ValueSpread:
    """What a volume's values are like, from a sample of it."""
    steps = tuple(slice(None, None, -(-side // SAMPLES_PER_AXIS)) for side in values.shape)
    sample = np.asarray(values[steps], dtype=np.float64).ravel()
    low, high = float(sample.min()), float(sample.max())
    return ValueSpread(
        lowest=low,
        low=float(np.quantile(sample, LOW_QUANTILE)),
        highest=high,
        whole=bool((sample == np.rint(sample)).all()),
        commonest=_commonest(sample, low, high),
        soft_share=float(((sample >= SOFT_HU[0]) & (sample <= SOFT_HU[1])).mean()),
        flat_share=_flat_share(values),
    )


def _commonest(sample: NDArray[np.float64], low: float, high: float) -> float:
    """Middle of the fullest of 200 bins between the background and the 99.9th percentile."""
    above = sample[sample > low + BACKGROUND_RANGE * (high - low)]
    if not above.size:
        return low
    counts, edges = np.histogram(above, bins=200, range=(above.min(), np.quantile(above, 0.999)))
    fullest = int(counts.argmax())
    return float(edges[fullest] + edges[fullest + 1]) / 2.0


def _flat_share(values: NDArray[Any]) -> float:
    """How often a voxel above the lowest value equals its neighbour along the first axis."""
    step = -(-values.shape[2] // SAMPLES_PER_AXIS)
    thinned = values[:, :: -(-values.shape[1] // SAMPLES_PER_AXIS), ::step]
    first, second = thinned[:-1], thinned[1:]
    inside = first > thinned.min()
    return float((first == second)[inside].mean()) if inside.any() else 0.0
