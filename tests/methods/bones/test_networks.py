"""The segmentation network: shapes, and that every weight learns."""

import pytest
import torch

from lamella.methods.bones.networks import BonesNetwork

NARROW = (8, 8, 16, 16)


@pytest.mark.parametrize(("rows", "cols"), [(16, 16), (32, 64), (48, 16)])
def test_logits_have_the_images_own_resolution(rows, cols):
    output = BonesNetwork(NARROW)(torch.randn(3, 1, rows, cols))
    assert output.masks.shape == (3, 2, rows, cols)
    assert output.image.shape == (3, 2)


def test_sides_that_do_not_divide_are_refused():
    with pytest.raises(RuntimeError):
        BonesNetwork(NARROW)(torch.randn(1, 1, 24, 32))


def test_every_weight_has_a_gradient():
    network = BonesNetwork(NARROW)
    output = network(torch.randn(2, 1, 32, 32))
    (output.masks.square().sum() + output.image.square().sum()).backward()
    silent = [
        name
        for name, weight in network.named_parameters()
        if weight.grad is None or not weight.grad.abs().sum() > 0
    ]
    assert silent == []


def test_images_of_a_batch_do_not_see_one_another():
    network = BonesNetwork(NARROW).eval()
    batch = torch.randn(3, 1, 32, 32)
    with torch.no_grad():
        together, alone = network(batch), network(batch[1:2])
    torch.testing.assert_close(together.masks[1:2], alone.masks, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together.image[1:2], alone.image, atol=1e-5, rtol=1e-4)


def test_the_whole_image_decides_about_joint_and_thumb():
    """A change in one corner reaches the image logits."""
    network = BonesNetwork(NARROW).eval()
    image = torch.zeros(1, 1, 64, 64)
    other = image.clone()
    other[..., :4, :4] = 5.0
    with torch.no_grad():
        assert (network(image).image - network(other).image).abs().max() > 1e-6
