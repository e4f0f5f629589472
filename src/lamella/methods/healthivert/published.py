"""The generator's stages as published: plain convolutions, spectral norm, ELU, no skips.

Layer by layer as released, but for the contextual attention (``patches``), the channel order,
and the input: CT slice, |offset| and gap alone, as there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torch.nn.utils.parametrizations import spectral_norm

from lamella.methods.healthivert.channels import Channel
from lamella.methods.healthivert.patches import ContextualAttention
from lamella.methods.healthivert.stages import Stage, height_of

DILATIONS = (2, 4, 8, 16)
SHOWN = 1.0


class PublishedCoarse(nn.Module):
    """Sees CT, |offset| and gap; draws the CT, segments the adjacent healthy vertebrae.

    Args:
        width: c, 16 as published.
        guided: HGAM: concatenate 1 - CAM at half and full resolution.
        segments: 1, or 2 to segment the target as well.
    """

    def __init__(self, width: int = 16, *, guided: bool = True, segments: int = 1) -> None:
        super().__init__()
        c, guides = width, int(guided)
        self.guided = guided
        self.encoder = nn.Sequential(
            convolved(3, c, 5),
            *chain((c, 2 * c), stride=2),
            *chain((2 * c, 2 * c)),
            *chain((2 * c, 4 * c), stride=2),
            *chain((4 * c, 4 * c, 4 * c)),
            *[convolved(4 * c, 4 * c, 3, dilation=rate) for rate in DILATIONS],
        )
        self.height = nn.Linear(4 * c, 1)
        self.at_quarter = nn.Sequential(*chain((4 * c, 4 * c, 4 * c)))
        self.at_half = nn.Sequential(*chain((4 * c + guides, 4 * c, 2 * c, 2 * c)))
        self.at_full = nn.Sequential(*chain((2 * c + guides, 2 * c, c, c // 2)))
        self.ct, self.segments = heads(c // 2, segments)
        self.enlarged = nn.Upsample(scale_factor=2.0, mode="nearest")

    def forward(self, seen: Tensor) -> Stage:
        """Stage one."""
        guide = seen[:, Channel.HEALTHY, None] if self.guided else None
        deep = self.encoder(shown(seen))
        height = height_of(self.height, deep)
        deep = self.at_half(guided(self.enlarged(self.at_quarter(deep)), guide, 2))
        deep = self.at_full(guided(self.enlarged(deep), guide, 1))
        return Stage(self.ct(deep).clamp(-SHOWN, SHOWN), self.segments(deep), height)


class PublishedFine(nn.Module):
    """Sees CT, stage one's segmentation, gap and |offset|; draws CT and segments the target.

    Args:
        width: c, 16 as published.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        c = width
        self.dilated = nn.Sequential(
            *_down(c, 4 * c), *[convolved(4 * c, 4 * c, 3, dilation=rate) for rate in DILATIONS]
        )
        self.attentive = nn.Sequential(*_down(c, 4 * c))
        self.borrow = ContextualAttention(4 * c)
        self.borrowed = nn.Sequential(*chain((4 * c, 4 * c, 4 * c)))
        self.merged = nn.Sequential(*chain((8 * c, 4 * c)))
        self.height = nn.Linear(4 * c, 1)
        self.at_quarter = nn.Sequential(*chain((4 * c, 4 * c, 4 * c)))
        self.at_half = nn.Sequential(*chain((4 * c, 2 * c, 2 * c)))
        self.at_full = nn.Sequential(*chain((2 * c, c, c // 2)))
        self.ct, self.segments = heads(c // 2 + 1, 1)
        self.enlarged = nn.Upsample(scale_factor=2.0, mode="nearest")

    def forward(self, seen: Tensor, coarse: Stage) -> Stage:
        """Stage two."""
        told = torch.cat([shown(seen), torch.sigmoid(coarse.logit[:, :1])], dim=1)
        gap = avg_pool2d(seen[:, Channel.GAP, None], 4)
        borrowed = self.borrowed(self.borrow(self.attentive(told), gap))
        deep = self.merged(torch.cat([self.dilated(told), borrowed], dim=1))
        height = height_of(self.height, deep)
        deep = self.at_half(self.enlarged(self.at_quarter(deep)))
        deep = torch.cat([self.at_full(self.enlarged(deep)), coarse.ct], dim=1)
        return Stage(self.ct(deep).clamp(-SHOWN, SHOWN), self.segments(deep), height)


def shown(seen: Tensor) -> Tensor:
    """Of the input, what the published networks see: CT, |offset|, gap."""
    return torch.stack(
        [seen[:, Channel.CT], seen[:, Channel.OFFSET].abs(), seen[:, Channel.GAP]], dim=1
    )


def guided(features: Tensor, guide: Tensor | None, shrink: int) -> Tensor:
    """HGAM: features with 1 - CAM as one more channel."""
    if guide is None:
        return features
    return torch.cat([features, avg_pool2d(guide, shrink)], dim=1)


def convolved(
    channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    """A spectrally normalised convolution and ELU."""
    padding = dilation * (kernel - 1) // 2
    layer = nn.Conv2d(channels_in, channels_out, kernel, stride, padding=padding, dilation=dilation)
    return nn.Sequential(spectral_norm(layer), nn.ELU(inplace=True))


def chain(widths: Sequence[int], *, stride: int = 1) -> list[nn.Sequential]:
    """3 x 3 convolutions from one width to the next."""
    return [convolved(a, b, 3, stride=stride) for a, b in pairwise(widths)]


def heads(channels: int, segments: int) -> tuple[nn.Module, nn.Module]:
    """3 x 3 heads for the CT and for the segmentations."""
    ct, logits = (nn.Conv2d(channels, maps, 3, padding=1) for maps in (1, segments))
    return spectral_norm(ct), spectral_norm(logits)


def _down(c: int, last: int) -> list[nn.Sequential]:
    return [
        convolved(4, c, 5),
        *chain((c, c), stride=2),
        *chain((c, 2 * c)),
        *chain((2 * c, 2 * c), stride=2),
        *chain((2 * c, last, last)),
    ]
