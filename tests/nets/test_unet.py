"""The residual U-Net: shapes, skips, gradients."""

import pytest
import torch

from lamella.nets.unet import ResidualBlock, ResidualUNet

WIDTHS = (8, 16, 24)


@pytest.mark.parametrize(("rows", "cols"), [(16, 16), (8, 20)])
def test_features_come_coarsest_first_at_every_resolution(rows, cols):
    outputs = ResidualUNet(3, WIDTHS)(torch.randn(2, 3, rows, cols))
    assert [tuple(output.shape) for output in outputs] == [
        (2, 24, rows // 4, cols // 4),
        (2, 16, rows // 2, cols // 2),
        (2, 8, rows, cols),
    ]


def test_one_level_is_a_plain_residual_network():
    (output,) = ResidualUNet(1, (8,))(torch.randn(1, 1, 5, 7))
    assert output.shape == (1, 8, 5, 7)


@pytest.mark.parametrize("shape", [(10, 16), (16, 18)])
def test_sides_that_do_not_divide_are_refused(shape):
    with pytest.raises(RuntimeError):
        ResidualUNet(1, WIDTHS)(torch.randn(1, 1, *shape))


def test_widths_that_no_normalisation_can_group_are_refused():
    with pytest.raises(ValueError, match="divisible"):
        ResidualUNet(1, (8, 12))


def test_every_weight_has_a_gradient():
    network = ResidualUNet(2, WIDTHS)
    network(torch.randn(2, 2, 16, 16))[-1].square().sum().backward()
    silent = [
        name
        for name, weight in network.named_parameters()
        if weight.grad is None or not weight.grad.abs().sum() > 0
    ]
    assert silent == []


def test_skips_carry_detail_that_the_bottom_cannot_hold():
    """With the bottom silenced, a single pixel still shows at full resolution."""
    network = ResidualUNet(1, WIDTHS).eval()
    with torch.no_grad():
        for up in network.ups:
            up.weight.zero_()
            up.bias.zero_()
        image, point = torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)
        point[..., 16, 16] = 10.0
        change = (network(point)[-1] - network(image)[-1]).abs().sum(dim=1)[0]
    row, col = divmod(int(change.argmax()), 32)
    assert change.max() > 1e-3
    assert max(abs(row - 16), abs(col - 16)) <= 4


@pytest.mark.parametrize(("channels_in", "channels_out"), [(8, 8), (8, 16)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_a_block_keeps_the_size(channels_in, channels_out, dilation):
    block = ResidualBlock(channels_in, channels_out, dilation)
    assert block(torch.randn(1, channels_in, 9, 11)).shape == (1, channels_out, 9, 11)


def test_a_residual_block_adds_to_what_it_was_given():
    """With its last normalisation silenced, only the shortcut is left."""
    block = ResidualBlock(8, 8)
    torch.nn.init.zeros_(block.second_norm.weight)
    features = torch.randn(1, 8, 6, 6)
    torch.testing.assert_close(block(features), torch.nn.functional.silu(features))
