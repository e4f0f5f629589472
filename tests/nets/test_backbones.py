"""Backbones by name: every one keeps an image's size, and any factory can stand in for them."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lamella.methods.bls_gan.networks import Generator
from lamella.nets.backbones import FoldedUNet, Padded, backbone, names
from lamella.records import LamellaError

NARROW = (8, 8, 8, 8)
SMALL = {
    "light": {"widths": NARROW},
    "unet": {"features": (8,) * 6},
    "unet++": {"features": (8,) * 6},
    "attention-unet": {"channels": (8,) * 5},
    "swin-unetr": {"feature_size": 12},
}


def test_every_name_is_tried_here():
    assert set(SMALL) == set(names())
    assert names()[0] == "light"


@pytest.mark.parametrize("name", SMALL)
def test_an_image_keeps_its_size_and_every_pixel_matters(name):
    """Sides that are multiples of 16 only; outputs are logits, of either sign."""
    torch.manual_seed(0)
    image = torch.randn(2, 3, 48, 80, requires_grad=True)
    output = backbone(name, **SMALL[name])(3, 2)(image)
    assert output.shape == (2, 2, 48, 80)
    assert output.min() < 0 < output.max()
    output.square().sum().backward()
    assert (image.grad.abs().sum(dim=1) > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_the_default_sizes_run_too(name):
    with torch.no_grad():
        assert backbone(name)(3, 2)(torch.randn(1, 3, 48, 80)).shape == (1, 2, 48, 80)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(LamellaError, match=r"no backbone 'vgg', only light, unet, .*swin-unetr"):
        backbone("vgg")


def test_settings_reach_the_network():
    sizes = [
        sum(weight.numel() for weight in backbone("light", widths=widths)(3, 2).parameters())
        for widths in (NARROW, (16, 16, 16, 16))
    ]
    assert sizes[1] > 3 * sizes[0]


@pytest.mark.parametrize(
    "make",
    [
        partial(nn.Conv2d, kernel_size=3, padding=1),
        lambda channels_in, channels_out: nn.Conv2d(channels_in, channels_out, 1),
        partial(FoldedUNet, widths=(8,), fold=1),
    ],
)
def test_any_factory_makes_a_generator(make):
    seen = torch.rand(2, 3, 12, 20)
    layers = Generator(make)(seen)
    assert layers.shape == (2, 2, 12, 20)
    assert 0 < layers.min() < layers.max() < 1


@pytest.mark.parametrize(("fold", "levels", "side"), [(2, 4, 16), (4, 3, 16), (1, 2, 2), (2, 1, 2)])
def test_a_folded_unet_needs_multiples_of_fold_times_its_levels(fold, levels, side):
    network = FoldedUNet(1, 1, NARROW[:levels], fold)
    assert network(torch.randn(1, 1, side, 2 * side)).shape == (1, 1, side, 2 * side)
    with pytest.raises(RuntimeError):
        network(torch.randn(1, 1, 2 * side, 2 * side + side // 2))


def test_every_weight_of_the_light_backbone_learns():
    network = FoldedUNet(3, 2, NARROW)
    network(torch.randn(2, 3, 32, 48)).square().sum().backward()
    silent = [name for name, weight in network.named_parameters() if not weight.grad.any()]
    assert silent == []


class Watches(nn.Module):
    """Gives its input back and remembers it."""

    def forward(self, image: Tensor) -> list[Tensor]:
        self.seen = image
        return [image, -image]


@pytest.mark.parametrize(("rows", "cols", "sides"), [(5, 9, (8, 16)), (8, 16, (8, 16))])
def test_padding_repeats_the_border_and_is_cut_off_again(rows, cols, sides):
    """Of a list of outputs the first counts."""
    watches = Watches()
    image = torch.randn(2, 3, rows, cols)
    assert torch.equal(Padded(watches, 8)(image), image)
    assert watches.seen.shape == (2, 3, *sides)
    beyond = watches.seen[..., rows:, :cols]
    assert torch.equal(beyond, image[..., -1:, :].expand_as(beyond))
    beside = watches.seen[..., :rows, cols:]
    assert torch.equal(beside, image[..., -1:].expand_as(beside))
