"""LSN's two variants as contests: as published, and exact.

Both share pools, batches, critics and loop. *As published* predicts three layer intensities and
is held to the joint image by a loss. *Exact* predicts shares of the bone absorbance and a smooth
correction of the soft tissue, so its layers recompose the joint whatever it says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lamella.methods.bls_gan.networks import Bones
from lamella.methods.lsn.networks import Critics, JointLayers, Masks
from lamella.methods.lsn.objective import (
    MAIN,
    PRETRAINING,
    Terms,
    bone_images,
    critics_loss,
    generator_loss,
    hiding_loss,
    layers_by,
    low_passed,
    recomposed,
    scoring,
    shift_loss,
)
from lamella.methods.lsn.shift import BoneMotions, opening, shifted
from lamella.methods.shares.objective import (
    TYPICAL_ERROR,
    SharesBatch,
    SharesLayers,
    layers_loss,
    layers_of,
)
from lamella.physics.formation import intensity
from lamella.training.bls_gan_data import OverlapBatch, whole_batch
from lamella.training.contest import Losses
from lamella.training.lsn_data import LsnBatch, with_context
from lamella.training.overlaps import OverlapPool
from lamella.training.variants import JUDGED_TOGETHER, PANEL_ROWS, layer_psnr

EXACT = Terms(recon=0.0, seg=0.3, bone=0.0, disc=0.1, as_published=False)
SOFT_WEIGHT = 0.3
OPENING_PX = 6.0
PANEL_MOTION_PX = 8.0
SMALLEST_MSE = 1e-12


class LsnMade(NamedTuple):
    """Absorbances of the layers and the standard deviation of the share, (B, H, W) each."""

    soft: Tensor
    upper: Tensor
    lower: Tensor
    share_sd: Tensor

    @property
    def parts(self) -> JointLayers:
        """The layers."""
        return JointLayers(self.soft, self.upper, self.lower)

    @property
    def layers(self) -> Bones:
        """Images of each bone with its soft tissue, as BLS-GAN's judge compares them."""
        return Bones(*bone_images(self.parts))


Maker = Callable[[nn.Module, LsnBatch], LsnMade]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What is trained.

    Args:
        exact: shares of absorbance and corrected losses, instead of layer intensities.
        with_pretraining: a first stage on overlaps whose layers are known.
        with_segmenter: N_S, and with it Seg.
        with_shift: f_s moves the bones before N_S looks.
        with_adversary: N_D, and with it Disc.
    """

    exact: bool = False
    with_pretraining: bool = True
    with_segmenter: bool = True
    with_shift: bool = True
    with_adversary: bool = True

    @property
    def make(self) -> Maker:
        """N_G and what follows it, on a batch."""
        return exact_made if self.exact else published_made


VARIANTS = {
    "as-published": Variant(),
    "exact": Variant(exact=True),
    "reconstruction": Variant(
        with_pretraining=False, with_segmenter=False, with_shift=False, with_adversary=False
    ),
    "reconstruction-shift": Variant(with_pretraining=False, with_adversary=False),
    "reconstruction-shift-adversary": Variant(with_pretraining=False),
    "without-shift": Variant(with_shift=False),
}


def published_made(network: nn.Module, batch: LsnBatch) -> LsnMade:
    """N_G as published on a batch; it states no standard deviation."""
    layers = layers_by(network, batch.layers())
    return LsnMade(*layers, torch.zeros_like(layers.soft))


def exact_made(network: nn.Module, batch: LsnBatch) -> LsnMade:
    """The soft-shares network and the exact head on a batch."""
    found = layers_of(network, batch.shares())
    return LsnMade(found.soft, found.upper, found.lower, found.share_sd)


def published_generator(terms: Terms) -> Callable[..., Losses]:
    """Recon, Seg, Bone and Disc with the weights of a stage."""
    return lambda made, critics, batch: generator_loss(made.parts, critics, batch.layers(), terms)


def published_critics(*, pretraining: bool) -> Callable[..., Losses]:
    """N_S on joints, in pre-training also on the known ones moved apart; N_D on soft tissue."""

    def objective(critics: Critics, made: LsnMade, batch: LsnBatch) -> Losses:
        seen = batch.layers()
        apart = opening(seen.masks, OPENING_PX)
        beside = shifted(seen.truth, seen.masks, apart) if pretraining else None
        return critics_loss(critics, made.parts, seen, beside)

    return objective


def exact_generator(made: LsnMade, critics: Critics | None, batch: LsnBatch) -> Losses:
    """Layer loss where the truth is known + Seg after f_s + bounded Disc on low-passed soft tissue.

    The soft tissue has no grain under the bones, which N_D could tell from the grain beside
    them: it sees neither.
    """
    found = SharesLayers(made.soft, made.upper, made.lower, made.share_sd)
    known = known_only(batch)
    loss, parts = layers_loss(found, known)
    loss = loss + SOFT_WEIGHT * soft_loss(made.soft, known)
    if critics is None:
        return loss, parts
    seen = batch.layers()
    with scoring(critics):
        seg = shift_loss(made.parts, critics, seen, EXACT)
        loss, parts = loss + EXACT.seg * seg, parts | {"seg": seg.detach()}
        if critics.shadow_finder is not None:
            logit = critics.shadow_finder(intensity(low_passed(made.soft)))
            disc = hiding_loss(logit, seen.masks)
            loss, parts = loss + EXACT.disc * disc, parts | {"disc": disc.detach()}
    return loss, parts


def exact_critics(critics: Critics, made: LsnMade, batch: LsnBatch) -> Losses:
    """N_S on joints and on known ones moved at random; N_D on low-passed soft tissue."""
    seen = batch.layers()
    motions = batch.draws[0] if batch.draws else opening(seen.masks, OPENING_PX)
    beside = shifted(seen.truth, seen.masks, motions)
    smooth = made.parts._replace(soft=low_passed(made.soft))
    return critics_loss(critics, smooth, seen, beside)


def objectives(
    variant: Variant, *, pretraining: bool
) -> tuple[Callable[..., Losses], Callable[..., Losses]]:
    """What N_G and what the critics minimise in a stage."""
    if variant.exact:
        return exact_generator, exact_critics
    terms = PRETRAINING if pretraining else MAIN
    return published_generator(terms), published_critics(pretraining=pretraining)


def soft_loss(soft: Tensor, known: SharesBatch) -> Tensor:
    """``|a_soft - true|`` over a typical error, mean over the mattes of the known samples."""
    errors = (soft - known.true_soft).abs() * known.window / TYPICAL_ERROR
    return errors.sum() / known.window.sum().clamp_min(1.0)


def known_only(batch: LsnBatch) -> SharesBatch:
    """The share network's batch, weighing nothing where the layers are unknown."""
    shares, known = batch.shares(), batch.overlaps.known[:, None, None]
    weights = ("upper_matte", "lower_matte", "window", "overlap")
    return shares._replace(**{name: getattr(shares, name) * known for name in weights})


def judge(
    pool: OverlapPool, at: np.ndarray, make: Maker
) -> Callable[[nn.Module], dict[str, float]]:
    """PSNR of both layer images in the overlap, of the soft tissue under the bones, and of R.

    Args:
        pool: samples with known layers.
        at: those that judge.
        make: network and batch -> layers.
    """
    layers = layer_psnr(pool, at, lambda network, overlaps: make(network, with_context(overlaps)))

    def score(network: nn.Module) -> dict[str, float]:
        soft, image = [], []
        for first in range(0, len(at), JUDGED_TOGETHER):
            batch = _beside(network, whole_batch(pool, at[first : first + JUDGED_TOGETHER]))
            with torch.autocast(batch.context.device.type, torch.bfloat16):
                made = make(network, batch).parts
            masks = batch.masks()
            error = intensity(made.soft) - intensity(batch.overlaps.true_soft)
            soft.append(_mean_squares(error, masks.bone))
            image.append(_mean_squares(recomposed(made) - batch.layers().joint, masks.context))
        figures = {"soft_psnr": _psnr(soft), "recomposition_psnr": _psnr(image)}
        return layers(network) | figures

    return score


def sample_panel(
    pool: OverlapPool, at: np.ndarray, make: Maker
) -> Callable[[nn.Module], np.ndarray]:
    """Panel maker, a row per sample: joint, soft tissue and the true one, bones, moved apart."""

    def panel(network: nn.Module) -> np.ndarray:
        batch = _beside(network, whole_batch(pool, at[:PANEL_ROWS]))
        made, seen = make(network, batch), batch.layers()
        apart = recomposed(shifted(made.parts, seen.masks, _apart(seen.masks)).layers)
        soft = [intensity(each) for each in (made.soft, seen.truth.soft)]
        columns = torch.cat([seen.joint, *soft, *made.layers, apart], dim=2)
        return np.clip(np.concatenate(list(columns.cpu().numpy())), 0.0, 1.0)

    return panel


def _apart(masks: Masks) -> BoneMotions:
    return opening(masks, PANEL_MOTION_PX)


def _beside(network: nn.Module, overlaps: OverlapBatch) -> LsnBatch:
    """The batch on the network's device."""
    device = next(network.parameters()).device
    return with_context(OverlapBatch(*(part.to(device) for part in overlaps)))


def _mean_squares(errors: Tensor, where: Tensor) -> Tensor:
    return (errors.square() * where).sum(dim=(1, 2)) / where.sum(dim=(1, 2)).clamp_min(1.0)


def _psnr(squares: list[Tensor]) -> float:
    return float(-10.0 * torch.log10(torch.cat(squares).mean().clamp_min(SMALLEST_MSE)))
