"""LSN's networks (PyTorch): N_G makes layers, N_S finds bones, N_D finds their shadow.

Bones are named ``upper`` and ``lower`` everywhere; what a channel means is written once, here.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from lamella.nets.backbones import Backbone, backbone
from lamella.nets.unet import ResidualUNet

SHARES_WIDTHS = (48, 64, 96, 128)
CRITIC_WIDTHS = (32, 48, 64)
SHADOW_WIDTHS = (24, 32, 48)
CRITIC_FOLD = 4
SHADOW_CONTRAST = 0.05
LOG_SD_BOUNDS = (-6.0, 0.0)
SOFT_DOUBLINGS = 3


class JointLayers(NamedTuple):
    """One map per layer, (B, H, W) each: absorbances unless a function says otherwise."""

    soft: Tensor
    upper: Tensor
    lower: Tensor


class Masks(NamedTuple):
    """Where each bone is, and where the finger is at all (context), (B, H, W), 0 to 1."""

    upper: Tensor
    lower: Tensor
    context: Tensor

    @property
    def both(self) -> Tensor:
        """O, the overlap."""
        return self.upper * self.lower

    @property
    def bone(self) -> Tensor:
        """Where any bone is."""
        return torch.maximum(self.upper, self.lower)

    @property
    def parts(self) -> "Parts":
        """What N_S should find: upper only, lower only, soft tissue only; nothing in overlaps."""
        return Parts(
            upper=self.upper * (1.0 - self.lower),
            lower=self.lower * (1.0 - self.upper),
            soft=self.context * (1.0 - self.bone),
        )


class Parts(NamedTuple):
    """Labels or logits of upper bone alone, lower bone alone, soft tissue alone, (B, H, W)."""

    upper: Tensor
    lower: Tensor
    soft: Tensor


class LayerNetwork(nn.Module):
    """N_G: layer intensities ``L = sigmoid(net(I, M)) M`` of upper bone, lower bone, soft tissue.

    Args:
        make: backbone, 4 channels in (I, upper, lower and context mask) and 3 out.
    """

    def __init__(self, make: Backbone | None = None) -> None:
        super().__init__()
        self.backbone = (make or backbone("light"))(4, 3)

    def forward(self, seen: Tensor) -> Tensor:
        """(B, 4, H, W): I, upper, lower, context -> upper, lower, soft tissue (B, 3, H, W)."""
        return torch.sigmoid(self.backbone(seen)) * seen[:, 1:]


class SoftSharesNetwork(nn.Module):
    """N_G of the exact variant; (B, 4, H, W) -> (B, 3, H, W), sides multiples of 16.

    Outputs: logit of the upper bone's share, log of its standard deviation, and a correction of
    the soft tissue in units of the input's scale. The correction is predicted at an eighth of the
    resolution and doubled three times by linear interpolation, which tends to the quadratic
    B-spline: it has no edges, and no grain.

    Args:
        widths: channels per level of the U-Net, at least three, finest first.
    """

    def __init__(self, widths: Sequence[int] = SHARES_WIDTHS) -> None:
        super().__init__()
        self.fold = nn.PixelUnshuffle(2)
        self.unet = ResidualUNet(16, widths)
        self.share = nn.Conv2d(widths[0], 8, 3, padding=1)
        self.unfold = nn.PixelShuffle(2)
        self.soft = nn.Conv2d(widths[2], 1, 1)
        for parameter in (*self.share.parameters(), *self.soft.parameters()):
            nn.init.zeros_(parameter)

    def forward(self, features: Tensor) -> Tensor:
        """Bone and soft absorbance over the scale and both mattes -> share, log SD, correction."""
        decoded = self.unet(self.fold(features))
        share, log_sd = self.unfold(self.share(decoded[-1])).split(1, dim=1)
        soft = self.soft(decoded[-3])
        for _ in range(SOFT_DOUBLINGS):
            soft = interpolate(soft, scale_factor=2.0, mode="bilinear")
        return torch.cat([share, torch.clamp(log_sd - 2.0, *LOG_SD_BOUNDS), soft], dim=1)


class Segmenter(nn.Module):
    """N_S: which parts of a joint image show one bone alone, or soft tissue alone.

    Args:
        make: backbone, 1 channel in and 3 out.
    """

    def __init__(self, make: Backbone | None = None) -> None:
        super().__init__()
        self.backbone = (make or backbone("light", widths=CRITIC_WIDTHS, fold=CRITIC_FOLD))(1, 3)

    def forward(self, joint: Tensor) -> Parts:
        """Joint images (B, H, W) -> logits."""
        return Parts(*self.backbone(_as_images(joint)).float().unbind(dim=1))


class ShadowFinder(nn.Module):
    """N_D: where a soft tissue still shows that a bone was removed.

    It looks at deviations from the sample's mean in units of ``SHADOW_CONTRAST``: a shadow is
    faint.

    Args:
        make: backbone, 1 channel in and out.
    """

    def __init__(self, make: Backbone | None = None) -> None:
        super().__init__()
        light = backbone("light", widths=SHADOW_WIDTHS, fold=CRITIC_FOLD)
        self.backbone = (make or light)(1, 1)

    def forward(self, soft: Tensor) -> Tensor:
        """Soft-tissue intensities (B, H, W) -> logit of "a bone was here", (B, H, W)."""
        faint = (soft - soft.mean(dim=(1, 2), keepdim=True)) / SHADOW_CONTRAST
        logit: Tensor = self.backbone(_as_images(faint)).float().squeeze(1)
        return logit


class Critics(nn.Module):
    """N_S and N_D together, which one optimiser trains; an ablation leaves N_D out.

    Args:
        with_shadow_finder: have N_D.
    """

    def __init__(self, *, with_shadow_finder: bool = True) -> None:
        super().__init__()
        self.segmenter = Segmenter()
        self.shadow_finder = ShadowFinder() if with_shadow_finder else None


def _as_images(maps: Tensor) -> Tensor:
    return maps[:, None].contiguous(memory_format=torch.channels_last)
