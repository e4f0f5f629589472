"""What the segmentation network minimises."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from lamella.methods.bones.networks import BonesOutput
from lamella.methods.bones.objective import (
    OUTLINE_PX,
    OUTLINE_WEIGHT,
    BonesBatch,
    bones_loss,
    outline_weights,
    soft_dice,
)

SURE = 20.0


@dataclass(eq=False)
class Says(nn.Module):
    """A network that answers with what it was given."""

    masks: Tensor
    image: Tensor

    def __post_init__(self) -> None:
        super().__init__()

    def forward(self, _: Tensor) -> BonesOutput:
        return BonesOutput(self.masks, self.image)


def a_batch() -> BonesBatch:
    """Two joints, one of them a thumb's, and an image that is none."""
    masks = torch.zeros(3, 2, 8, 8)
    masks[:2, 0, :4], masks[:2, 1, 3:] = 1.0, 1.0
    is_joint, is_thumb = torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    return BonesBatch(torch.zeros(3, 1, 8, 8), masks, is_joint, is_thumb)


def truth(batch: BonesBatch) -> Says:
    image = torch.stack([batch.is_joint, batch.is_thumb], dim=1)
    return Says(SURE * (2 * batch.masks - 1), SURE * (2 * image - 1))


def test_soft_dice_by_hand():
    """2 sum(p t) = 1.6, sum p + sum t = 1.5 + 2; one is added above and below."""
    probability = torch.tensor([[[[0.5, 0.3], [0.7, 0.0]]]])
    mask = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    assert soft_dice(probability, mask).item() == pytest.approx((1.6 + 1) / (3.5 + 1))


def test_soft_dice_is_one_for_the_truth_and_near_zero_for_its_opposite():
    masks = a_batch().masks[:2]
    assert soft_dice(masks, masks).item() == pytest.approx(1.0)
    assert soft_dice(1 - masks, masks).item() < 0.05
    assert soft_dice(masks[:0], masks[:0]).item() == 1.0


def test_the_truth_costs_almost_nothing():
    batch = a_batch()
    loss, parts = bones_loss(truth(batch), batch)
    assert loss.item() == pytest.approx(0.0, abs=1e-4)
    assert parts["dice"].item() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("wrong", ["upper", "lower", "joint", "thumb"])
def test_every_mistake_costs(wrong):
    batch = a_batch()
    network = truth(batch)
    if wrong in ("upper", "lower"):
        network.masks[0, ["upper", "lower"].index(wrong)] *= -1
    else:
        network.image[0, ["joint", "thumb"].index(wrong)] *= -1
    assert bones_loss(network, batch)[0].item() > 0.1


def test_the_thumb_of_an_image_without_joint_does_not_count():
    batch = a_batch()
    network = truth(batch)
    network.image[2, 1] = SURE
    assert bones_loss(network, batch)[0].item() == pytest.approx(0.0, abs=1e-4)


def test_masks_found_where_no_joint_is_cost():
    batch = a_batch()
    network = truth(batch)
    network.masks[2] = SURE
    assert bones_loss(network, batch)[0].item() > 1.0


def test_cross_entropies_by_hand():
    """Undecided about everything: ln 2 per decision."""
    batch = a_batch()
    network = Says(torch.zeros_like(batch.masks), torch.zeros(3, 2))
    _, parts = bones_loss(network, batch)
    assert parts["joint_ce"].item() == pytest.approx(0.6931, abs=1e-4)
    assert parts["thumb_ce"].item() == pytest.approx(0.6931, abs=1e-4)


def test_a_batch_without_any_joint_has_a_finite_loss():
    batch = a_batch()
    none = BonesBatch(*(entry[2:] for entry in batch))
    loss, _ = bones_loss(Says(torch.zeros(1, 2, 8, 8), torch.zeros(1, 2)), none)
    assert torch.isfinite(loss)


class Answers(nn.Module):
    """A network that answers with given mask logits for a joint that is no thumb."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, _):
        return BonesOutput(self.logits, torch.tensor([[9.0, -9.0]]))


def test_a_missed_overlap_costs_more_than_as_many_pixels_elsewhere():
    truth = torch.zeros(1, 2, 32, 32)
    truth[:, 0, :18] = 1.0
    truth[:, 1, 14:] = 1.0
    elsewhere, inside = truth.clone(), truth.clone()
    elsewhere[:, 0, :4] = 0.0
    inside[:, 0, 14:18] = 0.0

    def loss_of(masks):
        batch = BonesBatch(torch.zeros(1, 1, 32, 32), truth, torch.ones(1), torch.zeros(1))
        return bones_loss(Answers(12.0 * (2.0 * masks - 1.0)), batch)[0]

    assert loss_of(inside) > loss_of(elsewhere) + 0.2
    assert loss_of(truth) < 0.01


def test_outlines_weigh_more_within_their_reach():
    masks = torch.zeros(1, 1, 64, 64)
    masks[..., 20:44, 20:44] = 1.0
    weights = outline_weights(masks)[0, 0]
    assert weights[19, 32] == weights[20, 32] == 1.0 + OUTLINE_WEIGHT
    assert weights[20 - OUTLINE_PX, 32] == 1.0 + OUTLINE_WEIGHT
    assert weights[20 - OUTLINE_PX - 1, 32] == weights[32, 32] == 1.0
