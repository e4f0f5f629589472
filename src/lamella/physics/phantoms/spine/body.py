"""The vertebral body of the phantom: implicit surface, height field, exact zone heights.

In the body's own axes (p posterior, l left, c cranial, mm) with t = 2 p / D, u = 2 l / W the
endplates are the height fields

    upper = q + h / 2,  lower = q - h / 2,
    h(t, u) = k0 + k1 sin(pi/2 clip(t / 0.75)) + k2 sin^2(pi/2 clip(t / 0.65)) + b (u^2 - u0^2),

flat rims, a tilt and a dish; k0..k2 are solved so that the three thirds have the commanded
means. q (the lower endplate is the deeper) has no tilt, so c is the mean normal of both
endplates. The walls are a kidney: with z = (c - q) / (h / 2),

    rho = (|t/s|^n + |u/s|^n)^(1/n) + notch,  s(z) = 1 - waist (1 - z^2) - flare z / 2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lamella.physics.vertebra_zones import zone_heights
from lamella.records.images import LamellaError
from lamella.records.vertebra import ZONES, Zones
from lamella.types import Profile

EXPONENT = 2.4
TILT_REACH = 0.75
DISH_REACH = 0.65
LEAST_HEIGHT_MM = 2.0
ROUNDING_MM = 1.6
"""How far from an edge wall and endplate round it off; far less than the rim the zones omit."""

_SAMPLE_MM = 0.2
_CENTROID_STEPS = np.linspace(-1.1, 1.1, 56)
Field = np.ndarray


@dataclass(frozen=True, kw_only=True)
class BodyShape:
    """One vertebral body.

    Args:
        depth_mm, width_mm: D and W, between the rims.
        waist: how much narrower the middle is.
        flare: how much wider the lower endplate is than the upper.
        notch: depth of the hollow in the posterior wall, in half depths.
        saddle_mm: b, how much higher the endplates' sides are than their middle.
        deeper_below_mm: how much deeper the lower endplate's dish is.
        field_mm: k0, k1, k2.
        origin_mm: the shape's origin in the frame, (posterior, left, cranial).
    """

    depth_mm: float
    width_mm: float
    waist: float = 0.09
    flare: float = 0.06
    notch: float = 0.12
    saddle_mm: float = 0.9
    deeper_below_mm: float = 0.5
    field_mm: tuple[float, float, float] = (20.0, 0.0, 2.0)
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def with_heights(self, heights_mm: Profile) -> BodyShape:
        """The same cross-section with these mean heights of the three thirds.

        Raises:
            LamellaError: the height field would pass below 2 mm.
        """
        basis = [replace(self, field_mm=unit, saddle_mm=0.0) for unit in _UNITS]
        matrix = np.array([zone_vector(shape.zones) for shape in basis]).T
        rest = zone_vector(replace(self, field_mm=(0.0, 0.0, 0.0)).zones)
        solved = np.linalg.solve(matrix, np.asarray(heights_mm, np.float64) - rest)
        shape = replace(self, field_mm=(float(solved[0]), float(solved[1]), float(solved[2])))
        ends = shape.height(np.linspace(-1.0, 1.0, 41), np.zeros(41))
        if float(ends.min()) < LEAST_HEIGHT_MM:
            raise LamellaError(f"heights of {np.round(heights_mm, 1)} mm leave no body to draw")
        return shape

    def centred(self) -> BodyShape:
        """The shape moved so that the frame's origin is its centroid.

        ``x = sum w h x / sum w h`` over walls at seven Gauss-Legendre heights z.
        """
        heights, weights = np.polynomial.legendre.leggauss(7)
        t, u, z = np.meshgrid(_CENTROID_STEPS, _CENTROID_STEPS, heights, indexing="ij")
        height = self.height(t, u)
        mass = (self.wall(t, u, z) <= 1.0) * height * weights
        places = (t * self.depth_mm / 2.0, self.middle(t, u) + z * height / 2.0)
        posterior, cranial = (float((mass * place).sum() / mass.sum()) for place in places)
        return replace(self, origin_mm=(-posterior, 0.0, -cranial))

    def height(self, t: Field, u: Field) -> Field:
        """Height h at normalised depth and width, mm, broadcast over both."""
        k0, k1, k2 = self.field_mm
        tilt = np.sin(np.pi / 2 * np.clip(t / TILT_REACH, -1.0, 1.0))
        dish = np.sin(np.pi / 2 * np.clip(t / DISH_REACH, -1.0, 1.0)) ** 2
        across = np.minimum(np.square(u), 1.0) - 0.15
        return k0 + k1 * tilt + k2 * dish + self.saddle_mm * across

    def middle(self, t: Field, u: Field) -> Field:
        """q, the surface half-way between the endplates, mm: lifted where the lower is deeper."""
        inside = np.clip(1.0 - np.square(t) - np.square(u), 0.0, None)
        return 0.5 * self.deeper_below_mm * inside

    def normalised(self, posterior_mm: Field, left_mm: Field) -> tuple[Field, Field]:
        """Normalised depth and width of places in the frame."""
        t = (posterior_mm - self.origin_mm[0]) * (2.0 / self.depth_mm)
        return t, (left_mm - self.origin_mm[1]) * (2.0 / self.width_mm)

    def endplates(self, posterior_mm: Field, left_mm: Field) -> tuple[Field, Field]:
        """Cranial coordinate of the upper and of the lower endplate in the frame, mm."""
        t, u = self.normalised(posterior_mm, left_mm)
        half, middle = 0.5 * self.height(t, u), self.middle(t, u) + self.origin_mm[2]
        return middle + half, middle - half

    def wall(self, t: Field, u: Field, z: Field) -> Field:
        """Measure rho at a relative height z in [-1, 1]: 1 on the wall, less inside."""
        z = np.clip(z, -1.0, 1.0)
        scale = 1.0 - self.waist * (1.0 - np.square(z)) - 0.5 * self.flare * z
        t, u = t / scale, u / scale
        rho = (np.abs(t) ** EXPONENT + np.abs(u) ** EXPONENT) ** (1.0 / EXPONENT)
        return rho + self.notch * np.square(np.clip(t, 0.0, 1.2)) * np.exp(-np.square(u / 0.45))

    def distances(self, places_mm: tuple[Field, Field, Field]) -> tuple[Field, Field]:
        """Depth below the nearer endplate and behind the wall, mm, positive inside.

        Args:
            places_mm: posterior, left and cranial coordinate in the frame, broadcast together.
        """
        posterior, left, cranial = places_mm
        t, u = self.normalised(posterior, left)
        half = 0.5 * np.maximum(self.height(t, u), LEAST_HEIGHT_MM)
        above = cranial - (self.middle(t, u) + self.origin_mm[2])
        rho = np.maximum(self.wall(t, u, above / half), 1e-3)
        reach = 0.5 * np.hypot(t * self.depth_mm, u * self.width_mm)
        return half - np.abs(above), np.minimum(reach * (1.0 / rho - 1.0), 50.0)

    @cached_property
    def zones(self) -> Zones:
        """Exact mean heights by the definition of :mod:`lamella.physics.vertebra_zones`."""
        depth, width = self._section_axes
        height, _ = self._columns
        return zone_heights(depth, width, height, self.depth_range_mm, self.width_range_mm)

    @cached_property
    def depth_range_mm(self) -> tuple[float, float]:
        """Front and back of the middle cross-section, from the shape's origin."""
        return self._range(0)

    @cached_property
    def width_range_mm(self) -> tuple[float, float]:
        """Right and left of the middle cross-section, from the shape's origin."""
        return self._range(1)

    @property
    def volume_mm3(self) -> float:
        """Of columns through the middle cross-section."""
        depth, width = self._section_axes
        cell = float((depth[1] - depth[0]) * (width[1] - width[0]))
        return float(np.nansum(self._columns[0])) * cell

    @cached_property
    def _section_axes(self) -> tuple[Profile, Profile]:
        counts = [2 * int(size / 2 / _SAMPLE_MM) + 1 for size in (self.depth_mm, self.width_mm)]
        depth = np.linspace(-0.5, 0.5, counts[0]) * self.depth_mm
        return depth, np.linspace(-0.5, 0.5, counts[1]) * self.width_mm

    @cached_property
    def _columns(self) -> tuple[Field, Field]:
        depth, width = self._section_axes
        t, u = 2.0 * depth[:, None] / self.depth_mm, 2.0 * width[None, :] / self.width_mm
        inside = self.wall(t, u, np.zeros(1)) <= 1.0
        return (
            np.where(inside, self.height(t, u), np.nan),
            np.where(inside, self.middle(t, u), np.nan),
        )

    def _range(self, axis: int) -> tuple[float, float]:
        """Where rho = 1, between the samples, along one axis of the middle cross-section."""
        depth, width = self._section_axes
        t, u = 2.0 * depth[:, None] / self.depth_mm, 2.0 * width[None, :] / self.width_mm
        least = self.wall(t, u, np.zeros(1)).min(axis=1 - axis)
        places = (depth, width)[axis]
        inside = np.flatnonzero(least <= 1.0)
        return (
            _crossing(places, least, int(inside[0]) - 1),
            _crossing(places, least, int(inside[-1])),
        )


_UNITS = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def _crossing(places_mm: Profile, rho: Profile, before: int) -> float:
    part = (1.0 - rho[before]) / (rho[before + 1] - rho[before])
    return float(places_mm[before] + part * (places_mm[before + 1] - places_mm[before]))


def zone_vector(zones: Zones) -> Profile:
    """Anterior, middle and posterior figure, (3,)."""
    return np.array([zones.of(name) for name in ZONES])


def rounded_minimum(first: Field, second: Field, radius_mm: float) -> Field:
    """Smaller of two distances, rounded where both lie within ``radius_mm`` of one another.

    ``min - max(r - |a - b|, 0)^2 / 4 r``: equal to the minimum where they differ by r or more.
    """
    near = np.clip(radius_mm - np.abs(first - second), 0.0, None)
    return np.minimum(first, second) - np.square(near) / (4.0 * radius_mm)
