"""Where each label lies: boxes, volumes and centroids, one pass over the boxes only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lamella.records.spine import LEVEL_OF
from lamella.types import Affine, Direction, LevelVolume, Places, Solid

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, kw_only=True, eq=False)
class Centroid:
    """A label's centre of mass.

    Args:
        place_mm: RAS mm.
        volume_mm3: of the label.
        cut: whether it touches the volume's border.
    """

    place_mm: Direction
    volume_mm3: float
    cut: bool = False


def centroids(ids: LevelVolume, affine: Affine) -> Mapping[str, Centroid]:
    """Level -> centroid of that label.

    Args:
        ids: VerSe numbers.
        affine: from indices to RAS mm.

    Returns:
        One entry for each level that occurs.
    """
    voxel_mm3 = abs(float(np.linalg.det(affine[:3, :3])))
    found = {}
    for number, box in boxes(ids):
        where = np.argwhere(ids[box] == number)
        middle = where.mean(axis=0) + [side.start for side in box]
        found[LEVEL_OF[number]] = Centroid(
            place_mm=placed(affine, middle),
            volume_mm3=len(where) * voxel_mm3,
            cut=at_border(box, ids.shape),
        )
    return found


def boxes(ids: LevelVolume) -> Iterator[tuple[int, Box]]:
    """(VerSe number, slices of its bounding box) of every label."""
    for index, box in enumerate(ndimage.find_objects(ids)):
        if box is not None:
            yield index + 1, box


def box_of(ids: LevelVolume, number: int, within: Box | None = None) -> Box | None:
    """Slices of one label's bounding box, looked for in a part of the volume; None without it."""
    part = within or (slice(0, ids.shape[0]), slice(0, ids.shape[1]), slice(0, ids.shape[2]))
    found = ndimage.find_objects((ids[part] == number).view(np.uint8))
    if not found:
        return None
    first, second, third = (
        slice(side.start + start.start, side.stop + start.start)
        for side, start in zip(found[0], part, strict=True)
    )
    return first, second, third


def box_around(affine: Affine, shape: tuple[int, ...], place_mm: Direction, reach_mm: float) -> Box:
    """Voxels within ``reach_mm`` of a place along each axis of the array."""
    reach = reach_mm / np.linalg.norm(affine[:3, :3], axis=0)
    middle = indexed(affine, place_mm)
    first, second, third = (
        slice(int(np.clip(m - r, 0, n - 1)), int(np.clip(m + r + 1, 1, n)))
        for m, r, n in zip(middle, reach, shape, strict=True)
    )
    return first, second, third


def at_border(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether a box touches the volume's border."""
    return any(s.start == 0 or s.stop == n for s, n in zip(box, shape, strict=True))


def grown(box: Box, shape: tuple[int, ...], margin: int = 2) -> Box:
    """A box with a margin of voxels, clipped to the volume."""
    first, second, third = (
        slice(max(side.start - margin, 0), min(side.stop + margin, length))
        for side, length in zip(box, shape, strict=True)
    )
    return first, second, third


def placed(affine: Affine, indices: np.ndarray) -> Places:
    """Array indices (..., 3) -> RAS mm."""
    return np.asarray(indices @ affine[:3, :3].T + affine[:3, 3])


def indexed(affine: Affine, places_mm: Places) -> Places:
    """RAS mm (..., 3) -> array indices."""
    return np.asarray((places_mm - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T)


def shifted(affine: Affine, box: Box) -> Affine:
    """The affine of a box cut out of a volume."""
    cut = affine.copy()
    cut[:3, 3] = placed(affine, np.array([float(side.start) for side in box]))
    return cut


def largest(mask: Solid) -> Solid:
    """The largest connected part (faces touching), islands removed."""
    parts, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax())
