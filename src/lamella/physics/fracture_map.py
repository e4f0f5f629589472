"""The map behind a virtual fracture: from where a place is to where it was.

In the vertebra's own axes (p posterior, l left, c cranial) its endplates U and L come nearer by
D(p) (:mod:`lamella.physics.fracture_fit`), half from above and half from below, so that the mean
normal of both stays what it is. What lies above follows the upper rim rigidly (a shift and a
tilt about the left axis), what lies below the lower rim, and the disc between is stretched or
squeezed to fit. At every column the map is piecewise linear between

    is:    below^-1(x)   M'   L + D/2   U - D/2   N'   above^-1(x)
    was:        x        M       L         U      N         x

where M and N, the nearest that the neighbours come, open like a cone in front of the body and
behind it, so that soft tissue and processes are squeezed or stretched over a long way where the
tilted planes meet or part. Everything is then moved so that what lies below stays where it was,
and the map fades out far from the spine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lamella.records.vertebra import HeightMap, VertebraFrame, Zones
from lamella.types import Direction, Image, Places, Profile

RIGID_MM = 60.0
"""Distance from the spine up to which the neighbours follow in full."""

CONE_AHEAD = 1.5
CONE_BEHIND = 0.6
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
        near = (weight > 0.0) & ~self._past(now, -1)  # what lies below stays
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
        was = self.above.back(now_mm)
        between = ~self._past(now_mm, 1)
        was[between] = self._between(now_mm[between])
        return was

    def _past(self, now_mm: Places, side: int) -> np.ndarray:
        """Surely beyond the nearest a neighbour comes, above (side 1) or below (-1)."""
        rigid, disc, plate = self._side(side)
        half = 0.5 * self.lost_mm
        reach = disc + _cone(self.healthy, now_mm[:, 0])
        reach = reach + np.abs(self._approach(rigid, now_mm[:, 0])) + half.max() - half.min()
        return np.asarray(side * now_mm[:, 2] > (side * plate).max() + reach)

    def _side(self, side: int) -> tuple[RigidTilt, float, Image]:
        if side > 0:
            return self.above, self.disc_above_mm, self.healthy.upper_mm
        return self.below, self.disc_below_mm, self.healthy.lower_mm

    def _between(self, now_mm: Places) -> Places:
        """Columns through the body, both discs and as far as the neighbours' cones reach."""
        fields = self._sampled(now_mm[:, 0], now_mm[:, 1])
        cranial = now_mm[:, 2]
        half = 0.5 * fields.lost
        upper, lower = fields.upper - half, fields.lower + half
        share = (cranial - lower) / np.maximum(upper - lower, 1e-6)
        was = now_mm.copy()
        was[:, 2] = fields.lower + np.clip(share, 0.0, 1.0) * (fields.upper - fields.lower)
        was[:, 2] += np.clip(cranial - upper, 0.0, None) + np.clip(cranial - lower, None, 0.0)
        for side, edge in ((1, upper), (-1, lower)):
            beyond = side * (cranial - edge)
            outside = beyond > 0.0
            here = now_mm[outside]
            rigid, disc, _ = self._side(side)
            closer = half[outside] - self._approach(rigid, here[:, 0])
            room = disc + _cone(self.healthy, here[:, 0])
            gap = np.maximum(room + closer, 0.5 * room)
            skin = np.minimum(SKIN_MM, 0.25 * room)
            part = np.clip((beyond[outside] - skin) / (gap - skin), 0.0, 1.0)[:, None]
            was[outside] += part * (rigid.back(here) - was[outside])
        return was

    def _approach(self, rigid: RigidTilt, posterior_mm: Profile) -> Profile:
        """How much nearer the neighbour comes at a column, mm."""
        lifted = rigid.shift_mm + np.tan(rigid.angle) * (posterior_mm - rigid.pivot_mm[0])
        return np.asarray(-lifted if rigid is self.above else lifted)

    def _sampled(self, posterior_mm: Profile, left_mm: Profile) -> _Columns:
        rows = steps(self.healthy.posterior_mm, posterior_mm)
        index = np.stack([rows, steps(self.healthy.left_mm, left_mm)])
        upper, lower, lost = (
            ndimage.map_coordinates(field, index, order=1, mode="nearest")
            for field in (self.healthy.upper_mm, self.healthy.lower_mm, self.lost_mm)
        )
        return _Columns(upper=upper, lower=lower, lost=lost)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Columns:
    upper: Profile
    lower: Profile
    lost: Profile


def steps(axis_mm: Profile, places_mm: Profile) -> Profile:
    """Places as indices of equidistant samples."""
    return np.asarray((places_mm - axis_mm[0]) / (axis_mm[1] - axis_mm[0]))


def _cone(healthy: HeightMap, posterior_mm: Profile) -> Profile:
    """How much farther than at the disc the neighbours' part begins, mm."""
    ahead = np.clip(healthy.posterior_mm[0] - posterior_mm, 0.0, None)
    behind = np.clip(posterior_mm - healthy.posterior_mm[-1], 0.0, None)
    return np.asarray(CONE_AHEAD * ahead + CONE_BEHIND * behind)
