"""From PyTorch to ONNX and back: the same outputs at every size."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from lamella.methods.bones.networks import BonesNetwork
from lamella.methods.shares.networks import SharesNetwork
from lamella.training.export import export_onnx, load_weights, weights_in

NARROW = (8, 8, 16, 16)
MADE = {"bones": (BonesNetwork, 1, ("masks", "whole")), "shares": (SharesNetwork, 4, ("shares",))}


def shaken(name: str, seed: int = 0) -> nn.Module:
    """A network whose every weight differs from its start, zero-initialised heads too."""
    torch.manual_seed(seed)
    network = MADE[name][0](NARROW).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return network


def outputs_of(network: nn.Module, batch: np.ndarray) -> list[np.ndarray]:
    with torch.no_grad():
        output = network(torch.from_numpy(batch))
    return [part.numpy() for part in (output if isinstance(output, tuple) else (output,))]


def a_batch(channels: int, size: int, rows: int, cols: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(size, channels, rows, cols)).astype(np.float32)


@pytest.fixture(scope="module", params=MADE)
def exported(request, tmp_path_factory) -> tuple[str, nn.Module, Path]:
    name = request.param
    _, channels, outputs = MADE[name]
    network, path = shaken(name), tmp_path_factory.mktemp(name) / f"{name}.onnx"
    export_onnx(network, path, channels, outputs)
    return name, network, path


@pytest.mark.parametrize(("size", "rows", "cols"), [(1, 32, 48), (3, 64, 16), (2, 64, 96)])
def test_the_file_gives_the_networks_outputs_at_any_size(exported, size, rows, cols):
    name, network, path = exported
    batch = a_batch(MADE[name][1], size, rows, cols)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {"input": batch})
    for one, other in zip(found, outputs_of(network, batch), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_outputs_are_named(exported):
    name, _, path = exported
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert tuple(output.name for output in session.get_outputs()) == MADE[name][2]


def test_the_files_weights_loaded_into_another_network_give_the_same_outputs(exported):
    name, network, path = exported
    other = shaken(name, seed=1)
    batch = a_batch(MADE[name][1], 2, 32, 32)
    before = np.abs(outputs_of(other, batch)[0] - outputs_of(network, batch)[0]).max()
    loaded = load_weights(other, path)
    assert not loaded.training
    assert before > 1e-2
    for one, two in zip(outputs_of(loaded, batch), outputs_of(network, batch), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)


def test_every_weight_is_in_the_file_unchanged(exported):
    _, network, path = exported
    stored = weights_in(path)
    for name, weight in network.state_dict().items():
        np.testing.assert_array_equal(stored[name], weight.numpy())


def test_a_network_that_the_file_does_not_describe_is_refused(exported, tmp_path):
    _, _, path = exported
    with pytest.raises(KeyError, match="strange"):
        load_weights(nn.Sequential().append(Strange()), path)


class Strange(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.strange = nn.Parameter(torch.zeros(1))


def test_a_file_is_replaced_whole_and_nothing_else_is_left(exported):
    name, network, path = exported
    before = path.read_bytes()
    export_onnx(network, path, *MADE[name][1:])
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]
