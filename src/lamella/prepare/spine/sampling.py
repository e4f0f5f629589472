"""Attenuation and labels at places between voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lamella.types import LevelVolume, Places

_STEPS = np.array(list(np.ndindex(2, 2, 2)))


def sampled(volume: np.ndarray, at: Places, outside: float) -> np.ndarray:
    """Linear interpolation at array indices (..., 3), float32."""
    values = ndimage.map_coordinates(
        volume, np.moveaxis(at, -1, 0), order=1, mode="constant", cval=outside, output=np.float32
    )
    return np.asarray(values)


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelGrid:
    """Labels prepared for sampling; outside the volume there is background.

    A label wins a place when the sum of the linear weights of its voxels is greatest. Where all
    eight voxels around agree, which is nearly everywhere, nothing is summed.

    Args:
        ids: the labels' bounding box and one voxel of background around it.
        start: (3,) index of its first voxel in the whole volume.
        low, high: least and greatest label of the eight voxels from each voxel on.
    """

    ids: LevelVolume
    start: np.ndarray
    low: LevelVolume
    high: LevelVolume

    def at(self, indices: Places) -> np.ndarray:
        """Labels at array indices (..., 3) of the whole volume, uint8."""
        places = (indices - self.start).reshape(-1, 3)
        reached = ((places > 0) & (places < np.array(self.low.shape))).all(axis=1)
        chosen = np.zeros(len(places), dtype=np.uint8)
        inside = places[reached]
        base = inside.astype(np.intp)
        index = tuple(base.T)
        values = self.low[index]
        mixed = np.flatnonzero(values != self.high[index])
        values[mixed] = self._heaviest(base[mixed], inside[mixed] - base[mixed])
        chosen[reached] = values
        return chosen.reshape(indices.shape[:-1])

    def _heaviest(self, base: np.ndarray, part: np.ndarray) -> np.ndarray:
        near = np.stack([self.ids[tuple((base + step).T)] for step in _STEPS])
        weights = np.stack([np.where(step, part, 1 - part).prod(axis=1) for step in _STEPS])
        sums = np.stack([(weights * (near == near[k])).sum(axis=0) for k in range(len(_STEPS))])
        return np.asarray(near[sums.argmax(axis=0), np.arange(len(base))])


def label_grid(ids: LevelVolume) -> LabelGrid:
    """Prepare labels for sampling."""
    found = ndimage.find_objects((ids > 0).view(np.uint8))
    box = found[0] if found else (slice(0, 1),) * 3
    cut = np.pad(ids[box], 1)
    corners = [
        cut[tuple(slice(k, n - 1 + k) for k, n in zip(step, cut.shape, strict=True))]
        for step in _STEPS
    ]
    low, high = corners[0].copy(), corners[0].copy()
    for corner in corners[1:]:
        np.minimum(low, corner, out=low)
        np.maximum(high, corner, out=high)
    start = np.array([side.start - 1 for side in box])
    return LabelGrid(ids=cut, start=start, low=low, high=high)
