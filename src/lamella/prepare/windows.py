"""Windows of a joint as networks take them: sides divide by 16, and the mirror image counts."""

from collections.abc import Callable

import numpy as np

from lamella.types import Mask

PX_MULTIPLE = 16

Runner = Callable[[np.ndarray], np.ndarray]
"""A network: (B, channel, row, col) -> (B, output, row, col), rows and cols multiples of 16."""


def box_around(occupied: Mask, context_px: int) -> tuple[slice, slice]:
    """What is occupied with context, sides grown to ``PX_MULTIPLE`` as far as the image goes.

    Args:
        occupied: (row, col), at least one pixel.
        context_px: around it.
    """
    rows, cols = (np.flatnonzero(occupied.any(axis=1 - axis)) for axis in (0, 1))
    return _span(rows, occupied.shape[0], context_px), _span(cols, occupied.shape[1], context_px)


def mirrored_mean(features: np.ndarray, runner: Runner) -> np.ndarray:
    """Mean of what a network says of a window and of its mirror image, (output, row, col).

    Args:
        features: (channel, row, col), padded at the edges where a side does not divide.
        runner: the network.
    """
    rows, cols = features.shape[1:]
    padded = padded_to_multiple(features)
    outputs = runner(np.ascontiguousarray(np.stack([padded, padded[..., ::-1]])))
    return np.asarray(0.5 * (outputs[0] + outputs[1][..., ::-1])[:, :rows, :cols])


def padded_to_multiple(maps: np.ndarray) -> np.ndarray:
    """Maps (channel, row, col) with rows and columns repeated at the end up to ``PX_MULTIPLE``."""
    rows, cols = maps.shape[1:]
    return np.pad(maps, ((0, 0), (0, -rows % PX_MULTIPLE), (0, -cols % PX_MULTIPLE)), mode="edge")


def _span(occupied: np.ndarray, length: int, context_px: int) -> slice:
    first = max(int(occupied[0]) - context_px, 0)
    last = min(int(occupied[-1]) + context_px + 1, length)
    first = max(first - (-(last - first) % PX_MULTIPLE), 0)
    return slice(first, min(first + -(-(last - first) // PX_MULTIPLE) * PX_MULTIPLE, length))
