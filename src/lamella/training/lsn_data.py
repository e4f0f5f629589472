"""Batches for LSN in both variants: overlaps with their context and random motions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lamella.methods.lsn.infer import context_of
from lamella.methods.lsn.networks import JointLayers, Masks
from lamella.methods.lsn.objective import LayerBatch
from lamella.methods.lsn.shift import CORRECTED, BoneMotions, ShiftRange, drawn
from lamella.methods.shares.objective import SharesBatch
from lamella.physics.formation import intensity
from lamella.training.bls_gan_data import OverlapBatch
from lamella.training.loop import BatchMaker


class LsnBatch(NamedTuple):
    """Overlaps, where the finger is (B, H, W), and motions of f_s, any number of draws."""

    overlaps: OverlapBatch
    context: Tensor
    draws: tuple[BoneMotions, ...] = ()

    def masks(self) -> Masks:
        """Bones and context."""
        return Masks(self.overlaps.upper_mask, self.overlaps.lower_mask, self.context)

    def shares(self) -> SharesBatch:
        """As the share network's objective wants it, the soft tissue free under both bones."""
        matte = torch.maximum(self.overlaps.upper_matte, self.overlaps.lower_matte)
        return self.overlaps.shares()._replace(window=matte)

    def layers(self) -> LayerBatch:
        """As LSN's losses want it."""
        seen = self.overlaps
        lower = seen.absorbance - seen.true_soft - seen.true_upper
        truth = JointLayers(seen.true_soft, seen.true_upper, lower.clamp_min(0.0))
        joint: Tensor = intensity(seen.absorbance)
        return LayerBatch(joint, self.masks(), truth, seen.known, self.draws)


@dataclass(frozen=True, kw_only=True)
class Moving:
    """How often and how far f_s moves the bones of a batch.

    Args:
        draws: per batch; 0 in the ablation without shift.
        reach: of each draw.
    """

    draws: int = 2
    reach: ShiftRange = CORRECTED


def moving_batches(batches: BatchMaker, moving: Moving) -> BatchMaker:
    """The same batches with context and motions."""

    def draw(rng: np.random.Generator) -> LsnBatch:
        overlaps = batches(rng)
        size = len(overlaps.scale)
        made = with_context(overlaps)
        return made._replace(
            draws=tuple(drawn(moving.reach, size, rng) for _ in range(moving.draws))
        )

    return draw


def with_context(overlaps: OverlapBatch) -> LsnBatch:
    """Overlaps with the context that each image shows, without motions."""
    bone = ((overlaps.upper_mask > 0) | (overlaps.lower_mask > 0)).cpu().numpy()
    seen = overlaps.absorbance.cpu().numpy()
    context = [context_of(image, mask) for image, mask in zip(seen, bone, strict=True)]
    made = torch.from_numpy(np.stack(context).astype(np.float32))
    return LsnBatch(overlaps, made.to(overlaps.absorbance.device))
