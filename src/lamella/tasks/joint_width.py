"""The width of a joint space: definition and measurement (``docs/notation.md``, *Measures*).

The joint axis is at right angles to the straight line through the middle of the upper bone's
articular arc (:mod:`lamella.prepare.articular`). Across it both bones share the stretch
``[max(left ends), min(right ends)]``; over that the width is ``w(u) = v_upper(u) - v_lower(u)``,
the distance of the contours along the axis, negative where they overlap.

    JSW      = mean of w over the central half of the stretch
    minimum  = min of w there
    area     = integral of w there
    contact  = min of w over the whole stretch (LSN, arXiv 2502.01972: how far the bones may
               slide along the axis before they touch)
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lamella.physics.soft_tissue import NOMINAL_SPACING_MM
from lamella.prepare.articular import bone_ends, joint_frame
from lamella.records import (
    BoneEnd,
    BoneMasks,
    JointFrame,
    JointSpace,
    LamellaError,
    SpacingSource,
)
from lamella.types import Mask, Profile

PROFILE_STEP_PX = 0.25
LEAST_SHARED_MM = 2.0
TURNED_DEG = 15.0
TURNED_FLAG = "the joint stands {angle:+.0f} degrees off upright: are the outlines right?"


@dataclass(frozen=True, kw_only=True)
class OutlineError:
    """How wrong a bone's outline is, as standard deviations in mm.

    Args:
        offset_mm: of an outline as a whole.
        ripple_mm: of its course along the arc.
    """

    offset_mm: float
    ripple_mm: float


DRAWN = OutlineError(offset_mm=0.055, ripple_mm=0.10)
"""Masks drawn by hand."""

EXACT = OutlineError(offset_mm=0.0, ripple_mm=0.0)
"""Masks that are known, as a phantom's are."""


def measure_joint_space(
    masks: Mapping[str, Mask],
    pixel_spacing_mm: float | None,
    error: OutlineError = DRAWN,
    spacing_source: SpacingSource | None = None,
) -> JointSpace:
    """Measure the joint space between two bone masks.

    Args:
        masks: name -> (row, col), two bones, which may overlap.
        pixel_spacing_mm: mm per pixel; None: nothing is in mm.
        error: of the masks' outlines.
        spacing_source: where the spacing came from.

    Raises:
        LamellaError: refused masks, not two bones, no articular end in view, bones that do not
            face each other over at least 2 mm.
    """
    if isinstance(masks, BoneMasks) and masks.refused is not None:
        raise LamellaError(f"this image was not accepted as a finger joint: {masks.refused}")
    ends = bone_ends(masks, pixel_spacing_mm)
    known = SpacingSource.UNKNOWN if pixel_spacing_mm is None else SpacingSource.GIVEN
    return joint_space_between(ends, pixel_spacing_mm, error, spacing_source or known)


def joint_space_between(
    ends: Mapping[str, BoneEnd],
    pixel_spacing_mm: float | None,
    error: OutlineError,
    spacing_source: SpacingSource,
) -> JointSpace:
    """The same from articular ends (:func:`lamella.prepare.articular.bone_ends`), top one first.

    Raises:
        LamellaError: the bones face each other over less than 2 mm.
    """
    spacing_mm = pixel_spacing_mm or NOMINAL_SPACING_MM
    frame = joint_frame(ends)
    across, width = width_profile(ends, frame, spacing_mm)
    first, last = across[0], across[-1]
    central = np.abs(across - 0.5 * (first + last)) <= 0.25 * (last - first) + 1e-9
    middle = width[central]
    span_px = float(np.ptp(across[central]))
    offset_px, ripple_px = (
        np.sqrt(2.0) * part / spacing_mm for part in (error.offset_mm, error.ripple_mm)
    )
    extreme_px = float(np.hypot(offset_px, ripple_px))
    mean_px = float(np.trapezoid(middle, across[central]) / span_px)
    return JointSpace(
        jsw_px=mean_px,
        minimum_px=float(middle.min()),
        area_px2=mean_px * span_px,
        contact_px=float(width.min()),
        jsw_sd_px=float(offset_px),
        minimum_sd_px=extreme_px,
        area_sd_px2=float(offset_px) * span_px,
        contact_sd_px=extreme_px,
        across_px=across,
        width_px=width,
        central=central,
        frame=frame,
        ends=ends,
        pixel_spacing_mm=pixel_spacing_mm,
        spacing_source=spacing_source,
        flags=_flags(frame),
    )


def width_profile(
    ends: Mapping[str, BoneEnd], frame: JointFrame, spacing_mm: float
) -> tuple[Profile, Profile]:
    """Width along the axis over the shared stretch: places across and widths, pixels.

    Raises:
        LamellaError: the stretch is shorter than 2 mm.
    """
    lefts, rights, contours = [], [], []
    for end in ends.values():
        across, along = frame.coordinates(end.arc_px)
        order = np.argsort(across)
        contours.append((across[order], along[order]))
        sides, _ = frame.coordinates(end.extent_px)
        lefts.append(max(sides.min(), across.min()))
        rights.append(min(sides.max(), across.max()))
    first, last = max(lefts), min(rights)
    if (last - first) * spacing_mm < LEAST_SHARED_MM:
        raise LamellaError(
            f"expected bones that face each other over {LEAST_SHARED_MM:g} mm or more, got "
            f"{max(last - first, 0.0) * spacing_mm:.1f} mm: are the masks a joint's?"
        )
    places = np.linspace(first, last, max(2, round((last - first) / PROFILE_STEP_PX)) + 1)
    upper, lower = (np.interp(places, *contour) for contour in contours)
    return places, upper - lower


def _flags(frame: JointFrame) -> tuple[str, ...]:
    angle = float(np.rad2deg(np.arctan2(frame.axis[1], -frame.axis[0])))
    return (TURNED_FLAG.format(angle=angle),) if abs(angle) > TURNED_DEG else ()
