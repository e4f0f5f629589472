"""From a joint image and masks to layer images painted by the network."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from lamella.types import Image, Mask

InpaintingRunner = Callable[[np.ndarray], np.ndarray]
"""J outside the hole, the hole, the bone's mask (B, 3, H, W) -> layer images (B, 1, H, W)."""

PX_MULTIPLE = 16
MARGIN_PX = 3


def complete(joint: Image, masks: Sequence[Mask], runner: InpaintingRunner) -> list[Image]:
    """Paint each bone where the other hides it.

    The network always completes the upper bone: for the lower one all is turned upside down.
    Both bones run in one batch.

    Args:
        joint: J on the network's grid, (row, col).
        masks: of the upper bone and of the lower bone, (row, col) each.
        runner: the network.

    Returns:
        Layer image of the upper bone and of the lower bone, (row, col) each: the network's
        inside the hole (:func:`hole_under`), J elsewhere.
    """
    upper, lower = masks
    holes = (hole_under(upper, lower), hole_under(lower, upper))
    views = [_seen(joint, holes[0], upper), _seen(joint, holes[1], lower)[:, ::-1]]
    rows, cols = joint.shape
    pad = ((0, 0), (0, 0), (0, -rows % PX_MULTIPLE), (0, -cols % PX_MULTIPLE))
    painted = runner(np.pad(np.stack(views), pad, mode="edge"))[:, 0, :rows, :cols]
    return [
        np.where(hole, np.clip(layer, 0.0, 1.0), joint).astype(np.float32)
        for hole, layer in zip(holes, (painted[0], painted[1][::-1]), strict=True)
    ]


def hole_under(mask: Mask, other: Mask) -> Mask:
    """Where the other bone hides this one, and ``MARGIN_PX`` farther into the other bone."""
    overlap = mask & other
    reached: Mask = other & ndimage.binary_dilation(overlap, iterations=MARGIN_PX)
    return reached


def _seen(joint: Image, hole: Mask, mask: Mask) -> np.ndarray:
    return np.stack([np.where(hole, 0.0, joint), hole, mask]).astype(np.float32)
