"""From the gap's frame back to the true one: the slice with the drawn vertebra in place.

A vertebra of h rows stands in the middle; what lies above the gap is brought down onto it, what
lies below up. The soft paste depends smoothly on h (exact); the hard one rounds (as published).
"""

from __future__ import annotations

import torch
from torch import Tensor

from lamella.methods.healthivert.channels import (
    FIRST_GAP_ROW,
    GAP_ROWS,
    LAST_GAP_ROW,
)

SOFTNESS_ROWS = 0.5


def soft_paste(drawn: Tensor, around: Tensor, heights: Tensor) -> Tensor:
    """The slice in the centred frame, differentiable in the height h (SHRM, exact).

    ``w G(r) + (1 - w) S(r + (h - 40)/2)`` above the middle and ``S(r - (h - 40)/2)`` below it,
    ``w = sigmoid((h/2 - |r - m|) / 0.5)``; S is read between rows by linear interpolation, and
    never from inside the gap.

    Args:
        drawn: G, in the gap's frame, (B, rows, cols).
        around: S, what surrounds the gap, (B, rows, cols).
        heights: h in rows, (B,).

    Returns:
        (B, rows, cols).
    """
    rows, offset = _rows(drawn)
    push = (GAP_ROWS - heights[:, None]) / 2.0
    above = (rows - push).clamp(0.0, FIRST_GAP_ROW - 1.0)
    below = (rows + push).clamp(LAST_GAP_ROW + 1.0, len(rows) - 1.0)
    outside = between_rows(around, torch.where(offset < 0.0, above, below))
    inside = window(drawn, heights)
    return inside * drawn + (1.0 - inside) * outside


def window(drawn: Tensor, heights: Tensor) -> Tensor:
    """Weight w of :func:`soft_paste`, (B, rows, 1): 1 inside the vertebra's rows."""
    _, offset = _rows(drawn)
    return torch.sigmoid((heights[:, None] / 2.0 - offset.abs()) / SOFTNESS_ROWS)[..., None]


def hard_paste(drawn: Tensor, around: Tensor, heights: Tensor, true_rows: Tensor) -> Tensor:
    """The slice as published: ``h = max(ceil(h), H)`` whole rows from ``x1 - floor((h - H)/2)``.

    H is the true height; rounding leaves no gradient in the height.

    Args:
        drawn: G, in the gap's frame, (B, rows, cols).
        around: S, what surrounds the gap, (B, rows, cols).
        heights: h in rows, (B,).
        true_rows: H, (B,).
    """
    rows, _ = _rows(drawn)
    true = true_rows.detach().round()
    height = torch.maximum(heights.detach().ceil(), true)
    first = len(rows) // 2 - true.div(2.0, rounding_mode="floor")
    first = (first - (height - true).div(2.0, rounding_mode="floor"))[:, None]
    last = first + height[:, None]
    above = (rows - first + FIRST_GAP_ROW).clamp(0.0, FIRST_GAP_ROW - 1.0)
    below = (rows - last + LAST_GAP_ROW + 1.0).clamp(LAST_GAP_ROW + 1.0, len(rows) - 1.0)
    outside = _taken(around, torch.where(rows < first, above, below))
    middle = (len(rows) // 2) - height.div(2.0, rounding_mode="floor")[:, None]
    shown = _taken(drawn, (rows - first + middle).clamp(0.0, len(rows) - 1.0))
    inside = ((rows >= first) & (rows < last))[..., None]
    return torch.where(inside, shown, outside)


def between_rows(slices: Tensor, places: Tensor) -> Tensor:
    """Slices (B, rows, cols) read at sub-row places (B, n) by linear interpolation."""
    low = places.detach().floor().clamp(0.0, slices.shape[1] - 2.0)
    part = (places - low)[..., None]
    return (1.0 - part) * _taken(slices, low) + part * _taken(slices, low + 1.0)


def _taken(slices: Tensor, rows: Tensor) -> Tensor:
    index = rows.long()[..., None].expand(-1, -1, slices.shape[2])
    return slices.gather(1, index)


def _rows(slices: Tensor) -> tuple[Tensor, Tensor]:
    count = slices.shape[1]
    rows = torch.arange(count, device=slices.device, dtype=slices.dtype)
    return rows, rows - (count - 1) / 2.0
