"""The share network (PyTorch)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from lamella.nets.unet import ResidualUNet

LOG_SD_BOUNDS = (-6.0, 0.0)


class SharesNetwork(nn.Module):
    """Features of a joint (B, 4, H, W) -> (B, 3, H, W); H, W multiples of 16.

    Outputs: logit of the upper bone's share, log of its standard deviation, and a smooth
    correction of the soft tissue (predicted at a quarter of the resolution), in units of the
    input's scale.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 48, 64, 96, 128)) -> None:
        super().__init__()
        self.unet = ResidualUNet(4, widths)
        self.share = nn.Conv2d(widths[0], 2, 1)
        self.soft = nn.Conv2d(widths[2], 1, 1)
        nn.init.zeros_(self.share.weight)
        nn.init.zeros_(self.soft.weight)
        nn.init.zeros_(self.soft.bias)
        nn.init.constant_(self.share.bias, 0.0)

    def forward(self, features: Tensor) -> Tensor:
        """Predict share, its uncertainty and the soft-tissue correction."""
        decoded = self.unet(features)
        share, log_sd = self.share(decoded[-1]).split(1, dim=1)
        soft = interpolate(self.soft(decoded[-3]), scale_factor=4.0, mode="bilinear")
        log_sd = torch.clamp(log_sd - 2.0, *LOG_SD_BOUNDS)
        return torch.cat([share, log_sd, soft], dim=1)
