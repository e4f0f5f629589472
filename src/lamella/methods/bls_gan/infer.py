"""From a joint image and masks to layer images as BLS-GAN publishes them."""

from collections.abc import Callable, Sequence

import numpy as np

from lamella.physics.formation import SMALLEST_K
from lamella.prepare.windows import padded_to_multiple
from lamella.types import BoneStack, Image, Mask

BlsGanRunner = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""J and both masks (B, 3, H, W) -> layer images (B, 2, H, W), k (B,)."""

LARGEST_LAYER = 1.0 - 1e-4


def layer_images(
    joint: Image, masks: Sequence[Mask], runner: BlsGanRunner
) -> tuple[BoneStack, float]:
    """Predict the layer image of each bone, and the transmittance of the soft tissue.

    Args:
        joint: J on the network's grid, (row, col).
        masks: M, top bone first.
        runner: the network.

    Returns:
        ``L = sigmoid(G(J, M)) M``, (2, row, col), and k in (0, 1].
    """
    seen = np.stack([joint, *masks]).astype(np.float32)
    rows, cols = joint.shape
    layers, k = runner(padded_to_multiple(seen)[None])
    images = np.clip(layers[0, :, :rows, :cols], 0.0, LARGEST_LAYER)
    return np.asarray(images, np.float32), max(float(k[0]), SMALLEST_K)
