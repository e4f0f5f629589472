"""Batches of overlaps for BLS-GAN in both variants, from a pool of samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lamella.methods.bls_gan.networks import Bones
from lamella.methods.bls_gan.objective import JointBatch, true_layer_images
from lamella.methods.shares.objective import SharesBatch
from lamella.physics.formation import intensity
from lamella.training.overlaps import MAPS, MASKS, WINDOW_PX, OverlapPool
from lamella.training.shares_data import other_density


class OverlapBatch(NamedTuple):
    """Overlaps as tensors; maps and masks (B, H, W), see :mod:`lamella.training.overlaps`.

    ``scale`` and ``known`` are (B,).
    """

    absorbance: Tensor
    soft: Tensor
    upper_matte: Tensor
    lower_matte: Tensor
    window: Tensor
    true_soft: Tensor
    true_upper: Tensor
    upper_mask: Tensor
    lower_mask: Tensor
    overlap: Tensor
    scale: Tensor
    known: Tensor

    def shares(self) -> SharesBatch:
        """As the share network's objective wants it; unknown layers weigh nothing there."""
        return SharesBatch(**{name: getattr(self, name) for name in SharesBatch._fields})

    def joints(self) -> JointBatch:
        """As BLS-GAN's equations want it."""
        masks = Bones(self.upper_mask, self.lower_mask)
        lower = self.absorbance - self.true_soft - self.true_upper
        truth = true_layer_images(self.true_soft, Bones(self.true_upper, lower), masks)
        return JointBatch(intensity(self.absorbance), masks, truth, self.known)


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How batches are drawn.

    Args:
        size: crops per batch.
        crop_px: rows and columns of a crop.
        real_fraction: part of a batch from joints that overlap in reality.
    """

    size: int = 8
    crop_px: tuple[int, int] = (96, 144)
    real_fraction: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Drawer:
    """Draws batches from two pools.

    Args:
        closed: samples with known layers.
        closed_at: indices into it that may be drawn.
        real: samples of real overlaps.
        real_at: indices into it that may be drawn.
        drawing: how.
    """

    closed: OverlapPool
    closed_at: np.ndarray
    real: OverlapPool
    real_at: np.ndarray
    drawing: Drawing

    def __call__(self, rng: np.random.Generator) -> OverlapBatch:
        """One batch; real overlaps come last in it."""
        real = round(self.drawing.real_fraction * self.drawing.size) if self.real_at.size else 0
        made = [
            self._crop(self.closed, self.closed_at, rng) for _ in range(self.drawing.size - real)
        ]
        made += [self._crop(self.real, self.real_at, rng) for _ in range(real)]
        maps, masks, scale, known = zip(*made, strict=True)
        return as_batch(np.stack(maps), np.stack(masks), np.array(scale), np.array(known))

    def _crop(
        self, pool: OverlapPool, allowed: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, float, bool]:
        index = int(rng.choice(allowed))
        firsts = [
            int(rng.integers(0, whole - part + 1))
            for whole, part in zip(WINDOW_PX, self.drawing.crop_px, strict=True)
        ]
        box = tuple(
            slice(first, first + part)
            for first, part in zip(firsts, self.drawing.crop_px, strict=True)
        )
        flip = -1 if rng.random() < 0.5 else 1
        maps = pool.maps[index][:, box[0], box[1]][..., ::flip].astype(np.float32)
        masks = pool.masks[index][:, box[0], box[1]][..., ::flip]
        known = bool(pool.known[index])
        if known:
            maps = other_density(maps, rng)
        return maps, masks, float(pool.scale[index]), known


def as_batch(
    maps: np.ndarray, masks: np.ndarray, scale: np.ndarray, known: np.ndarray
) -> OverlapBatch:
    """Tensors of samples: maps and masks (B, map, row, col), scale and known (B,)."""
    named = dict(zip((*MAPS, *MASKS), [*_channels(maps), *_channels(masks)], strict=True))
    return OverlapBatch(**named, scale=_tensor(scale), known=_tensor(known))


def whole_batch(pool: OverlapPool, at: np.ndarray) -> OverlapBatch:
    """Whole windows of some samples, as they are."""
    columns = (np.asarray(getattr(pool, name)[at]) for name in ("maps", "masks", "scale", "known"))
    return as_batch(*columns)


def _channels(stack: np.ndarray) -> list[Tensor]:
    return [_tensor(stack[:, channel]) for channel in range(stack.shape[1])]


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
