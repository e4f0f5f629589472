"""The segmentation network (PyTorch): a residual U-Net on half the resolution."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lamella.nets.unet import ResidualUNet


class BonesOutput(NamedTuple):
    """Logits of one batch: masks (B, 2, H, W) upper then lower; image (B, 2) joint and thumb."""

    masks: Tensor
    image: Tensor


class BonesNetwork(nn.Module):
    """Normalised radiograph (B, 1, H, W) -> :class:`BonesOutput`; H, W multiples of 16.

    Pixels are folded 2 x 2 into channels on the way in and unfolded on the way out, so the
    masks keep the full resolution at a quarter of the cost.
    """

    def __init__(self, widths: tuple[int, ...] = (24, 48, 72, 96)) -> None:
        super().__init__()
        self.fold = nn.PixelUnshuffle(2)
        self.unet = ResidualUNet(4, widths)
        self.masks = nn.Sequential(nn.Conv2d(widths[0], 8, 3, padding=1), nn.PixelShuffle(2))
        self.whole = nn.Linear(2 * widths[-1], 2)

    def forward(self, radiograph: Tensor) -> BonesOutput:
        """Logits for both masks and for the image as a whole."""
        features = self.unet(self.fold(radiograph))
        bottom = features[0]
        pooled = torch.cat([bottom.mean(dim=(2, 3)), bottom.amax(dim=(2, 3))], dim=1)
        return BonesOutput(self.masks(features[-1]), self.whole(pooled))
