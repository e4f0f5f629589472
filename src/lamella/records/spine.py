"""A spine on CT: the volume and its labelled vertebrae."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from lamella.records.images import LamellaError
from lamella.types import Affine, LevelVolume, Solid

LEVELS: tuple[str, ...] = (
    *(f"C{number}" for number in range(1, 8)),
    *(f"T{number}" for number in range(1, 14)),
    *(f"L{number}" for number in range(1, 7)),
    "S1",
)
"""Names of vertebrae from the skull down; T13 and L6 exist in some people."""

VERSE_IDS: Mapping[str, int] = MappingProxyType(
    {f"C{number}": number for number in range(1, 8)}
    | {f"T{number}": number + 7 for number in range(1, 13)}
    | {"T13": 28}
    | {f"L{number}": number + 19 for number in range(1, 7)}
    | {"S1": 26}
)
"""Level -> number in VerSe's scheme, the one :class:`SpineLabels` uses."""

LEVEL_OF: Mapping[int, str] = MappingProxyType({number: name for name, number in VERSE_IDS.items()})
"""Number in VerSe's scheme -> level."""


PIECE = 1 << 20
LARGEST_ID = 255


@dataclass(frozen=True, kw_only=True, eq=False)
class CTVolume:
    """A CT volume on its own grid.

    Args:
        hu: attenuation in Hounsfield units, axes as in the file, float32 or int16.
        affine: from array indices to RAS millimetres, (4, 4).
        source: a name safe to print (never a patient's).
        warnings: sentences a reader should see beside any result.

    Raises:
        LamellaError: not three-dimensional, fewer than 8 voxels on a side, not finite, or an
            affine that is singular.
    """

    hu: np.ndarray
    affine: Affine
    source: str = "array"
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.hu.ndim != 3:
            raise LamellaError(f"expected a volume of 3 dimensions, got {self.hu.ndim}")
        if min(self.hu.shape) < 8:
            raise LamellaError(f"expected at least 8 voxels on each side, got {self.hu.shape}")
        _refuse_missing(self.hu)
        object.__setattr__(self, "affine", checked_affine(self.affine))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        first, second, third = self.hu.shape
        return (first, second, third)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxels along each axis of the array, mm."""
        return spacing_of(self.affine)


@dataclass(frozen=True, kw_only=True, eq=False)
class SpineLabels:
    """Which voxel belongs to which vertebra.

    Args:
        ids: numbers in VerSe's scheme (:data:`VERSE_IDS`), 0 elsewhere, axes as in the file;
            kept as uint8 (``LevelVolume``), whatever integers are given.
        affine: from array indices to RAS millimetres, (4, 4).
        bodies: where a supplied mask says that a vertebral body is, or None.
        scheme: the scheme the file used, in words.
        source: a name safe to print.
        warnings: sentences a reader should see beside any result.
        cut: levels whose body the border of the label file cuts, or may cut. Labels that came
            on another grid tell it here, because their own border is gone.

    Raises:
        LamellaError: not three-dimensional, not whole numbers, no vertebra inside, a number that
            names none, a body mask of another shape, or a cut level that is none.
    """

    ids: np.ndarray
    affine: Affine
    bodies: Solid | None = None
    scheme: str = "VerSe"
    source: str = "array"
    warnings: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    _found: tuple[int, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        if self.ids.ndim != 3:
            raise LamellaError(f"expected labels of 3 dimensions, got {self.ids.ndim}")
        object.__setattr__(self, "affine", checked_affine(self.affine))
        object.__setattr__(self, "ids", checked_ids(self.ids))
        object.__setattr__(self, "_found", _vertebrae_in(self.ids))
        unknown = [level for level in self.cut if level not in VERSE_IDS]
        if unknown:
            raise LamellaError(f"expected cut levels such as T12, got {unknown}: name vertebrae")
        if self.bodies is not None and self.bodies.shape != self.ids.shape:
            raise LamellaError(
                f"expected a body mask of shape {self.ids.shape}, got {self.bodies.shape}"
            )

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels that occur, from the skull down (T13 between T12 and L1)."""
        present = {LEVEL_OF[number] for number in self._found}
        return tuple(level for level in LEVELS if level in present)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxels along each axis of the array, mm."""
        return spacing_of(self.affine)


def numbers_in(ids: np.ndarray) -> tuple[int, ...]:
    """Numbers other than 0 in a label volume, ascending; in pieces, whatever its memory order.

    Args:
        ids: of any integer type.

    Raises:
        LamellaError: see :func:`checked_ids`.
    """
    flat = checked_ids(ids).ravel(order="K")
    counts = np.zeros(256, np.int64)
    for start in range(0, flat.size, PIECE):
        counts += np.bincount(flat[start : start + PIECE], minlength=256)
    return tuple(int(number) for number in np.flatnonzero(counts) if number)


def checked_ids(ids: np.ndarray) -> LevelVolume:
    """Label numbers as uint8; the same array when they are.

    Raises:
        LamellaError: not integers, or outside 0 to 255.
    """
    if ids.dtype == np.uint8:
        return ids
    if ids.dtype.kind not in "iu":
        raise LamellaError(
            f"expected whole label numbers, got values of type {ids.dtype}: give them as uint8"
        )
    low, high = int(ids.min(initial=0)), int(ids.max(initial=0))
    if low < 0 or high > LARGEST_ID:
        raise LamellaError(
            f"expected label numbers from 0 to {LARGEST_ID}, got {low} to {high}: give VerSe's "
            "numbers"
        )
    return ids.astype(np.uint8)


def checked_affine(affine: np.ndarray) -> Affine:
    """An affine as float64.

    Raises:
        LamellaError: not (4, 4), not finite, or singular.
    """
    matrix = np.array(affine, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise LamellaError("expected an affine of 4 x 4 finite numbers: the geometry is unknown")
    if abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
        raise LamellaError("the affine is singular: the volume has no geometry")
    return matrix


def spacing_of(affine: Affine) -> tuple[float, float, float]:
    """Distance of neighbouring voxels along each axis of the array, mm."""
    first, second, third = np.linalg.norm(affine[:3, :3], axis=0)
    return (float(first), float(second), float(third))


def _refuse_missing(hu: np.ndarray) -> None:
    """Least and greatest value tell NaN and infinity without a mask of the volume's size."""
    if hu.dtype.kind == "f" and not np.isfinite([hu.min(), hu.max()]).all():
        raise LamellaError(
            "expected finite Hounsfield units, got NaN or infinite ones: fill them with -1024 (air)"
        )


def _vertebrae_in(ids: LevelVolume) -> tuple[int, ...]:
    found = numbers_in(ids)
    unknown = [number for number in found if number not in LEVEL_OF]
    if unknown:
        raise LamellaError(
            f"expected VerSe numbers of vertebrae, got {unknown}: use 1 to 26, or 28 for T13"
        )
    if not found:
        raise LamellaError("the labels hold no vertebra: give a segmentation of the spine")
    return found
