"""N_G in both variants, N_S, N_D: what their channels mean and where their values lie."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lamella.methods.lsn.networks import (
    SHADOW_CONTRAST,
    Critics,
    LayerNetwork,
    Masks,
    Segmenter,
    ShadowFinder,
    SoftSharesNetwork,
)
from lamella.nets.backbones import FoldedUNet

NARROW = partial(FoldedUNet, widths=(8, 8))
POINTWISE = partial(nn.Conv2d, kernel_size=1)
ROWS, COLS = 32, 48


def seen(size: int = 2) -> Tensor:
    """I, two masks that overlap in the middle rows, and a context that ends on the right."""
    torch.manual_seed(0)
    upper, lower, context = torch.zeros(3, size, ROWS, COLS)
    upper[:, :20, 8:30], lower[:, 12:, 8:30], context[..., :40] = 1.0, 1.0, 1.0
    return torch.stack([torch.rand(size, ROWS, COLS), upper, lower, context], dim=1)


def woken(network: nn.Module) -> nn.Module:
    for weight in network.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.1)
    return network


def test_layers_are_the_sigmoid_times_the_masks():
    """``L = sigmoid(net(I, M)) M`` by hand, for a backbone that is one matrix."""
    torch.manual_seed(0)
    network, batch = LayerNetwork(POINTWISE), seen()
    weight, bias = (part.detach().numpy() for part in network.backbone.parameters())
    logits = np.einsum("oi,birc->borc", weight[:, :, 0, 0], batch.numpy()) + bias[:, None, None]
    expected = 1 / (1 + np.exp(-logits)) * batch[:, 1:].numpy()
    np.testing.assert_allclose(network(batch).detach().numpy(), expected, atol=1e-6)


def test_a_layer_is_zero_outside_its_mask_and_only_there():
    batch = seen()
    layers = LayerNetwork(NARROW)(batch)
    assert torch.equal(layers > 0, batch[:, 1:] > 0)
    assert layers.max() < 1


def test_masks_know_overlap_union_and_what_shows_alone():
    masks = Masks(*seen().unbind(1)[1:])
    upper, lower, context = (mask.numpy().astype(bool) for mask in masks)
    np.testing.assert_array_equal(masks.both.numpy(), upper & lower)
    np.testing.assert_array_equal(masks.bone.numpy(), upper | lower)
    parts = masks.parts
    np.testing.assert_array_equal(parts.upper.numpy(), upper & ~lower)
    np.testing.assert_array_equal(parts.lower.numpy(), lower & ~upper)
    np.testing.assert_array_equal(parts.soft.numpy(), context & ~upper & ~lower)
    assert (masks.parts.upper + parts.lower + parts.soft)[masks.both > 0].max() == 0


def test_the_exact_network_starts_undecided_and_leaves_the_soft_tissue():
    share, log_sd, soft = SoftSharesNetwork((8, 8, 8, 8))(seen()).unbind(1)
    assert share.abs().max() == 0
    assert soft.abs().max() == 0
    assert torch.all(log_sd == -2.0)


def test_the_correction_is_smooth_whatever_the_weights():
    """Quadratic B-spline in the limit: its steps are far below its range, unlike the share's."""
    torch.manual_seed(1)
    network = SoftSharesNetwork((8, 8, 8, 8))
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.5 * torch.randn_like(weight))
        share, _, soft = network(torch.randn(4, 4, 64, 96)).unbind(1)
    roughness = [
        float(each.diff(n=2, dim=-1).abs().amax() / (each.amax() - each.amin()))
        for each in (soft, share)
    ]
    assert soft.std() > 0.01
    assert roughness[0] < 0.04 < 0.4 < roughness[1]


@pytest.mark.parametrize("log_sd", [-40.0, 40.0])
def test_the_standard_deviation_stays_within_its_bounds(log_sd):
    network = SoftSharesNetwork((8, 8, 8, 8))
    nn.init.constant_(network.share.bias, log_sd)
    found = network(seen())[:, 1]
    assert -6.0 <= found.min() <= found.max() <= 0.0


class Counts(nn.Module):
    """Channel number n says n everywhere."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        assert channels_in == 1
        self.channels_out = channels_out
        self.last: Tensor | None = None

    def forward(self, image: Tensor) -> Tensor:
        self.last = image
        numbers = torch.arange(float(self.channels_out))[None, :, None, None]
        return numbers.expand(len(image), -1, *image.shape[2:])


def test_the_segmenter_names_its_channels():
    parts = Segmenter(Counts)(torch.rand(2, 8, 8))
    assert [float(part.mean()) for part in (parts.upper, parts.lower, parts.soft)] == [0, 1, 2]
    assert parts.upper.shape == (2, 8, 8)


def test_the_shadow_finder_sees_deviations_from_each_samples_mean():
    finder, soft = ShadowFinder(Counts), torch.rand(2, 8, 8)
    finder(soft + torch.tensor([0.0, 5.0])[:, None, None])
    expected = (soft - soft.mean(dim=(1, 2), keepdim=True)) / SHADOW_CONTRAST
    torch.testing.assert_close(finder.backbone.last[:, 0], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("with_shadow_finder", [True, False])
def test_critics_are_one_module_whose_weights_all_learn(with_shadow_finder):
    critics = woken(Critics(with_shadow_finder=with_shadow_finder))
    image = torch.rand(1, 32, 48)
    total = torch.stack(list(critics.segmenter(image))).square().sum()
    if with_shadow_finder:
        total = total + critics.shadow_finder(image).square().sum()
    else:
        assert critics.shadow_finder is None
    total.backward()
    assert [n for n, weight in critics.named_parameters() if not weight.grad.any()] == []
    assert any(name.startswith("shadow") for name in critics.state_dict()) is with_shadow_finder


def test_the_light_networks_are_small():
    def size(network: nn.Module) -> int:
        return sum(weight.numel() for weight in network.parameters())

    assert 3e5 < size(LayerNetwork()) < 1.6e6
    assert 3e5 < size(SoftSharesNetwork()) < 1.6e6
    assert size(Critics()) < size(LayerNetwork())
