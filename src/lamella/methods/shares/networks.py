"""The share network (PyTorch)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from lamella.nets.backbones import Backbone
from lamella.nets.unet import ResidualUNet

LOG_SD_BOUNDS = (-6.0, 0.0)


class SharesNetwork(nn.Module):
    """Features of a joint (B, 4, H, W) -> (B, 3, H, W); H, W multiples of 16.

    Pixels are folded 2 x 2 into channels on the way in and unfolded on the way out.

    Outputs: logit of the upper bone's share, log of its standard deviation, and a smooth
    correction of the soft tissue (predicted at a quarter of the resolution), in units of the
    input's scale.
    """

    def __init__(self, widths: tuple[int, ...] = (48, 64, 96, 128)) -> None:
        super().__init__()
        self.fold = nn.PixelUnshuffle(2)
        self.unet = ResidualUNet(16, widths)
        self.share = nn.Conv2d(widths[0], 8, 3, padding=1)
        self.unfold = nn.PixelShuffle(2)
        self.soft = nn.Conv2d(widths[1], 1, 1)
        for parameter in (*self.share.parameters(), *self.soft.parameters()):
            nn.init.zeros_(parameter)

    def forward(self, features: Tensor) -> Tensor:
        """Predict share, its uncertainty and the soft-tissue correction."""
        decoded = self.unet(self.fold(features))
        share, log_sd = self.unfold(self.share(decoded[-1])).split(1, dim=1)
        soft = interpolate(self.soft(decoded[-2]), scale_factor=4.0, mode="bilinear")
        log_sd = torch.clamp(log_sd - 2.0, *LOG_SD_BOUNDS)
        return torch.cat([share, log_sd, soft], dim=1)


class SharesOf(nn.Module):
    """The share network's outputs from any backbone; H, W multiples of 16.

    Args:
        make: backbone, 4 channels in and 3 out.
    """

    def __init__(self, make: Backbone) -> None:
        super().__init__()
        self.backbone = make(4, 3)

    def forward(self, features: Tensor) -> Tensor:
        """As :class:`SharesNetwork`: (B, 4, H, W) -> (B, 3, H, W)."""
        share, log_sd, soft = self.backbone(features).split(1, dim=1)
        smooth = interpolate(avg_pool2d(soft, 4), scale_factor=4.0, mode="bilinear")
        return torch.cat([share, torch.clamp(log_sd - 2.0, *LOG_SD_BOUNDS), smooth], dim=1)
