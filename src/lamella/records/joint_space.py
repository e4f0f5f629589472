"""The joint space: where each bone ends, the frame they are measured in, the width found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from lamella.records.images import SpacingSource
from lamella.types import Points, Profile


@dataclass(frozen=True, kw_only=True, eq=False)
class JointFrame:
    """Coordinates of a joint: *along* its axis and *across* it.

    Args:
        origin_px: (row, col) of the point between the bones' articular ends.
        axis: unit vector (row, col) from the lower bone to the upper one.
    """

    origin_px: tuple[float, float]
    axis: tuple[float, float]

    @property
    def across(self) -> tuple[float, float]:
        """Unit vector (row, col) at right angles to the axis, to the right on an upright joint."""
        return (self.axis[1], -self.axis[0])

    def coordinates(self, points_px: Points) -> tuple[Profile, Profile]:
        """Points (n, 2) of (row, col) as (across, along) in pixels, (n,) each."""
        offset = points_px - np.asarray(self.origin_px)
        return offset @ np.asarray(self.across), offset @ np.asarray(self.axis)

    def points(self, across_px: Profile, along_px: Profile) -> Points:
        """The way back: (across, along) in pixels to points (n, 2) of (row, col)."""
        return np.asarray(
            np.asarray(self.origin_px)
            + np.multiply.outer(across_px, np.asarray(self.across))
            + np.multiply.outer(along_px, np.asarray(self.axis))
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class BoneEnd:
    """The articular end of one bone, at sub-pixel precision: a rigid thing that can be moved.

    Args:
        arc_px: articular contour from left to right, (n, 2) of (row, col).
        extent_px: leftmost and rightmost point of the articular end, (2, 2) of (row, col).
        direction: unit vector (row, col) of the joint's axis, upwards, that moves with the bone.
    """

    arc_px: Points
    extent_px: Points
    direction: tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class JointSpace:
    """The width of a joint space (``docs/notation.md``), in mm where the spacing is known.

    Widths are along the joint axis and negative where the bones overlap.

    Args:
        jsw_px: mean width over the central half of the articular arc both bones share.
        minimum_px: smallest width there.
        area_px2: signed area between the contours there.
        contact_px: how far the bones can approach along the axis before their contours first
            touch, over the whole shared arc: the contact-referenced width of LSN
            (arXiv 2502.01972).
        jsw_sd_px: standard deviation of ``jsw_px``, calibrated.
        minimum_sd_px: of ``minimum_px``.
        area_sd_px2: of ``area_px2``.
        contact_sd_px: of ``contact_px``.
        across_px: positions across the axis of the width profile, (n,), whole shared arc.
        width_px: width there, (n,).
        central: where the profile lies in the central half, (n,) bool.
        frame: axis and origin.
        ends: bone name -> its articular end.
        pixel_spacing_mm: mm per pixel, or None when unknown: then nothing is in mm.
        spacing_source: where the spacing came from.
        flags: what a reader should look at.
    """

    jsw_px: float
    minimum_px: float
    area_px2: float
    contact_px: float
    jsw_sd_px: float
    minimum_sd_px: float
    area_sd_px2: float
    contact_sd_px: float
    across_px: Profile
    width_px: Profile
    central: np.ndarray
    frame: JointFrame
    ends: Mapping[str, BoneEnd]
    pixel_spacing_mm: float | None = None
    spacing_source: SpacingSource = SpacingSource.UNKNOWN
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "ends", MappingProxyType(dict(self.ends)))

    @property
    def jsw_mm(self) -> float | None:
        """Joint space width, mm; None when the spacing is unknown, as every property here."""
        return self._mm(self.jsw_px)

    @property
    def jsw_sd_mm(self) -> float | None:
        """Standard deviation of :attr:`jsw_mm`, mm."""
        return self._mm(self.jsw_sd_px)

    @property
    def minimum_mm(self) -> float | None:
        """Smallest width in the central half, mm."""
        return self._mm(self.minimum_px)

    @property
    def minimum_sd_mm(self) -> float | None:
        """Standard deviation of :attr:`minimum_mm`, mm."""
        return self._mm(self.minimum_sd_px)

    @property
    def contact_mm(self) -> float | None:
        """Contact-referenced width, mm."""
        return self._mm(self.contact_px)

    @property
    def contact_sd_mm(self) -> float | None:
        """Standard deviation of :attr:`contact_mm`, mm."""
        return self._mm(self.contact_sd_px)

    @property
    def area_mm2(self) -> float | None:
        """Signed area between the contours over the central half, mm²."""
        spacing_mm = self.pixel_spacing_mm
        return None if spacing_mm is None else self.area_px2 * spacing_mm**2

    @property
    def area_sd_mm2(self) -> float | None:
        """Standard deviation of :attr:`area_mm2`, mm²."""
        spacing_mm = self.pixel_spacing_mm
        return None if spacing_mm is None else self.area_sd_px2 * spacing_mm**2

    def figures(self) -> dict[str, float | None]:
        """The measures by name, as tables and JSON carry them: mm and mm²."""
        names = ("jsw", "minimum", "contact")
        widths = {f"{name}{end}": getattr(self, f"{name}{end}") for name in names for end in _ENDS}
        return {**widths, "area_mm2": self.area_mm2, "area_sd_mm2": self.area_sd_mm2}

    def _mm(self, length_px: float) -> float | None:
        return None if self.pixel_spacing_mm is None else length_px * self.pixel_spacing_mm


_ENDS = ("_mm", "_sd_mm")
