"""Where to begin: what the outlines show, and phase correlation where they mislead."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from lamella.methods.registration.views import BoneView, Level
from lamella.records import Similarity
from lamella.types import Image


def correlated_motion(
    fixed: BoneView, levels: tuple[Level, Level], outlined: Similarity
) -> Similarity:
    """The same turn with the translation that phase correlation finds.

    Args:
        fixed: the baseline's view.
        levels: of the baseline's and the follow-up's view.
        outlined: what the outlines show.
    """
    # half a second to import, and rarely needed
    from skimage.registration import phase_cross_correlation

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
    shift = np.array([motion.down_px, motion.right_px])
    offset = centre + shift - motion.matrix @ centre
    return np.asarray(
        ndimage.affine_transform(level.image, motion.matrix, offset, order=1, mode="constant"),
        np.float32,
    )
