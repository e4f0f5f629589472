"""From trained PyTorch networks to the ONNX files of the zoo, and back again for parity."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn


class _Flat(nn.Module):
    """A network whose outputs are a plain tuple, as ONNX wants them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        output = self.network(image)
        return tuple(output) if isinstance(output, tuple) else (output,)


def export_onnx(network: nn.Module, path: Path, channels: int, outputs: tuple[str, ...]) -> None:
    """Write a network as ONNX with free batch, height and width.

    Args:
        network: float32, any device; (B, channels, H, W) -> one tensor or a tuple.
        path: of the ``.onnx`` file; replaced atomically.
        channels: of the input.
        outputs: names of the outputs.
    """
    flat = _Flat(network).eval()
    free = {0: "batch", 2: "height", 3: "width"}
    axes = {"input": free} | {
        name: free if k == 0 else {0: "batch"} for k, name in enumerate(outputs)
    }
    partial = path.with_suffix(".partial")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            flat,
            (torch.zeros(2, channels, 64, 96),),
            partial,
            dynamo=False,
            input_names=["input"],
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=17,
            do_constant_folding=False,
        )
    partial.replace(path)


def weights_in(path: Path) -> dict[str, np.ndarray]:
    """Initialisers of an ONNX file by the name the PyTorch network gives them."""
    model = onnx.load(str(path))
    return {
        tensor.name.removeprefix("network."): numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
    }


def load_weights(network: nn.Module, path: Path) -> nn.Module:
    """Fill a network from the initialisers of an ONNX file.

    Raises:
        KeyError: the file lacks a parameter of the network.
    """
    stored = weights_in(path)
    state = {name: torch.from_numpy(np.array(stored[name])) for name in network.state_dict()}
    network.load_state_dict(state)
    return network.eval()
