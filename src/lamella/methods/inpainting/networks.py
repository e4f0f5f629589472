"""A light inpainting network of gated convolutions, and the critic of its patches (PyTorch).

Both follow Yu et al., "Free-form image inpainting with gated convolution" (ICCV 2019,
arXiv 1806.03589), made light for CPUs: one stage, a U-Net of residual blocks, pixels folded
2 x 2 into channels. Like theirs it has no normalisation, so a hole does not darken the rest.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import elu
from torch.nn.utils.parametrizations import spectral_norm

WIDTHS = (24, 48, 64, 96)
CRITIC_WIDTHS = (32, 64, 64)
FOLD_PX = 2
DILATIONS = (2, 4)
SEEN = 3
"""Channels of the input: joint image with a hole, the hole, the mask of the bone."""


class GatedConv(nn.Module):
    """Gated convolution (Yu 2019, Eq. 2 and 3): ``O = ELU(W_f x) sigmoid(W_g x)``.

    The gate lets every pixel and channel weigh what is known of its neighbourhood, where a
    plain convolution takes the hole for an image. One convolution computes both halves.

    Args:
        channels_in: of the input.
        channels_out: of the output.
        stride: 2 halves rows and columns.
        dilation: spacing of the taps in pixels.
    """

    def __init__(
        self, channels_in: int, channels_out: int, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        self.both = nn.Conv2d(
            channels_in, 2 * channels_out, 3, stride=stride, padding=dilation, dilation=dilation
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H / stride, W / stride)."""
        found, gate = self.both(features).chunk(2, dim=1)
        return elu(found) * torch.sigmoid(gate)


class GatedBlock(nn.Module):
    """``x + gated(x)``: what a level adds to its feature map, (B, C, H, W)."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.gated = GatedConv(channels, channels, dilation=dilation)

    def forward(self, features: Tensor) -> Tensor:
        """Refine a feature map."""
        refined: Tensor = features + self.gated(features)
        return refined


class InpaintingNetwork(nn.Module):
    """The bone completed under its hole, as intensity in (0, 1).

    A U-Net of gated convolutions with a dilated bottom; rows and columns must divide by
    ``2 * 2**(levels - 1)``.

    Args:
        widths: channels per level, finest (2 x 2 pixels) first.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(widths))
        self.fold = nn.PixelUnshuffle(FOLD_PX)
        self.stem = GatedConv(FOLD_PX**2 * SEEN, widths[0])
        self.encoders = nn.ModuleList([GatedBlock(width) for width in widths[:-1]])
        self.downs = nn.ModuleList([GatedConv(a, b, stride=2) for a, b in pairs])
        self.bottom = nn.Sequential(
            *(GatedBlock(widths[-1], dilation) for dilation in (1, *DILATIONS, 1))
        )
        self.ups = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairs[::-1]])
        self.decoders = nn.ModuleList([GatedBlock(a) for a, _ in pairs[::-1]])
        self.head = nn.Conv2d(widths[0], FOLD_PX**2, 3, padding=1)
        self.unfold = nn.PixelShuffle(FOLD_PX)

    def forward(self, seen: Tensor) -> Tensor:
        """(B, 3, H, W): J outside the hole, the hole, the bone's mask -> layer (B, 1, H, W)."""
        features, skips = self.stem(self.fold(seen)), []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            features = encoder(features)
            skips.append(features)
            features = down(features)
        features = self.bottom(features)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            features = decoder(up(features) + skips.pop())
        return torch.sigmoid(self.unfold(self.head(features)))


class PatchCritic(nn.Module):
    """SN-PatchGAN (Yu 2019, section 3.3): one score per patch, spectrally normalised.

    Args:
        widths: channels per level; each level after the first halves rows and columns.
    """

    def __init__(self, widths: Sequence[int] = CRITIC_WIDTHS) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.PixelUnshuffle(FOLD_PX)]
        channels = 2 * FOLD_PX**2
        for number, width in enumerate(widths):
            conv = nn.Conv2d(channels, width, 3, stride=2 if number else 1, padding=1)
            layers += [spectral_norm(conv), nn.LeakyReLU(0.2)]
            channels = width
        self.features = nn.Sequential(*layers)
        self.score = spectral_norm(nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, bone: Tensor) -> Tensor:
        """(B, 2, H, W): bone image, hole -> scores (B, h, w), higher is more authentic."""
        scores: Tensor = self.score(self.features(bone)).float().squeeze(1)
        return scores
