"""Narrowing without registration: the joint space width at one visit minus that at the other.

    JSN = JSW(baseline) - JSW(follow-up)

Each width is read from its own visit's outlines along its own axis, so the errors of both add:
``SD = sqrt(SD_1^2 + SD_2^2)``. To stand beside methods that register, the difference is written
as motions: the lower bone goes where its outline went, the upper one with it but for the
narrowing along the axis and the lateral shift across it. A round metacarpal head shows no
rotation of its own: both bones turn with the axis, and the change of angle is always 0.
"""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from lamella.prepare.articular import outlined_motion
from lamella.records import JointVisit, RegisteredBone, Similarity
from lamella.types import Mask


def register_by_contours(
    baseline: JointVisit, followup: JointVisit
) -> Mapping[str, RegisteredBone]:
    """Write the difference of two measured joint space widths as motions of the bones.

    Args:
        baseline: first visit.
        followup: second visit.

    Returns:
        bone name -> motion. ``ncc`` is the Dice coefficient of the masks once aligned, over the
        pixels both radiographs show.
    """
    top, bottom = baseline.names
    lower = outlined_motion(baseline.ends[bottom], followup.ends[bottom])
    narrowing_px = baseline.space.jsw_px - followup.space.jsw_px
    lateral_px = _lateral_px(followup) - _lateral_px(baseline)
    apart = -narrowing_px * np.array(baseline.frame.axis)
    apart += lateral_px * np.array(baseline.frame.across)
    down, right = lower.matrix @ apart
    upper = Similarity(
        down_px=lower.down_px + float(down),
        right_px=lower.right_px + float(right),
        rotation_deg=lower.rotation_deg,
        centre_px=lower.centre_px,
    )
    sd_px = float(np.hypot(baseline.space.jsw_sd_px, followup.space.jsw_sd_px))
    return {
        name: RegisteredBone(
            motion=motion,
            ncc=aligned_dice(baseline.masks[name], followup.masks[name], motion),
            along_sd_px=along_sd_px,
        )
        for name, motion, along_sd_px in ((top, upper, sd_px), (bottom, lower, 0.0))
    }


def aligned_dice(baseline: Mask, followup: np.ndarray, motion: Similarity) -> float:
    """Dice coefficient ``2 |A and B| / (|A| + |B|)`` of a mask and another brought onto it.

    Args:
        baseline: (row, col).
        followup: bool (row, col), of any shape.
        motion: from baseline to follow-up.

    Returns:
        0 to 1, over the pixels that both images show; 0 where neither shows the bone.
    """
    places = motion.of_points(np.argwhere(np.ones_like(baseline)).astype(np.float64)).T
    reach = np.array(followup.shape)[:, None] - 1
    shown = ((places >= 0) & (places <= reach)).all(axis=0).reshape(baseline.shape)
    brought = ndimage.map_coordinates(followup.astype(np.float32), places, order=1) >= 0.5
    here, there = baseline & shown, brought.reshape(baseline.shape) & shown
    total = int(here.sum()) + int(there.sum())
    return 2.0 * int((here & there).sum()) / total if total else 0.0


def _lateral_px(visit: JointVisit) -> float:
    """How far right of the lower arc's middle the upper one's lies."""
    offset = np.subtract(*(_middle(visit, name) for name in visit.names))
    return float(offset @ np.array(visit.frame.across))


def _middle(visit: JointVisit, name: str) -> np.ndarray:
    arc = visit.ends[name].arc_px
    return np.asarray(arc[len(arc) // 2])
