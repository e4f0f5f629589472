"""The shipped networks: ONNX files beside this module, each with a model card.

Files are opened from the installed package, checked against the SHA-256 of their card and
run by ONNX Runtime. Nothing is ever fetched.
"""

import hashlib
import json
import os
from collections.abc import Collection
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import onnxruntime

from lamella.records import LamellaError


def card(name: str) -> dict[str, Any]:
    """The model card of a network: recipe, data, licence, seed, metrics, SHA-256.

    Raises:
        LamellaError: no such network.
    """
    path = files("lamella.zoo") / f"{name}.json"
    if not path.is_file():
        raise LamellaError(f"no network {name!r} in the zoo, only {', '.join(names())}")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def names() -> tuple[str, ...]:
    """Names of all shipped networks."""
    entries = (entry.name for entry in files("lamella.zoo").iterdir())
    return tuple(sorted(name.removesuffix(".onnx") for name in entries if name.endswith(".onnx")))


@lru_cache
def session(name: str) -> onnxruntime.InferenceSession:
    """A network ready to run.

    Raises:
        LamellaError: no such network, or its file is not the one its card describes.
    """
    expected = card(name)["sha256"]
    weights = (files("lamella.zoo") / f"{name}.onnx").read_bytes()
    found = hashlib.sha256(weights).hexdigest()
    if found != expected:
        raise LamellaError(
            f"the weights of {name!r} are damaged (SHA-256 {found[:12]}, expected "
            f"{expected[:12]}): install the package again"
        )
    return opened(weights)


def opened(weights: bytes) -> onnxruntime.InferenceSession:
    """An ONNX network ready to run on the CPU, on as many threads as ``OMP_NUM_THREADS`` says."""
    options = onnxruntime.SessionOptions()
    said = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(said) if said.isdigit() else 0
    options.log_severity_level = 3
    # Idle threads that spin would take the cores from the linear algebra that follows.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def run(name: str, batch: np.ndarray) -> tuple[np.ndarray, ...]:
    """Run a shipped network on a batch (B, channel, row, col), float32."""
    return run_session(session(name), batch)


def run_session(network: onnxruntime.InferenceSession, batch: np.ndarray) -> tuple[np.ndarray, ...]:
    """Run an opened network on a batch (B, channel, row, col), float32: one array per output."""
    outputs = network.run(None, {"input": np.ascontiguousarray(batch, np.float32)})
    return tuple(np.asarray(output) for output in outputs)


def weights_sha256(wanted: Collection[str] | None = None) -> dict[str, str]:
    """Name -> SHA-256 of shipped networks, from the cards.

    Args:
        wanted: names; every one if None.
    """
    chosen = names() if wanted is None else sorted(wanted)
    return {name: str(card(name)["sha256"]) for name in chosen}
