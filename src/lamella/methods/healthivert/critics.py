"""Three critics that tell drawn slices from true ones: the whole slice, the mask, the gap.

PatchGANs (4 x 4 convolutions, leaky ReLU), with instance normalisation, so that a sample's
verdict does not depend on its batch. Optional: the exact recipe trains without them.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from lamella.methods.healthivert.channels import FIRST_GAP_ROW, LAST_GAP_ROW
from lamella.methods.healthivert.objective import Assembled, SliceBatch

CENTRAL_COLS = 70


class PatchCritic(nn.Module):
    """(B, rows, cols) -> logits of "true" for overlapping patches, (B, 1, H, W).

    Args:
        width: channels of the first layer; 64 as published.
        strided: layers that halve the resolution; 3 as published (70 x 70 patches).
    """

    def __init__(self, width: int = 32, strided: int = 3) -> None:
        super().__init__()
        widths = [width * min(2**k, 8) for k in range(strided + 1)]
        layers: list[nn.Module] = [nn.Conv2d(1, width, 4, 2, padding=1), nn.LeakyReLU(0.2)]
        for index, (a, b) in enumerate(pairwise(widths)):
            stride = 2 if index < strided - 1 else 1
            layers += [
                nn.Conv2d(a, b, 4, stride, padding=1, bias=False),
                nn.InstanceNorm2d(b, affine=True),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, padding=1))
        self.apply(_started)

    def forward(self, slices: Tensor) -> Tensor:
        """Judge."""
        verdict: Tensor = self.layers(slices[:, None])
        return verdict


class Critics(nn.Module):
    """D1 on the whole slice, D2 on the target's mask, D3 on the gap's rows and middle columns.

    Args:
        width: of each :class:`PatchCritic`.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.whole, self.mask, self.gap = (PatchCritic(width, n) for n in (3, 3, 2))

    def forward(self, ct: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Verdicts on a CT slice and its target mask, (B, rows, cols) each, centred frame."""
        return self.whole(ct), self.mask(mask), self.gap(middle(ct))


def middle(slices: Tensor) -> Tensor:
    """The gap's rows and the central 70 columns (all where there are fewer)."""
    first = max((slices.shape[2] - CENTRAL_COLS) // 2, 0)
    return slices[:, FIRST_GAP_ROW : LAST_GAP_ROW + 1, first : first + CENTRAL_COLS]


def fooling_loss(critics: Critics, made: Assembled) -> Tensor:
    """``sum over D of mean softplus(-D(made))``: the cross-entropy of being called true."""
    verdicts = critics(made.fine, made.target)
    return torch.stack([softplus(-verdict).mean() for verdict in verdicts]).sum()


def critics_loss(critics: Critics, made: Assembled, batch: SliceBatch) -> Tensor:
    """``sum over D of (mean softplus(-D(true)) + mean softplus(D(made))) / 2``."""
    true = critics(batch.ct, batch.target)
    false = critics(made.fine.detach(), made.target.detach())
    each = [
        0.5 * (softplus(-t).mean() + softplus(f).mean()) for t, f in zip(true, false, strict=True)
    ]
    return torch.stack(each).sum()


def _started(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
