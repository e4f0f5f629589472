"""From a joint image of any size to layer images and k, with and without a network."""

import numpy as np
import pytest
import torch

from lamella.methods.bls_gan.infer import LARGEST_LAYER, layer_images
from lamella.methods.bls_gan.networks import BlsGan
from lamella.nets.backbones import backbone
from lamella.physics.formation import SMALLEST_K

ROWS, COLS = 37, 50


@pytest.fixture
def joint() -> tuple[np.ndarray, list[np.ndarray]]:
    """A joint and two masks that overlap in rows 15 to 20."""
    pixels = np.random.default_rng(0).uniform(0.2, 0.8, (ROWS, COLS)).astype(np.float32)
    upper, lower = np.zeros((2, ROWS, COLS), bool)
    upper[:20], lower[15:] = True, True
    return pixels, [upper, lower]


class Watches:
    """A runner that remembers what it was given and says what it was told."""

    def __init__(self, layer: float = 0.5, k: float = 0.7) -> None:
        self.layer, self.k = layer, k

    def __call__(self, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.seen = seen
        return self.layer * seen[:, 1:], np.array([self.k], np.float32)


def test_the_network_sees_joint_and_masks_with_their_border_repeated(joint):
    pixels, masks = joint
    runner = Watches()
    layer_images(pixels, masks, runner)
    assert runner.seen.shape == (1, 3, 48, 64)
    assert runner.seen.dtype == np.float32
    for channel, expected in enumerate((pixels, *masks)):
        np.testing.assert_array_equal(runner.seen[0, channel, :ROWS, :COLS], expected)
        corner = runner.seen[0, channel, ROWS:, COLS:]
        assert (corner == np.float32(expected[-1, -1])).all()


def test_layers_come_back_on_the_joints_grid_top_bone_first(joint):
    pixels, masks = joint
    layers, k = layer_images(pixels, masks, Watches())
    np.testing.assert_allclose(layers, 0.5 * np.stack(masks))
    assert layers.dtype == np.float32
    assert k == pytest.approx(0.7)


@pytest.mark.parametrize(("said", "given"), [(0.0, SMALLEST_K), (0.04, SMALLEST_K), (1.0, 1.0)])
def test_k_stays_large_enough_to_divide_by(joint, said, given):
    assert layer_images(*joint, Watches(k=said))[1] == pytest.approx(given)


@pytest.mark.parametrize(("said", "given"), [(-0.2, 0.0), (1.0, LARGEST_LAYER)])
def test_layers_stay_intensities_whose_absorbance_is_finite(joint, said, given):
    layers, _ = layer_images(*joint, Watches(layer=said))
    inside = np.stack(joint[1])
    assert layers[inside] == pytest.approx(given, abs=1e-6)
    assert np.isfinite(-np.log1p(-layers)).all()


def test_a_network_gives_what_it_gives_in_training(joint):
    """No padding is needed at a multiple of 16: the same layers and k."""
    pixels, masks = joint[0][:32, :48], [mask[:32, :48] for mask in joint[1]]
    torch.manual_seed(0)
    network = BlsGan(backbone("light", widths=(8, 8, 8, 8))).eval()

    @torch.no_grad()
    def runner(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        layers, k = network(torch.from_numpy(seen))
        return layers.numpy(), k.numpy()

    layers, k = layer_images(pixels, masks, runner)
    seen = torch.from_numpy(np.stack([pixels, *masks]).astype(np.float32))[None]
    expected, expected_k = network(seen)
    np.testing.assert_allclose(layers, expected[0].detach().numpy(), atol=1e-6)
    assert k == pytest.approx(expected_k.item(), abs=1e-6)
