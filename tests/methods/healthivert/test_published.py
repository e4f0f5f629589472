"""The stages as published."""

import torch
from torch import nn
from torch.nn.utils import parametrize

from lamella.methods.healthivert.channels import Channel
from lamella.methods.healthivert.published import PublishedCoarse, PublishedFine, guided, shown


def convolutions(network):
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]


def test_the_coarse_stage_is_the_published_one_layer_by_layer():
    network = PublishedCoarse()
    plain = [
        (conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0], conv.dilation[0])
        for conv in convolutions(network)
    ]
    assert plain == [
        (3, 16, 5, 1, 1),
        (16, 32, 3, 2, 1),
        (32, 32, 3, 1, 1),
        (32, 64, 3, 2, 1),
        (64, 64, 3, 1, 1),
        (64, 64, 3, 1, 1),
        *[(64, 64, 3, 1, rate) for rate in (2, 4, 8, 16)],
        (64, 64, 3, 1, 1),
        (64, 64, 3, 1, 1),
        (65, 64, 3, 1, 1),
        (64, 32, 3, 1, 1),
        (32, 32, 3, 1, 1),
        (33, 32, 3, 1, 1),
        (32, 16, 3, 1, 1),
        (16, 8, 3, 1, 1),
        (8, 1, 3, 1, 1),
        (8, 1, 3, 1, 1),
    ]
    assert sum(parameter.numel() for parameter in network.parameters()) == 409_771


def test_every_convolution_but_the_attentions_mixing_is_spectrally_normalised():
    for stage in (PublishedCoarse(8), PublishedFine(8)):
        free = [c for c in convolutions(stage) if not parametrize.is_parametrized(c)]
        assert len(free) == (1 if hasattr(stage, "borrow") else 0)


def test_the_published_networks_see_ct_distance_and_gap_alone():
    seen = torch.randn(1, 7, 16, 16)
    told = shown(seen)
    assert torch.equal(told[:, 0], seen[:, Channel.CT])
    assert torch.equal(told[:, 1], seen[:, Channel.OFFSET].abs())
    assert torch.equal(told[:, 2], seen[:, Channel.GAP])


def test_the_guide_becomes_one_more_channel():
    features, guide = torch.randn(1, 5, 4, 4), torch.randn(1, 1, 8, 8)
    joined = guided(features, guide, 2)
    assert torch.equal(joined[:, :5], features)
    torch.testing.assert_close(joined[0, 5, 1, 2], guide[0, 0, 2:4, 4:6].mean())
    assert guided(features, None, 2) is features


def test_grey_values_are_clamped_and_coarse_ct_reaches_the_fine_heads():
    torch.manual_seed(0)
    seen = torch.randn(1, 7, 16, 16)
    coarse = PublishedCoarse(8).eval()(seen)
    fine = PublishedFine(8).eval()
    drawn = fine(seen, coarse)
    assert drawn.ct.abs().max() <= 1.0
    other = coarse._replace(ct=coarse.ct + 0.5)
    assert not torch.equal(fine(seen, other).logit, drawn.logit)
    assert torch.equal(fine(seen, other).height, drawn.height)
