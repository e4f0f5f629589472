"""A light residual U-Net in PyTorch, sized for CPUs; no anatomy in here."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, group normalisation, a shortcut: (B, in, H, W) -> (B, out, H, W)."""

    def __init__(self, channels_in: int, channels_out: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(8, channels_out)
        self.second = nn.Conv2d(
            channels_out, channels_out, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.second_norm = nn.GroupNorm(8, channels_out)
        same = channels_in == channels_out
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1)
        self.activation = nn.SiLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """Refine a feature map."""
        inner = self.activation(self.first_norm(self.first(features)))
        inner = self.second_norm(self.second(inner))
        return self.activation(inner + self.shortcut(features))


class ResidualUNet(nn.Module):
    """Encoder-decoder with skip connections; height and width must divide by 2**(levels - 1).

    Args:
        channels_in: of the input.
        widths: channels per level, finest first; each a multiple of 8.
    """

    def __init__(self, channels_in: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        pairs = list(itertools.pairwise(widths))
        self.stem = nn.Sequential(
            nn.Conv2d(channels_in, widths[0], 3, padding=1), nn.SiLU(inplace=True)
        )
        self.encoders = nn.ModuleList([ResidualBlock(width, width) for width in widths[:-1]])
        self.downs = nn.ModuleList([nn.Conv2d(a, b, 2, stride=2) for a, b in pairs])
        self.bottom = nn.Sequential(
            ResidualBlock(widths[-1], widths[-1]), ResidualBlock(widths[-1], widths[-1], dilation=2)
        )
        self.ups = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairs[::-1]])
        self.decoders = nn.ModuleList([ResidualBlock(2 * a, a) for a, _ in pairs[::-1]])

    def forward(self, image: Tensor) -> list[Tensor]:
        """Decoder features, coarsest (the bottom) first: (B, widths[-1-k], H/2**.., W/2**..)."""
        features, skips = self.stem(image), []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            features = encoder(features)
            skips.append(features)
            features = down(features)
        outputs = [self.bottom(features)]
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            joined = torch.cat([up(outputs[-1]), skips.pop()], dim=1)
            outputs.append(decoder(joined))
        return outputs
