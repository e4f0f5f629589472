"""Two bones of a finger joint as solids, and their chords along the ray.

A bone is a stack of superelliptic cross-sections along its axis. At a point (x across, s along
the axis) a cross-section of half-widths W and half-depth D is entered and left at depth
z = -h and +h with

    h(x, s) = D(s) (1 - |x / W(s)|^p)^(1/p).

A second, smaller stack inside it is the endosteal surface: between the two lies cortical bone,
within it spongiosa. Chords are therefore closed expressions; no voxel grid is needed.

Frames. Phalanx: x to the right, s upward, origin at the valley of the articular bowl.
Metacarpal: x to the right, s downward, origin at the apex of the head. All lengths in mm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

AXIS_START_MM = -6.0
AXIS_STEP_MM = 0.05
LIP_FRACTION = 0.22
AXIS_MM = AXIS_START_MM + AXIS_STEP_MM * np.arange(1400)


@dataclass(frozen=True, kw_only=True)
class Lobe:
    """A stack of superellipses: outer and endosteal surface of one part of a bone.

    Attributes:
        outer_mm: Half-width left, half-width right, half-depth at every ``AXIS_MM``, mm.
        inner_mm: The same for the endosteal surface, mm.
        exponent: Superellipse exponent p: 2 is an ellipse, larger is boxier.
    """

    outer_mm: Float[np.ndarray, "3 axis"]
    inner_mm: Float[np.ndarray, "3 axis"]
    exponent: float


@dataclass(frozen=True, kw_only=True)
class Bowl:
    """Concave articular surface s = -x^2/(2 Rx) + x^4/(4 Rx b^2) - z^2/(2 Rz) + slope z.

    Attributes:
        radius_across_mm: Radius of curvature seen in the image, Rx, mm.
        brim_mm: Distance b from the middle to the bowl's brim, beyond which it turns up, mm.
        radius_depth_mm: Radius of curvature along the ray, Rz, mm.
        slope: tan(flexion): how far the near rim hangs below the far one per mm of depth.
        plate_radius_mm: Radius along the ray of the plate's inner surface, mm; below Rz the plate
            thins towards the rims.
        plate_mm: Thickness of the subchondral plate where loaded most, mm.
        load_mm: Offset of that place from the middle, and its half-width, mm.
    """

    radius_across_mm: float
    brim_mm: float
    radius_depth_mm: float
    slope: float
    plate_radius_mm: float
    plate_mm: float
    load_mm: tuple[float, float] = (0.0, 4.0)

    def valley_mm(self, across_mm: np.ndarray) -> np.ndarray:
        """Height of the surface in the plane z = 0, mm."""
        square = across_mm**2
        return (square / self.brim_mm**2 / 2 - 1) * square / (2 * self.radius_across_mm)

    def plate_thickness_mm(self, across_mm: np.ndarray) -> np.ndarray:
        """Thickness of the subchondral plate: thickest where the joint bears load, mm."""
        away = (across_mm - self.load_mm[0]) / self.load_mm[1]
        return self.plate_mm * (0.3 + 0.7 * np.exp(-(away**2)))


@dataclass(frozen=True, kw_only=True)
class Chords:
    """Length of each tissue along the ray, mm, and where there is bone at all.

    Attributes:
        cortical_mm: Path in cortical bone, mm.
        spongy_mm: Path in spongiosa, mm.
        inside: The bone's projected silhouette.
        surface_mm: Where its articular surface lies along the axis at z = 0, mm.
    """

    cortical_mm: Float[np.ndarray, "rows cols"]
    spongy_mm: Float[np.ndarray, "rows cols"]
    inside: np.ndarray
    surface_mm: np.ndarray | float = 0.0


@dataclass(frozen=True, kw_only=True)
class Bone:
    """A solid bone: lobes (their union), an optional bowl cut out of it, optional erosions.

    Attributes:
        lobes: Parts of the bone, all symmetric about z = 0.
        bowl: Concave articular surface that bounds the bone below, or None.
        erosions_mm: Bites as (x, s, radius), mm.
    """

    lobes: tuple[Lobe, ...]
    bowl: Bowl | None = None
    erosions_mm: tuple[tuple[float, float, float], ...] = ()

    def chords(self, across_mm: np.ndarray, along_mm: np.ndarray) -> Chords:
        """Path lengths at bone coordinates (mm), any shape."""
        bite_mm = _bite_half_chord(self.erosions_mm, across_mm, along_mm)
        outer_mm, inner_mm = half_depths(self.lobes, across_mm, along_mm)
        outer_mm = np.maximum(outer_mm - bite_mm, 0)
        inner_mm = np.maximum(inner_mm - bite_mm, 0)
        if self.bowl is None:
            surface_mm: np.ndarray | float = 0.0
            total_mm, spongy_mm = 2 * outer_mm, 2 * inner_mm
        else:
            surface_mm = self.bowl.valley_mm(across_mm)
            below_mm = surface_mm - along_mm
            slope, radius_mm = self.bowl.slope, self.bowl.radius_depth_mm
            total_mm = above_bowl(outer_mm, below_mm, radius_mm, slope)
            below_mm = below_mm + self.bowl.plate_thickness_mm(across_mm)
            spongy_mm = above_bowl(inner_mm, below_mm, self.bowl.plate_radius_mm, slope)
        spongy_mm = np.minimum(spongy_mm, total_mm)
        return Chords(
            cortical_mm=total_mm - spongy_mm,
            spongy_mm=spongy_mm,
            inside=total_mm > 0,
            surface_mm=surface_mm,
        )


def half_depths(
    lobes: Sequence[Lobe], across_mm: np.ndarray, along_mm: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Half-depth of the union of lobes, outer and endosteal, mm (shape of the coordinates)."""
    place = np.clip((along_mm - AXIS_START_MM) / AXIS_STEP_MM, 0, AXIS_MM.size - 1.001)
    index = place.astype(np.intp)
    part = (place - index).astype(along_mm.dtype)
    outer = np.zeros_like(along_mm)
    inner = np.zeros_like(along_mm)
    for lobe in lobes:
        for surface_mm, best in ((lobe.outer_mm, outer), (lobe.inner_mm, inner)):
            section = _section(surface_mm.astype(along_mm.dtype), index, part)
            np.maximum(best, _superellipse(across_mm, section, lobe.exponent), out=best)
    return outer, inner


def above_bowl(
    half_depth_mm: np.ndarray, below_mm: np.ndarray, radius_mm: float, slope: float
) -> np.ndarray:
    """Length of |z| < h that lies above a bowl with blunt lips, mm.

    The bowl is hollowed out of |z| < b only, b = (1 - ``LIP_FRACTION``) h; the lips beyond end
    where it ends, at b^2/(2 R) -+ slope b below the valley. Their blunt ends give the rim of
    the base its crisp contour.
    """
    bowl_mm = (1 - LIP_FRACTION) * half_depth_mm
    lip_mm = half_depth_mm - bowl_mm
    rim_mm = bowl_mm**2 / (2 * radius_mm)
    lips = sum((rim_mm + sign * slope * bowl_mm > below_mm) * lip_mm for sign in (-1, 1))
    return outside_bowl(bowl_mm, below_mm, radius_mm, slope) + lips


def outside_bowl(
    half_depth_mm: np.ndarray, below_mm: np.ndarray, radius_mm: float, slope: float
) -> np.ndarray:
    """Length of |z| < h that lies above a bowl of radius R along the ray, mm.

    With ``below_mm`` = valley - s, the ray is in bone where z^2/(2 R) - slope z > below, that
    is outside the two roots of the quadratic.
    """
    centre_mm = radius_mm * slope
    root_mm = np.sqrt(np.maximum(centre_mm**2 + 2 * radius_mm * below_mm, 0))
    first = np.clip(centre_mm - root_mm, -half_depth_mm, half_depth_mm)
    last = np.clip(centre_mm + root_mm, -half_depth_mm, half_depth_mm)
    return 2 * half_depth_mm - (last - first)


def lowest_bowl_point(
    bone: Bone, across_mm: Float[np.ndarray, "columns"]
) -> Float[np.ndarray, "columns"]:
    """Lower end of the silhouette of a bone with a bowl, mm along its axis, per column.

    The root s of s - valley(x) + b^2/(2 Rz) + |slope| b = 0, b = (1 - lip) h(x, s), by
    bisection; it is the lower of the two rims where the bone has depth, else the valley.
    """
    if bone.bowl is None:
        raise ValueError("expected a bone with a bowl, got one without; pass the phalanx")
    valley_mm = bone.bowl.valley_mm(across_mm)
    low, high = valley_mm - 5.5, valley_mm + 0.0
    for _ in range(48):
        middle = (low + high) / 2
        depth_mm = half_depths(bone.lobes, across_mm, middle)[0]
        lip_mm = (1 - LIP_FRACTION) * depth_mm
        rim = lip_mm**2 / (2 * bone.bowl.radius_depth_mm) + abs(bone.bowl.slope) * lip_mm
        inside = (middle - valley_mm + rim > 0) & (depth_mm > 0)
        low, high = np.where(inside, low, middle), np.where(inside, middle, high)
    return high


def _section(surface_mm: np.ndarray, index: np.ndarray, part: np.ndarray) -> list[np.ndarray]:
    slopes = np.diff(surface_mm, axis=1, append=surface_mm[:, -1:])
    return [row[index] + part * slope[index] for row, slope in zip(surface_mm, slopes, strict=True)]


def _superellipse(
    across_mm: np.ndarray, section: Sequence[np.ndarray], exponent: float
) -> np.ndarray:
    left_mm, right_mm, depth_mm = section
    width_mm = np.maximum(np.where(across_mm < 0, left_mm, right_mm), 1e-3)
    rest = np.maximum(1 - (np.abs(across_mm) / width_mm) ** exponent, 0)
    return np.maximum(depth_mm, 0) * rest ** (1 / exponent)


def _bite_half_chord(
    erosions_mm: Sequence[tuple[float, float, float]], across_mm: np.ndarray, along_mm: np.ndarray
) -> np.ndarray:
    bite_mm = np.zeros_like(along_mm)
    for x_mm, s_mm, radius_mm in erosions_mm:
        away_x, away_s = across_mm - x_mm, along_mm - s_mm
        angle = np.arctan2(away_s, away_x)
        uneven = radius_mm * (
            1 + 0.12 * np.sin(3 * angle + x_mm) + 0.08 * np.sin(5 * angle + 2 * s_mm)
        )
        np.maximum(bite_mm, np.sqrt(np.maximum(uneven**2 - away_x**2 - away_s**2, 0)), out=bite_mm)
    return bite_mm
