"""The share network: shapes, an honest start, bounds."""

from functools import partial

import pytest
import torch
from torch import nn

from lamella.methods.shares.networks import LOG_SD_BOUNDS, SharesNetwork, SharesOf
from lamella.nets.backbones import FoldedUNet

NARROW = (8, 8, 16, 16)


@pytest.mark.parametrize(("rows", "cols"), [(16, 16), (32, 64), (96, 48)])
def test_outputs_have_the_features_own_resolution(rows, cols):
    assert SharesNetwork(NARROW)(torch.randn(2, 4, rows, cols)).shape == (2, 3, rows, cols)


def test_training_starts_at_an_equal_split_without_correction():
    output = SharesNetwork(NARROW)(torch.randn(2, 4, 32, 32))
    share, log_sd, soft = output.unbind(dim=1)
    assert share.abs().max() == 0
    assert soft.abs().max() == 0
    assert (log_sd == log_sd[0, 0, 0]).all()
    assert LOG_SD_BOUNDS[0] < log_sd[0, 0, 0] < LOG_SD_BOUNDS[1]


@pytest.mark.parametrize("bias", [-100.0, 100.0])
def test_the_log_sd_stays_within_its_bounds(bias):
    network = SharesNetwork(NARROW)
    nn.init.constant_(network.share.bias, bias)
    log_sd = network(torch.randn(1, 4, 32, 32))[:, 1]
    assert log_sd.min() >= LOG_SD_BOUNDS[0]
    assert log_sd.max() <= LOG_SD_BOUNDS[1]
    assert (log_sd == LOG_SD_BOUNDS[bias > 0]).all()


def woken(network: SharesNetwork) -> SharesNetwork:
    """What starts at zero holds gradients back from what lies before it: wake it up."""
    for weight in network.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.1)
    return network


def test_every_weight_has_a_gradient():
    network = woken(SharesNetwork(NARROW))
    network(torch.randn(2, 4, 32, 32)).square().sum().backward()
    silent = [
        name
        for name, weight in network.named_parameters()
        if weight.grad is None or not weight.grad.abs().sum() > 0
    ]
    assert silent == []


def test_the_correction_of_soft_tissue_is_smooth():
    """It has a quarter of the resolution: straight lines between knots four pixels apart."""
    torch.manual_seed(0)
    output = woken(SharesNetwork(NARROW))(torch.randn(1, 4, 64, 64)).detach()
    bends = output.diff(n=2, dim=-1).abs() / output.std(dim=(0, 2, 3), keepdim=True)
    straight = (bends < 1e-4).float().mean(dim=(0, 2, 3))
    assert straight[2] > 0.4
    assert straight[0] < 0.1


def passed_on(channels_in: int, channels_out: int) -> nn.Module:
    """A backbone that gives its first channels back."""
    network = nn.Conv2d(channels_in, channels_out, 1, bias=False)
    nn.init.eye_(network.weight.data[:, :, 0, 0])
    return network


def test_any_backbone_says_share_sd_and_soft_correction_in_this_order():
    """The share as it is; the SD from exp(-2), bounded; the soft correction at a quarter."""
    torch.manual_seed(0)
    features = torch.randn(2, 4, 16, 32) * torch.tensor([1.0, 3.0, 1.0, 1.0])[:, None, None]
    share, log_sd, soft = SharesOf(passed_on)(features).unbind(dim=1)
    assert torch.equal(share, features[:, 0])
    torch.testing.assert_close(log_sd, (features[:, 1] - 2.0).clamp(*LOG_SD_BOUNDS))
    assert log_sd.min() == LOG_SD_BOUNDS[0]
    blocks = features[:, 2].reshape(2, 4, 4, 8, 4).mean(dim=(2, 4))
    middle = soft.reshape(2, 4, 4, 8, 4)[:, :, 1:3, :, 1:3].mean(dim=(2, 4))
    near = soft.reshape(2, 4, 4, 8, 4).mean(dim=(2, 4))
    assert torch.corrcoef(torch.stack([blocks.flatten(), middle.flatten()]))[0, 1] > 0.95
    assert near.mean().item() == pytest.approx(blocks.mean().item(), abs=0.05)
    assert soft.diff(dim=-1).abs().max() < 0.5 * features[:, 2].diff(dim=-1).abs().max()


def test_a_flat_soft_correction_of_any_backbone_stays_as_it_is():
    features = torch.full((1, 4, 16, 16), 0.3)
    torch.testing.assert_close(SharesOf(passed_on)(features)[:, 2], features[:, 2])


def test_the_share_network_and_any_backbone_are_used_alike():
    features = torch.randn(2, 4, 32, 48)
    network = SharesOf(partial(FoldedUNet, widths=NARROW))
    output = network(features)
    assert output.shape == SharesNetwork(NARROW)(features).shape
    output.square().sum().backward()
    assert [name for name, weight in network.named_parameters() if not weight.grad.any()] == []
