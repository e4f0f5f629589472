"""How alike is a bone at two visits once it is registered? MSE on pixels that no method chose.

The published comparison (BLS-GAN, arXiv 2409.07304): the MSE between a registered bone and the
same bone at the fixed visit, with and without separation before registration. Here it is computed
on the *radiographs*, never on layers, and on pixels that show this bone alone at both visits. They
are chosen once for each pair of visits, from masks drawn by hand and a rough alignment of these
masks, so every row is judged by the same pixels; only the motion is the row's own. The other
visit gets the mean and the standard deviation of the fixed one on these pixels:

    MSE = mean_x (J_1(x) - g J_2(T x) - o)^2.
"""

import numpy as np
from scipy import ndimage

from lamella.evaluation.alignment import align
from lamella.evaluation.bone_pairs import (
    BONES,
    BORDER_PX,
    EDGE_PX,
    PENUMBRA_PX,
    WHOLLY,
    bone_masks,
    dilated,
    within_border,
)
from lamella.io.datasets import LoadedJoint
from lamella.records import Similarity
from lamella.types import Image, Mask

TOLERANCE_PX = 4.0
"""How far a registration may differ from the rough one and still compare the same bone."""

FEWEST_PX = 500
SMOOTHING_PX = 2.0


def compared_pixels(fixed: LoadedJoint, moving: LoadedJoint) -> dict[str, Mask]:
    """Bone -> pixels of the fixed visit that show it alone, there and at the other visit.

    Bones with fewer than ``FEWEST_PX`` of them are left out.
    """
    found = {bone: _alone_at_both(fixed, moving, bone) for bone in BONES}
    return {bone: pixels for bone, pixels in found.items() if pixels.sum() >= FEWEST_PX}


def registered_mse(fixed: Image, moving: Image, motion: Similarity, pixels: Mask) -> float:
    """MSE of a registered radiograph, intensity squared, at the fixed one's contrast.

    Args:
        fixed: (row, col).
        moving: (row, col); beyond its border the nearest pixel counts.
        motion: where the bone's pixels went.
        pixels: of the fixed radiograph, that are compared.
    """
    places = motion.of_points(np.argwhere(pixels).astype(np.float64))
    brought = ndimage.map_coordinates(moving, places.T, order=3, mode="nearest")
    here = fixed[pixels].astype(np.float64)
    gain = here.std() / max(float(brought.std()), 1e-6)
    matched = gain * (brought - brought.mean()) + here.mean()
    return float(np.mean((here - matched) ** 2))


def _alone_at_both(fixed: LoadedJoint, moving: LoadedJoint, bone: str) -> Mask:
    mask, other = bone_masks(fixed, bone)
    there, other_there = bone_masks(moving, bone)
    region = dilated(mask, EDGE_PX).astype(np.float32)
    usable = within_border(there.shape)
    motion = align(_smooth(mask), _smooth(there), region, usable)
    free = _far_from_border(there.shape) & ~dilated(other_there, PENUMBRA_PX + TOLERANCE_PX)
    alone = motion.bring(free.astype(np.float32), order=1) > WHOLLY
    return np.asarray(mask & ~dilated(other, PENUMBRA_PX) & alone & within_border(mask.shape))


def _smooth(mask: Mask) -> Image:
    soft = ndimage.gaussian_filter(mask.astype(np.float32), SMOOTHING_PX, mode="nearest")
    return np.asarray(soft)


def _far_from_border(shape: tuple[int, int]) -> Mask:
    inside = np.zeros(shape, bool)
    margin = BORDER_PX + int(TOLERANCE_PX)
    inside[margin:-margin, margin:-margin] = True
    return inside
