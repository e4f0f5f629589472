"""What the share network learns to minimise: the error of the layers it implies."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import huber_loss

from lamella.physics.formation import intensity, shares_of_present, split_by_shares

TYPICAL_ERROR = 0.02
SMALLEST_MSE = 1e-12


class SharesBatch(NamedTuple):
    """One batch; maps are (B, H, W), see :class:`lamella.prepare.scene.Scene`.

    ``absorbance`` observed; ``soft`` its harmonic estimate; ``upper_matte``, ``lower_matte``
    soft edges; ``window`` where the soft tissue may be corrected; ``true_soft``,
    ``true_upper`` true absorbances; ``overlap`` 1 inside both masks; ``scale`` (B,).
    """

    absorbance: Tensor
    soft: Tensor
    upper_matte: Tensor
    lower_matte: Tensor
    window: Tensor
    true_soft: Tensor
    true_upper: Tensor
    overlap: Tensor
    scale: Tensor


class SharesLayers(NamedTuple):
    """Layers of one batch, (B, H, W): soft tissue, upper and lower bone, SD of the share."""

    soft: Tensor
    upper: Tensor
    lower: Tensor
    share_sd: Tensor


def layers_of(network: nn.Module, batch: SharesBatch) -> SharesLayers:
    """Run the network and the exact head (``docs/notation.md``) on a batch."""
    scale = batch.scale[:, None, None]
    bone = (batch.absorbance - batch.soft) / scale
    mattes = torch.stack([batch.upper_matte, batch.lower_matte], dim=1)
    features = torch.cat([torch.stack([bone, batch.soft / scale], dim=1), mattes], dim=1)
    output = network(features.contiguous(memory_format=torch.channels_last)).float()
    share, log_sd, correction = output.unbind(dim=1)
    shares = shares_of_present(torch.stack([share, torch.zeros_like(share)], dim=1), mattes)
    corrected = batch.soft + scale * batch.window * correction
    soft, bones = split_by_shares(batch.absorbance, corrected, shares)
    return SharesLayers(soft, bones[:, 0], bones[:, 1], log_sd.exp())


def shares_loss(network: nn.Module, batch: SharesBatch) -> tuple[Tensor, dict[str, Tensor]]:
    """:func:`layers_loss` of what the network makes of a batch."""
    return layers_loss(layers_of(network, batch), batch)


def layers_loss(layers: SharesLayers, batch: SharesBatch) -> tuple[Tensor, dict[str, Tensor]]:
    """Huber loss of both layer images in the overlap + soft tissue + likelihood of the SD.

    The layer images ``L_i = 1 - exp(-(a_soft + a_i))`` are compared with the true ones inside
    the overlap, each sample weighing the same; soft tissue where it may be corrected; the
    negative log-likelihood of the layers' absorbance error, also where only the soft edges
    meet, trains the uncertainty.
    """
    true_lower = batch.absorbance - batch.true_soft - batch.true_upper
    errors = torch.stack(
        [
            intensity(layers.soft + layers.upper) - intensity(batch.true_soft + batch.true_upper),
            intensity(layers.soft + layers.lower) - intensity(batch.true_soft + true_lower),
        ],
        dim=1,
    )
    inside = batch.overlap[:, None]
    scaled = errors / TYPICAL_ERROR
    pixelwise = huber_loss(scaled, torch.zeros_like(scaled), reduction="none", delta=3.0)
    data = _sample_mean(pixelwise, inside)
    edge = _sample_mean(pixelwise, (batch.upper_matte * batch.lower_matte)[:, None])
    soft = _sample_mean(
        ((layers.soft - batch.true_soft) / TYPICAL_ERROR).abs()[:, None], batch.window[:, None]
    )
    either = ((batch.upper_matte > 0) & (batch.lower_matte > 0)).float()[:, None]
    likelihood = _sample_mean(_likelihood(layers, batch)[:, None], 0.5 * (inside + either))
    mse = _sample_mean(errors.detach().square(), inside)
    loss = data + 0.2 * edge + 0.05 * soft + 0.05 * likelihood
    return loss, {
        "psnr": -10.0 * torch.log10(mse.clamp_min(SMALLEST_MSE)),
        "soft": soft.detach(),
        "nll": likelihood,
    }


def _likelihood(layers: SharesLayers, batch: SharesBatch) -> Tensor:
    """Gaussian negative log-likelihood of both layers' absorbance error over the bone's."""
    bone = (layers.upper + layers.lower).detach().clamp_min(0.02)
    true_lower = batch.absorbance - batch.true_soft - batch.true_upper
    upper = (layers.soft + layers.upper - batch.true_soft - batch.true_upper).detach() / bone
    lower = (layers.soft + layers.lower - batch.true_soft - true_lower).detach() / bone
    mean_square = 0.5 * (upper.square() + lower.square())
    return 0.5 * mean_square / layers.share_sd.square() + layers.share_sd.log()


def _sample_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean per sample, then the mean over samples that have any weight."""
    channels = values.shape[1]
    total = (weight.sum(dim=(1, 2, 3)) * channels).clamp_min(1e-6)
    means = (values * weight).sum(dim=(1, 2, 3)) / total
    present = (weight.sum(dim=(1, 2, 3)) > 0).float()
    return (means * present).sum() / present.sum().clamp_min(1.0)
