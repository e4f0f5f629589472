"""From a joint and its masks to LSN's layers, without a deep-learning framework."""

from collections.abc import Callable, Sequence

import numpy as np

from lamella.physics.formation import WIDEST_SHARE_SD, shares_of_present
from lamella.physics.soft_tissue import air_beside
from lamella.prepare.scene import Scene
from lamella.prepare.windows import box_around, mirrored_mean, padded_to_multiple
from lamella.types import Absorbance, BoneStack, Image, Mask

LsnRunner = Callable[[np.ndarray], np.ndarray]
"""I, upper, lower, context (B, 4, H, W) -> upper, lower, soft layer intensity (B, 3, H, W)."""

SoftSharesRunner = Callable[[np.ndarray], np.ndarray]
"""Features (B, 4, H, W) -> share logit, log SD of the share, soft correction (B, 3, H, W)."""

Widening = Callable[[Image, float], Image]
"""(raw SD of a layer's intensity (row, col), overlap in px) -> factor on the SD (row, col)."""

OVERLAP_CONTEXT_PX = 40
BONE_CONTEXT_PX = 24
LARGEST_LAYER = 1.0 - 1e-4


def separate_scene(
    joint: Scene, runner: SoftSharesRunner, widening: Widening
) -> tuple[Absorbance, BoneStack, Image]:
    """Layers of the exact variant: the network around the overlap, then around both bones.

    The shares are read from the first, at the field of view of training, on which the network's
    normalisation depends; the soft tissue from the second. Each is a mean with the mirror image.
    The soft tissue is ``clip(a_harmonic + scale p c, 0, a)`` with p the bones' matte and c the
    network's smooth correction: under all of both bones, not in the overlap alone.

    Args:
        joint: see :class:`~lamella.prepare.scene.Scene`.
        runner: the network.
        widening: calibration of its standard deviations.

    Returns:
        soft-tissue absorbance (row, col), share of each bone (2, row, col), calibrated standard
        deviation of the share (row, col), 0 where the bones cannot overlap.
    """
    logits = np.zeros_like(joint.mattes)
    soft, share_sd = np.array(joint.soft), np.zeros_like(joint.soft)
    bone = joint.mattes.max(axis=0)
    if joint.both.any():
        box = box_around(joint.both, OVERLAP_CONTEXT_PX)
        logits[0][box], log_sd, _ = mirrored_mean(joint.features()[:, box[0], box[1]], runner)
        share_sd[box] = np.exp(log_sd) * joint.both[box]
    if bone.any():
        box = box_around(bone > 0, BONE_CONTEXT_PX)
        _, _, correction = mirrored_mean(joint.features()[:, box[0], box[1]], runner)
        soft[box] += joint.scale * bone[box] * correction
    soft = np.clip(soft, 0.0, joint.absorbance)
    shares = shares_of_present(logits, joint.mattes)
    transmitted = np.exp(-(soft + shares * (joint.absorbance - soft))).mean(axis=0)
    raw_sd = np.asarray(share_sd * transmitted * (joint.absorbance - soft), np.float32)
    factor = widening(raw_sd, joint.overlap_px)
    return soft, shares, np.minimum(share_sd * factor, np.float32(WIDEST_SHARE_SD))


def layer_images(
    joint: Image, masks: Sequence[Mask], context: Mask, runner: LsnRunner
) -> tuple[Image, BoneStack]:
    """Layers as published: ``L = sigmoid(N_G(I, M)) M``.

    Args:
        joint: I on the network's grid, (row, col).
        masks: upper and lower bone.
        context: see :func:`context_of`.
        runner: the network.

    Returns:
        intensity of the soft tissue (row, col) and of both bones alone (2, row, col); together
        ``1 - prod(1 - L)`` is near the joint, but not equal to it.
    """
    seen = np.stack([joint, *masks, context]).astype(np.float32)
    rows, cols = joint.shape
    layers = runner(padded_to_multiple(seen)[None])[0, :, :rows, :cols]
    upper, lower, soft = np.clip(layers, 0.0, LARGEST_LAYER).astype(np.float32)
    return soft, np.stack([upper, lower])


def context_of(absorbance: Absorbance, bone: Mask) -> Mask:
    """Where the finger is: the bones, and what is not air beside them; all where none is seen.

    Args:
        absorbance: observed, (row, col).
        bone: both bones, (row, col).
    """
    if bone.all():
        return np.ones_like(bone)
    return np.asarray(~air_beside(absorbance, bone))
