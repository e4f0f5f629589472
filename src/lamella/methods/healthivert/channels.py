"""What the networks see: channels by name, the grey window, and slices of the gap's frame.

The gap's frame is a box of ``SHAPE`` = (left, rows, back) around one vertebral body in the
straight spine; a sagittal slice is (rows, back), a coronal slice (rows, left).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from lamella.types import Volume

SHAPE = (64, 160, 96)
"""Samples of the gap's frame: left, rows (downwards), back; 1 mm apart."""

GAP_ROWS = 40
"""Height of the gap every vertebra is replaced by, in rows: it hides the true height."""

MIDDLE_ROW = (SHAPE[1] - 1) / 2
FIRST_GAP_ROW = (SHAPE[1] - GAP_ROWS) // 2
LAST_GAP_ROW = FIRST_GAP_ROW + GAP_ROWS - 1

WINDOW_HU = (-300.0, 800.0)


class Channel(IntEnum):
    """Channels of a network's input, (B, 7, rows, cols).

    ``CT_BEFORE``, ``CT``, ``CT_AFTER``: the slice and its neighbours with the gap, in [-1, 1];
    ``GAP``: 1 where nothing is shown; ``HEALTHY``: 1 - attention of the classifier;
    ``OFFSET``: signed place of the slice in the body, -1 to 1; ``PRIOR``: mean height that the
    healthy neighbours let expect, rows / ``GAP_ROWS``.
    """

    CT_BEFORE = 0
    CT = 1
    CT_AFTER = 2
    GAP = 3
    HEALTHY = 4
    OFFSET = 5
    PRIOR = 6


class Map(IntEnum):
    """Maps of a network's first output, (B, 4, rows, cols), all in the gap's frame.

    ``FINE_CT`` and ``COARSE_CT`` in [-1, 1]; ``FINE_SEG``: probability of the target body;
    ``COARSE_SEG``: probability of the adjacent healthy bodies.
    """

    FINE_CT = 0
    FINE_SEG = 1
    COARSE_CT = 2
    COARSE_SEG = 3


class Plane(IntEnum):
    """Which way a network slices the box; the value is the axis across its slices."""

    SAGITTAL = 0
    CORONAL = 2


def windowed(hu: np.ndarray) -> np.ndarray:
    """``2 (HU + 300) / 1100 - 1``, clipped to [-1, 1], float32; the same for every volume."""
    low, high = WINDOW_HU
    return np.clip(2.0 * (hu - low) / (high - low) - 1.0, -1.0, 1.0).astype(np.float32)


def unwindowed(grey: np.ndarray) -> np.ndarray:
    """Grey in [-1, 1] -> HU in [-300, 800], float32; the inverse of :func:`windowed`."""
    low, high = WINDOW_HU
    return (low + (grey + 1.0) * (high - low) / 2.0).astype(np.float32)


def slices_of(volume: np.ndarray, plane: Plane) -> np.ndarray:
    """(left, rows, back) -> (slice, rows, cols); sagittal runs to the left, coronal to the back."""
    if plane is Plane.SAGITTAL:
        return volume
    return np.ascontiguousarray(np.moveaxis(volume, 2, 0).swapaxes(1, 2))


def volume_of(slices: np.ndarray, plane: Plane) -> np.ndarray:
    """(slice, rows, cols) -> (left, rows, back); the inverse of :func:`slices_of`."""
    if plane is Plane.SAGITTAL:
        return slices
    return np.ascontiguousarray(np.moveaxis(slices.swapaxes(1, 2), 0, 2))


def inputs(
    hu: Volume, attention: Volume, prior_rows: float, span: tuple[float, float], plane: Plane
) -> np.ndarray:
    """What a network sees of every slice of the box, (slices, 7, rows, cols) float32.

    Args:
        hu: CT in the gap's frame, (left, rows, back).
        attention: of the classifier in the same frame, 0 to 1; 0 in the gap.
        prior_rows: expected mean height over the row spacing.
        span: first and last slice of the body along the plane's axis.
        plane: which way to slice.
    """
    grey = slices_of(windowed(hu), plane)
    seen = np.empty((len(grey), len(Channel), *grey.shape[1:]), np.float32)
    seen[:, Channel.CT_BEFORE] = grey[np.maximum(np.arange(len(grey)) - 1, 0)]
    seen[:, Channel.CT] = grey
    seen[:, Channel.CT_AFTER] = grey[np.minimum(np.arange(len(grey)) + 1, len(grey) - 1)]
    seen[:, Channel.GAP] = gap_mask(grey.shape[1:])
    seen[:, Channel.HEALTHY] = 1.0 - slices_of(attention, plane)
    seen[:, Channel.OFFSET] = offsets(len(grey), span)[:, None, None]
    seen[:, Channel.PRIOR] = prior_rows / GAP_ROWS
    return seen


def gap_mask(shape: tuple[int, ...]) -> np.ndarray:
    """1 in the gap's rows, over the full width; (rows, cols) float32."""
    mask = np.zeros(shape, np.float32)
    mask[FIRST_GAP_ROW : LAST_GAP_ROW + 1] = 1.0
    return mask


def offsets(count: int, span: tuple[float, float]) -> np.ndarray:
    """Signed place of each slice: 0 in the body's middle, -1 and 1 at its ends and beyond."""
    first, last = span
    half = max(last - first, 1.0) / 2.0
    return np.clip((np.arange(count) - (first + last) / 2.0) / half, -1.0, 1.0).astype(np.float32)
