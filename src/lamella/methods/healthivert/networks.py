"""The two-stage generator: neighbours first, then the vertebra, with its height.

Stage one (*coarse*) draws the CT and segments the adjacent healthy vertebrae; its decoder is
told where the classifier saw no fracture (healthy-vertebra-guided attention, HGAM: 1 - CAM is
concatenated at two resolutions). Stage two (*fine*) draws CT and the target vertebra, looking
for patches to borrow outside the gap. Each stage says the target's extent in rows (self-adaptive
height restoration, SHRM). See docs/papers/healthivert.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lamella.methods.healthivert.channels import GAP_ROWS, Channel, Map
from lamella.methods.healthivert.published import PublishedCoarse, PublishedFine
from lamella.methods.healthivert.stages import ResidualCoarse, ResidualFine

HEIGHT_REACH = 0.35
OUTPUTS = ("maps", "heights")
"""Names of the outputs of an exported generator."""


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """Which generator.

    Args:
        kind: ``"exact"``: residual U-Nets with group normalisation on folded pixels;
            ``"as-published"``: plain convolutions, spectral normalisation, no skips.
        width: channels of the finest level (a multiple of 8) of the exact one; c of the
            published one.
        guided: HGAM; without it the decoder sees no attention.
        adaptive: SHRM; without it the height is the prior's.
        stages: 2, or 1 for the coarse stage alone, which then segments the target as well.
        relative: height = prior exp(0.35 tanh); otherwise 40 sigmoid, as published.
    """

    kind: str = "exact"
    width: int = 24
    guided: bool = True
    adaptive: bool = True
    stages: int = 2
    relative: bool = True


EXACT = GeneratorConfig()
AS_PUBLISHED = GeneratorConfig(kind="as-published", width=16, relative=False)
WITHOUT_HEIGHT = GeneratorConfig(adaptive=False)
WITHOUT_ATTENTION = GeneratorConfig(guided=False)
COARSE_ONLY = GeneratorConfig(stages=1)


class Drawn(NamedTuple):
    """What a generator draws: maps (B, 4, rows, cols) by ``Map``, extents in rows (B, 2)."""

    maps: Tensor
    heights: Tensor

    def of(self, name: Map) -> Tensor:
        """One map, (B, rows, cols)."""
        return self.maps[:, name]


class Generator(nn.Module):
    """(B, 7, rows, cols) by ``Channel`` -> :class:`Drawn`; sides are multiples of 8.

    Args:
        config: which generator.
    """

    def __init__(self, config: GeneratorConfig = EXACT) -> None:
        super().__init__()
        self.config = config
        coarse, fine = STAGES[config.kind]
        alone = config.stages == 1
        self.coarse = coarse(config.width, guided=config.guided, segments=1 + alone)
        self.fine = None if alone else fine(config.width)

    def forward(self, seen: Tensor) -> Drawn:
        """Draw a vertebra."""
        coarse = self.coarse(seen)
        fine = self.fine(seen, coarse) if self.fine is not None else coarse
        neighbours, target = coarse.logit[:, :1], fine.logit[:, -1:]
        maps = [fine.ct, torch.sigmoid(target), coarse.ct, torch.sigmoid(neighbours)]
        return Drawn(torch.cat(maps, dim=1), self._heights(seen, (coarse.height, fine.height)))

    def _heights(self, seen: Tensor, raw: Sequence[Tensor]) -> Tensor:
        prior = GAP_ROWS * seen[:, Channel.PRIOR, 0, 0]
        if not self.config.adaptive:
            return torch.stack([prior, prior], dim=1)
        if self.config.relative:
            return torch.stack([prior * torch.exp(HEIGHT_REACH * torch.tanh(r)) for r in raw], 1)
        return torch.stack([GAP_ROWS * torch.sigmoid(r) for r in raw], dim=1)


STAGES = {
    "exact": (ResidualCoarse, ResidualFine),
    "as-published": (PublishedCoarse, PublishedFine),
}


def folded(network: nn.Module) -> nn.Module:
    """A network whose spectral norms are written into its weights, in place, for export."""
    for module in network.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return network
