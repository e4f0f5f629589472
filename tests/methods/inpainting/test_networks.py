"""Gated convolution, painter and critic: the formula, how far they see, what may learn."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn.functional import conv2d, elu

from lamella.methods.inpainting.infer import PX_MULTIPLE
from lamella.methods.inpainting.networks import (
    GatedBlock,
    GatedConv,
    InpaintingNetwork,
    PatchCritic,
)
from lamella.training.export import export_onnx, load_weights

NARROW = (8, 8, 8, 8)


def painter() -> InpaintingNetwork:
    torch.manual_seed(0)
    return InpaintingNetwork(NARROW).eval()


def test_a_gated_convolution_is_elu_of_one_convolution_times_the_sigmoid_of_another():
    torch.manual_seed(0)
    layer, features = GatedConv(3, 4), torch.randn(2, 3, 7, 9)
    weight, bias = layer.both.weight, layer.both.bias
    found = conv2d(features, weight[:4], bias[:4], padding=1)
    gate = conv2d(features, weight[4:], bias[4:], padding=1)
    torch.testing.assert_close(layer(features), elu(found) / (1 + torch.exp(-gate)))


def test_a_closed_gate_lets_nothing_through():
    block = GatedBlock(4)
    torch.nn.init.constant_(block.gated.both.bias[4:].detach(), -200.0)
    features = torch.rand(1, 4, 5, 6)
    torch.testing.assert_close(block(features), features)


@pytest.mark.parametrize(("stride", "dilation", "shape"), [(2, 1, (8, 12)), (1, 4, (16, 24))])
def test_strides_halve_and_dilations_keep_the_size(stride, dilation, shape):
    layer = GatedConv(2, 3, stride=stride, dilation=dilation)
    assert layer(torch.rand(1, 2, 16, 24)).shape == (1, 3, *shape)


def test_the_painter_gives_one_intensity_for_each_pixel():
    layer = painter()(torch.rand(2, 3, 3 * PX_MULTIPLE, 2 * PX_MULTIPLE))
    assert layer.shape == (2, 1, 48, 32)
    assert 0 < layer.min() < layer.max() < 1


def test_the_middle_of_a_hole_depends_on_bone_farther_away_than_overlaps_are_high():
    seen = torch.rand(1, 3, 128, 128, requires_grad=True)
    painter()(seen)[0, 0, 64, 64].backward()
    rows = seen.grad[0].abs().sum(dim=(0, 2)).nonzero()
    assert 64 - rows.min() > 24
    assert rows.max() - 64 > 24


@pytest.mark.parametrize(("make", "channels"), [(painter, 3), (lambda: PatchCritic((8, 8)), 2)])
def test_every_weight_learns(make, channels):
    network = make().train()
    network(torch.rand(2, channels, 32, 48)).square().sum().backward()
    assert [name for name, weight in network.named_parameters() if not weight.grad.any()] == []


def test_the_critic_scores_patches_of_8_pixels_in_float32():
    with torch.autocast("cpu", torch.bfloat16):
        scores = PatchCritic()(torch.rand(2, 2, 64, 96))
    assert scores.shape == (2, 8, 12)
    assert scores.dtype == torch.float32


def test_the_critics_convolutions_have_spectral_norm_1():
    """After a few power iterations the largest singular value of each weight matrix is 1."""
    torch.manual_seed(0)
    critic = PatchCritic((8, 16)).train()
    for _ in range(30):
        critic(torch.rand(1, 2, 32, 32))
    for layer in (*critic.features[1::2], critic.score):
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        assert largest.item() == pytest.approx(1.0, abs=0.05)


def test_the_exported_painter_is_the_trained_one_at_any_size(tmp_path):
    network, path = painter(), tmp_path / "inpainting.onnx"
    export_onnx(network, path, 3, ("layer",))
    session = onnxruntime.InferenceSession(path)
    seen = torch.rand(3, 3, 80, 32)
    (layer,) = session.run(None, {"input": seen.numpy()})
    np.testing.assert_allclose(layer, network(seen).detach().numpy(), atol=1e-5)
    again = load_weights(InpaintingNetwork(NARROW), path)
    torch.testing.assert_close(again(seen), network(seen))
