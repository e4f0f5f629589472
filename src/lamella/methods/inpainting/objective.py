"""What inpainting minimises: errors of the completed bone, and what a critic of patches says.

One sample is one *bone*, always seen as the upper one: the lower bone's maps are turned upside
down. A batch of joints becomes a batch of twice as many bones, the upper ones first.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d, max_pool2d, relu

from lamella.methods.inpainting.infer import MARGIN_PX

GRADIENT_WEIGHT = 0.5
ADVERSARY_WEIGHT = 0.02

Losses = tuple[Tensor, dict[str, Tensor]]


class Pair(NamedTuple):
    """One map per bone of a joint as it stands, (B, H, W) each."""

    upper: Tensor
    lower: Tensor

    def as_upper(self) -> Tensor:
        """Bones that all look like the upper one, (2 B, H, W)."""
        return torch.cat([self.upper, self.lower.flip(-2)])

    @classmethod
    def as_they_stand(cls, bones: Tensor) -> "Pair":
        """The way back from :meth:`as_upper`."""
        upper, lower = bones.chunk(2)
        return cls(upper, lower.flip(-2))


class BoneBatch(NamedTuple):
    """Bones to complete, each seen as the upper one; maps are (N, H, W).

    ``joint`` J; ``hole`` 1 where the layer is to be painted; ``mask`` of the bone; ``truth``
    its true layer image; ``known`` (N,) 1 where the truth is known.
    """

    joint: Tensor
    hole: Tensor
    mask: Tensor
    truth: Tensor
    known: Tensor

    def seen(self) -> Tensor:
        """What the network sees, (N, 3, H, W)."""
        stacked = torch.stack([self.joint * (1.0 - self.hole), self.hole, self.mask], dim=1)
        return stacked.contiguous(memory_format=torch.channels_last)


class Completed(NamedTuple):
    """Bones and the layer images painted for them, (N, H, W), equal to J outside the holes."""

    image: Tensor
    bones: BoneBatch


def bones_of(joint: Tensor, masks: Pair, truth: Pair, known: Tensor) -> BoneBatch:
    """Both bones of each joint as a batch of bones.

    Args:
        joint: J, (B, H, W).
        masks: M, 0 or 1.
        truth: layer images, whatever where unknown.
        known: (B,) 1 where the truth is known.
    """
    overlap = masks.upper * masks.lower
    reached = dilated(overlap, MARGIN_PX)
    holes = Pair(masks.lower * reached, masks.upper * reached)
    return BoneBatch(
        joint=Pair(joint, joint).as_upper(),
        hole=holes.as_upper(),
        mask=masks.as_upper(),
        truth=truth.as_upper(),
        known=torch.cat([known, known]),
    )


def completed(network: nn.Module, bones: BoneBatch) -> Completed:
    """``L = G(J (1 - H), H, M) H + J (1 - H)`` with the hole H."""
    painted = network(bones.seen()).float().squeeze(1)
    return Completed(torch.where(bones.hole > 0, painted, bones.joint), bones)


def painter_loss(made: Completed, critic: nn.Module | None) -> Losses:
    """``|L - L_g|_1 + 0.5 |grad (L - L_g)|_1 - 0.02 D(L)``, each a mean over the hole.

    The first two are of bones whose truth is known; each bone weighs the same. The error is 0
    outside the hole, so its gradient asks for a seamless rim too.

    Args:
        made: painted bones.
        critic: D, frozen; ``None``: no adversary.
    """
    bones = made.bones
    counted = bones.hole * bones.known[:, None, None]
    error = (made.image - bones.truth) * counted
    size = bones.hole.sum(dim=(1, 2)).clamp_min(1.0)
    layer = (error.abs().sum(dim=(1, 2)) / size).mean()
    steps = sum(error.diff(dim=axis).abs().sum(dim=(1, 2)) for axis in (1, 2))
    gradient = (steps / size).mean()
    loss = layer + GRADIENT_WEIGHT * gradient
    parts = {"layer": layer.detach(), "gradient": gradient.detach()}
    if critic is not None:
        adversary = -_in_hole(critic(_shown(made.image, bones)), bones.hole).mean()
        loss = loss + ADVERSARY_WEIGHT * adversary
        parts["adversary"] = adversary.detach()
    return loss, parts


def critic_loss(critic: nn.Module, made: Completed) -> Losses:
    """Hinge loss ``max(0, 1 - D(L_g)) + max(0, 1 + D(L))`` of the patches that the hole touches.

    Real overlaps, whose truth is unknown, count as painted bones only.

    Args:
        critic: D.
        made: painted bones, detached from the network.
    """
    bones = made.bones
    both = torch.cat([_shown(bones.truth, bones), _shown(made.image, bones)])
    true_scores, painted_scores = critic(both).chunk(2)
    true = (_in_hole(relu(1.0 - true_scores), bones.hole) * bones.known).mean()
    painted = _in_hole(relu(1.0 + painted_scores), bones.hole).mean()
    return true + painted, {"true": true.detach(), "painted": painted.detach()}


def dilated(mask: Tensor, radius_px: int) -> Tensor:
    """Dilation by a cross, ``radius_px`` times: all within that city-block distance, (B, H, W)."""
    grown = mask
    for _ in range(radius_px):
        upright = max_pool2d(grown, (3, 1), stride=1, padding=(1, 0))
        grown = torch.maximum(upright, max_pool2d(grown, (1, 3), stride=1, padding=(0, 1)))
    return grown


def _shown(image: Tensor, bones: BoneBatch) -> Tensor:
    """What the critic sees, (N, 2, H, W)."""
    shown = torch.stack([image * bones.mask, bones.hole], dim=1)
    return shown.contiguous(memory_format=torch.channels_last)


def _in_hole(scores: Tensor, hole: Tensor) -> Tensor:
    """Mean over the patches that the hole touches, (N,); 0 where there is no hole."""
    touched = adaptive_max_pool2d(hole, scores.shape[-2:])
    return (scores * touched).sum(dim=(1, 2)) / touched.sum(dim=(1, 2)).clamp_min(1.0)
