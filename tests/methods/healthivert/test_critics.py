"""The critics and their losses."""

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from lamella.methods.healthivert.critics import (
    Critics,
    PatchCritic,
    critics_loss,
    fooling_loss,
    middle,
)
from lamella.methods.healthivert.objective import Assembled, SliceBatch


@pytest.fixture(scope="module")
def setting():
    torch.manual_seed(0)
    slices = torch.rand(3, 160, 96)
    batch = SliceBatch(
        torch.zeros(3, 7, 160, 96), slices, (slices > 0.5).float(), slices, torch.ones(3)
    )
    fine, target = torch.rand(3, 160, 96), torch.rand(3, 160, 96, requires_grad=True)
    return Critics(width=8), Assembled(fine, fine, target), batch


def test_the_third_critic_sees_the_gap_and_seventy_columns():
    rows = torch.arange(160.0)[None, :, None].expand(1, 160, 96)
    assert middle(rows).shape == (1, 40, 70)
    assert middle(rows)[0, [0, -1], 0].tolist() == [60.0, 99.0]
    assert middle(rows[..., :64]).shape == (1, 40, 64)


def test_a_patch_is_seventy_wide_as_published():
    critic = PatchCritic(width=8)
    for layer in critic.layers:
        if isinstance(layer, torch.nn.InstanceNorm2d):
            layer.train(False)
            layer.forward = lambda features: features
    slices = torch.zeros(1, 160, 160, requires_grad=True)
    verdict = critic(slices)
    verdict[0, 0, 9, 9].backward()
    rows = np.flatnonzero(slices.grad[0].abs().sum(dim=1).numpy())
    assert rows[-1] - rows[0] + 1 == 70


def test_verdicts_do_not_depend_on_the_batch(setting):
    critics, made, _ = setting
    whole = critics(made.fine, made.target)
    alone = critics(made.fine[1:2], made.target[1:2])
    for together, single in zip(whole, alone, strict=True):
        torch.testing.assert_close(together[1:2], single, rtol=1e-3, atol=1e-5)


def test_losses_are_cross_entropies_of_being_true(setting):
    critics, made, batch = setting
    false, true = critics(made.fine, made.target), critics(batch.ct, batch.target)
    fooled = sum(cross_entropy(v, torch.ones_like(v)) for v in false)
    torch.testing.assert_close(fooling_loss(critics, made), fooled)
    judged = sum(
        (cross_entropy(t, torch.ones_like(t)) + cross_entropy(f, torch.zeros_like(f))) / 2
        for t, f in zip(true, false, strict=True)
    )
    torch.testing.assert_close(critics_loss(critics, made, batch), judged)


def test_a_soft_mask_passes_the_critics_gradient_on_and_critics_never_train_the_drawing(setting):
    critics, made, batch = setting
    fooling_loss(critics, made).backward()
    assert made.target.grad.abs().max() > 0
    made.target.grad = None
    critics_loss(critics, made, batch).backward()
    assert made.target.grad is None
