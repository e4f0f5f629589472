"""Fractured or not, from one straight sagittal slice: a squeeze-and-excitation network.

Global average pooling and one linear layer end it, so that its Grad-CAM++ map has a closed form
(:mod:`lamella.methods.healthivert.cam`) and is exported as an output like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from lamella.methods.healthivert.cam import attention_map, heat

OUTPUTS = ("heat", "logit")
"""Names of the outputs of an exported classifier."""

WIDTHS = (16, 32, 64, 96)
SHRINK = 8


class Verdict(NamedTuple):
    """Attention (B, 1, rows, cols) in [0, 1), and the logit of "fractured" (B, 1)."""

    heat: Tensor
    logit: Tensor


class Classifier(nn.Module):
    """(B, 1, rows, cols), windowed, target in the middle -> :class:`Verdict`; sides of 8.

    Args:
        widths: channels at full (folded), half, quarter and eighth resolution, multiples of 8.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.fold = nn.PixelUnshuffle(2)
        self.stem = nn.Conv2d(4, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList([ExcitedBlock(a, b) for a, b in pairwise(widths)])
        self.linear = nn.Linear(widths[-1], 1)

    def forward(self, slices: Tensor) -> Verdict:
        """Judge a slice and say where the evidence lies."""
        features = self.features(slices)
        logit: Tensor = self.linear(features.mean(dim=(2, 3)))
        evidence = attention_map(features, self.linear.weight[0])
        hot = heat(evidence, torch.sigmoid(logit[:, 0]))[:, None]
        return Verdict(interpolate(hot, scale_factor=float(SHRINK), mode="bilinear"), logit)

    def features(self, slices: Tensor) -> Tensor:
        """What is pooled: (B, channels, rows / 8, cols / 8), at least 0."""
        features = relu(self.stem(self.fold(slices)))
        for index, block in enumerate(self.blocks):
            features = block(avg_pool2d(features, 2) if index else features)
        return features


class ExcitedBlock(nn.Module):
    """A residual block whose channels are weighed by what the whole slice shows.

    Args:
        channels_in: of the input.
        channels_out: of the output, a multiple of 8.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(8, channels_out)
        self.second = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(8, channels_out)
        self.squeeze = nn.Linear(channels_out, channels_out // 4)
        self.excite = nn.Linear(channels_out // 4, channels_out)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Refine a feature map."""
        inner = self.second(relu(self.first_norm(self.first(features))))
        inner = self.second_norm(inner)
        weights = torch.sigmoid(self.excite(relu(self.squeeze(inner.mean(dim=(2, 3))))))
        return relu(inner * weights[:, :, None, None] + self.shortcut(features))
