"""Contextual attention: what lies in the gap borrows patches from outside it.

A 3 x 3 patch of features in the gap is compared with every patch outside it by their cosine,
on a grid of every second sample; the softmax of ten times the cosine weighs the 2 x 2 patches
that are pasted there. Each sample has its own gap. Published with overlapping 4 x 4 patches and
a fusing pass over neighbours; both are left out, which makes it two matrix products.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, normalize, pad, pixel_shuffle, pixel_unshuffle

RATE = 2
SHARPNESS = 10.0
FORBIDDEN = -1e4


class ContextualAttention(nn.Module):
    """Features (B, C, H, W) and the gap (B, 1, H, W) -> features with the gap refilled.

    Height and width are even.

    Args:
        channels: of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, features: Tensor, gap: Tensor) -> Tensor:
        """Mix features with what they borrow."""
        return self.mix(torch.cat([features, borrowed(features, gap)], dim=1))


def borrowed(features: Tensor, gap: Tensor) -> Tensor:
    """Softmax-weighted patches from outside the gap, in the gap; the features elsewhere."""
    batch, channels, rows, cols = features.shape
    coarse = avg_pool2d(features, RATE)
    patches = normalize(neighbourhoods(coarse).flatten(2), dim=1, eps=1e-4)
    hidden = avg_pool2d(gap, RATE).flatten(2)
    cosine = torch.matmul(patches.transpose(1, 2), patches)
    weights = torch.softmax(SHARPNESS * cosine + FORBIDDEN * hidden, dim=2)
    content = pixel_unshuffle(features, RATE).flatten(2)
    pasted = torch.matmul(content, weights.transpose(1, 2))
    pasted = pasted.reshape(batch, channels * RATE**2, rows // RATE, cols // RATE)
    return gap * pixel_shuffle(pasted, RATE) + (1.0 - gap) * features


def neighbourhoods(features: Tensor) -> Tensor:
    """Each sample with its eight neighbours as channels, (B, 9 C, H, W); zeros beyond."""
    padded = pad(features, (1, 1, 1, 1))
    rows, cols = features.shape[2:]
    shifted = [padded[:, :, r : r + rows, c : c + cols] for r in range(3) for c in range(3)]
    return torch.cat(shifted, dim=1)
