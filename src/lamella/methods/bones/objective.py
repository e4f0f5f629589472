"""What the segmentation network learns to minimise."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import max_pool2d

OUTLINE_PX = 5
OUTLINE_WEIGHT = 3.0


class BonesBatch(NamedTuple):
    """One batch.

    ``radiograph`` (B, 1, H, W) normalised; ``masks`` (B, 2, H, W) in [0, 1]; ``is_joint`` and
    ``is_thumb`` (B,) in {0, 1}; masks of images that are no joint are empty.
    """

    radiograph: Tensor
    masks: Tensor
    is_joint: Tensor
    is_thumb: Tensor


def bones_loss(network: nn.Module, batch: BonesBatch) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy + soft Dice of both masks and of their overlap, and of joint and thumb.

    The overlap ``p_upper p_lower`` is small and its outlines are the faint ones; with a Dice
    term of its own it is not lost among the pixels that are easy.

    Returns:
        the loss and its parts (also the mean Dice) for the log.
    """
    output = network(batch.radiograph)
    logits, image = output.masks.float(), output.image.float()
    joints = batch.is_joint > 0.5
    weights = outline_weights(batch.masks)
    pixelwise = (cross_entropy(logits, batch.masks, reduction="none") * weights).mean()
    probability, truth = logits[joints].sigmoid(), batch.masks[joints]
    dice = soft_dice(probability, truth)
    shared = soft_dice(probability.prod(dim=1, keepdim=True), truth.prod(dim=1, keepdim=True))
    joint = cross_entropy(image[:, 0], batch.is_joint)
    thumbs = cross_entropy(image[joints, 1], batch.is_thumb[joints], reduction="sum")
    thumb = thumbs / joints.sum().clamp_min(1)
    loss = pixelwise + (1.0 - dice) + 0.3 * (1.0 - shared) + 0.2 * joint + 0.1 * thumb
    parts = {"dice": dice, "overlap_dice": shared, "joint_ce": joint, "thumb_ce": thumb}
    return loss, parts


def outline_weights(masks: Tensor) -> Tensor:
    """1 far from every outline, ``1 + OUTLINE_WEIGHT`` within ``OUTLINE_PX`` of it, (B, 2, H, W).

    A width is the distance of two outlines; the inside of a bone says nothing about it.
    """
    side = 2 * OUTLINE_PX + 1
    grown, kept = (max_pool2d(part, side, 1, OUTLINE_PX) for part in (masks, 1.0 - masks))
    return 1.0 + OUTLINE_WEIGHT * ((grown + kept) > 1.0).to(masks.dtype)


def soft_dice(probability: Tensor, truth: Tensor) -> Tensor:
    """Mean over batch and bones of ``2 sum(p t) / (sum p + sum t)``, (B, bone, H, W) each."""
    if probability.shape[0] == 0:
        return torch.ones((), device=probability.device)
    both = (probability * truth).sum(dim=(2, 3))
    either = probability.sum(dim=(2, 3)) + truth.sum(dim=(2, 3))
    return ((2 * both + 1.0) / (either + 1.0)).mean()
