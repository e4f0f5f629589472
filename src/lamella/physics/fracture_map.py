"""The map behind a virtual fracture: from where a place is to where it was.

In the vertebra's own axes (p posterior, l left, c cranial) its endplates U and L come nearer by
D(p), half from above and half from below, so that the mean normal of both stays what it is:

    D(p) = d0 + d1 sin(pi/2 clip(t / 0.75)) + d2 sin^2(pi/2 clip(t / 0.65)),  t = 2 p / depth,

with d0..d2 solved so that each third loses exactly its share. What lies above follows the upper
rim rigidly (a shift and a tilt about the left axis), what lies below the lower rim, and the
disc between is stretched or squeezed to fit. At every column the map is piecewise linear between

    is:    below^-1(x)   M'   L + D/2   U - D/2   N'   above^-1(x)
    was:        x        M       L         U      N         x

where M and N, the nearest that the neighbours come, open like a cone in front of the body, so
that soft tissue is squeezed over a long way where the tilted planes would meet. Everything is
then moved so that what lies below stays where it was, and the map fades out far from the spine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from lamella.physics.vertebra_zones import zone_heights
from lamella.records.images import LamellaError
from lamella.records.spine import LEVEL_OF, LEVELS, VERSE_IDS
from lamella.records.vertebra import ZONES, HeightMap, VertebraFrame, Zones
from lamella.types import Affine, Direction, Image, LevelVolume, Places, Profile

TILT_REACH = 0.75
DISH_REACH = 0.65
RIGID_MM = 60.0
"""Distance from the spine up to which the neighbours follow in full."""

LEAST_DISC_MM = 1.0
DEFAULT_DISC_MM = 4.0
NEIGHBOUR_PERCENTILE = 1.0
CONE = 1.5
SMOOTHING_MM = 1.0
SKIN_MM = 1.0
"""What lies this near an endplate goes with it, so that an endplate that is not exactly where
the height map has it still loses what it should."""



@dataclass(frozen=True, kw_only=True, eq=False)
class RigidTilt:
    """A rotation about the left axis through a pivot, then a shift along the vertebra's axis.

    Args:
        angle: radians, positive lifts what lies behind the pivot.
        pivot_mm: in the vertebra's frame.
        shift_mm: cranial.
    """

    angle: float
    pivot_mm: Direction
    shift_mm: float

    def __call__(self, places_mm: Places) -> Places:
        """Where places go, (..., 3) in the frame."""
        moved = (places_mm - self.pivot_mm) @ self._turn.T + self.pivot_mm
        return np.asarray(moved + np.array([0.0, 0.0, self.shift_mm]))

    def back(self, places_mm: Places) -> Places:
        """Where places came from."""
        unshifted = places_mm - np.array([0.0, 0.0, self.shift_mm]) - self.pivot_mm
        return np.asarray(unshifted @ self._turn + self.pivot_mm)

    def turned(self, direction: Direction) -> Direction:
        """A direction after ``back``."""
        return np.asarray(direction @ self._turn)

    @property
    def _turn(self) -> np.ndarray:
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])


@dataclass(frozen=True, kw_only=True, eq=False)
class FractureMap:
    """From where a place is after the fracture to where it was before.

    Args:
        frame: the vertebra's axes before.
        healthy: its endplates before, smoothed and continued beyond the body.
        lost_mm: D over the map, (n, m).
        above, below: rigid motions of what lies above and below, in the frame.
        disc_above_mm, disc_below_mm: nearest that the neighbours come to the endplates.
        spine_mm: (k, 3) middles of all vertebrae in the frame after the fracture, cranially
            ascending.
        fade_mm: over which distance the map fades out.
        healthy_heights_mm, heights_mm: of the thirds, before and after.
    """

    frame: VertebraFrame
    healthy: HeightMap
    lost_mm: Image
    above: RigidTilt
    below: RigidTilt
    disc_above_mm: float
    disc_below_mm: float
    spine_mm: Places
    fade_mm: float
    healthy_heights_mm: Zones
    heights_mm: Zones

    @property
    def fractured_frame(self) -> VertebraFrame:
        """The vertebra's axes after the fracture."""
        axes = np.stack([self.below.turned(row) for row in np.eye(3)]) @ self.frame.axes
        centre = self.frame.to_world(self.below.back(np.zeros(3)))
        return VertebraFrame(centre_mm=centre, posterior=axes[0], left=axes[1], cranial=axes[2])

    def pulled_back(self, places_mm: Places) -> Places:
        """Where places were before the fracture, RAS mm, (n, 3) -> (n, 3)."""
        now = self.below(self.frame.from_world(places_mm))
        weight = self._weight(now)
        was = np.array(places_mm, np.float64)
        near = weight > 0.0
        moved = self.frame.to_world(self._before(now[near]))
        was[near] += weight[near, None] * (moved - was[near])
        return was

    def _weight(self, now_mm: Places) -> Profile:
        """1 near the spine, 0 far from it: ``1 - smoothstep((r - 60 mm) / fade)``."""
        height = self.spine_mm[:, 2]
        middle = [np.interp(now_mm[:, 2], height, self.spine_mm[:, axis]) for axis in (0, 1)]
        radius = np.hypot(now_mm[:, 0] - middle[0], now_mm[:, 1] - middle[1])
        part = np.clip((radius - RIGID_MM) / self.fade_mm, 0.0, 1.0)
        return np.asarray(1.0 - part**2 * (3.0 - 2.0 * part))

    def _before(self, now_mm: Places) -> Places:
        fields = self._sampled(now_mm[:, 0], now_mm[:, 1])
        cranial = now_mm[:, 2]
        half = 0.5 * fields.lost
        upper, lower = fields.upper - half, fields.lower + half
        share = (cranial - lower) / np.maximum(upper - lower, 1e-6)
        was = now_mm.copy()
        was[:, 2] = fields.lower + np.clip(share, 0.0, 1.0) * (fields.upper - fields.lower)
        was[:, 2] += np.clip(cranial - upper, 0.0, None) + np.clip(cranial - lower, None, 0.0)
        for side, edge, rigid, disc in (
            (1.0, upper, self.above, self.disc_above_mm),
            (-1.0, lower, self.below, self.disc_below_mm),
        ):
            beyond = side * (cranial - edge)
            outside = beyond > 0.0
            closer = half[outside] - self._approach(rigid, now_mm[outside, 0])
            room = disc + CONE * fields.ahead[outside]
            gap = np.maximum(room + closer, 0.5 * room)
            skin = np.minimum(SKIN_MM, 0.25 * room)
            part = np.clip((beyond[outside] - skin) / (gap - skin), 0.0, 1.0)[:, None]
            was[outside] += part * (rigid.back(now_mm[outside]) - was[outside])
        return was

    def _approach(self, rigid: RigidTilt, posterior_mm: Profile) -> Profile:
        """How much nearer the neighbour comes at a column, mm."""
        lifted = rigid.shift_mm + np.tan(rigid.angle) * (posterior_mm - rigid.pivot_mm[0])
        return np.asarray(-lifted if rigid is self.above else lifted)

    def _sampled(self, posterior_mm: Profile, left_mm: Profile) -> _Columns:
        rows = _steps(self.healthy.posterior_mm, posterior_mm)
        index = np.stack([rows, _steps(self.healthy.left_mm, left_mm)])
        upper, lower, lost = (
            ndimage.map_coordinates(field, index, order=1, mode="nearest")
            for field in (self.healthy.upper_mm, self.healthy.lower_mm, self.lost_mm)
        )
        ahead = np.clip(self.healthy.posterior_mm[0] - posterior_mm, 0.0, None)
        return _Columns(upper=upper, lower=lower, lost=lost, ahead=ahead)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Columns:
    upper: Profile
    lower: Profile
    lost: Profile
    ahead: Profile


def _steps(axis_mm: Profile, places_mm: Profile) -> Profile:
    return np.asarray((places_mm - axis_mm[0]) / (axis_mm[1] - axis_mm[0]))


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
    above, below = _rigid(healthy, lost[:, 0], depth_mm)
    places = _neighbourhood(bodies, affine, level, heights.frame)
    spine = _spine(places, level, above, below)
    farthest = float(np.abs(below.back(above(spine[-1])) - spine[-1]).max())
    return FractureMap(
        frame=heights.frame,
        healthy=healthy,
        lost_mm=lost,
        above=above,
        below=below,
        disc_above_mm=_disc(places, level, healthy, 1),
        disc_below_mm=_disc(places, level, healthy, -1),
        spine_mm=spine,
        fade_mm=max(40.0, 4.0 * farthest),
        healthy_heights_mm=before,
        heights_mm=after,
    )


Range = tuple[float, float]


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


def _rigid(healthy: HeightMap, lost_mm: Profile, depth_mm: Range) -> tuple[RigidTilt, RigidTilt]:
    """Motions of what lies above and below: those of the rims, half of D each."""
    front, back = depth_mm
    middle = (front + back) / 2.0
    at_front, at_back = (float(np.interp(end, healthy.posterior_mm, lost_mm)) for end in depth_mm)
    angle = float(np.arctan(0.5 * (at_front - at_back) / (back - front)))
    shift = 0.25 * (at_front + at_back)
    tops = [float(np.mean(field)) for field in (healthy.upper_mm, healthy.lower_mm)]
    return (
        RigidTilt(angle=angle, pivot_mm=np.array([middle, 0.0, tops[0]]), shift_mm=-shift),
        RigidTilt(angle=-angle, pivot_mm=np.array([middle, 0.0, tops[1]]), shift_mm=shift),
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
    rows = _steps(healthy.posterior_mm, voxels[:, 0])
    columns = _steps(healthy.left_mm, voxels[:, 1])
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
