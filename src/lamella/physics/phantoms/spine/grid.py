"""The phantom's voxel grid: boxes of it, and a vertebra's own coordinates inside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lamella.records.images import LamellaError
from lamella.records.vertebra import VertebraFrame
from lamella.types import Affine, Profile

Box = tuple[slice, slice, slice]
Field = np.ndarray

AXES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Voxels along right, anterior and superior.

    Args:
        shape: voxels.
        spacing_mm: distance of their centres.
        corner_mm: centre of the first voxel, RAS.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    corner_mm: tuple[float, float, float]

    @property
    def affine(self) -> Affine:
        """From indices to RAS mm."""
        matrix = np.diag([*self.spacing_mm, 1.0])
        matrix[:3, 3] = self.corner_mm
        return matrix

    def axis_mm(self, axis: int) -> Profile:
        """Places of the voxels along one axis, RAS mm."""
        return self.corner_mm[axis] + self.spacing_mm[axis] * np.arange(self.shape[axis])

    def box(self, low_mm: Profile, high_mm: Profile) -> Box:
        """Voxels inside a box in RAS mm, one more at each side, clipped to the grid."""
        first = np.floor((low_mm - np.array(self.corner_mm)) / self.spacing_mm).astype(int)
        last = np.ceil((high_mm - np.array(self.corner_mm)) / self.spacing_mm).astype(int) + 1
        bounds = zip(first, last, self.shape, strict=True)
        x, y, z = (slice(max(int(a), 0), max(min(int(b), n), 0)) for a, b, n in bounds)
        return x, y, z

    def inside(self, box: Box, frame: VertebraFrame) -> tuple[Field, Field, Field]:
        """Posterior, left and cranial mm of a box's voxels in a vertebra's frame, float32."""
        axes = frame.axes
        steps = [
            (self.axis_mm(axis)[box[axis]] - frame.centre_mm[axis]).astype(np.float32)
            for axis in range(3)
        ]
        x, y, z = steps[0][:, None, None], steps[1][None, :, None], steps[2][None, None, :]
        turned = axes.astype(np.float32)
        posterior, left, cranial = (row[0] * x + row[1] * y + row[2] * z for row in turned)
        return posterior, left, cranial

    def edge_mm(self, direction: Profile) -> float:
        """Extent of a voxel along a unit vector, mm: the width of a partial-volume edge.

        ``sqrt(sum_k (n_k s_k)^2)``, the spacing itself along an axis of the grid.
        """
        return float(np.linalg.norm(direction * np.array(self.spacing_mm)))


def grid_around(
    points_mm: np.ndarray, spacing_mm: tuple[float, float, float], margin_mm: float
) -> Grid:
    """Smallest grid that holds points with a margin around them.

    Args:
        points_mm: (n, 3) RAS.
        spacing_mm: along right, anterior and superior.
        margin_mm: around the points.
    """
    low, high = points_mm.min(axis=0) - margin_mm, points_mm.max(axis=0) + margin_mm
    counts = [max(int(np.ceil(n)) + 1, 8) for n in (high - low) / np.array(spacing_mm)]
    corner = (float(low[0]), float(low[1]), float(low[2]))
    return Grid(shape=(counts[0], counts[1], counts[2]), spacing_mm=spacing_mm, corner_mm=corner)


def overlap(boxes: Iterable[Box]) -> Box:
    """Smallest box around several."""
    every = list(boxes)
    x, y, z = (
        slice(min(box[axis].start for box in every), max(box[axis].stop for box in every))
        for axis in range(3)
    )
    return x, y, z


def within(inner: Box, outer: Box) -> Box:
    """A box told from the corner of the box that holds it."""
    x, y, z = (
        slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, outer, strict=True)
    )
    return x, y, z


@dataclass(frozen=True, kw_only=True)
class Orientation:
    """Where the array axes of a file point, for instance ``"RAS"`` or ``"PIR"``.

    Raises:
        LamellaError: not three letters, one of each pair R/L, A/P, S/I.
    """

    code: str = "RAS"

    def __post_init__(self) -> None:
        found = sorted(AXES[letter][0] for letter in self.code if letter in AXES)
        if len(self.code) != 3 or found != [0, 1, 2]:
            raise LamellaError(f"expected axes like 'RAS' or 'PIR', got {self.code!r}")

    def turned(self, volume: np.ndarray) -> np.ndarray:
        """A volume along R, A, S with its axes in this order."""
        order = [AXES[letter][0] for letter in self.code]
        flips = tuple(axis for axis, letter in enumerate(self.code) if AXES[letter][1] < 0)
        return np.ascontiguousarray(np.flip(volume.transpose(order), flips))

    def affine(self, grid: Grid) -> Affine:
        """Affine of the turned volume: the same voxels at the same places."""
        matrix = np.eye(4)
        matrix[:3, 3] = grid.corner_mm
        for axis, letter in enumerate(self.code):
            source, sign = AXES[letter]
            matrix[:3, axis] = sign * grid.affine[:3, source]
            if sign < 0:
                matrix[:3, 3] += (grid.shape[source] - 1) * grid.affine[:3, source]
        return matrix
