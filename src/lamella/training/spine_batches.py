"""Batches of slices for the generators: healthy vertebrae, cut out, to draw again.

Half of the slices are mirrored (left for right), and grey values are scaled and shifted, as
another scanner would. Which slice of a body is taken is drawn evenly between its ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lamella.methods.healthivert.channels import GAP_ROWS, Channel, Plane, gap_mask
from lamella.methods.healthivert.gap import pushed_apart
from lamella.methods.healthivert.objective import SliceBatch
from lamella.records import LamellaError
from lamella.training.spine_crops import HEALTHY, TARGET, SpineCrop, grey_of
from lamella.training.spine_pool import SpinePool

GAIN_SD = 0.06
SHIFT_SD = 0.04
BEYOND_SLICES = 2.0
"""How far beyond a body's ends slices are drawn too, with nothing of it in them."""

ATTENTION_STEPS = 255.0
Attention = np.ndarray
"""Maps of all crops, 8-bit, (crop, left, rows, back), centred frame."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How one slice is shown.

    Args:
        index: of the slice across the plane.
        mirrored: left for right.
        gain: factor on grey values about water's.
        shift: added to them.
    """

    index: int
    mirrored: bool = False
    gain: float = 1.0
    shift: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SliceDrawer:
    """Batches for a generator: healthy vertebrae, cut out.

    Args:
        pool: crops; those of grade 0 are drawn.
        attention: of the classifier, or None: none anywhere.
        plane: of the slices.
        size: slices in a batch.
        real_fraction: of crops of real CTs, where there are.
    """

    pool: SpinePool
    attention: Attention | None
    plane: Plane
    size: int
    real_fraction: float = 0.1

    def __call__(self, rng: np.random.Generator) -> SliceBatch:
        """One batch from a source of chance."""
        healthy = self.pool.grades == 0
        made = []
        for _ in range(self.size):
            number = chosen(self.pool, healthy, self.real_fraction, rng)
            crop = self.pool.crops[number]
            hot = None if self.attention is None else self.attention[number]
            made.append(
                gap_slice(crop, hot, self.plane, look_at(crop, self.plane, rng, -BEYOND_SLICES))
            )
        return stacked(made)


def chosen(
    pool: SpinePool, wanted: np.ndarray, real_fraction: float, rng: np.random.Generator
) -> int:
    """Number of one wanted crop; real ones make up their fraction where there are any.

    Args:
        pool: crops.
        wanted: which of them may be drawn, (n,); at least one.
        real_fraction: of real CTs.
        rng: source of chance.

    Raises:
        LamellaError: not one of the wanted kind.
    """
    is_real = bool(rng.random() < real_fraction)
    among = np.flatnonzero(wanted & (pool.real == is_real))
    among = among if len(among) else np.flatnonzero(wanted)
    if not len(among):
        raise LamellaError("expected healthy and fractured vertebrae, got one kind: add more data")
    return int(among[rng.integers(len(among))])


def look_at(crop: SpineCrop, plane: Plane, rng: np.random.Generator, inside: float) -> Look:
    """A random slice of a body.

    Args:
        crop: the body.
        plane: of the slice.
        rng: source of chance.
        inside: slices left out at each end of the body; below 0: slices beyond it.
    """
    first, last = crop.facts.span(plane)
    place = round(float(rng.uniform(first + inside, last - inside)))
    most = crop.grey.shape[plane.value] - 1
    return Look(
        index=min(max(place, 0), most),
        mirrored=bool(rng.random() < 0.5),
        gain=float(np.exp(GAIN_SD * rng.standard_normal())),
        shift=float(SHIFT_SD * rng.standard_normal()),
    )


def exposed(grey: np.ndarray, look: Look) -> np.ndarray:
    """``gain (g - water) + water + shift``, clipped to [-1, 1]."""
    if look.gain == 1.0 and look.shift == 0.0:
        return grey
    water = np.float32(2.0 * 300.0 / 1100.0 - 1.0)
    moved = np.float32(look.gain) * (grey - water) + water + np.float32(look.shift)
    return np.clip(moved, -1.0, 1.0)


def gap_slice(
    crop: SpineCrop, attention: np.ndarray | None, plane: Plane, look: Look
) -> tuple[np.ndarray, ...]:
    """One sample of a :class:`~lamella.methods.healthivert.objective.SliceBatch`.

    Args:
        crop: of a healthy vertebra.
        attention: 8-bit map of the same box, or None.
        plane: of the slice.
        look: which slice, and how it is shown.
    """
    site = crop.facts.site
    grey = exposed(grey_of(_three(crop.grey, plane, look)), look)
    parts = _three(crop.parts, plane, look)[1:2]
    seen = np.empty((len(Channel), *grey.shape[1:]), np.float32)
    seen[Channel.CT_BEFORE : Channel.CT_AFTER + 1] = pushed_apart(grey, site, -1.0)
    seen[Channel.GAP] = gap_mask(grey.shape[1:])
    seen[Channel.HEALTHY] = 1.0
    if attention is not None:
        hot = _three(attention, plane, look)[1:2].astype(np.float32) / np.float32(ATTENTION_STEPS)
        seen[Channel.HEALTHY] -= pushed_apart(hot, site)[0]
    seen[Channel.OFFSET] = _offset(crop, plane, look)
    seen[Channel.PRIOR] = crop.facts.prior_rows / GAP_ROWS
    neighbours = pushed_apart((parts == HEALTHY).astype(np.float32), site)[0]
    target = (parts[0] == TARGET).astype(np.float32)
    extent = np.array(crop.facts.extent_rows, np.float32)
    return seen, grey[1], target, neighbours, extent


def stacked(samples: Sequence[tuple[np.ndarray, ...]]) -> SliceBatch:
    """Samples of :func:`gap_slice` as a batch, channels last."""
    seen, *others = (torch.from_numpy(np.stack(column)) for column in zip(*samples, strict=True))
    return SliceBatch(seen.contiguous(memory_format=torch.channels_last), *others)


def _three(volume: np.ndarray, plane: Plane, look: Look) -> np.ndarray:
    """The slice and its two neighbours, (3, rows, cols), mirrored where the look says so."""
    axis = plane.value
    near = np.clip(look.index + np.array([-1, 0, 1]), 0, volume.shape[axis] - 1)
    taken = volume[near] if plane is Plane.SAGITTAL else volume[:, :, near].transpose(2, 1, 0)
    if not look.mirrored:
        return taken
    return taken[::-1] if plane is Plane.SAGITTAL else taken[:, :, ::-1]


def _offset(crop: SpineCrop, plane: Plane, look: Look) -> float:
    first, last = crop.facts.span(plane)
    half = max(last - first, 1.0) / 2.0
    offset = float(np.clip((look.index - (first + last) / 2.0) / half, -1.0, 1.0))
    return -offset if look.mirrored and plane is Plane.SAGITTAL else offset
