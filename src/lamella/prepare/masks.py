"""Bone masks made fit for physics."""

from collections.abc import Mapping

import numpy as np

from lamella.types import Mask

NEAR_BORDER_FRACTION = 0.1


def by_height(masks: Mapping[str, Mask]) -> list[str]:
    """Names of the bones from top to bottom, by the mean row of their masks."""
    rows = {name: float(np.nonzero(mask)[0].mean()) for name, mask in masks.items()}
    return sorted(rows, key=lambda name: rows[name])


def reaching_border(masks: Mapping[str, Mask]) -> dict[str, Mask]:
    """Masks of joints continued to the border their bone leaves the crop by.

    Masks drawn by hand often end a few pixels short of the crop's edge; what lies beyond
    would be taken for soft tissue. A top mask that ends less than a tenth of the height below
    the upper border is continued straight up, a bottom one straight down.

    Args:
        masks: name -> (row, col).
    """
    names = by_height(masks)
    reaching = {name: np.array(mask) for name, mask in masks.items()}
    _continue_up(reaching[names[0]])
    _continue_up(reaching[names[-1]][::-1])
    return reaching


def _continue_up(mask: Mask) -> None:
    first = int(np.flatnonzero(mask.any(axis=1))[0])
    if 0 < first < NEAR_BORDER_FRACTION * mask.shape[0]:
        full = first + 2
        mask[:full] |= mask[full]
