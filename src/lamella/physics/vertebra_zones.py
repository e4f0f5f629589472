"""Anterior, middle and posterior height of a vertebral body: one definition for all.

The body's middle cross-section lies in a box of depth D (front to back) and width W (right to
left). The rim, where osteophytes and rounded edges sit, is left out: 15 % of D at the front and
at the back, 20 % of W at each side. What remains is cut across into thirds of its depth. A
zone's height is the mean over its columns of upper minus lower endplate,

    H_zone = sum_ij w_i v_j h_ij / sum_ij w_i v_j,

where w_i and v_j are the parts of a column's cell that lie inside the zone, so that the figure
moves smoothly with the box, and columns outside the body (NaN) count nowhere. ``whole`` is the
mean over all three zones' columns. A phantom's exact truth and a measured height map pass
through the same function.
"""

from __future__ import annotations

import numpy as np

from lamella.records.vertebra import ZONES, Zones
from lamella.types import Image, Profile

RIM = 0.15
"""Part of the depth left out at the front and at the back."""

SIDE = 0.20
"""Part of the width left out at each side."""


def zone_heights(
    posterior_mm: Profile,
    left_mm: Profile,
    heights_mm: Image,
    depth_range_mm: tuple[float, float],
    width_range_mm: tuple[float, float],
) -> Zones:
    """Mean height of each third of a body and of all three.

    Args:
        posterior_mm: (n,) equidistant places of the rows, front to back.
        left_mm: (m,) equidistant places of the columns, right to left.
        heights_mm: (n, m) upper minus lower endplate, NaN outside the body. Any other field
            (a loss in per cent) is averaged just so.
        depth_range_mm: front and back of the middle cross-section, in ``posterior_mm``'s frame.
        width_range_mm: its right and left.

    Returns:
        Means; NaN for a zone without a single column.

    Example:
        >>> import numpy as np
        >>> depth, width = np.arange(-15.0, 16.0), np.arange(-20.0, 21.0)
        >>> wedge = np.repeat(20.0 + depth[:, None] / 5, 41, axis=1)
        >>> zones = zone_heights(depth, width, wedge, (-15.0, 15.0), (-20.0, 20.0))
        >>> round(zones.anterior, 3), round(zones.whole, 3)
        (18.6, 20.0)
    """
    weights = zone_weights(posterior_mm, left_mm, heights_mm, depth_range_mm, width_range_mm)
    known = np.nan_to_num(heights_mm)
    means = [_mean(known, weight) for weight in (*weights, weights.sum(axis=0))]
    return Zones(**dict(zip((*ZONES, "whole"), means, strict=True)))


def zone_weights(
    posterior_mm: Profile,
    left_mm: Profile,
    heights_mm: Image,
    depth_range_mm: tuple[float, float],
    width_range_mm: tuple[float, float],
) -> np.ndarray:
    """Part of each column that belongs to each zone, (3, n, m), 0 where the height is NaN."""
    across = _overlap(left_mm, *inner(width_range_mm, SIDE))
    front, back = inner(depth_range_mm, RIM)
    cuts = np.linspace(front, back, len(ZONES) + 1)
    along = np.stack([_overlap(posterior_mm, *cuts[k : k + 2]) for k in range(len(ZONES))])
    return np.asarray(along[:, :, None] * across * np.isfinite(heights_mm))


def inner(range_mm: tuple[float, float], part: float) -> tuple[float, float]:
    """A range without that part of its length at either end, mm."""
    low, high = range_mm
    return low + part * (high - low), high - part * (high - low)


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    total = float(weights.sum())
    return float((values * weights).sum() / total) if total > 0.0 else float("nan")


def _overlap(places_mm: Profile, low_mm: float, high_mm: float) -> Profile:
    half = abs(float(places_mm[1] - places_mm[0])) / 2
    inside = np.minimum(places_mm + half, high_mm) - np.maximum(places_mm - half, low_mm)
    return np.asarray(np.clip(inside, 0.0, None) / (2 * half))
