"""From a radiograph to bone masks with a confidence, or to a reason to refuse."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lamella.types import Image, Mask

BonesRunner = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Normalised radiographs (B, 1, H, W) -> mask logits (B, 2, H, W), image logits (B, 2)."""


@dataclass(frozen=True, kw_only=True)
class BonesEstimate:
    """Probabilities on the network's grid.

    Args:
        upper: probability of the upper bone, (row, col).
        lower: probability of the lower bone, (row, col).
        joint: probability that this is a finger joint at all.
        thumb: probability that it is a thumb's, where sesamoids lie over the joint.
    """

    upper: Image
    lower: Image
    joint: float
    thumb: float


def normalised(pixels: Image) -> Image:
    """Zero mean and unit standard deviation over the image, (row, col)."""
    return ((pixels - pixels.mean()) / max(float(pixels.std()), 1e-4)).astype(np.float32)


def estimate_bones(pixels: Image, runner: BonesRunner) -> BonesEstimate:
    """Run the network on one image.

    Args:
        pixels: intensity on the network's grid, (row, col), sides multiples of 16.
        runner: the network.
    """
    mask_logits, image_logits = runner(normalised(pixels)[None, None])
    upper, lower = _sigmoid(mask_logits[0])
    joint, thumb = _sigmoid(image_logits[0])
    return BonesEstimate(upper=upper, lower=lower, joint=float(joint), thumb=float(thumb))


def expected_dice(probability: Image) -> float:
    """Dice coefficient the network itself expects of ``probability > 0.5``.

    ``2 sum_{p > 1/2} p / (sum p + |p > 1/2|)``: 1 for a certain mask, lower for a vague one.
    """
    mask = probability > 0.5
    return float(2.0 * probability[mask].sum() / max(probability.sum() + mask.sum(), 1e-6))


def largest_part(mask: Mask) -> Mask:
    """The largest connected part, its holes filled."""
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(labels == int(sizes.argmax())))


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0)))
