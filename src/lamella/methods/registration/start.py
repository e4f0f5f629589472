"""Where to begin: what the outlines show, and phase correlation where they mislead."""

from dataclasses import replace

import numpy as np
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from lamella.methods.registration.views import BoneView, Level
from lamella.records import JointVisit, Similarity
from lamella.types import Image


def outlined_motion(baseline: JointVisit, followup: JointVisit, name: str) -> Similarity:
    """The motion that the outlines show: middle of the articular arc and axis of the joint.

    Args:
        baseline: first visit.
        followup: second visit.
        name: of the bone.
    """
    here, there = baseline.ends[name], followup.ends[name]
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


def correlated_motion(
    fixed: BoneView, levels: tuple[Level, Level], outlined: Similarity
) -> Similarity:
    """The same turn with the translation that phase correlation finds.

    Args:
        fixed: the baseline's view.
        levels: of the baseline's and the follow-up's view.
        outlined: what the outlines show.
    """
    here, there = levels
    brought = brought_back(there, outlined)
    window = ndimage.gaussian_filter(fixed.trust, here.smooth_px, mode="constant")
    shift, _, _ = phase_cross_correlation(
        here.image * window, brought * window, upsample_factor=4, normalization=None
    )
    # what was brought must still move by `shift` on the baseline's grid
    begun = outlined.about(fixed.centre_px)
    down, right = -(begun.matrix @ shift)
    return replace(
        begun, down_px=begun.down_px + float(down), right_px=begun.right_px + float(right)
    )


def brought_back(level: Level, motion: Similarity) -> Image:
    """A follow-up's image on the baseline's grid, (row, col); 0 outside of it."""
    centre = np.asarray(motion.centre_px)
    offset = centre + [motion.down_px, motion.right_px] - motion.matrix @ centre
    return np.asarray(
        ndimage.affine_transform(level.image, motion.matrix, offset, order=1, mode="constant"),
        np.float32,
    )
