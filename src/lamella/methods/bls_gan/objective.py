"""BLS-GAN's equations 2 to 5: what generator, reconstructor and supervisor minimise.

``L_b = BCE + Dice`` and ``L_r = RMSE``, each per sample and then averaged, so that a batch cut
into equal parts has the mean of their losses. Where paper and published code differ the
difference is an argument: ``docs/papers/bls_gan.md``.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lamella.methods.bls_gan.networks import Bones, Verdict
from lamella.physics.formation import SMALLEST_K, intensity

SMALLEST_MSE = 1e-12
DICE_SMOOTHING = 1.0


class JointBatch(NamedTuple):
    """Joints with their masks, and their true layers where they are known; maps are (B, H, W).

    ``joint`` J; ``masks`` M, 0 or 1; ``truth`` the layer images L_g, without meaning where
    unknown;
    ``known`` (B,) 1 where the truth is known.
    """

    joint: Tensor
    masks: Bones
    truth: Bones
    known: Tensor

    def seen(self) -> Tensor:
        """What the generator sees, (B, 3, H, W)."""
        stacked = torch.stack([self.joint, *self.masks], dim=1)
        return stacked.contiguous(memory_format=torch.channels_last)


class Made(NamedTuple):
    """What the generator made of a batch: layer images, their recomposition R, k (B,)."""

    upper: Tensor
    lower: Tensor
    recomposed: Tensor
    k: Tensor

    @property
    def layers(self) -> Bones:
        """The layer images by bone."""
        return Bones(self.upper, self.lower)


def made_by(network: nn.Module, batch: JointBatch) -> Made:
    """Run generator and reconstructor, and recompose with Eq. 1."""
    layers, k = network(batch.seen())
    named = Bones(*layers.float().unbind(dim=1))
    return Made(*named, recomposed(named, batch.masks, k.float()), k.float())


def recomposed(layers: Bones, masks: Bones, k: Tensor) -> Tensor:
    """Eq. 1 for a batch: ``R = (1 - k prod_i (1 - (1 - (1 - L_i) / k) M_i)) M_union``, (B, H, W).

    Args:
        layers: L, (B, H, W) each.
        masks: M.
        k: (B,).
    """
    soft = k.clamp_min(SMALLEST_K)[:, None, None]
    bones = [
        1.0 - (1.0 - (1.0 - layer) / soft) * mask for layer, mask in zip(layers, masks, strict=True)
    ]
    return (1.0 - soft * bones[0] * bones[1]) * masks.either


def generator_loss(
    made: Made, supervisor: nn.Module | None, batch: JointBatch
) -> tuple[Tensor, dict[str, Tensor]]:
    """Eq. 2: ``0.5 L_b(D(L), {M, M}) + 0.5 (L_r(R, J) + L_r(R_both, J_both))``."""
    union, both = batch.masks.either, batch.masks.both
    whole = rmse(made.recomposed - batch.joint * union, torch.ones_like(union))
    inside = rmse(made.recomposed - batch.joint, both)
    loss = 0.5 * (whole + inside)
    parts = {"recomposition": whole.detach(), "recomposition_overlap": inside.detach()}
    if supervisor is not None:
        adversary = persuasion_loss(made.layers, supervisor, batch.masks)
        loss = loss + 0.5 * adversary
        parts["adversary"] = adversary.detach()
    return loss, parts


def generator_pretraining_loss(
    made: Made, supervisor: nn.Module | None, batch: JointBatch
) -> tuple[Tensor, dict[str, Tensor]]:
    """Eq. 4: Eq. 2 plus ``L_r(L, L_g)``, of the samples whose layers are known."""
    loss, parts = generator_loss(made, supervisor, batch)
    errors = [
        rmse((layer - true) * mask * batch.known[:, None, None], torch.ones_like(mask))
        for layer, true, mask in zip(made.layers, batch.truth, batch.masks, strict=True)
    ]
    layers = 0.5 * (errors[0] + errors[1])
    return loss + layers, parts | {"layers": layers.detach()}


def persuasion_loss(
    layers: Bones, supervisor: nn.Module, masks: Bones, where: Bones | None = None
) -> Tensor:
    """``L_b(M', M)``: the supervisor should find each bone everywhere and authentic.

    Args:
        layers: layer images.
        supervisor: D.
        masks: M, by which the layers are multiplied.
        where: part of the masks that is judged, all of them when None.
    """
    judged = where or masks
    verdict: Verdict = supervisor(_shown(layers, masks))
    place = _judged(verdict.place, judged, judged)
    return 0.5 * (place + _judged(verdict.authenticity, judged, judged))


def supervisor_loss(
    supervisor: nn.Module, made: Made, batch: JointBatch, *, authentic_as_in_code: bool = True
) -> tuple[Tensor, dict[str, Tensor]]:
    """Eq. 3: ``0.5 L_b(D(J_r), M_r) + 0.5 L_b(D(J_f), M_f)``.

    Real ``J_r = J M_i`` shows both bones in the overlap: place ``M_i - M_both``, authenticity
    the same (published code) or ``M_i`` (paper). Fake ``J_f = L``: place ``M_i``, authenticity 0.

    Args:
        supervisor: D.
        made: layers, detached from the generator.
        batch: the joints.
        authentic_as_in_code: the code's target for real images; False for the paper's.
    """
    alone = Bones(*(mask * (1.0 - batch.masks.both) for mask in batch.masks))
    nothing = Bones(*(torch.zeros_like(mask) for mask in batch.masks))
    joints = Bones(batch.joint, batch.joint)
    target = alone if authentic_as_in_code else batch.masks
    real = _trial(supervisor, joints, batch.masks, Verdict(alone, target))
    fake = _trial(supervisor, made.layers, batch.masks, Verdict(batch.masks, nothing))
    return 0.5 * (real + fake), {"real": real.detach(), "fake": fake.detach()}


def supervisor_pretraining_loss(
    supervisor: nn.Module, made: Made, batch: JointBatch, *, authentic_as_in_code: bool = True
) -> tuple[Tensor, dict[str, Tensor]]:
    """Eq. 5: Eq. 3 plus ``L_b(D(L_g), {M, M})``, of the samples whose layers are known."""
    loss, parts = supervisor_loss(
        supervisor, made, batch, authentic_as_in_code=authentic_as_in_code
    )
    known = batch.known[:, None, None]
    masks = Bones(*(mask * known for mask in batch.masks))
    truth = _trial(supervisor, batch.truth, masks, Verdict(masks, masks))
    return loss + truth, parts | {"truth": truth.detach()}


def supervisor_overlap_loss(
    supervisor: nn.Module, layers: Bones, batch: JointBatch
) -> tuple[Tensor, dict[str, Tensor]]:
    """Eq. 5 for layers that are exact: only what they hold in the overlap can be wrong.

    The targets of authenticity are ``M_i - M_both`` for real joints and for separated layers
    (which equal the joint outside the overlap), ``M_i`` for true layers.
    """
    alone = Bones(*(mask * (1.0 - batch.masks.both) for mask in batch.masks))
    known = batch.known[:, None, None]
    masks = Bones(*(mask * known for mask in batch.masks))
    joints = Bones(batch.joint, batch.joint)
    real = _trial(supervisor, joints, batch.masks, Verdict(alone, alone))
    fake = _trial(supervisor, layers, batch.masks, Verdict(batch.masks, alone))
    truth = _trial(supervisor, batch.truth, masks, Verdict(masks, masks))
    parts = {"real": real.detach(), "fake": fake.detach(), "truth": truth.detach()}
    return 0.5 * (real + fake) + truth, parts


def segmentation_loss(logits: Tensor, target: Tensor, masks: Tensor) -> Tensor:
    """``L_b = BCE + Dice`` of probabilities times the mask, (B, H, W) each.

    Dice: ``1 - (2 sum p t + 1) / (sum p + sum t + 1)`` per sample.
    """
    pixelwise = binary_cross_entropy_with_logits(logits, target, reduction="none") * masks
    cross_entropy = pixelwise.mean(dim=(1, 2))
    found = torch.sigmoid(logits) * masks
    shared = (found * target).sum(dim=(1, 2))
    sizes = found.sum(dim=(1, 2)) + target.sum(dim=(1, 2))
    dice = 1.0 - (2.0 * shared + DICE_SMOOTHING) / (sizes + DICE_SMOOTHING)
    return (cross_entropy + dice).mean()


def rmse(errors: Tensor, where: Tensor) -> Tensor:
    """``L_r``: root mean square error per sample over ``where``, then the mean, (B, H, W)."""
    count = where.sum(dim=(1, 2)).clamp_min(1.0)
    mean_square = (errors.square() * where).sum(dim=(1, 2)) / count
    return (mean_square + SMALLEST_MSE).sqrt().mean()


def true_layer_images(soft: Tensor, bones: Bones, masks: Bones) -> Bones:
    """Layer images of known absorbances, masked: ``L_i = (1 - exp(-(a_soft + a_i))) M_i``."""
    return Bones(*(intensity(soft + bone) * mask for bone, mask in zip(bones, masks, strict=True)))


def _shown(layers: Bones, masks: Bones) -> Tensor:
    shown = layers.stack() * masks.stack()
    return shown.contiguous(memory_format=torch.channels_last)


def _trial(supervisor: nn.Module, layers: Bones, masks: Bones, target: Verdict) -> Tensor:
    verdict: Verdict = supervisor(_shown(layers, masks))
    place = _judged(verdict.place, target.place, masks)
    return 0.5 * (place + _judged(verdict.authenticity, target.authenticity, masks))


def _judged(logits: Bones, target: Bones, masks: Bones) -> Tensor:
    losses = [
        segmentation_loss(found, wanted, mask)
        for found, wanted, mask in zip(logits, target, masks, strict=True)
    ]
    return 0.5 * (losses[0] + losses[1])
