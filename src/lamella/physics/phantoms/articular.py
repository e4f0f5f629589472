"""Articular contours of the two bones and the joint space width between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lamella.physics.phantoms.bone import AXIS_MM, Bone, lowest_bowl_point


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where the phalanx stands in the image plane; the metacarpal's apex is the origin.

    Attributes:
        rise_mm: Height of the bowl's valley above the apex of the head, mm.
        lateral_shift_mm: Displacement to the right, mm.
        tilt_deg: Rotation about the bowl's valley, counter-clockwise as seen, degrees.
    """

    rise_mm: float = 0.0
    lateral_shift_mm: float = 0.0
    tilt_deg: float = 0.0

    def to_joint(
        self, across_mm: np.ndarray, along_mm: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Phalanx coordinates to joint coordinates (right, up), mm."""
        cos, sin = self._cos_sin()
        right = across_mm * cos - along_mm * sin + self.lateral_shift_mm
        return right, across_mm * sin + along_mm * cos + self.rise_mm

    def to_bone(self, right_mm: np.ndarray, up_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joint coordinates (right, up) to phalanx coordinates, mm."""
        cos, sin = self._cos_sin()
        right, up = right_mm - self.lateral_shift_mm, up_mm - self.rise_mm
        return right * cos + up * sin, up * cos - right * sin

    def _cos_sin(self) -> tuple[float, float]:
        angle = np.deg2rad(self.tilt_deg)
        return float(np.cos(angle)), float(np.sin(angle))


@dataclass(frozen=True, kw_only=True)
class Contour:
    """A projected articular contour in joint coordinates (right, up), mm.

    Attributes:
        right_mm: Abscissae, increasing.
        up_mm: Heights.
        extent_mm: Leftmost and rightmost point of the whole articular end of the bone.
    """

    right_mm: Float[np.ndarray, "points"]
    up_mm: Float[np.ndarray, "points"]
    extent_mm: tuple[float, float]


def upper_contour(bone: Bone, placement: Placement) -> Contour:
    """Lower contour of the phalanx: the lower of its two projected rims, column by column."""
    sides_mm = bone.lobes[0].outer_mm
    base = (AXIS_MM > -3.0) & (AXIS_MM < 6.0)
    edge = np.concatenate([-sides_mm[0, base], sides_mm[1, base]])
    edge_right, _ = placement.to_joint(edge, np.tile(AXIS_MM[base], 2))
    across = np.linspace(0.85 * edge.min(), 0.85 * edge.max(), 1601)
    right, up = placement.to_joint(across, lowest_bowl_point(bone, across))
    return Contour(
        right_mm=right, up_mm=up, extent_mm=(float(edge_right.min()), float(edge_right.max()))
    )


def lower_contour(bone: Bone) -> Contour:
    """Upper contour of the metacarpal head, from the widths of its cross-sections."""
    head = (AXIS_MM >= 0) & (AXIS_MM < 8.0)
    along = np.linspace(0, 8.0, 3201)
    left, right = (
        np.max(
            [np.interp(along, AXIS_MM[head], lobe.outer_mm[side, head]) for lobe in bone.lobes],
            axis=0,
        )
        for side in range(2)
    )
    points = np.concatenate([-np.maximum.accumulate(left)[::-1], np.maximum.accumulate(right)])
    heights = np.concatenate([-along[::-1], -along])
    return Contour(
        right_mm=points, up_mm=heights, extent_mm=(float(-left.max()), float(right.max()))
    )


def joint_space_width(upper: Contour, lower: Contour) -> float:
    """Mean width along the joint axis over the central half of the shared columns, mm.

    Equation: mean over x in the middle half of [max(left ends), min(right ends)] of
    upper(x) - lower(x); negative where the projections overlap. The joint axis is the axis of
    the metacarpal, the vertical of the image.

    Raises:
        ValueError: The two bones share no columns.
    """
    first = max(upper.extent_mm[0], lower.extent_mm[0])
    last = min(upper.extent_mm[1], lower.extent_mm[1])
    if last - first < 1.0:
        raise ValueError(
            f"expected bones that face each other over at least 1 mm, got {last - first:.2f} mm; "
            "reduce lateral_shift_mm"
        )
    quarter = (last - first) / 4
    columns = np.linspace(first + quarter, last - quarter, 2001)
    upper_up = np.interp(columns, upper.right_mm, upper.up_mm)
    lower_up = np.interp(columns, lower.right_mm, lower.up_mm)
    return float(np.trapezoid(upper_up - lower_up, columns) / (columns[-1] - columns[0]))
