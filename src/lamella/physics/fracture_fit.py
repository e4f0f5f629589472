"""A fracture map fitted to one vertebra: how much each column loses, and who follows how.

    D(p) = d0 + d1 sin(pi/2 clip(t / 0.75)) + d2 sin^2(pi/2 clip(t / 0.65)),  t = 2 p / depth,

flat at both rims, with d0..d2 solved so that each third's mean height loses exactly its share.
The neighbours follow the plane through both rims.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from lamella.physics.fracture_map import RIGID_MM, FractureMap, RigidTilt, steps
from lamella.physics.vertebra_zones import zone_heights
from lamella.records.images import LamellaError
from lamella.records.spine import LEVEL_OF, LEVELS, VERSE_IDS
from lamella.records.vertebra import ZONES, HeightMap, VertebraFrame, Zones
from lamella.types import Affine, Image, LevelVolume, Places, Profile

TILT_REACH = 0.75
DISH_REACH = 0.65
SMOOTHING_MM = 1.0
LEAST_FADE_MM = 40.0
LEAST_DISC_MM = 1.0
DEFAULT_DISC_MM = 4.0
"""Where no neighbour is labelled."""

NEIGHBOUR_PERCENTILE = 1.0
CLOSEST = 0.4
"""Part of a disc that a neighbour may take up where its tilted plane comes nearest."""

Range = tuple[float, float]


def fracture_map(
    bodies: LevelVolume, affine: Affine, level: str, heights: HeightMap, losses: Profile
) -> FractureMap:
    """The map that takes from each third of a body its share of height.

    Args:
        bodies: VerSe numbers where bodies (or at least vertebrae) are.
        affine: of ``bodies``.
        level: vertebra to fracture.
        heights: its endplates in its own frame, NaN outside the body.
        losses: relative loss of the anterior, middle and posterior third, (3,).

    Raises:
        LamellaError: the height map holds no body.
    """
    depth_mm, width_mm = _support(heights)
    before, lost = _lost(heights, depth_mm, width_mm, losses)
    after = _zones(heights, heights.heights_mm - lost, depth_mm, width_mm)
    healthy = _continued(heights)
    places = _neighbourhood(bodies, affine, level, heights.frame)
    discs = [_disc(places, level, healthy, side) for side in (1, -1)]
    above, below = (
        _rigid(healthy, lost[:, 0], depth_mm, side, disc)
        for side, disc in zip((1, -1), discs, strict=True)
    )
    spine = _spine(places, level, above, below)
    ends = spine[-1] + np.array([[-RIGID_MM, 0.0, 0.0], [RIGID_MM, 0.0, 0.0]])
    farthest = float(np.linalg.norm(below.back(above(ends)) - ends, axis=1).max())
    return FractureMap(
        frame=heights.frame,
        healthy=healthy,
        lost_mm=lost,
        above=above,
        below=below,
        disc_above_mm=discs[0],
        disc_below_mm=discs[1],
        spine_mm=spine,
        fade_mm=max(LEAST_FADE_MM, 4.0 * farthest),
        healthy_heights_mm=before,
        heights_mm=after,
    )


def _support(heights: HeightMap) -> tuple[Range, Range]:
    """Front and back, right and left of the columns that hold the body."""
    known = np.isfinite(heights.heights_mm)
    if not known.any():
        raise LamellaError("the height map holds no body: nothing to fracture")
    ranges = []
    for axis, places in ((1, heights.posterior_mm), (0, heights.left_mm)):
        found = places[known.any(axis=axis)]
        half = 0.5 * float(places[1] - places[0])
        ranges.append((float(found[0]) - half, float(found[-1]) + half))
    return ranges[0], ranges[1]


def _zones(heights: HeightMap, field_mm: Image, depth_mm: Range, width_mm: Range) -> Zones:
    return zone_heights(heights.posterior_mm, heights.left_mm, field_mm, depth_mm, width_mm)


def _lost(
    heights: HeightMap, depth_mm: Range, width_mm: Range, losses: Profile
) -> tuple[Zones, Image]:
    """Healthy zone heights, and D over the map, solved so that each zone loses its share."""
    front, back = depth_mm
    t = np.clip(2.0 * (heights.posterior_mm - (front + back) / 2.0) / (back - front), -1.0, 1.0)
    tilt = np.sin(np.pi / 2 * np.clip(t / TILT_REACH, -1.0, 1.0))
    dish = np.sin(np.pi / 2 * np.clip(t / DISH_REACH, -1.0, 1.0)) ** 2
    basis = np.stack([np.ones_like(t), tilt, dish])
    known = np.where(np.isfinite(heights.heights_mm), 1.0, np.nan)
    matrix = np.array(
        [_vector(_zones(heights, row[:, None] * known, depth_mm, width_mm)) for row in basis]
    ).T
    before = _zones(heights, heights.heights_mm, depth_mm, width_mm)
    lost = np.linalg.solve(matrix, np.asarray(losses) * _vector(before)) @ basis
    return before, np.repeat(lost[:, None], heights.left_mm.size, axis=1)


def _vector(zones: Zones) -> Profile:
    return np.array([zones.of(zone) for zone in ZONES])


def _continued(heights: HeightMap) -> HeightMap:
    """Both endplates without gaps: the nearest known column's, smoothed by 1 mm."""
    unknown = ~np.isfinite(heights.heights_mm)
    nearest = ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True)
    steps = [abs(float(axis[1] - axis[0])) for axis in (heights.posterior_mm, heights.left_mm)]
    sigma = [SMOOTHING_MM / step for step in steps]
    upper, lower = (
        ndimage.gaussian_filter(field[tuple(nearest)], sigma, mode="nearest")
        for field in (heights.upper_mm, heights.lower_mm)
    )
    return replace(heights, upper_mm=upper, lower_mm=lower)


def _rigid(
    healthy: HeightMap, lost_mm: Profile, depth_mm: Range, side: int, disc_mm: float
) -> RigidTilt:
    """Motion of what lies above (side 1) or below (-1): that of the rim, half of D.

    Where the rim's plane would come nearer than the disc allows, it stays away by as much.
    """
    front, back = depth_mm
    middle = (front + back) / 2.0
    half = 0.5 * lost_mm
    at_front, at_back = (float(np.interp(end, healthy.posterior_mm, half)) for end in depth_mm)
    slope = (at_back - at_front) / (back - front)
    approach = 0.5 * (at_front + at_back) + slope * (healthy.posterior_mm - middle)
    too_near = max(float((approach - half).max()) - CLOSEST * disc_mm, 0.0)
    shift = 0.5 * (at_front + at_back) - too_near
    edge = float(np.mean(healthy.upper_mm if side > 0 else healthy.lower_mm))
    return RigidTilt(
        angle=-side * float(np.arctan(slope)),
        pivot_mm=np.array([middle, 0.0, edge]),
        shift_mm=-side * shift,
    )


def _neighbourhood(
    bodies: LevelVolume, affine: Affine, level: str, frame: VertebraFrame
) -> dict[str, Places]:
    """Voxels of every vertebra in the frame, by level, from the lowest up."""
    places = {}
    numbers = np.flatnonzero(np.bincount(bodies.ravel(), minlength=256))
    found = sorted((LEVEL_OF[int(n)] for n in numbers if n), key=LEVELS.index, reverse=True)
    for name in found:
        voxels = np.argwhere(bodies == VERSE_IDS[name]) @ affine[:3, :3].T + affine[:3, 3]
        places[name] = frame.from_world(voxels)
    if level not in places:
        raise LamellaError(f"the labels hold no {level}")
    return places


def _spine(places: dict[str, Places], level: str, above: RigidTilt, below: RigidTilt) -> Places:
    """Middles of all vertebrae in the frame after the fracture, from the lowest up."""
    middles = []
    for name, voxels in places.items():
        middle = voxels.mean(axis=0)
        if name != level:
            middle = above(middle) if LEVELS.index(name) < LEVELS.index(level) else below(middle)
        middles.append(middle)
    ordered = sorted(middles, key=lambda middle: float(middle[2]))
    return np.array(ordered)


def _disc(places: dict[str, Places], level: str, healthy: HeightMap, side: int) -> float:
    """Least distance of the next vertebra from an endplate, over the body's columns, mm."""
    names = list(places)
    index = names.index(level) + side
    if not 0 <= index < len(names):
        return DEFAULT_DISC_MM
    voxels = places[names[index]]
    rows = steps(healthy.posterior_mm, voxels[:, 0])
    columns = steps(healthy.left_mm, voxels[:, 1])
    over = (rows >= 0) & (rows <= healthy.posterior_mm.size - 1)
    over &= (columns >= 0) & (columns <= healthy.left_mm.size - 1)
    if not over.any():
        return DEFAULT_DISC_MM
    endplate = healthy.upper_mm if side > 0 else healthy.lower_mm
    edge = ndimage.map_coordinates(endplate, [rows[over], columns[over]], order=1, mode="nearest")
    beyond = side * (voxels[over, 2] - edge)
    beyond = beyond[beyond > 0.0]
    if not beyond.size:
        return DEFAULT_DISC_MM
    return max(float(np.percentile(beyond, NEIGHBOUR_PERCENTILE)) - 0.5, LEAST_DISC_MM)
