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
        ids: numbers in VerSe's scheme (:data:`VERSE_IDS`), 0 elsewhere.
        affine: from array indices to RAS millimetres, (4, 4).
        bodies: where a supplied mask says that a vertebral body is, or None.
        scheme: the scheme the file used, in words.
        source: a name safe to print.
        warnings: sentences a reader should see beside any result.

    Raises:
        LamellaError: not three-dimensional, no vertebra inside, a number that names none, or
            a body mask of another shape.
    """

    ids: LevelVolume
    affine: Affine
    bodies: Solid | None = None
    scheme: str = "VerSe"
    source: str = "array"
    warnings: tuple[str, ...] = ()
    _found: tuple[int, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        if self.ids.ndim != 3:
            raise LamellaError(f"expected labels of 3 dimensions, got {self.ids.ndim}")
        object.__setattr__(self, "affine", checked_affine(self.affine))
        found = numbers_in(self.ids)
        unknown = [number for number in found if number not in LEVEL_OF]
        if unknown:
            raise LamellaError(f"expected VerSe numbers of vertebrae, got {unknown}")
        if not found:
            raise LamellaError("the labels hold no vertebra: give a segmentation of the spine")
        object.__setattr__(self, "_found", found)
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


def numbers_in(ids: LevelVolume) -> tuple[int, ...]:
    """Numbers other than 0 in a label volume, ascending; in pieces, whatever its memory order."""
    flat = ids.ravel(order="K")
    counts = np.zeros(256, np.int64)
    for start in range(0, flat.size, PIECE):
        counts += np.bincount(flat[start : start + PIECE], minlength=256)
    return tuple(int(number) for number in np.flatnonzero(counts) if number)


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
