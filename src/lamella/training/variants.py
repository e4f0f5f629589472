"""BLS-GAN's two variants as contests: as published, and exact.

Both share pools, batches, supervisor and loop. *As published* predicts layer images and one k,
and is held to the joint image by a loss. *Exact* predicts shares of the bone absorbance, so its
layers recompose the joint whatever it says; the supervisor judges the overlap alone.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lamella.methods.bls_gan import objective as published
from lamella.methods.bls_gan.networks import Bones
from lamella.methods.shares.objective import SharesLayers, layers_loss, layers_of
from lamella.physics.formation import intensity
from lamella.training.bls_gan_data import OverlapBatch, whole_batch
from lamella.training.contest import Losses
from lamella.training.overlaps import OverlapPool

ADVERSARY_WEIGHT = 0.1
JUDGED_TOGETHER = 8
PANEL_ROWS = 4


class ExactMade(NamedTuple):
    """Layer images and the absorbances they come from, (B, H, W) each."""

    upper: Tensor
    lower: Tensor
    soft: Tensor
    upper_bone: Tensor
    lower_bone: Tensor
    share_sd: Tensor

    @property
    def layers(self) -> Bones:
        """The layer images by bone."""
        return Bones(self.upper, self.lower)


def published_made(network: nn.Module, batch: OverlapBatch) -> published.Made:
    """Generator and reconstructor on a batch."""
    return published.made_by(network, batch.joints())


def exact_made(network: nn.Module, batch: OverlapBatch) -> ExactMade:
    """The share network and the exact head on a batch."""
    found = layers_of(network, batch.shares())
    upper, lower = intensity(found.soft + found.upper), intensity(found.soft + found.lower)
    return ExactMade(upper, lower, found.soft, found.upper, found.lower, found.share_sd)


def published_generator(*, pretraining: bool) -> Callable[..., Losses]:
    """Eq. 4 or Eq. 2 on an :class:`OverlapBatch`."""
    loss = published.generator_pretraining_loss if pretraining else published.generator_loss
    return lambda made, supervisor, batch: loss(made, supervisor, batch.joints())


def published_supervisor(
    *, pretraining: bool, authentic_as_in_code: bool = True
) -> Callable[..., Losses]:
    """Eq. 5 or Eq. 3 on an :class:`OverlapBatch`, with the code's target or the paper's."""
    loss = published.supervisor_pretraining_loss if pretraining else published.supervisor_loss
    return lambda supervisor, made, batch: loss(
        supervisor, made, batch.joints(), authentic_as_in_code=authentic_as_in_code
    )


def exact_generator(made: ExactMade, supervisor: nn.Module | None, batch: OverlapBatch) -> Losses:
    """Layer loss where the truth is known + the supervisor's verdict on the overlap."""
    layers = SharesLayers(made.soft, made.upper_bone, made.lower_bone, made.share_sd)
    loss, parts = layers_loss(layers, _known_only(batch).shares())
    if supervisor is None:
        return loss, parts
    masks = Bones(batch.upper_mask, batch.lower_mask)
    where = Bones(masks.both, masks.both)
    adversary = published.persuasion_loss(made.layers, supervisor, masks, where)
    return loss + ADVERSARY_WEIGHT * adversary, parts | {"adversary": adversary.detach()}


def exact_supervisor(supervisor: nn.Module, made: ExactMade, batch: OverlapBatch) -> Losses:
    """The supervisor's loss on separated, joint and true layers."""
    return published.supervisor_overlap_loss(supervisor, made.layers, batch.joints())


def layer_psnr(
    pool: OverlapPool, at: np.ndarray, make: Callable[[nn.Module, OverlapBatch], Any]
) -> Callable[[nn.Module], dict[str, float]]:
    """Judge: PSNR of the mean squared error of both layers in the overlap.

    The overlap of the true masks, as far as it lies in both drawn ones: layers that are
    multiplied by their masks are nothing beyond.

    Args:
        pool: samples with known layers.
        at: those that judge.
        make: network and batch -> layers.
    """

    def judge(network: nn.Module) -> dict[str, float]:
        errors = []
        for first in range(0, len(at), JUDGED_TOGETHER):
            batch = _beside(network, whole_batch(pool, at[first : first + JUDGED_TOGETHER]))
            with torch.autocast(batch.absorbance.device.type, torch.bfloat16):
                made = make(network, batch)
            errors.append(_layer_errors(made.layers, batch))
        mse = torch.cat(errors).mean()
        return {"layer_psnr": float(-10.0 * torch.log10(mse))}

    return judge


def sample_panel(
    pool: OverlapPool, at: np.ndarray, make: Callable[[nn.Module, OverlapBatch], Any]
) -> Callable[[nn.Module], np.ndarray]:
    """Panel maker: joint, both layers and both true layers of a few samples, one row each."""

    def panel(network: nn.Module) -> np.ndarray:
        batch = _beside(network, whole_batch(pool, at[:PANEL_ROWS]))
        made, joints = make(network, batch), batch.joints()
        masked = [layer * mask for layer, mask in zip(made.layers, joints.masks, strict=True)]
        columns = torch.cat([joints.joint, *masked, *joints.truth], dim=2)
        return np.clip(np.concatenate(list(columns.cpu().numpy())), 0.0, 1.0)

    return panel


def _beside(network: nn.Module, batch: OverlapBatch) -> OverlapBatch:
    """The batch on the network's device."""
    device = next(network.parameters()).device
    return OverlapBatch(*(part.to(device) for part in batch))


def _layer_errors(layers: Bones, batch: OverlapBatch) -> Tensor:
    true_lower = batch.absorbance - batch.true_soft - batch.true_upper
    truth = [intensity(batch.true_soft + bone) for bone in (batch.true_upper, true_lower)]
    squares = [(layer.float() - true).square() for layer, true in zip(layers, truth, strict=True)]
    inside = batch.overlap * batch.upper_mask * batch.lower_mask
    total = ((squares[0] + squares[1]) * inside).sum(dim=(1, 2))
    return total / (2.0 * inside.sum(dim=(1, 2)).clamp_min(1.0))


def _known_only(batch: OverlapBatch) -> OverlapBatch:
    """The batch with the maps that weigh a loss set to 0 where the layers are unknown."""
    known = batch.known[:, None, None]
    weights = ("upper_matte", "lower_matte", "window", "overlap")
    return batch._replace(**{name: getattr(batch, name) * known for name in weights})
