"""The straight spine: CT and labels resampled along the curve, and the way back.

Sample (i, j, k) of the straight frame lies ``left0 + i h`` to the left of the curve, ``down0 +
j h`` along it and ``back0 + k h`` behind it, h = ``spacing_mm``;
:func:`~lamella.prepare.spine.curve.to_world` says where that is. Attenuation is interpolated
linearly. A label wins a sample when the sum of the linear weights of its voxels is greatest: the
0.5 level of its interpolated occupancy where two labels meet, smooth between voxels, never a
number in between. Memory: sampling goes in blocks of rows, and labels are read inside their box
only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lamella.physics.virtual_fracture import OUTSIDE_HU
from lamella.prepare.spine.centroids import Box, indexed, placed
from lamella.prepare.spine.curve import SpineCurve, curve_of, from_world, stretch
from lamella.prepare.spine.sampling import label_grid, sampled
from lamella.records.images import LamellaError
from lamella.records.spine import CTVolume, SpineLabels
from lamella.types import Affine, LevelVolume, Places, Profile, Solid, Volume

BLOCK = 250_000
COARSE = 4
FOLD = 0.1


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How far the straight frame reaches from the curve, mm.

    Args:
        left_mm: from the right (negative) to the left.
        back_mm: from the front (negative) to the back.
        beyond_mm: further than the outermost bodies' centroids, up and down.
    """

    left_mm: tuple[float, float] = (-48.0, 48.0)
    back_mm: tuple[float, float] = (-40.0, 56.0)
    beyond_mm: float = 45.0


EXTENT = Extent()


@dataclass(frozen=True, kw_only=True, eq=False)
class StraightSpine:
    """A spine along its own axis, arrays (left, down, back).

    Args:
        hu: attenuation, or None without a CT.
        ids: VerSe numbers of whole vertebrae.
        bodies: VerSe number where that vertebra's body is.
        spacing_mm: of the samples, the same on each axis.
        origin_mm: (left, down, back) of sample (0, 0, 0).
        curve: the axis.
        extent: reach to the sides.
    """

    hu: Volume | None
    ids: LevelVolume
    bodies: LevelVolume
    spacing_mm: float
    origin_mm: tuple[float, float, float]
    curve: SpineCurve
    extent: Extent = EXTENT

    @property
    def left_mm(self) -> Profile:
        """Left coordinate of each slice."""
        return self._places(0)

    @property
    def down_mm(self) -> Profile:
        """Arc length of each row."""
        return self._places(1)

    @property
    def back_mm(self) -> Profile:
        """Posterior coordinate of each column."""
        return self._places(2)

    @property
    def down0_mm(self) -> float:
        """Arc length of the first row."""
        return self.origin_mm[1]

    def rows(self, start: int, stop: int) -> StraightSpine:
        """Some rows alone; whatever is returned from them leaves the rest of a CT untouched."""
        left, down, back = self.origin_mm
        part = slice(start, stop)
        return replace(
            self,
            hu=None if self.hu is None else self.hu[:, part],
            ids=self.ids[:, part],
            bodies=self.bodies[:, part],
            origin_mm=(left, down + start * self.spacing_mm, back),
        )

    def indexed(self, places_mm: Places) -> Places:
        """(left, down, back) in mm -> (fractional) indices of the straight arrays."""
        return np.asarray((places_mm - np.array(self.origin_mm)) / self.spacing_mm)

    def placed(self, indices: np.ndarray) -> Places:
        """Indices of the straight arrays -> (left, down, back) in mm."""
        return np.asarray(indices * self.spacing_mm + np.array(self.origin_mm))

    def _places(self, axis: int) -> Profile:
        steps = np.arange(self.ids.shape[axis], dtype=np.float64)
        return np.asarray(self.origin_mm[axis] + self.spacing_mm * steps)


@dataclass(frozen=True, kw_only=True, eq=False)
class MovedSpine:
    """A straight spine in which something was made taller or shorter.

    Args:
        straight: the spine; its curve is still the observed one.
        shift_down_mm: how far each row's content was moved down the curve, mm, (down,): negative
            above a vertebra that grew, positive below it.
    """

    straight: StraightSpine
    shift_down_mm: Profile


@dataclass(frozen=True, kw_only=True, eq=False)
class Returned:
    """Something drawn in the straight frame, on a volume's own grid.

    Args:
        values: the volume; 0 where nothing was drawn.
        covered: the voxels that the straight frame reaches.
    """

    values: np.ndarray
    covered: Solid


def straighten(
    ct: CTVolume | None,
    labels: SpineLabels,
    bodies: LevelVolume,
    spacing_mm: float = 1.0,
    curve: SpineCurve | None = None,
) -> StraightSpine:
    """Resample a spine along its own axis.

    Args:
        ct: the CT on any grid of its own, or None.
        labels: whole vertebrae.
        bodies: VerSe numbers inside bodies, on the labels' grid.
        spacing_mm: of the samples.
        curve: the axis; by default through the bodies.

    Returns:
        The straight spine; samples outside the CT are air (-1000 HU).

    Raises:
        LamellaError: a spacing that is not positive, or no body.
    """
    if not spacing_mm > 0.0:
        raise LamellaError(f"expected a spacing above 0 mm, got {spacing_mm}")
    curve = curve or curve_of(labels, bodies)
    origin_mm, shape = frame_of(curve, spacing_mm)
    hu = None if ct is None else np.empty(shape, dtype=np.float32)
    ids, inside = np.empty(shape, dtype=np.uint8), np.empty(shape, dtype=np.uint8)
    whole, body = label_grid(labels.ids), label_grid(bodies)
    for rows in _rows(shape):
        world = _world(curve, origin_mm, (shape[0], rows, shape[2]), spacing_mm)
        at = indexed(labels.affine, world)
        ids[:, rows], inside[:, rows] = whole.at(at), body.at(at)
        if ct is not None and hu is not None:
            hu[:, rows] = sampled(ct.hu, indexed(ct.affine, world), OUTSIDE_HU)
    return StraightSpine(
        hu=hu, ids=ids, bodies=inside, spacing_mm=spacing_mm, origin_mm=origin_mm, curve=curve
    )


def frame_of(
    curve: SpineCurve, spacing_mm: float, extent: Extent = EXTENT
) -> tuple[tuple[float, float, float], tuple[int, int, int]]:
    """Origin (left, down, back) in mm and shape of the straight frame of a curve."""
    arcs = list(curve.levels_mm.values())
    down_mm = (min(arcs) - extent.beyond_mm, max(arcs) + extent.beyond_mm)
    ranges = (extent.left_mm, down_mm, extent.back_mm)
    left, down, back = (int(np.floor((high - low) / spacing_mm)) + 1 for low, high in ranges)
    return (extent.left_mm[0], down_mm[0], extent.back_mm[0]), (left, down, back)


def returned(
    volume: np.ndarray,
    straight: StraightSpine,
    shape: tuple[int, int, int],
    affine: Affine,
    order: int = 1,
) -> Returned:
    """Put something drawn in the straight frame back on a volume's own grid.

    Args:
        volume: (left, down, back), on the samples of ``straight``.
        straight: the frame it was drawn in.
        shape: of the grid to return to.
        affine: of that grid.
        order: 1 for attenuation, 0 for labels (by greatest linear weight).

    Returns:
        The values and the voxels they cover; a voxel beyond the curve's radius of curvature is
        not covered, for there the straight frame has no place for it.

    Raises:
        LamellaError: a volume of another shape than the straight spine.
    """
    if volume.shape != straight.ids.shape:
        raise LamellaError(
            f"expected a volume of shape {straight.ids.shape}, got {volume.shape}:"
            " draw on the straight spine's own samples"
        )
    values = np.zeros(shape, dtype=volume.dtype if order == 0 else np.float32)
    covered = np.zeros(shape, dtype=np.bool_)
    grid = label_grid(volume) if order == 0 else None
    for block in _blocks(straight, shape, affine):
        inside, at = _reached(straight, affine, block)
        covered[block] = inside
        values[block][inside] = grid.at(at) if grid else sampled(volume, at, 0.0)
    return Returned(values=values, covered=covered)


def _world(
    curve: SpineCurve,
    origin_mm: tuple[float, float, float],
    part: tuple[int, slice, int],
    spacing_mm: float,
) -> Places:
    """RAS places of some rows of the straight frame, one frame of the curve per row."""
    lefts, rows, backs = part
    frame = curve.at(origin_mm[1] + spacing_mm * np.arange(rows.start, rows.stop))
    left_mm = origin_mm[0] + spacing_mm * np.arange(lefts)
    back_mm = origin_mm[2] + spacing_mm * np.arange(backs)
    aside = left_mm[:, None, None] * frame.left
    behind = back_mm[:, None] * frame.back[:, None, :]
    return np.asarray((frame.place_mm + aside)[:, :, None, :] + behind)


def _rows(shape: tuple[int, int, int]) -> list[slice]:
    step = max(1, BLOCK // (shape[0] * shape[2]))
    return [slice(row, min(row + step, shape[1])) for row in range(0, shape[1], step)]


def _blocks(
    straight: StraightSpine, shape: tuple[int, int, int], affine: Affine, side: int = 48
) -> list[Box]:
    """Blocks of the grid that the tube around the curve may reach."""
    reach = np.hypot(np.abs(straight.left_mm).max(), np.abs(straight.back_mm).max())
    line = straight.curve.at(straight.down_mm).place_mm
    blocks = []
    for corner in np.ndindex(*(-(-length // side) for length in shape)):
        first, second, third = (
            slice(k * side, min((k + 1) * side, length))
            for k, length in zip(corner, shape, strict=True)
        )
        ends = np.array([[s.start, s.stop - 1] for s in (first, second, third)], dtype=np.float64)
        middle = placed(affine, ends.mean(axis=1))
        half = np.linalg.norm((ends[:, 1] - ends[:, 0]) @ np.abs(affine[:3, :3]).T) / 2
        if np.linalg.norm(line - middle, axis=1).min() < reach + half:
            blocks.append((first, second, third))
    return blocks


def _reached(straight: StraightSpine, affine: Affine, block: Box) -> tuple[Solid, Places]:
    """A block's voxels that the straight frame holds, and their indices in it.

    The map is solved for every fourth voxel, interpolated to find out which voxels are meant,
    and solved for those from there.
    """
    start = np.array([side.start for side in block])
    rough = _rough(straight.curve, affine, block)
    room = 2.0 / straight.spacing_mm
    last = np.array(straight.ids.shape) - 1
    near = _within(straight.indexed(rough), last, room)
    world = placed(affine, np.argwhere(near) + start)
    at = straight.indexed(from_world(straight.curve, world, rough[near][:, 1]))
    exact = _within(at, last, 0.0)
    near[near] = exact
    return near, at[exact]


def _within(at: Places, last: np.ndarray, room: float) -> np.ndarray:
    return np.asarray(((at >= -room) & (at <= last + room)).all(axis=-1))


def _rough(curve: SpineCurve, affine: Affine, block: Box) -> Places:
    """(left, down, back) of a block's voxels, linear between every fourth; NaN beyond the fold."""
    lengths = [side.stop - side.start for side in block]
    knots = [np.linspace(0, length - 1, -(-length // COARSE) + 1) for length in lengths]
    grid = np.stack(np.meshgrid(*knots, indexing="ij"), axis=-1)
    told = from_world(curve, placed(affine, grid + [side.start for side in block]))
    told[stretch(curve, told) < FOLD] = np.nan
    for axis, length in enumerate(lengths):
        told = _linear(told, axis, length)
    return told


def _linear(values: np.ndarray, axis: int, length: int) -> np.ndarray:
    count = values.shape[axis]
    position = np.linspace(0, count - 1, length)
    index = np.minimum(position.astype(np.intp), max(count - 2, 0))
    part = (position - index).reshape([-1 if k == axis else 1 for k in range(values.ndim)])
    low = np.take(values, index, axis=axis)
    high = np.take(values, np.minimum(index + 1, count - 1), axis=axis)
    return np.asarray(low + part * (high - low))
