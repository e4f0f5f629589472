"""LSN's losses (arXiv 2502.01972): Recon, Seg, Bone and Disc, as published and corrected.

Every loss is computed per sample and then averaged, so that a batch cut into equal parts has the
mean of their losses; what is empty costs nothing. Layers are absorbances, images intensities.
Where published code and correction differ the difference is an argument: ``docs/papers/lsn.md``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits, pad

from lamella.methods.lsn.networks import Critics, JointLayers, Masks, Parts
from lamella.methods.lsn.shift import BoneMotions, Shifted, shifted
from lamella.physics.formation import absorbance, intensity, superpose

SMALLEST_MSE = 1e-12
OVERLAP_WEIGHT = 0.2
NETWORK_GREY_LEVEL = 1.0 / 255.0
BOX_PX = 7
SMALLEST_PRIOR = 0.01


class LayerBatch(NamedTuple):
    """Joints, their true layers where they are known, and the random motions of this step.

    ``joint`` I, (B, H, W); ``truth`` absorbances, without meaning where unknown; ``known`` (B,);
    ``draws``: motions of f_s, none in the ablation without shift.
    """

    joint: Tensor
    masks: Masks
    truth: JointLayers
    known: Tensor
    draws: tuple[BoneMotions, ...]

    def seen(self) -> Tensor:
        """What N_G sees, (B, 4, H, W)."""
        stacked = torch.stack([self.joint, *self.masks], dim=1)
        return stacked.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Weights of N_G's losses, and in which form.

    Args:
        recon: of :func:`reconstruction_loss`.
        seg: of :func:`shift_loss`.
        bone: of :func:`bone_loss`.
        disc: of :func:`shadow_gain` as published, :func:`hiding_loss` corrected.
        as_published: published shift, targets whose soft tissue moves, unbounded Disc.
    """

    recon: float
    seg: float
    bone: float
    disc: float
    as_published: bool = True


PRETRAINING = Terms(recon=0.5, seg=0.2, bone=0.2, disc=0.1)
MAIN = Terms(recon=0.6, seg=0.3, bone=0.0, disc=0.1)


def layers_by(network: nn.Module, batch: LayerBatch) -> JointLayers:
    """Run N_G as published; its layer intensities as absorbances."""
    upper, lower, soft = absorbance(network(batch.seen()).float(), NETWORK_GREY_LEVEL).unbind(1)
    return JointLayers(soft, upper, lower)


def recomposed(layers: JointLayers) -> Tensor:
    """f_r: ``R = 1 - (1 - L_upper)(1 - L_lower)(1 - L_soft)``, as a sum of absorbances."""
    image: Tensor = intensity(superpose(layers.soft, torch.stack(layers[1:], dim=1)))
    return image


def bone_images(layers: JointLayers) -> tuple[Tensor, Tensor]:
    """f_r of one bone and the soft tissue, ``R_i = 1 - (1 - L_i)(1 - L_soft)``: upper, lower."""
    return intensity(layers.soft + layers.upper), intensity(layers.soft + layers.lower)


def reconstruction_loss(layers: JointLayers, batch: LayerBatch) -> Tensor:
    """Recon: ``RMSE_C(f_r(L), I) + 0.2 RMSE_O(f_r(L), I)``; C the context, O the overlap."""
    errors = recomposed(layers) - batch.joint
    inside = rmse([errors], [batch.masks.context])
    return inside + OVERLAP_WEIGHT * rmse([errors], [batch.masks.both])


def shift_loss(layers: JointLayers, critics: Critics, batch: LayerBatch, terms: Terms) -> Tensor:
    """Seg: mean over draws of ``BCE_C(N_S(f_r(f_s(L))), moved label)``; unmoved without draws.

    Pixels to which a bone comes from beyond the border count only as published.
    """
    made = [_after(layers, batch, motions, terms) for motions in batch.draws]
    made = made or [_unmoved(layers, batch)]
    return torch.stack([_segmented(critics, after) for after in made]).mean()


def bone_loss(layers: JointLayers, batch: LayerBatch, terms: Terms) -> Tensor:
    """Bone: ``0.5 static + 0.5 moved`` error of ``R_i`` where the layers are known.

    static = ``RMSE_B(R_i M_i, GT_i) + 0.2 RMSE_O``; moved = mean over draws of
    ``RMSE_B'(R_i', GT_i')``, static without draws. As published the GT bone and its soft tissue
    move together; corrected the bone moves alone: ``GT_i' = 1 - exp(-(a_soft + f_s(a_i)))``.
    """
    still = _unmoved(layers, batch)
    truth = bone_images(batch.truth)
    static = _bone_errors(still, truth, batch.known)
    for_overlap = batch.known[:, None, None] * batch.masks.both
    errors = [found - true for found, true in zip(bone_images(layers), truth, strict=True)]
    static = static + OVERLAP_WEIGHT * rmse(errors, [for_overlap, for_overlap])
    moved = [
        _bone_errors(
            _after(layers, batch, motions, terms), moved_truth(batch, motions, terms), batch.known
        )
        for motions in batch.draws
    ]
    return 0.5 * static + 0.5 * (torch.stack(moved).mean() if moved else static)


def moved_truth(batch: LayerBatch, motions: BoneMotions, terms: Terms) -> tuple[Tensor, Tensor]:
    """GT_i': true bone images after f_s, upper and lower; see :func:`bone_loss`."""
    truth = batch.truth
    if not terms.as_published:
        return bone_images(shifted(truth, batch.masks, motions).layers)
    carried = JointLayers(
        torch.zeros_like(truth.soft), truth.soft + truth.upper, truth.soft + truth.lower
    )
    return bone_images(shifted(carried, batch.masks, motions, as_published=True).layers)


def shadow_gain(logit: Tensor, masks: Masks) -> Tensor:
    """Disc as published: ``1 - BCE_C(N_D(L_soft), bone)``, unbounded below."""
    return 1.0 - shadow_loss(logit, masks)


def hiding_loss(logit: Tensor, masks: Masks) -> Tensor:
    """Disc corrected: N_D should know no more about bone pixels than how many there are.

    ``mean over bone pixels of KL(pi || sigmoid(N_D))``, at least 0, with pi the part of the
    sample's context that is bone.
    """
    size = masks.context.sum(dim=(1, 2)).clamp_min(1.0)
    prior = (masks.bone * masks.context).sum(dim=(1, 2)) / size
    prior = prior.clamp(SMALLEST_PRIOR, 1.0 - SMALLEST_PRIOR)[:, None, None].expand_as(logit)
    least = -(prior * prior.log() + (1.0 - prior) * (1.0 - prior).log())
    crossed = binary_cross_entropy_with_logits(logit, prior, reduction="none")
    return masked_mean(crossed - least, masks.bone)


def shadow_loss(logit: Tensor, masks: Masks) -> Tensor:
    """N_D's own loss: ``BCE_C(N_D(L_soft), bone)``, bone = 1 - soft only."""
    errors = binary_cross_entropy_with_logits(logit, masks.bone, reduction="none")
    return masked_mean(errors, masks.context)


def segmentation_loss(logits: Parts, label: Parts, where: Tensor) -> Tensor:
    """``BCE_C`` of all three parts."""
    errors = [
        binary_cross_entropy_with_logits(found, wanted, reduction="none")
        for found, wanted in zip(logits, label, strict=True)
    ]
    return masked_mean(torch.stack(errors).mean(dim=0), where)


def critics_loss(
    critics: Critics, layers: JointLayers, batch: LayerBatch, beside: Shifted | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """What N_S and N_D minimise together.

    N_S: ``BCE_C(N_S(I), label)``; with ``beside`` half of it, and half of ``BCE_C`` of the known
    joints' true layers after a motion (in place of the published non-overlap images). It never
    learns from generated images. N_D: :func:`shadow_loss` of generated soft tissue.

    Args:
        critics: N_S and N_D.
        layers: generated, detached.
        batch: the joints.
        beside: true layers after a motion.
    """
    seg = segmentation_loss(critics.segmenter(batch.joint), batch.masks.parts, batch.masks.context)
    if beside is not None:
        where = beside.masks.context * beside.inside * batch.known[:, None, None]
        found: Parts = critics.segmenter(recomposed(beside.layers))
        seg = 0.5 * seg + 0.5 * segmentation_loss(found, beside.masks.parts, where)
    parts = {"segmenter": seg.detach()}
    if critics.shadow_finder is None:
        return seg, parts
    shadow = shadow_loss(critics.shadow_finder(intensity(layers.soft)), batch.masks)
    return seg + shadow, parts | {"shadow_finder": shadow.detach()}


def generator_loss(
    layers: JointLayers, critics: Critics | None, batch: LayerBatch, terms: Terms
) -> tuple[Tensor, dict[str, Tensor]]:
    """Weighted sum of Recon, Seg, Bone and Disc; without critics the first and third alone."""
    losses = {"recon": terms.recon * reconstruction_loss(layers, batch)}
    if terms.bone:
        losses["bone"] = terms.bone * bone_loss(layers, batch, terms)
    if critics is not None:
        with scoring(critics):
            losses["seg"] = terms.seg * shift_loss(layers, critics, batch, terms)
            if critics.shadow_finder is not None:
                logit = critics.shadow_finder(intensity(layers.soft))
                hides = shadow_gain if terms.as_published else hiding_loss
                losses["disc"] = terms.disc * hides(logit, batch.masks)
    total = torch.stack(list(losses.values())).sum()
    return total, {name: loss.detach() for name, loss in losses.items()}


@contextmanager
def scoring(critics: Critics) -> Iterator[None]:
    """Critics in evaluation mode for a while: judging changes nothing about the judge."""
    was_training = critics.training
    critics.eval()
    try:
        yield
    finally:
        critics.train(was_training)


def masked_mean(errors: Tensor, where: Tensor) -> Tensor:
    """``sum(e m) / sum(m)`` per sample, 0 where m is empty, then the mean, of (B, H, W)."""
    count = where.sum(dim=(1, 2)).clamp_min(1.0)
    return ((errors * where).sum(dim=(1, 2)) / count).mean()


def rmse(errors: list[Tensor], where: list[Tensor]) -> Tensor:
    """``sqrt(sum(e^2 m) / sum(m))`` per sample over all maps together, then the mean.

    A floor of ``SMALLEST_MSE`` under the root keeps its slope finite; an empty m gives its root.
    """
    count = torch.stack(where).sum(dim=(0, 2, 3)).clamp_min(1.0)
    squares = [error.square() * mask for error, mask in zip(errors, where, strict=True)]
    mean_square = torch.stack(squares).sum(dim=(0, 2, 3)) / count
    return (mean_square + SMALLEST_MSE).sqrt().mean()


def low_passed(maps: Tensor) -> Tensor:
    """Maps (B, H, W) without their grain: three means over ``BOX_PX`` squared, borders repeated.

    Nearly a Gaussian of ``sqrt((BOX_PX^2 - 1) / 4)`` = 3.5 px.
    """
    reach = 3 * (BOX_PX // 2)
    smooth = pad(maps[:, None], (reach,) * 4, "replicate")
    for _ in range(3):
        smooth = avg_pool2d(smooth, BOX_PX, stride=1)
    return smooth[:, 0]


def _unmoved(layers: JointLayers, batch: LayerBatch) -> Shifted:
    return Shifted(layers, batch.masks, torch.ones_like(batch.joint))


def _after(layers: JointLayers, batch: LayerBatch, motions: BoneMotions, terms: Terms) -> Shifted:
    after = shifted(layers, batch.masks, motions, as_published=terms.as_published)
    if terms.as_published:
        return after._replace(inside=torch.ones_like(batch.joint))
    return after


def _segmented(critics: Critics, after: Shifted) -> Tensor:
    found: Parts = critics.segmenter(recomposed(after.layers))
    return segmentation_loss(found, after.masks.parts, after.masks.context * after.inside)


def _bone_errors(after: Shifted, truth: tuple[Tensor, Tensor], known: Tensor) -> Tensor:
    where = after.inside * known[:, None, None]
    masks = [mask * where for mask in after.masks[:2]]
    found = bone_images(after.layers)
    return rmse([one - true for one, true in zip(found, truth, strict=True)], masks)
