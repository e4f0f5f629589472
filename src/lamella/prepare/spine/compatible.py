"""HealthiVert-GAN's own straightening, removal of pedicles and crops, voxel for voxel.

For comparison only: :mod:`lamella.prepare.spine.straight` is what Lamella uses. Arrays have
the published axes (down, back, left), 1 mm isotropic; everything counts in voxels.

1. The line is the polyline through the whole vertebrae's centroids and one further point 20
   voxels beyond either end, clamped to the volume; it is sampled every voxel of its length.
2. The tangent e1 is the finite difference of the points by their index, interpolated along the
   length, then normalised; e2 ~ (-t_left, 0, t_down); e3 = e2 x e1.
3. Planes of 128 x 128 voxels along (e3, e2); labels by the nearest voxel, attenuation linearly.
4. Pedicles: for each label the first column from the line backwards in which the label does not
   occur in the middle slice; from there on it is deleted everywhere.
5. Crops of 256 x 256 x 64 around the point of the line nearest above the label's centroid, put
   in the middle when the line's end cuts them short. The published crop takes its middle slice
   from the centroid's offset along e3, not along e2, rounded down: kept, for without it crops
   shift by a slice.

Its faults (kinks at centroids, a curve drawn to the canal, a cut by one column, islands) are
the published ones. Source: the published code's ``straighten`` step and its six published label
crops; Zhang et al., *IEEE J. Biomed. Health Inform.* (2025), doi 10.1109/JBHI.2025.3572458.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lamella.records.images import LamellaError
from lamella.types import LevelVolume, Places, Profile, Volume

SIDE = 128
CROP = (256, 256, 64)
BEYOND = 20.0
WINDOW_HU = (-300.0, 800.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class PublishedLine:
    """The published centreline, sampled every voxel.

    Args:
        places: (n, 3) voxel indices (down, back, left).
        tangents: (n, 3) e1.
        lefts: (n, 3) e2.
        backs: (n, 3) e3.
        numbers: label of each given centroid.
        centroids: (m, 3) their voxel indices.
        lengths: (m,) where on the line each lies, voxels.
    """

    places: Places
    tangents: Places
    lefts: Places
    backs: Places
    numbers: tuple[int, ...]
    centroids: Places
    lengths: Profile


def published_line(centroids: Mapping[int, Places], shape: tuple[int, ...]) -> PublishedLine:
    """The polyline through centroids.

    Args:
        centroids: VerSe number -> voxel indices (down, back, left) of the whole vertebra.
        shape: of the volume.

    Returns:
        The line and its frames.

    Raises:
        LamellaError: fewer than two centroids (the published code skips such scans).
    """
    numbers = tuple(sorted(centroids))
    if len(numbers) < 2:
        raise LamellaError(f"expected at least two centroids, got {len(numbers)}")
    inner = np.array([centroids[number] for number in numbers], dtype=np.float64)
    points = np.clip(_prolonged(inner), 0.0, np.array(shape) - 1.0)
    length = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    along = np.arange(0.0, length[-1])
    tangents = _unit(_interpolated(along, length, np.gradient(points, axis=0)))
    lefts = _unit(np.stack([-tangents[:, 2], 0 * along, tangents[:, 0]], axis=1))
    return PublishedLine(
        places=_interpolated(along, length, points),
        tangents=tangents,
        lefts=lefts,
        backs=np.cross(lefts, tangents),
        numbers=numbers,
        centroids=inner,
        lengths=length[1:-1],
    )


def published_straight(volume: np.ndarray, line: PublishedLine) -> np.ndarray:
    """A volume resampled along the line, (n, 128, 128).

    Args:
        volume: labels (uint8, nearest voxel, 0 outside) or attenuation (float32, linear,
            the window's lower end outside), axes (down, back, left).
        line: from :func:`published_line`.

    Returns:
        The same kind of values, (down, back, left).
    """
    offset = np.arange(SIDE) - SIDE // 2
    labels = volume.dtype == np.uint8
    out = np.empty((len(line.places), SIDE, SIDE), dtype=volume.dtype)
    for row, place in enumerate(line.places):
        aside = offset[:, None, None] * line.backs[row] + offset[:, None] * line.lefts[row]
        out[row] = ndimage.map_coordinates(
            volume,
            np.moveaxis(place + aside, -1, 0),
            order=0 if labels else 1,
            mode="constant",
            cval=0 if labels else WINDOW_HU[0],
        )
    return out


def published_window(hu: Volume) -> Volume:
    """Attenuation of -300 to 800 HU as 0 to 255."""
    low, high = WINDOW_HU
    return np.asarray(np.clip((hu - low) / (high - low), 0.0, 1.0) * np.float32(255.0))


def published_bodies(ids: LevelVolume) -> LevelVolume:
    """Straight labels without pedicles, by the published flat cut."""
    bodies = ids.copy()
    middle = SIDE // 2
    for number in np.unique(ids[ids > 0]):
        seen = (ids[:, middle:, middle] == number).any(axis=0)
        if not seen.all():
            behind = bodies[:, middle + int(seen.argmin()) :]
            behind[behind == number] = 0
    return bodies


def published_crop(straight: np.ndarray, line: PublishedLine, number: int) -> np.ndarray:
    """The crop around one vertebra, (256, 256, 64), 0 outside.

    Args:
        straight: from :func:`published_straight`.
        line: the line it was made with.
        number: VerSe number.

    Returns:
        The crop.

    Raises:
        LamellaError: no centroid of that number.
    """
    if number not in line.numbers:
        raise LamellaError(f"expected one of {line.numbers}, got {number}")
    index = line.numbers.index(number)
    row = int(line.lengths[index])
    miss = line.centroids[index] - line.places[row]
    left = int(np.floor(SIDE // 2 + float(miss @ line.backs[row])))
    start, stop = max(row - CROP[0] // 2, 0), min(row + CROP[0] // 2, len(straight))
    piece = straight[start:stop, :, left - CROP[2] // 2 : left + CROP[2] // 2]
    crop = np.zeros(CROP, dtype=straight.dtype)
    first, column = (CROP[0] - len(piece)) // 2, (CROP[1] - SIDE) // 2
    crop[first : first + len(piece), column : column + SIDE] = piece
    return crop


def _prolonged(points: Places) -> Places:
    head = points[0] + BEYOND * _unit(points[0] - points[1])
    tail = points[-1] + BEYOND * _unit(points[-1] - points[-2])
    return np.vstack([head, points, tail])


def _interpolated(along: Profile, length: Profile, values: Places) -> Places:
    return np.stack([np.interp(along, length, values[:, axis]) for axis in range(3)], axis=1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
