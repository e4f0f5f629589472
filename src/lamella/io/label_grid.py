"""Labels on the grid of the CT they belong to.

``ids_ct[x] = ids[round(A_labels^-1 A_ct x)]``: every voxel of the CT takes the number at its own
place in the world, 0 outside the labels. Worked off inside the labels' bounding box only. Labels
that do not lie in the CT, or not on bone, belong to another scan and are refused.

The border of the label file is lost on the way, and a body that it cuts would look low. Such
levels are named in :attr:`lamella.records.SpineLabels.cut`. Processes may leave the file: of a
whole vertebra the foremost ``BODY_SHARE`` counts, in front of articular, transverse and spinous
processes; a label of less than ``PROCESSES_MM`` front to back has none and counts entirely.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lamella.io.label_schemes import boxes_of
from lamella.records import LEVEL_OF, LEVELS, CTVolume, LamellaError, SpineLabels
from lamella.records.spine import spacing_of
from lamella.types import Affine, Solid

SAME_PLACE_VOXELS = 0.02
TURNED_TOLERANCE = 1e-3
INSIDE_SHARE = 0.98
NOT_BONE_HU = 0.0
FAINT_BONE_HU = 80.0
BODY_SHARE = 0.5
PROCESSES_MM = 50.0

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Shape and geometry of a volume."""

    shape: tuple[int, ...]
    affine: Affine

    @classmethod
    def of(cls, ids: NDArray[Any], affine: Affine) -> Grid:
        """Grid of an array."""
        return cls(shape=ids.shape, affine=affine)

    @property
    def spacing_text(self) -> str:
        """Voxel size in words."""
        return " x ".join(f"{side:.3g}" for side in spacing_of(self.affine))


def on_grid(labels: SpineLabels, ct: CTVolume) -> SpineLabels:
    """The labels on the CT's grid, with a warning when that was another one.

    Args:
        labels: on any grid.
        ct: of the same person in the same position.

    Returns:
        Labels whose ``cut`` names the levels that their old grid's border cut.

    Raises:
        LamellaError: the labels lie outside the CT, or not on bone.
    """
    grid = Grid.of(ct.hu, ct.affine)
    moved = (
        labels if is_same_grid(Grid.of(labels.ids, labels.affine), grid) else _moved(labels, grid)
    )
    return replace(moved, warnings=(*moved.warnings, *_refuse_off_bone(moved, ct)))


def is_same_grid(first: Grid, second: Grid) -> bool:
    """Whether both have one shape and every corner in one place, to 2 % of a voxel."""
    if first.shape != second.shape:
        return False
    corners = np.array([[*corner, 1.0] for corner in product(*[(0, n - 1) for n in first.shape])])
    apart = corners @ (np.linalg.solve(second.affine, first.affine) - np.eye(4)).T
    return bool(np.abs(apart).max() < SAME_PLACE_VOXELS)


def resampled(values: NDArray[Any], affine: Affine, grid: Grid) -> NDArray[np.uint8]:
    """A volume of numbers on another grid, nearest voxel, 0 outside."""
    numbers = values.view(np.uint8) if values.dtype == bool else values
    if not numbers.any():
        return np.zeros(grid.shape, np.uint8, order="F")
    out = np.zeros(grid.shape, np.uint8, order="F")
    box = _box_on(grid, numbers, affine)
    if box is None:
        return out
    back = np.linalg.solve(affine, grid.affine)
    start = np.array([side.start for side in box], dtype=float)
    out[box] = ndimage.affine_transform(
        numbers,
        back[:3, :3],
        back[:3, :3] @ start + back[:3, 3],
        output_shape=tuple(side.stop - side.start for side in box),
        order=0,
        mode="grid-constant",
        cval=0,
    )
    return out


def _moved(labels: SpineLabels, grid: Grid) -> SpineLabels:
    inside = _share_inside(labels, grid)
    ids = resampled(labels.ids, labels.affine, grid)
    if not ids.any():
        raise LamellaError(
            "expected labels that lie in the CT, got labels of another place: give both of one "
            "scan (were files swapped?)"
        )
    bodies: Solid | None = None
    if labels.bodies is not None:
        bodies = resampled(labels.bodies, labels.affine, grid).astype(bool)
    moved = replace(labels, ids=ids, affine=grid.affine, bodies=bodies, cut=_cut_levels(labels))
    warnings = (_about_grid(labels, grid), *_about_loss(labels, moved, inside))
    return replace(moved, warnings=(*labels.warnings, *warnings))


def _cut_levels(labels: SpineLabels) -> tuple[str, ...]:
    """Levels named before, and those whose body touches the border of the labels' grid."""
    known = labels.ids if labels.bodies is None else labels.ids * labels.bodies
    cut = set(labels.cut)
    for number, box in enumerate(boxes_of(known), 1):
        if box is not None and _touches(box, known.shape):
            places = np.argwhere(known[box] == number) + [side.start for side in box]
            front = places[_in_front(places @ labels.affine[1, :3])]
            if ((front == 0) | (front == np.array(known.shape) - 1)).any():
                cut.add(LEVEL_OF[number])
    return tuple(level for level in LEVELS if level in cut)


def _touches(box: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    return any(side.start == 0 or side.stop == n for side, n in zip(box, shape, strict=True))


def _in_front(anterior_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which voxels of a label may be body, by how far in front they lie."""
    depth_mm = float(np.ptp(anterior_mm))
    share = BODY_SHARE if depth_mm > PROCESSES_MM else 1.0
    return anterior_mm >= anterior_mm.max() - share * depth_mm


def _about_grid(labels: SpineLabels, grid: Grid) -> str:
    if _is_turned(np.linalg.solve(grid.affine, labels.affine)):
        return "the labels were turned or cropped to the CT's grid"
    given = Grid.of(labels.ids, labels.affine).spacing_text
    return f"the labels were resampled from {given} mm to the CT's grid of {grid.spacing_text} mm"


def _is_turned(there: Affine) -> bool:
    """Whether voxels fall onto voxels: axes exchanged, reversed or shifted by whole steps."""
    turn, shift = np.sort(np.abs(there[:3, :3]), axis=0), there[:3, 3]
    along_axes = np.abs(turn - [[0.0], [0.0], [1.0]]).max() < TURNED_TOLERANCE
    return bool(along_axes and np.abs(shift - np.rint(shift)).max() < SAME_PLACE_VOXELS)


def _about_loss(labels: SpineLabels, moved: SpineLabels, inside: float) -> tuple[str, ...]:
    warnings = []
    if inside < INSIDE_SHARE:
        warnings.append(f"{100 * (1 - inside):.0f} % of the labelled voxels lie outside the CT")
    lost = [level for level in labels.levels if level not in moved.levels]
    if lost:
        warnings.append(f"{', '.join(lost)} lies outside the CT")
    return tuple(warnings)


def _refuse_off_bone(labels: SpineLabels, ct: CTVolume) -> tuple[str, ...]:
    """A warning when labelled voxels are hardly denser than soft tissue.

    Raises:
        LamellaError: their mean lies below ``NOT_BONE_HU``.
    """
    box = _box_of(labels.ids)
    mean_hu = float(ct.hu[box][labels.ids[box] > 0].mean(dtype=np.float64))
    if mean_hu < NOT_BONE_HU:
        raise LamellaError(
            f"expected labels on bone, got a mean of {mean_hu:.0f} HU inside them: give the labels "
            "of this CT"
        )
    if mean_hu < FAINT_BONE_HU:
        return (f"the mean inside the labels is {mean_hu:.0f} HU, little for bone",)
    return ()


def _share_inside(labels: SpineLabels, grid: Grid) -> float:
    """Share of labelled voxels whose centre lies in the grid; every n-th of many."""
    box = _box_of(labels.ids)
    found = np.argwhere(labels.ids[box])
    found = found[:: max(1, len(found) // 100_000)] + [side.start for side in box]
    there = np.linalg.solve(grid.affine, labels.affine)
    places = found @ there[:3, :3].T + there[:3, 3]
    inside = (places >= -0.5) & (places <= np.array(grid.shape) - 0.5)
    return float(inside.all(axis=1).mean())


def _box_of(numbers: NDArray[Any]) -> Box:
    box = boxes_of((numbers > 0).view(np.uint8))[0]
    if box is None or len(box) != 3:
        raise LamellaError("expected labels in a volume, got none: give a segmentation")
    return (box[0], box[1], box[2])


def _box_on(grid: Grid, numbers: NDArray[Any], affine: Affine) -> Box | None:
    """Voxels of the grid around everything that is not 0; None when nothing of it is there."""
    ends = [(side.start - 0.5, side.stop - 0.5) for side in _box_of(numbers)]
    there = np.linalg.solve(grid.affine, affine)
    corners = np.array(list(product(*ends))) @ there[:3, :3].T + there[:3, 3]
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, None)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, grid.shape)
    if (high <= low).any():
        return None
    first, second, third = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return (first, second, third)
