"""Both endplates of a vertebral body as height fields, between voxels.

The body's occupancy (1 inside, 0 outside) is smoothed by a Gaussian of 0.4 voxel along each
axis of its grid and read along columns parallel to the vertebra's own cranial axis; an endplate
is where it falls through 1/2, linearly interpolated. Over a surface z = h(x, y) a blur of
lateral variance s^2 puts that level at h + s^2/2 (h_xx + h_yy) to second order; s^2 = (0.16 +
1/6) of a voxel squared (the Gaussian and the linear interpolation), and the Laplacian of a
quadratic fitted to the endplate takes the term back: 0.1 mm for a concave endplate of 3 mm
depth at voxels of 3 mm, 0.01 mm at 1 mm.

The frame starts from the spine's axis. A plane is fitted to each endplate within the body's
inner columns, the cranial axis becomes the mean of both normals, and so on for three rounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lamella.physics.vertebra_zones import RIM, SIDE, inner, zone_heights
from lamella.prepare.spine.centroids import Box, box_of, indexed, placed, shifted
from lamella.prepare.spine.curve import DOWN, POSTERIOR
from lamella.records.images import LamellaError
from lamella.records.spine import VERSE_IDS, spacing_of
from lamella.records.vertebra import HeightMap, VertebraFrame, Zones
from lamella.types import Affine, Image, LevelVolume, Places, Profile, Volume

BLUR = 0.4
COLUMN_MM = 1.0
STEP_MM = 0.5
ROUNDS = 3
SLAB_MM = 1.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Occupancy:
    """One body's smoothed occupancy inside a crop.

    Args:
        values: 0 to 1, float32.
        affine: of the crop.
        middle_mm: centroid of the body, RAS.
        reach_mm: from there to its furthest voxel.
    """

    values: Volume
    affine: Affine
    middle_mm: np.ndarray
    reach_mm: float

    def at(self, places_mm: Places) -> np.ndarray:
        """Occupancy at RAS places (..., 3)."""
        at = np.moveaxis(indexed(self.affine, places_mm), -1, 0)
        return np.asarray(ndimage.map_coordinates(self.values, at, order=1, mode="constant"))


@dataclass(frozen=True, kw_only=True)
class Section:
    """The body's middle cross-section in its own frame, mm.

    Args:
        depth_range_mm: front and back.
        width_range_mm: right and left.
    """

    depth_range_mm: tuple[float, float]
    width_range_mm: tuple[float, float]


def occupancy_of(
    bodies: LevelVolume, affine: Affine, level: str, box: Box | None = None
) -> Occupancy:
    """One body's smoothed occupancy.

    Args:
        bodies: VerSe numbers inside bodies.
        affine: from indices to RAS mm.
        level: which body.
        box: its bounding box, when it is known.

    Returns:
        Its crop.

    Raises:
        LamellaError: the level has no body.
    """
    found = box or box_of(bodies, VERSE_IDS[level])
    if found is None:
        raise LamellaError(f"expected a body of {level}, got none: check the labels")
    inside = np.pad(bodies[found] == VERSE_IDS[level], 3)
    cut = shifted(affine, found)
    cut[:3, 3] = placed(cut, np.full(3, -3.0))
    places = placed(cut, np.argwhere(inside))
    middle = places.mean(axis=0)
    return Occupancy(
        values=ndimage.gaussian_filter(inside.astype(np.float32), BLUR, mode="constant"),
        affine=cut,
        middle_mm=middle,
        reach_mm=float(np.linalg.norm(places - middle, axis=1).max() + max(spacing_of(affine))),
    )


def height_map(
    bodies: LevelVolume, affine: Affine, level: str, start: VertebraFrame | None = None
) -> HeightMap:
    """Endplates of a body over its middle cross-section, every millimetre.

    Args:
        bodies: VerSe numbers inside bodies.
        affine: from indices to RAS mm.
        level: which body.
        start: first frame, usually from the spine's axis; None for the patient's axes.

    Returns:
        The map in the body's own frame.

    Raises:
        LamellaError: the level has no body.
    """
    return mapped(occupancy_of(bodies, affine, level), start)


def mapped(body: Occupancy, start: VertebraFrame | None = None) -> HeightMap:
    """:func:`height_map` of a body that is smoothed already."""
    frame = frame_along(
        body.middle_mm, start.cranial if start else -DOWN, start.posterior if start else POSTERIOR
    )
    for _ in range(ROUNDS):
        frame = _turned(read(body, frame, 2 * COLUMN_MM, 2 * STEP_MM), section(body, frame))
    return _sharpened(read(body, frame, COLUMN_MM, STEP_MM), spacing_of(body.affine))


def frame_along(middle_mm: np.ndarray, cranial: np.ndarray, posterior: np.ndarray) -> VertebraFrame:
    """A frame with that cranial axis; ``posterior`` is put at right angles to it."""
    up = cranial / np.linalg.norm(cranial)
    back = posterior - (posterior @ up) * up
    back = back / np.linalg.norm(back)
    return VertebraFrame(centre_mm=middle_mm, cranial=up, posterior=back, left=np.cross(back, up))


def section(body: Occupancy, frame: VertebraFrame) -> Section:
    """Extents of the body's cross-section at the height of its centroid.

    Mean occupancy of a slab of 3 mm, its maximum along lines, cut at 1/2. The depth is looked
    for in the inner 60 % of the width and the width in the inner 60 % of the depth, where a
    body is deepest and widest and no root of a pedicle is left.
    """
    side = np.arange(-body.reach_mm, body.reach_mm + 0.5, 0.5)
    slab = np.array([-SLAB_MM, 0.0, SLAB_MM])
    grid = np.stack(np.meshgrid(side, side, slab, indexing="ij"), axis=-1)
    filled = body.at(frame.to_world(grid)).mean(axis=2)
    depth_mm, width_mm = _extent(side, filled.max(axis=1)), _extent(side, filled.max(axis=0))
    for _ in range(2):
        depth_mm, width_mm = (
            _extent(side, filled[:, _inside(side, width_mm)].max(axis=1)),
            _extent(side, filled[_inside(side, depth_mm)].max(axis=0)),
        )
    return Section(depth_range_mm=depth_mm, width_range_mm=width_mm)


def read(body: Occupancy, frame: VertebraFrame, column_mm: float, step_mm: float) -> HeightMap:
    """Endplates in a given frame, as they are read, on columns inside the middle section."""
    sides = section(body, frame)
    posterior = _columns(sides.depth_range_mm, column_mm)
    left = _columns(sides.width_range_mm, column_mm)
    up = np.arange(-body.reach_mm, body.reach_mm + step_mm, step_mm)
    grid = np.stack(np.meshgrid(posterior, left, up, indexing="ij"), axis=-1)
    filled = body.at(frame.to_world(grid))
    upper = _outermost(up[::-1], filled[:, :, ::-1])
    lower = _outermost(up, filled)
    inside = filled[:, :, np.abs(up).argmin()] > 0.5
    return HeightMap(
        frame=frame,
        posterior_mm=posterior,
        left_mm=left,
        upper_mm=np.where(inside, upper, np.nan),
        lower_mm=np.where(inside, lower, np.nan),
    )


def heights_of(surface: HeightMap, sides: Section) -> Zones:
    """Mean height of each third of a map."""
    return zone_heights(
        surface.posterior_mm,
        surface.left_mm,
        surface.heights_mm,
        sides.depth_range_mm,
        sides.width_range_mm,
    )


def quadratic(posterior_mm: Profile, left_mm: Profile, surface_mm: Image) -> np.ndarray:
    """Factors of 1, p, l, p^2, p l, l^2 of the least-squares surface, NaN left out.

    All zero for fewer than six columns.
    """
    terms = quadratic_terms(posterior_mm, left_mm)
    known = np.isfinite(surface_mm)
    if known.sum() < 6:
        return np.zeros(6)
    return np.asarray(np.linalg.lstsq(terms[known], surface_mm[known], rcond=None)[0])


def quadratic_terms(posterior_mm: Profile, left_mm: Profile) -> np.ndarray:
    """1, p, l, p^2, p l, l^2 at each column, (n, m, 6)."""
    back, left = np.meshgrid(posterior_mm, left_mm, indexing="ij")
    return np.stack([np.ones_like(back), back, left, back**2, back * left, left**2], axis=-1)


def within(surface: HeightMap, sides: Section) -> tuple[HeightMap, np.ndarray]:
    """The map's columns inside the zones' box, others NaN, and which they are."""
    front, back = inner(sides.depth_range_mm, RIM)
    right, left = inner(sides.width_range_mm, SIDE)
    rows = (surface.posterior_mm >= front) & (surface.posterior_mm <= back)
    columns = (surface.left_mm >= right) & (surface.left_mm <= left)
    kept = rows[:, None] & columns
    return HeightMap(
        frame=surface.frame,
        posterior_mm=surface.posterior_mm,
        left_mm=surface.left_mm,
        upper_mm=np.where(kept, surface.upper_mm, np.nan),
        lower_mm=np.where(kept, surface.lower_mm, np.nan),
    ), kept


def _turned(surface: HeightMap, sides: Section) -> VertebraFrame:
    frame = surface.frame
    box, _ = within(surface, sides)
    normals = []
    for plate in (box.upper_mm, box.lower_mm):
        slope = _slope(box.posterior_mm, box.left_mm, plate)
        normal = frame.cranial - slope[0] * frame.posterior - slope[1] * frame.left
        normals.append(normal / np.linalg.norm(normal))
    return frame_along(frame.centre_mm, normals[0] + normals[1], frame.posterior)


def _slope(posterior_mm: Profile, left_mm: Profile, plate_mm: Image) -> np.ndarray:
    terms = quadratic_terms(posterior_mm, left_mm)[..., :3]
    known = np.isfinite(plate_mm)
    if known.sum() < 6:
        return np.zeros(2)
    return np.asarray(np.linalg.lstsq(terms[known], plate_mm[known], rcond=None)[0][1:])


def _sharpened(surface: HeightMap, spacing_mm: tuple[float, float, float]) -> HeightMap:
    """Takes back what the blur does to a bent endplate."""
    variance = (BLUR**2 + 1 / 6) * float(np.mean(np.square(spacing_mm)))
    plates = []
    for plate in (surface.upper_mm, surface.lower_mm):
        factors = quadratic(surface.posterior_mm, surface.left_mm, plate)
        plates.append(plate - variance * (factors[3] + factors[5]))
    return HeightMap(
        frame=surface.frame,
        posterior_mm=surface.posterior_mm,
        left_mm=surface.left_mm,
        upper_mm=plates[0],
        lower_mm=plates[1],
    )


def _columns(range_mm: tuple[float, float], step_mm: float) -> Profile:
    count = max(2, int(np.ceil((range_mm[1] - range_mm[0]) / step_mm)) + 1)
    middle = sum(range_mm) / 2
    return np.asarray(middle + step_mm * (np.arange(count) - (count - 1) / 2))


def _extent(places_mm: Profile, filled: Profile) -> tuple[float, float]:
    if not (filled > 0.5).any():
        return 0.0, 0.0
    low = _outermost(places_mm, filled[None])
    high = _outermost(places_mm[::-1], filled[None, ::-1])
    return float(low[0]), float(high[0])


def _inside(places_mm: Profile, range_mm: tuple[float, float]) -> np.ndarray:
    low, high = inner(range_mm, SIDE)
    return np.flatnonzero((places_mm >= low - 0.5) & (places_mm <= high + 0.5))


def _outermost(places_mm: Profile, filled: np.ndarray) -> np.ndarray:
    """Where the first rise through 1/2 along the last axis is; NaN without one."""
    inside = filled > 0.5
    index = np.clip(inside.argmax(axis=-1), 1, None)
    after = np.take_along_axis(filled, index[..., None], axis=-1)[..., 0]
    before = np.take_along_axis(filled, index[..., None] - 1, axis=-1)[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (0.5 - before) / (after - before)
    place = places_mm[index - 1] + part * (places_mm[index] - places_mm[index - 1])
    return np.where(inside.any(axis=-1), place, np.nan)
