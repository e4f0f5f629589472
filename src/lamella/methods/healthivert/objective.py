"""HealthiVert-GAN's losses: grey values, overlap, edges, heights and three critics.

Every loss is computed per sample and then averaged: weights do not depend on the batch size.
Where published form and repair differ, :class:`Terms` says which: ``docs/papers/healthivert.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, conv2d, pad

from lamella.methods.healthivert.assembly import hard_paste, soft_paste
from lamella.methods.healthivert.channels import Channel, Map
from lamella.methods.healthivert.networks import Drawn

PUBLISHED_BATCH = 16
DICE_FLOOR = 1e-5
EDGE_FLOOR = 1e-6
PROBABILITY_FLOOR = 1e-4
LAPLACE = 1.0


class SliceBatch(NamedTuple):
    """Slices to restore, (B, rows, cols) each.

    ``seen`` (B, 7, rows, cols) by ``Channel``, gap's frame; ``ct`` in [-1, 1] and ``target``
    (the body, 0 to 1): the healthy truth, centred frame; ``neighbours``: adjacent healthy
    bodies, 0 to 1, gap's frame; ``height``: true extent x2 - x1 in rows, (B,).
    """

    seen: Tensor
    ct: Tensor
    target: Tensor
    neighbours: Tensor
    height: Tensor

    @property
    def around(self) -> Tensor:
        """CT with the gap, (B, rows, cols)."""
        return self.seen[:, Channel.CT]


class Assembled(NamedTuple):
    """What was drawn, in the centred frame: both stages' CT, and the target's segmentation."""

    fine: Tensor
    coarse: Tensor
    target: Tensor


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Weights of the generator's losses, and in which form.

    Args:
        grey: of :func:`grey_loss`.
        target: of the Dice loss of the target vertebra.
        neighbours: of the Dice loss of the adjacent healthy vertebrae.
        edges: of :func:`edge_loss` (EEM).
        heights: of :func:`height_loss` (SHRM).
        certainty: of the cross-entropy of the target (exact only: makes probabilities).
        columns: of :func:`column_loss` (exact only: the heights of the columns).
        adversary: of :func:`~lamella.methods.healthivert.critics.fooling_loss`.
        as_published: hard paste, binarised edges.
    """

    grey: float
    target: float
    neighbours: float
    edges: float
    heights: float
    certainty: float = 0.0
    columns: float = 0.0
    adversary: float = 0.0
    as_published: bool = False


AS_PUBLISHED = Terms(
    grey=200.0 / PUBLISHED_BATCH,
    target=15.0,
    neighbours=10.0,
    edges=800.0,
    heights=40.0,
    adversary=1.0 / 6.0,
    as_published=True,
)
EXACT = Terms(
    grey=4.0, target=2.0, neighbours=1.0, edges=20.0, heights=4.0, certainty=2.0, columns=4.0
)
WITHOUT_EDGES = Terms(
    grey=4.0, target=2.0, neighbours=1.0, edges=0.0, heights=4.0, certainty=2.0, columns=4.0
)


def assembled(drawn: Drawn, batch: SliceBatch, terms: Terms) -> Assembled:
    """Both stages put into place, each at its own height."""
    fine, target, coarse = (drawn.of(m) for m in (Map.FINE_CT, Map.FINE_SEG, Map.COARSE_CT))
    around, (first, second) = batch.around, drawn.heights.unbind(1)
    if terms.as_published:
        return Assembled(
            hard_paste(fine, around, second, batch.height),
            hard_paste(coarse, around, first, batch.height),
            hard_paste(target, torch.zeros_like(around), second, batch.height),
        )
    return Assembled(
        soft_paste(fine, around, second),
        soft_paste(coarse, around, first),
        target,
    )


def generator_loss(drawn: Drawn, batch: SliceBatch, terms: Terms) -> dict[str, Tensor]:
    """Every weighted term by name, but for the critics'; their sum is the loss."""
    made = assembled(drawn, batch, terms)
    floor = DICE_FLOOR if terms.as_published else LAPLACE
    losses = {
        "grey": (terms.grey, grey_loss(made, batch)),
        "target": (terms.target, dice_loss(made.target, batch.target, floor)),
        "neighbours": (
            terms.neighbours,
            dice_loss(drawn.of(Map.COARSE_SEG), batch.neighbours, floor),
        ),
        "heights": (terms.heights, height_loss(drawn.heights, batch.height)),
        "edges": (terms.edges, edge_loss(made.target, batch.target, binary=terms.as_published)),
        "certainty": (terms.certainty, certainty_loss(made.target, batch.target)),
        "columns": (terms.columns, column_loss(made.target, batch.target, batch.height)),
    }
    return {name: weight * loss for name, (weight, loss) in losses.items() if weight}


def grey_loss(made: Assembled, batch: SliceBatch) -> Tensor:
    """``(N / n) (|fine - A|_1 + |coarse - A|_1)``, means over pixels; N pixels, n in the gap.

    Published as ``200 2 (N / sum of n over the batch) (...) / 2``: 1 / batch size in disguise.
    """
    gap = batch.seen[:, Channel.GAP]
    share = gap.mean(dim=(1, 2)).clamp_min(1.0 / gap[0].numel())
    missed = (made.fine - batch.ct).abs() + (made.coarse - batch.ct).abs()
    return (missed.mean(dim=(1, 2)) / share).mean()


def dice_loss(found: Tensor, true: Tensor, floor: float = DICE_FLOOR) -> Tensor:
    """``1 - (2 sum p t + e) / (sum p + sum t + e)``, mean over samples."""
    both = 2.0 * (found * true).sum(dim=(1, 2)) + floor
    return (1.0 - both / (found.sum(dim=(1, 2)) + true.sum(dim=(1, 2)) + floor)).mean()


def edges(mask: Tensor) -> Tensor:
    """Sobel magnitude of a soft mask, ``sqrt(gx^2 + gy^2 + 1e-6)``; a straight step gives 1.

    The mask is continued beyond its border. The floor keeps the root's slope finite, the factor
    1/4 (of the kernels' sum) keeps the magnitude in [0, 1] without clipping.
    """
    across, down = (0.25 * g for g in _sobel(mask))
    return torch.sqrt(across**2 + down**2 + EDGE_FLOOR)


def binary_edges(mask: Tensor) -> Tensor:
    """As published: Sobel magnitude of the mask cut at one half, clipped at 1; no gradient."""
    across, down = _sobel((mask > 0.5).to(mask.dtype))
    return torch.sqrt(across**2 + down**2).clamp_max(1.0)


def edge_loss(found: Tensor, true: Tensor, *, binary: bool = False) -> Tensor:
    """EEM: ``mean (edges(found) - edges(true))^2``; inert where ``binary``."""
    of = binary_edges if binary else edges
    return ((of(found) - of(true)) ** 2).mean()


def height_loss(heights: Tensor, true: Tensor) -> Tensor:
    """SHRM: ``mean(|h1 - H| / H + |h2 - H| / H)``."""
    return ((heights - true[:, None]).abs() / true[:, None]).sum(dim=1).mean()


def certainty_loss(found: Tensor, true: Tensor) -> Tensor:
    """Binary cross-entropy of the target's probability, mean over pixels, times 10."""
    bounded = found.float().clamp(PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)
    return 10.0 * binary_cross_entropy(bounded, true.float())


def column_loss(found: Tensor, true: Tensor, height: Tensor) -> Tensor:
    """Relative error of column heights: ``sum_c |sum_r p - sum_r t| / (H columns)``.

    A column's height is the sum of its probabilities; columns count where the truth has one.
    """
    tall = true.sum(dim=1)
    present = (tall > 1.0).to(true.dtype)
    missed = (found.sum(dim=1) - tall).abs() * present
    return (missed.sum(dim=1) / (present.sum(dim=1).clamp_min(1.0) * height)).mean()


def _sobel(mask: Tensor) -> tuple[Tensor, Tensor]:
    kernel = mask.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    kernels = torch.stack([kernel, kernel.T])[:, None]
    across, down = conv2d(pad(mask[:, None], (1, 1, 1, 1), mode="replicate"), kernels).unbind(1)
    return across, down
