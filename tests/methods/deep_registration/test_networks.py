"""The published network: its layers, its pool, its warp."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn.functional import affine_grid, avg_pool2d

from lamella.methods.deep_registration.networks import (
    BLOCKS,
    RegistrationNetwork,
    ResidualBlock,
    places,
)
from lamella.training.export import export_onnx, weights_in
from lamella.zoo import models


def shaken(width: float = 0.03125) -> RegistrationNetwork:
    torch.manual_seed(0)
    network = RegistrationNetwork(width).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return network


def test_channels_blocks_and_strides_are_as_published():
    with torch.device("meta"):
        network = RegistrationNetwork()
    assert len(network.blocks) == sum(BLOCKS) == 16
    assert network.stem[0].weight.shape == (64, 2, 7, 7)
    wide = [block.inside[0].weight.shape[0] for block in network.blocks]
    assert wide == [128] * 3 + [256] * 4 + [512] * 6 + [512] * 3
    strides = [block.inside[0].stride[0] for block in network.blocks]
    assert [place for place, stride in enumerate(strides) if stride == 2] == [3, 7, 13]
    assert network.head.weight.shape == (8, 512)


def test_the_pool_sees_seven_of_eight_rows_and_columns():
    network = shaken()
    seen = torch.randn(1, 2, 256, 256)
    with torch.no_grad():
        features = network.blocks(network.stem(seen))
        pooled = avg_pool2d(features, 7).flatten(1)
        assert features.shape[2:] == (8, 8)
        torch.testing.assert_close(network(seen), network.head(pooled))


def test_an_untrained_network_says_that_nothing_moved():
    network = RegistrationNetwork(0.03125)
    assert torch.equal(network(torch.randn(2, 2, 256, 256)), torch.zeros(2, 8))


def test_the_head_is_not_rounded_in_mixed_precision():
    network = shaken()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        said = network(torch.randn(1, 2, 256, 256))
    assert said.dtype == torch.float32
    assert not torch.equal(said, said.bfloat16().float())


def test_a_small_cpu_network_fits_into_the_file_that_ships():
    parameters = sum(weight.numel() for weight in RegistrationNetwork(0.125).parameters())
    assert 4 * parameters < 3.5e6


def test_blocks_add_to_what_they_get():
    block = ResidualBlock(4, 4).eval()
    torch.nn.init.zeros_(block.inside[-2].weight)
    features = torch.rand(1, 4, 8, 8)
    torch.testing.assert_close(block(features), features)


def test_places_are_affine_grids_of_scale_rotation_translation():
    said = torch.tensor([[0.05, 0.2, -0.1, 0.07], [0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    thetas = []
    for a, r, right, down in said.tolist():
        scale, turn = np.tanh(a) + 1, np.pi / 2 * np.tanh(r)
        rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        thetas.append(np.column_stack([rotation, rotation @ (right, down)]))
    wanted = affine_grid(torch.from_numpy(np.stack(thetas)), [2, 1, 32, 32], align_corners=False)
    torch.testing.assert_close(places(said, 32).double(), wanted, atol=1e-6, rtol=0)
    torch.testing.assert_close(places(said, 32, 2), places(said, 32)[:, ::2, ::2])
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(places(said, 32).double(), wanted, atol=1e-6, rtol=0)


def from_file(path: Path, width: float) -> RegistrationNetwork:
    """The network of a file: export has folded each normalisation into its convolution."""
    network = RegistrationNetwork(width).eval()
    state, stored = network.state_dict(), weights_in(path)
    for name in state:
        if name in stored:
            state[name] = torch.from_numpy(stored[name].copy())
        elif name.endswith("shortcut.1.bias"):  # learns as the other branch's: kept once
            block = name.removesuffix("shortcut.1.bias")
            shared = [
                each for each in stored if each.startswith(f"{block}inside") and "bias" in each
            ]
            state[name] = torch.from_numpy(stored[max(shared)].copy())
        elif name.endswith("running_var"):
            state[name] = torch.full_like(state[name], 1.0 - 1e-5)
    assert set(stored) <= set(state)
    network.load_state_dict(state)
    return network


def outputs(path: Path, seen: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(path).run(None, {"input": seen})[0]


def test_the_files_weights_loaded_into_a_network_say_the_same(tmp_path):
    torch.manual_seed(1)
    network = shaken()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    export_onnx(network, tmp_path / "network.onnx", 2, ("parameters",))
    seen = torch.randn(2, 2, 256, 256)
    with torch.no_grad():
        wanted, found = network(seen), from_file(tmp_path / "network.onnx", 0.03125)(seen)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize("variant", ["layers", "plain"])
def test_the_shipped_weights_loaded_into_a_network_say_what_the_shipped_file_says(variant):
    name = f"registration-{variant}"
    if name not in models.names():
        pytest.skip("no such network in this release")
    path = Path(str(files("lamella.zoo") / f"{name}.onnx"))
    seen = np.random.default_rng(0).normal(size=(2, 2, 256, 256)).astype(np.float32)
    with torch.no_grad():
        found = from_file(path, models.card(name)["recipe"]["width"])(torch.from_numpy(seen))
    np.testing.assert_allclose(found.numpy(), outputs(path, seen), atol=1e-4)


@pytest.mark.parametrize("size", [1, 3])
def test_the_exported_file_says_the_same(tmp_path, size):
    network = shaken()
    export_onnx(network, tmp_path / "network.onnx", 2, ("parameters",))
    seen = np.random.default_rng(0).normal(size=(size, 2, 256, 256)).astype(np.float32)
    found = outputs(tmp_path / "network.onnx", seen)
    with torch.no_grad():
        wanted = network(torch.from_numpy(seen)).numpy()
    assert found.shape == (size, 8)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())
