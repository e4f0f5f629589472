"""The exact generator's stages: residual U-Nets on pixels folded two by two."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, silu

from lamella.methods.healthivert.channels import Channel
from lamella.methods.healthivert.patches import ContextualAttention
from lamella.nets.unet import ResidualBlock

COARSE_SEES = (*Channel,)
FINE_SEES = tuple(channel for channel in Channel if channel is not Channel.HEALTHY)


class Stage(NamedTuple):
    """A stage's output: CT (B, 1, H, W), segmentation logits (B, n, H, W), raw height (B,)."""

    ct: Tensor
    logit: Tensor
    height: Tensor


class ResidualCoarse(nn.Module):
    """Sees every channel; draws the CT, segments the adjacent healthy vertebrae.

    Args:
        width: channels of the finest level, a multiple of 8.
        guided: HGAM: concatenate 1 - CAM in the decoder.
        segments: 1, or 2 to segment the target as well.
    """

    def __init__(self, width: int, *, guided: bool = True, segments: int = 1) -> None:
        super().__init__()
        self.seen = COARSE_SEES if guided else FINE_SEES
        self.encoder = Encoder(len(self.seen), width)
        self.decoder = Decoder(width, guides=int(guided), maps=1 + segments)
        self.height = height_head(3 * width)
        self.guided = guided

    def forward(self, seen: Tensor) -> Stage:
        """Stage one."""
        features = self.encoder(seen[:, self.seen])
        guide = seen[:, Channel.HEALTHY, None] if self.guided else None
        drawn = self.decoder(features, guide)
        return Stage(drawn[:, :1], drawn[:, 1:], height_of(self.height, features[-1]))


class ResidualFine(nn.Module):
    """Sees the slice and what stage one drew; draws the CT and segments the target.

    Args:
        width: channels of the finest level, a multiple of 8.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encoder = Encoder(len(FINE_SEES) + 2, width)
        self.borrow = ContextualAttention(3 * width)
        self.decoder = Decoder(width, guides=0, maps=2)
        self.height = height_head(3 * width)

    def forward(self, seen: Tensor, coarse: Stage) -> Stage:
        """Stage two."""
        told = [seen[:, FINE_SEES], coarse.ct, torch.sigmoid(coarse.logit[:, :1])]
        *finer, deep = self.encoder(torch.cat(told, dim=1))
        deep = self.borrow(deep, avg_pool2d(seen[:, Channel.GAP, None], 8))
        drawn = self.decoder([*finer, deep], None)
        return Stage(drawn[:, :1], drawn[:, 1:], height_of(self.height, deep))


class Encoder(nn.Module):
    """(B, channels, H, W) -> features at half, quarter and eighth resolution.

    Args:
        channels_in: of the input.
        width: channels at half resolution; twice and three times as many below.
    """

    def __init__(self, channels_in: int, width: int) -> None:
        super().__init__()
        self.fold = nn.PixelUnshuffle(2)
        self.stem = nn.Conv2d(4 * channels_in, width, 3, padding=1)
        self.first = ResidualBlock(width, width)
        self.to_second = nn.Conv2d(width, 2 * width, 2, stride=2)
        self.second = ResidualBlock(2 * width, 2 * width)
        self.to_third = nn.Conv2d(2 * width, 3 * width, 2, stride=2)
        dilated = [ResidualBlock(3 * width, 3 * width, dilation=d) for d in (1, 2)]
        self.third = nn.Sequential(*dilated)

    def forward(self, seen: Tensor) -> list[Tensor]:
        """Features, finest first."""
        first = self.first(silu(self.stem(self.fold(seen))))
        second = self.second(self.to_second(first))
        return [first, second, self.third(self.to_third(second))]


class Decoder(nn.Module):
    """Features, finest first, and a guide (B, 1, H, W) -> maps (B, maps, H, W).

    Args:
        width: channels at half resolution.
        guides: 1 where the guide is concatenated at quarter and half resolution.
        maps: to draw.
    """

    def __init__(self, width: int, *, guides: int, maps: int) -> None:
        super().__init__()
        self.to_second = nn.Conv2d(3 * width, 2 * width, 1)
        self.second = ResidualBlock(4 * width + guides, 2 * width)
        self.to_first = nn.Conv2d(2 * width, width, 1)
        self.first = ResidualBlock(2 * width + guides, width)
        self.head = nn.Conv2d(width, 4 * maps, 3, padding=1)
        self.unfold = nn.PixelShuffle(2)

    def forward(self, features: list[Tensor], guide: Tensor | None) -> Tensor:
        """Draw."""
        first, second, deep = features
        guides = [] if guide is None else [avg_pool2d(guide, 2), avg_pool2d(guide, 4)]
        deep = self.second(torch.cat([_doubled(self.to_second(deep)), second, *guides[1:]], 1))
        deep = self.first(torch.cat([_doubled(self.to_first(deep)), first, *guides[:1]], 1))
        drawn: Tensor = self.unfold(self.head(deep))
        return drawn


def height_head(channels: int) -> nn.Linear:
    """SHRM: a linear layer behind global average pooling, at first indifferent."""
    head = nn.Linear(channels, 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def height_of(head: nn.Module, features: Tensor) -> Tensor:
    """A head's figure for each sample, (B,)."""
    raw: Tensor = head(features.mean(dim=(2, 3)))
    return raw[:, 0]


def _doubled(features: Tensor) -> Tensor:
    return interpolate(features, scale_factor=2.0, mode="nearest")
