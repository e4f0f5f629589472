"""Relative height loss as HealthiVert-GAN publishes it, for comparison only.

A body is compared with its synthetic self on a common grid (down, back, left). Slices within a
fifth of the original's width on either side of its mean slice are used. In each, thirds of the
synthetic body's depth (whole columns) make three regions, the same for both; a column's height
is the number of its voxels; columns of at most ``tau`` times the height of the column at the
body's mean place are dropped, separately for both bodies; where the original's highest column
of a region is higher than the synthetic one's, the synthetic heights of that region are scaled
up by the ratio; the columns of all slices are pooled and averaged:

    RHLV = (H_synthetic - H_original) / (H_synthetic + 1e-6).

Known faults, kept on purpose: the scaling hides every height gained, holes count as lost
height, thirds jitter from slice to slice, an empty synthetic region gives figures of -10^6.
Source: the published code's ``RHLV_quantification``; Zhang et al., HealthiVert-GAN, *IEEE J.
Biomed. Health Inform.* (2025), doi 10.1109/JBHI.2025.3572458.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lamella.records.images import LamellaError
from lamella.records.vertebra import ZONES, Zones
from lamella.types import Mask, Profile, Solid

TAU = 0.7


@dataclass(frozen=True, kw_only=True)
class PublishedLoss:
    """The published comparison of two bodies.

    Args:
        rhlv: of each third and of the whole.
        synthetic: mean column heights of the synthetic body, voxels.
        original: of the original one.
    """

    rhlv: Zones
    synthetic: Zones
    original: Zones

    @property
    def min_max(self) -> float:
        """Least regional height of the original over its greatest."""
        heights = [self.original.of(zone) for zone in ZONES]
        return min(heights) / max(heights)


def published_rhlv(synthetic: Solid, original: Solid, tau: float = TAU) -> PublishedLoss:
    """Relative height loss of ``original`` against ``synthetic``, the published way.

    Args:
        synthetic: the pseudo-healthy body, (down, back, left).
        original: the body as it is, on the same grid.
        tau: part of the central column's height that a column must exceed.

    Returns:
        The loss, 0 for a body against itself.

    Raises:
        LamellaError: other shapes, or an empty body.
    """
    if synthetic.shape != original.shape:
        raise LamellaError(
            f"expected two bodies on one grid, got {synthetic.shape} and {original.shape}"
        )
    if not synthetic.any() or not original.any():
        raise LamellaError("expected two bodies, got an empty one")
    pools: dict[str, tuple[list[Profile], list[Profile]]] = {
        zone: ([], []) for zone in (*ZONES, "whole")
    }
    for left in _slices(original):
        if synthetic[:, :, left].any():
            _pool(pools, synthetic[:, :, left], original[:, :, left], tau)
    ours, theirs = ({zone: _mean(pool[side]) for zone, pool in pools.items()} for side in (0, 1))
    loss = {zone: (ours[zone] - theirs[zone]) / (ours[zone] + 1e-6) for zone in pools}
    return PublishedLoss(rhlv=Zones(**loss), synthetic=Zones(**ours), original=Zones(**theirs))


def _slices(original: Solid) -> range:
    left = np.nonzero(original)[2]
    middle, reach = int(left.mean()), int(np.ptp(left)) // 5
    return range(max(middle - reach, 0), min(middle + reach, original.shape[2]))


def _pool(
    pools: dict[str, tuple[list[Profile], list[Profile]]],
    synthetic: Mask,
    original: Mask,
    tau: float,
) -> None:
    back = np.flatnonzero(synthetic.any(axis=0))
    low, high = int(back.min()), int(back.max())
    cuts = [low, low + (high - low) // 3, low + 2 * (high - low) // 3, high + 1]
    columns = np.arange(synthetic.shape[1])
    tall = [_tall(synthetic, tau), _tall(original, tau)]
    ranges = [*pairwise(cuts), (0, synthetic.shape[1])]
    for zone, (start, stop) in zip((*ZONES, "whole"), ranges, strict=True):
        inside = (columns >= start) & (columns < stop)
        ours, theirs = (heights[inside & (heights > 0)] for heights in tall)
        if ours.size and theirs.size and theirs.max() > ours.max():
            ours = ours * (theirs.max() / ours.max())
        pools[zone][0].append(ours)
        pools[zone][1].append(theirs)


def _tall(body: Mask, tau: float) -> Profile:
    """Column heights, 0 where a column is no taller than ``tau`` of the central one."""
    heights = body.sum(axis=0).astype(np.float64)
    if not body.any():
        return heights
    centre = int(np.nonzero(body)[1].mean())
    return np.where(heights > tau * heights[centre], heights, 0.0)


def _mean(pool: list[Profile]) -> float:
    joined = np.concatenate(pool) if pool else np.empty(0)
    return float(joined.mean()) if joined.size else 0.0
