"""The registration network as published, and the warp its parameters stand for (PyTorch).

Wang et al., "A deep registration method for accurate quantification of joint space narrowing
progression in rheumatoid arthritis", CMIG 108:102273 (arXiv 2304.13938), as LSN's code has it: a
residual network of stages of 3, 4, 6 and 3 blocks on moving and fixed image, stacked.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = (64, 128, 256, 512, 512)
"""Of the stem and of each stage."""

BLOCKS = (3, 4, 6, 3)
POOLED_PX = 7
SEEN = 2
PARAMETERS = 8
"""(upper, lower) x (a, r, t_x, t_y)."""


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation beside a shortcut, (B, C, H, W).

    Args:
        channels_in: of the input.
        channels_out: of the output.
        stride: 2 halves rows and columns.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            *_normalised(channels_in, channels_out, 3, stride),
            nn.ReLU(),
            *_normalised(channels_out, channels_out, 3, 1),
        )
        same = channels_in == channels_out and stride == 1
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(*_normalised(channels_in, channels_out, 1, 1))
        )
        self.stride = stride

    def forward(self, features: Tensor) -> Tensor:
        """Refine a feature map."""
        # A 1 x 1 convolution with a stride, written as a choice of pixels and one without:
        # oneDNN's own writes past its memory in the backward pass (torch 2.13, channels last).
        passed = self.shortcut(features[:, :, :: self.stride, :: self.stride])
        return functional.relu(self.inside(features) + passed)


class RegistrationNetwork(nn.Module):
    """Moving and fixed image (B, 2, 256, 256) -> parameters (B, 8).

    The pool sees the first 7 x 7 of the 8 x 8 last map, as published. The head starts at zero,
    which is no motion, and is always computed in full precision: half precision would round a
    translation to a tenth of a pixel.

    Args:
        width: factor on the published channels.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        stem, *stages = (max(1, round(width * channels)) for channels in CHANNELS)
        self.stem = nn.Sequential(
            *_normalised(SEEN, stem, 7, 2), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)
        )
        blocks, channels = [], stem
        for stage, (wide, count) in enumerate(zip(stages, BLOCKS, strict=True)):
            for number in range(count):
                stride = 2 if stage > 0 and number == 0 else 1
                blocks.append(ResidualBlock(channels, wide, stride))
                channels = wide
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(channels, PARAMETERS)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, seen: Tensor) -> Tensor:
        """Say how both bones moved."""
        features = self.blocks(self.stem(seen))
        pooled = features[:, :, :POOLED_PX, :POOLED_PX].float().mean(dim=(2, 3))
        with torch.autocast(seen.device.type, enabled=False):
            said: Tensor = self.head(pooled)
        return said


def places(parameters: Tensor, side_px: int, step_px: int = 1) -> Tensor:
    """Where each pixel of the fixed image lies in the moving one: ``theta p = s R (p + t)``.

    The grid that ``affine_grid`` makes of theta (``align_corners=False``), term by term in full
    precision: a matrix product would be rounded to half precision in mixed training.

    Args:
        parameters: ``(a, r, t_x, t_y)`` of one bone, (B, 4).
        side_px: rows and columns.
        step_px: from one row or column to the next.

    Returns:
        (x, y) in half sides from the centre, (B, row, col, 2).
    """
    a, r, right, down = (parameters[:, k, None, None].float() for k in range(4))
    scale, turn = torch.tanh(a) + 1.0, 0.5 * math.pi * torch.tanh(r)
    pixels = torch.arange(0, side_px, step_px, device=parameters.device)
    at = (pixels + 0.5) * (2.0 / side_px) - 1.0
    x, y = at[None, None, :] + right, at[None, :, None] + down
    cosine, sine = scale * torch.cos(turn), scale * torch.sin(turn)
    return torch.stack([cosine * x - sine * y, sine * x + cosine * y], dim=3)


def _normalised(channels_in: int, channels_out: int, size: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_out, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(channels_out),
    ]
