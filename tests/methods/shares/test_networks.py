"""The share network: shapes, an honest start, bounds."""

import pytest
import torch
from torch import nn

from lamella.methods.shares.networks import LOG_SD_BOUNDS, SharesNetwork

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
