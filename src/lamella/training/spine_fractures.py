"""Batches for the classifier: pieces of sagittal slices with a fractured body in them, or none.

Features are pooled over all that is shown, so a network cannot tell which of several vertebrae
is meant. It is therefore asked whether *any* body in a piece of the slice is fractured, and the
pieces are of all heights, from one vertebra to the whole box: to be right on all of them it has
to see where. Pieces of one batch are equally high; half of them show a fracture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lamella.methods.healthivert.channels import SHAPE, Plane
from lamella.records import LamellaError
from lamella.training.spine_batches import Look, chosen, exposed, look_at
from lamella.training.spine_crops import FRACTURED, TARGET, SpineCrop, grey_of
from lamella.training.spine_pool import SpinePool

WITHIN = 0.12
"""Part of a body's breadth at each side whose slices need not show that it is fractured."""

LEAST_ROWS, STEP_ROWS = 40, 8
LOW_ROWS = 72
SHOWN_PX = 150
"""Pixels of fractured bodies from which a piece shows a fracture; with none it shows none."""

TRIES = 64
SOFT_TISSUE = 32
"""8-bit grey from which a pixel shows tissue; a tenth of a piece without fracture must."""


class FractureBatch(NamedTuple):
    """Pieces (B, 1, rows, cols) in [-1, 1], and whether each shows a fracture, (B,)."""

    slices: Tensor
    fractured: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class FractureDrawer:
    """Batches from a pool.

    Args:
        pool: crops of every grade.
        size: pieces in a batch.
        real_fraction: of crops of real CTs, where there are.
    """

    pool: SpinePool
    size: int
    real_fraction: float = 0.1

    def __call__(self, rng: np.random.Generator) -> FractureBatch:
        """One batch from a source of chance."""
        rows = piece_rows(rng)
        wanted = np.arange(self.size) % 2 == 0
        pieces = [self._piece(bool(each), rows, rng) for each in wanted]
        return FractureBatch(
            slices=torch.from_numpy(np.stack(pieces)[:, None]),
            fractured=torch.from_numpy(wanted.astype(np.float32)),
        )

    def _piece(self, fractured: bool, rows: int, rng: np.random.Generator) -> np.ndarray:
        """A piece of the wanted kind.

        Raises:
            LamellaError: no crop gives one.
        """
        every = np.ones(len(self.pool), bool)
        for _ in range(TRIES):
            crop = self.pool.crops[chosen(self.pool, every, self.real_fraction, rng)]
            first, last = crop.facts.span(Plane.SAGITTAL)
            look = look_at(crop, Plane.SAGITTAL, rng, WITHIN * (last - first))
            start = int(rng.integers(SHAPE[1] - rows + 1))
            piece = slice(start, start + rows)
            if shows(crop, look.index, piece) is fractured:
                return exposed(grey_of(crop.grey[look.index][piece]), look)
        raise LamellaError("expected healthy and fractured vertebrae, got one kind: add more data")


def piece_rows(rng: np.random.Generator) -> int:
    """Rows of the pieces of a batch: half of the batches are of one to two vertebrae."""
    most = SHAPE[1] if rng.random() < 0.5 else LOW_ROWS
    return int(STEP_ROWS * rng.integers(LEAST_ROWS // STEP_ROWS, most // STEP_ROWS + 1))


def shows(crop: SpineCrop, left: int, piece: slice) -> bool | None:
    """Whether rows of a sagittal slice show a fractured body; None where that is open.

    Args:
        crop: box around a vertebra.
        left: slice.
        piece: rows.
    """
    count = int(fractured_part(crop, left)[piece].sum())
    if count:
        return True if count >= SHOWN_PX else None
    tissue = crop.grey[left][piece] > SOFT_TISSUE
    return False if tissue.mean() > 0.1 else None


def fractured_part(crop: SpineCrop, left: int) -> np.ndarray:
    """Fractured bodies of a sagittal slice, (rows, back)."""
    parts = crop.parts[left]
    ill = parts == FRACTURED
    return ill | (parts == TARGET) if crop.facts.grade > 0 else ill


def own_rows(crop: SpineCrop) -> slice:
    """Rows of a crop's own vertebra and of the discs beside it, a multiple of 8."""
    half = STEP_ROWS // 2 * int(np.ceil((crop.facts.extent_rows + 12.0) / STEP_ROWS))
    return slice(SHAPE[1] // 2 - half, SHAPE[1] // 2 + half)


def whole_slice(crop: SpineCrop, left: int, rows: slice = slice(None)) -> np.ndarray:
    """A sagittal slice as the classifier sees it, (rows, back) in [-1, 1]."""
    return exposed(grey_of(crop.grey[left][rows]), Look(index=left))
