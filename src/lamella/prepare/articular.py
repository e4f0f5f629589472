"""From bone masks to articular ends: sub-pixel contours and the joint's frame.

The joint's axis is at right angles to the base of the upper bone, which is flat; the round head
of a metacarpal has no direction of its own. So moving either bone along the axis, or the lower
one in any way, changes neither the axis nor what is across it.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy import ndimage

from lamella.physics.geometry import RigidMotion
from lamella.physics.soft_tissue import NOMINAL_SPACING_MM
from lamella.prepare.masks import by_height
from lamella.records import BoneEnd, JointFrame, LamellaError, Similarity
from lamella.types import Image, Mask, Points, Profile

SMOOTHING_PX = 1.0
STEP_PX = 0.5
END_MM = 7.0
"""Depth of an articular end along its bone: its extent is the widest part within it."""

TANGENT_FRACTION = 0.7
"""Middle part of the upper bone's arc; the axis is at right angles to the line through it."""

STEEPEST_DEG = 25.0
TURNS = 2
FEWEST_POINTS = 16


def bone_ends(masks: Mapping[str, Mask], pixel_spacing_mm: float | None) -> dict[str, BoneEnd]:
    """The articular end of each of two bones, the upper one's below it, the lower one's above.

    Args:
        masks: name -> (row, col), two bones.
        pixel_spacing_mm: mm per pixel; the nominal spacing of a joint crop when None.

    Returns:
        name -> end, top bone first; both have the top bone's direction.

    Raises:
        LamellaError: not two bones, or one that has no articular end inside the image.
    """
    if len(masks) != 2:
        raise LamellaError(f"expected the masks of two bones, got {len(masks)}: name both bones")
    for name, mask in masks.items():
        if not mask.any():
            raise LamellaError(f"the mask of bone {name!r} is empty: every bone needs pixels")
    spacing_mm = pixel_spacing_mm or NOMINAL_SPACING_MM
    top, bottom = by_height(masks)
    upright = JointFrame(origin_px=_centre(masks[top]), axis=(-1.0, 0.0))
    upper = _end(top, masks[top], upright, (-spacing_mm, TURNS))
    standing = JointFrame(origin_px=_centre(masks[bottom]), axis=upper.direction)
    return {top: upper, bottom: _end(bottom, masks[bottom], standing, (spacing_mm, 0))}


def joint_frame(ends: Mapping[str, BoneEnd]) -> JointFrame:
    """The joint's frame: the top bone's direction, from midway between the middles of the arcs.

    Args:
        ends: of two bones, top one first.
    """
    axis = next(iter(ends.values())).direction
    middles = [end.arc_px[len(end.arc_px) // 2] for end in ends.values()]
    row, col = np.mean(middles, axis=0)
    return JointFrame(origin_px=(float(row), float(col)), axis=axis)


def moved_end(end: BoneEnd, motion: RigidMotion) -> BoneEnd:
    """The same end after its bone has moved; ``motion.centre_px`` must be given if it turns."""
    return BoneEnd(
        arc_px=motion.of_points(end.arc_px),
        extent_px=motion.of_points(end.extent_px),
        direction=motion.of_direction(end.direction),
    )


def outlined_motion(here: BoneEnd, there: BoneEnd) -> Similarity:
    """The motion of a bone that its outlines at two visits show.

    From the middle of the articular arc to the other's, turned as the joint's axis.

    Args:
        here: the bone's end at the first visit.
        there: at the second.
    """
    start, end = (arc[len(arc) // 2] for arc in (here.arc_px, there.arc_px))
    down, right = end - start
    (row, col), (row_there, col_there) = here.direction, there.direction
    turn = np.arctan2(row * col_there - col * row_there, row * row_there + col * col_there)
    return Similarity(
        down_px=float(down),
        right_px=float(right),
        rotation_deg=float(np.rad2deg(turn)),
        centre_px=(float(start[0]), float(start[1])),
    )


def smooth_outline(mask: Mask) -> Image:
    """A mask whose steps between pixels are smoothed, its outline at one half, (row, col)."""
    soft = ndimage.gaussian_filter(mask.astype(np.float32), SMOOTHING_PX, mode="nearest")
    return np.asarray(soft)


def _end(name: str, mask: Mask, frame: JointFrame, how: tuple[float, int]) -> BoneEnd:
    """``how``: mm per pixel, negative when the end is at the bottom of its bone; turns to make."""
    facing_mm, turns = how
    soft = smooth_outline(mask)
    for _ in range(turns):
        across, along, _ = _articular_part(name, soft, frame, facing_mm)
        frame = replace(frame, axis=_turned(frame, _arc_slope(across, along)))
    across, along, extent = _articular_part(name, soft, frame, facing_mm)
    return BoneEnd(
        arc_px=frame.points(across, along),
        extent_px=frame.points(extent[:, 0], extent[:, 1]),
        direction=frame.axis,
    )


def _articular_part(
    name: str, soft: np.ndarray, frame: JointFrame, facing_mm: float
) -> tuple[Profile, Profile, Points]:
    """Arc (across, along) within the extent of the articular end, and that extent."""
    values, across, along = _sampled(soft, frame)
    if facing_mm < 0:
        values, along = values[::-1], -along[::-1]
    arc_across, arc_along = _outline(values, across, along)
    if arc_across.size < FEWEST_POINTS:
        raise LamellaError(f"the mask of bone {name!r} has no articular end inside the image")
    extent = _extent(values, across, along, float(arc_along.max()) - END_MM / abs(facing_mm))
    inside = (arc_across >= extent[0, 0]) & (arc_across <= extent[1, 0])
    upright = np.array([1.0, np.sign(facing_mm)])
    return arc_across[inside], upright[1] * arc_along[inside], extent * upright


def _centre(mask: Mask) -> tuple[float, float]:
    rows, cols = np.nonzero(mask)
    return (float(rows.mean()), float(cols.mean()))


def _sampled(soft: np.ndarray, frame: JointFrame) -> tuple[np.ndarray, Profile, Profile]:
    """Mask (along, across) on the frame's own grid of ``STEP_PX``; outside the image NaN."""
    reach = float(np.hypot(*soft.shape))
    line = np.arange(-reach, reach, STEP_PX)
    corners = np.array([[r, c] for r in (0, soft.shape[0] - 1) for c in (0, soft.shape[1] - 1)])
    across_px, along_px = frame.coordinates(corners.astype(np.float64))
    across = line[(line >= across_px.min()) & (line <= across_px.max())]
    along = line[(line >= along_px.min()) & (line <= along_px.max())]
    steps = STEP_PX * np.column_stack([frame.axis, frame.across])
    (corner,) = frame.points(across[:1], along[:1])
    values = ndimage.affine_transform(
        soft,
        steps,
        corner,
        output_shape=(len(along), len(across)),
        order=1,
        mode="constant",
        cval=np.nan,
        output=np.float32,
    )
    return values, across, along


def _outline(values: np.ndarray, across: Profile, along: Profile) -> tuple[Profile, Profile]:
    """Where each line along the axis leaves the mask towards the joint, to a part of a step."""
    inside = np.nan_to_num(values) >= 0.5
    lines = np.flatnonzero(inside.any(axis=0))
    last = inside.shape[0] - 1 - inside[::-1, lines].argmax(axis=0)
    lines, last = lines[last < len(along) - 1], last[last < len(along) - 1]
    here, beyond = values[last, lines], values[last + 1, lines]
    seen = np.isfinite(beyond)
    part = (here - 0.5) / np.where(seen, here - beyond, 1.0)
    return across[lines[seen]], np.asarray((along[last] + STEP_PX * part)[seen], np.float64)


def _extent(values: np.ndarray, across: Profile, along: Profile, deepest: float) -> Points:
    """Leftmost and rightmost point (across, along) of the mask above a depth."""
    rows = along >= deepest
    inside = np.nan_to_num(values[rows]) >= 0.5
    cols = np.flatnonzero(inside.any(axis=0))
    heights = along[rows]
    sides = (cols[0], cols[-1])
    return np.array([[across[col], heights[inside[:, col].argmax()]] for col in sides], np.float64)


def _arc_slope(across: Profile, along: Profile) -> float:
    """Slope of the straight line through the arc's middle part, bounded."""
    middle = 0.5 * (across.min() + across.max())
    near = np.abs(across - middle) <= 0.5 * TANGENT_FRACTION * np.ptp(across)
    steepest = np.tan(np.deg2rad(STEEPEST_DEG))
    return float(np.clip(np.polyfit(across[near], along[near], 1)[0], -steepest, steepest))


def _turned(frame: JointFrame, slope: float) -> tuple[float, float]:
    """The axis at right angles to a line of that slope."""
    axis = np.asarray(frame.axis) - slope * np.asarray(frame.across)
    row, col = axis / np.hypot(*axis)
    return (float(row), float(col))
