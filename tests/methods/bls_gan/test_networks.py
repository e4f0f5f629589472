"""Generator, supervisor, reconstructor: what their channels mean and where their values lie."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lamella.methods.bls_gan.networks import (
    BlsGan,
    Bones,
    Generator,
    Reconstructor,
    Supervisor,
)
from lamella.nets.backbones import FoldedUNet

NARROW = partial(FoldedUNet, widths=(8, 8))
POINTWISE = partial(nn.Conv2d, kernel_size=1)


def seen(size: int = 2, rows: int = 32, cols: int = 48) -> Tensor:
    """A joint image and two masks that overlap in the middle rows."""
    torch.manual_seed(0)
    upper, lower = torch.zeros(2, size, rows, cols)
    upper[:, : rows // 2 + 4], lower[:, rows // 2 - 4 :] = 1.0, 1.0
    return torch.stack([torch.rand(size, rows, cols), upper, lower], dim=1)


def woken(network: nn.Module) -> nn.Module:
    """What starts at zero holds gradients back from what lies before it: wake it up."""
    for weight in network.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.1)
    return network


def test_bones_are_stacked_upper_first_and_know_overlap_and_union():
    upper, lower = torch.rand(2, 3, 4, 5).round()
    bones = Bones(upper, lower)
    assert torch.equal(bones.stack()[:, 0], upper)
    assert torch.equal(bones.stack()[:, 1], lower)
    np.testing.assert_array_equal(
        bones.both.bool(), upper.numpy().astype(bool) & lower.bool().numpy()
    )
    np.testing.assert_array_equal(bones.either.bool(), upper.bool().numpy() | lower.bool().numpy())


def test_layers_are_the_sigmoid_times_the_mask():
    """``L = sigmoid(G(J, M)) M`` by hand, for a backbone that is one matrix."""
    torch.manual_seed(0)
    generator = Generator(POINTWISE)
    batch = seen()
    weight, bias = (part.detach().numpy() for part in generator.backbone.parameters())
    logits = np.einsum("oi,birc->borc", weight[:, :, 0, 0], batch.numpy()) + bias[:, None, None]
    expected = 1 / (1 + np.exp(-logits)) * batch[:, 1:].numpy()
    np.testing.assert_allclose(generator(batch).detach().numpy(), expected, atol=1e-6)


def test_a_layer_is_zero_outside_its_mask_and_only_there():
    batch = seen()
    layers = Generator(NARROW)(batch)
    assert torch.equal(layers > 0, batch[:, 1:] > 0)
    assert layers.max() < 1


def test_the_reconstructor_starts_at_usual_soft_tissue():
    """1 / (1 + e^-1) = 0.731 for any image."""
    k = Reconstructor((8, 8))(torch.rand(3, 1, 32, 48)).detach().numpy()
    assert k == pytest.approx(np.full(3, 1 / (1 + np.exp(-1.0))), abs=1e-6)


@pytest.mark.parametrize("shift", [-9.0, 0.0, 9.0])
def test_k_lies_between_0_and_1_and_depends_on_the_image(shift):
    torch.manual_seed(0)
    reconstructor = woken(Reconstructor((8, 8)))
    nn.init.normal_(reconstructor.regressor.weight, std=5.0)
    nn.init.constant_(reconstructor.regressor.bias, shift)
    k = reconstructor(torch.stack([torch.zeros(1, 32, 48), torch.ones(1, 32, 48)]))
    assert k.shape == (2,)
    assert 0 < k.min() < k.max() < 1


def test_k_is_read_from_the_joint_image_alone():
    torch.manual_seed(0)
    network = woken(BlsGan(NARROW))
    batch = seen()
    layers, k = network(batch)
    other_layers, other_k = network(batch * torch.tensor([1.0, 0.0, 1.0])[:, None, None])
    assert torch.equal(k, other_k)
    assert not torch.equal(layers, other_layers)
    assert torch.equal(layers, network.generator(batch))
    assert torch.equal(k, network.reconstructor(batch[:, :1]))


def test_without_the_correction_parameter_k_is_1():
    network = BlsGan(NARROW, with_k=False)
    layers, k = network(seen())
    assert torch.equal(k, torch.ones(2))
    assert layers.shape == (2, 2, 32, 48)
    assert not any(name.startswith("reconstructor") for name in network.state_dict())


def test_every_weight_of_the_whole_learns():
    network = woken(BlsGan(NARROW))
    layers, k = network(seen())
    (layers.square().sum() + k.sum()).backward()
    assert [name for name, weight in network.named_parameters() if not weight.grad.any()] == []


class Counts(nn.Module):
    """Channel number n says n everywhere."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        assert channels_in == 2
        self.channels_out = channels_out

    def forward(self, layers: Tensor) -> Tensor:
        channels = torch.arange(float(self.channels_out))[:, None, None]
        return channels.expand(len(layers), -1, *layers.shape[2:])


def test_the_supervisor_says_place_and_authenticity_of_each_bone():
    verdict = Supervisor(Counts)(torch.rand(2, 2, 4, 6))
    told = [verdict.place.upper, verdict.place.lower, *verdict.authenticity]
    assert [part.unique().tolist() for part in told] == [[0], [1], [2], [3]]
    assert all(part.shape == (2, 4, 6) for part in told)


def test_the_usual_supervisor_keeps_the_size_and_speaks_float32_in_mixed_precision():
    supervisor = Supervisor()
    with torch.autocast("cpu", torch.bfloat16):
        verdict = supervisor(torch.rand(1, 2, 48, 80))
    for part in (*verdict.place, *verdict.authenticity):
        assert part.shape == (1, 48, 80)
        assert part.dtype == torch.float32
