"""Reading volumes between their samples, one axis at a time."""

from __future__ import annotations

import numpy as np

from lamella.types import Image, Profile, Volume


def along(volume: np.ndarray, places: Profile, axis: int, fill: float) -> np.ndarray:
    """A volume resampled along one axis: linear for real values, nearest for whole numbers.

    Args:
        volume: any numbers.
        places: in samples of that axis.
        axis: to resample.
        fill: value beyond the volume's ends (half a sample and more).
    """
    size = volume.shape[axis]
    beyond = (places < -0.5) | (places > size - 0.5)
    clipped = np.clip(places, 0.0, size - 1.0)
    if np.issubdtype(volume.dtype, np.floating):
        low = np.minimum(np.floor(clipped).astype(int), max(size - 2, 0))
        part = _spread(clipped - low, axis, volume.ndim).astype(np.float32)
        first, second = (np.take(volume, np.minimum(low + k, size - 1), axis) for k in (0, 1))
        taken = first + part * (second - first)
    else:
        taken = np.take(volume, np.floor(clipped + 0.5).astype(int), axis)
    return np.where(_spread(beyond, axis, volume.ndim), np.asarray(fill, volume.dtype), taken)


def columns(volume: Volume, places: np.ndarray, fill: float) -> Volume:
    """Each column read at its own rows, linearly.

    Args:
        volume: (left, rows, back).
        places: rows to read, (left, count, back) or what broadcasts to it along the last axis.
        fill: value beyond the volume's ends.
    """
    last = volume.shape[1] - 1
    clipped = np.clip(places, 0.0, last)
    low = np.minimum(clipped.astype(np.intp), last - 1)
    part = (clipped - low).astype(np.float32)
    first, second = (np.take_along_axis(volume, low + k, axis=1) for k in (0, 1))
    beyond = (places < 0.0) | (places > last)
    return np.where(beyond, np.float32(fill), first + part * (second - first))


def surfaces(solid: Volume) -> tuple[Image, Image]:
    """First and last place along the rows where a soft solid passes one half.

    Args:
        solid: (left, rows, back), 0 to 1.

    Returns:
        upper and lower surface (left, back), rows at sub-voxel precision; NaN where the column
        stays below one half.
    """
    upper = _first_crossing(solid)
    lower = solid.shape[1] - 1 - _first_crossing(solid[:, ::-1])
    return upper, lower


def _spread(values: np.ndarray, axis: int, dimensions: int) -> np.ndarray:
    return values.reshape([-1 if axis == k else 1 for k in range(dimensions)])


def _first_crossing(soft: np.ndarray) -> Image:
    inside = soft >= 0.5
    first = inside.argmax(axis=1)[:, None]
    here = np.take_along_axis(soft, first, 1)
    before = np.take_along_axis(soft, np.maximum(first - 1, 0), 1)
    step = np.where(first > 0, (here - 0.5) / np.maximum(here - before, 1e-6), 0.5)
    return np.where(inside.any(axis=1), (first - step)[:, 0], np.nan)
