"""A volume as its file tells it, and the bounds every reader of volumes checks first.

Sizes are checked by what the header claims before anything is allocated; values keep the
narrowest type that holds them, so that a CT of 100 million voxels stays at 200 MB.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamella.io.boundary import refuse_unusable_file
from lamella.records import LamellaError
from lamella.records.spine import checked_affine, spacing_of
from lamella.types import Affine

MAX_VOLUME_BYTES = 1 << 32
MAX_VOXELS = 600_000_000
SPACING_MM = (0.05, 12.0)
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""DICOM and ITK count towards left and posterior, :class:`CTVolume` towards right and anterior."""

DAMAGED = "the file is truncated or damaged: copy or export it again"


@dataclass(frozen=True, kw_only=True, eq=False)
class RawVolume:
    """Values on a grid, before anybody asks what they mean.

    Args:
        values: (first, second, third) axis of the file, rescaled as its header says.
        affine: from array indices to RAS millimetres.
        warnings: sentences about the header.
    """

    values: NDArray[Any]
    affine: Affine
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", three_dimensional(self.values))
        object.__setattr__(self, "affine", checked_affine(self.affine))
        refuse_spacing(spacing_of(self.affine))


def refuse_unusable_volume(path: Path) -> None:
    """Check that there is a file of a size worth opening; a volume may be larger than an image.

    Raises:
        LamellaError: no file, a folder, an empty file, or one above ``MAX_VOLUME_BYTES``.
    """
    refuse_unusable_file(path, "volume", MAX_VOLUME_BYTES)


def refuse_voxels(shape: tuple[int, ...]) -> None:
    """Check the dimensions a header claims.

    Raises:
        LamellaError: a side below 1, or more than ``MAX_VOXELS``.
    """
    shown = " x ".join(str(side) for side in shape)
    if not shape or min(shape) < 1:
        raise LamellaError(f"the header claims {shown or 'no'} voxels: the file is damaged")
    if math.prod(shape) > MAX_VOXELS:
        raise LamellaError(
            f"the header claims {shown} voxels, more than {MAX_VOXELS // 10**6} million: crop "
            "the volume to the spine"
        )


def three_dimensional(values: NDArray[Any]) -> NDArray[Any]:
    """The values without trailing axes of length 1.

    Raises:
        LamellaError: another number of dimensions than 3.
    """
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 3:
        shown = " x ".join(str(side) for side in values.shape)
        raise LamellaError(
            f"expected a volume of 3 dimensions, got {shown}: give one volume, not a slice or a "
            "series in time"
        )
    return values


def refuse_spacing(spacing_mm: tuple[float, float, float]) -> None:
    """Check that voxels have the size of a CT's.

    Raises:
        LamellaError: outside ``SPACING_MM``: the header counts in metres, micrometres or voxels.
    """
    low, high = SPACING_MM
    if min(spacing_mm) < low or max(spacing_mm) > high:
        shown = " x ".join(f"{side:.3g}" for side in spacing_mm)
        raise LamellaError(
            f"expected voxels of {low:g} to {high:g} mm, got {shown}: write the header in "
            "millimetres"
        )


def rescaled(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    """``slope * stored + intercept`` in int16, int32 or float32, the narrowest; uint8 stays itself.

    Worked off slice by slice of the last axis, so that no copy in double precision is made.
    """
    same = slope == 1 and intercept == 0
    if same and stored.dtype in (np.uint8, np.int16, np.float32):
        return stored
    dtype = _narrowest(stored, slope, intercept)
    if same:
        return stored.astype(dtype)
    values = np.empty(stored.shape, dtype, order="F")
    for index in range(stored.shape[-1]):
        values[..., index] = stored[..., index] * np.float64(slope) + intercept
    return values


def _narrowest(stored: NDArray[Any], slope: float, intercept: float) -> np.dtype[Any]:
    whole = float(slope).is_integer() and float(intercept).is_integer()
    ends = [slope * float(end) + intercept for end in (stored.min(), stored.max())]
    for dtype in (np.int16, np.int32):
        limits = np.iinfo(dtype)
        fits = limits.min <= min(ends) and max(ends) <= limits.max
        if whole and fits and stored.dtype.kind in "iu":
            return np.dtype(dtype)
    return np.dtype(np.float32)
