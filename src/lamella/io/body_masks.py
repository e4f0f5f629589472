"""Where vertebral bodies are, by a supplied mask.

Three kinds of file tell it: one value (the bodies), 1 and 2 as TotalSegmentator's
``vertebrae_body`` has them (bodies and discs), and the sub-regions 41 to 50 of SPINEPS and
TotalSpineSeg, of which 49 is the border of the body and 50 its inside.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamella.io.label_grid import Grid, is_same_grid, resampled
from lamella.io.label_schemes import BODY_AND_DISCS, CORPUS, SUBREGIONS
from lamella.io.raw_volume import RawVolume
from lamella.records import LEVEL_OF, VERSE_IDS, LamellaError, SpineLabels
from lamella.types import Solid

LEAST_SHARE = 0.05


def with_bodies(labels: SpineLabels, mask: RawVolume) -> SpineLabels:
    """Labels with the bodies that a mask marks inside labelled vertebrae.

    Args:
        labels: whole vertebrae.
        mask: on any grid; on another than the labels' it is resampled, with a warning.

    Raises:
        LamellaError: none of the three kinds of file, or bodies that lie in no vertebra.
    """
    marked = body_voxels(mask.values)
    grid, given = Grid.of(labels.ids, labels.affine), Grid.of(marked, mask.affine)
    warnings: tuple[str, ...] = ()
    if not is_same_grid(given, grid):
        marked = resampled(marked, mask.affine, grid).astype(bool)
        warnings = ("the body mask was resampled to the labels' grid",)
    bodies = marked & (labels.ids > 0)
    if not bodies.any():
        raise LamellaError(
            "expected bodies inside the labelled vertebrae, got none there: give the body mask of "
            "this scan"
        )
    warnings = (*labels.warnings, *mask.warnings, *warnings, *_without_body(labels, bodies))
    return replace(labels, bodies=bodies, warnings=warnings)


def body_voxels(values: NDArray[Any]) -> Solid:
    """Which voxels of a mask or a sub-region map are vertebral body.

    Raises:
        LamellaError: neither one value, nor bodies and discs, nor sub-regions.
    """
    found = {float(value) for value in np.unique(values)} - {0.0}
    if len(found) == 1 and not found & SUBREGIONS:
        return np.asarray(values != 0)
    if found == BODY_AND_DISCS:
        return np.asarray(values == 1)
    if found and found <= SUBREGIONS and found & CORPUS:
        return np.isin(values, sorted(CORPUS))
    raise LamellaError(
        "expected a body mask of one value or sub-regions 41 to 50 (49 and 50 are the body), got "
        f"{len(found)} values: give the mask of the bodies"
    )


def _without_body(labels: SpineLabels, bodies: Solid) -> tuple[str, ...]:
    whole = np.bincount(labels.ids[labels.ids > 0], minlength=256)
    marked = np.bincount(labels.ids[bodies], minlength=256)
    numbers = [VERSE_IDS[level] for level in labels.levels]
    bare = [LEVEL_OF[n] for n in numbers if marked[n] < LEAST_SHARE * whole[n]]
    return (f"the body mask marks no body in {', '.join(bare)}",) if bare else ()
