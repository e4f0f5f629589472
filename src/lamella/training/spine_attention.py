"""Where the classifier sees a fracture, for every crop of a pool: made once, kept as one file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import nn

from lamella.io.write import sha256_of
from lamella.methods.healthivert.channels import SHAPE
from lamella.methods.healthivert.classifier import Classifier
from lamella.training.export import load_weights
from lamella.training.spine_batches import ATTENTION_STEPS
from lamella.training.spine_crops import SpineCrop, grey_of
from lamella.training.spine_pool import SpinePool

AT_ONCE = 32


def attention_of(pool: SpinePool, weights: Path, cache: Path) -> np.ndarray:
    """Maps of all crops, 8-bit, (crop, left, rows, back), read from a file as they are needed.

    Args:
        pool: crops.
        weights: ONNX file of the classifier.
        cache: folder of the file, which depends on the weights and on the crops' greys.
    """
    digest = hashlib.sha256(f"{sha256_of(weights)} {_digest(pool)}".encode()).hexdigest()[:12]
    path = cache / f"attention-{digest}.npy"
    if not path.exists():
        network = load_weights(Classifier(), weights).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        part = path.with_suffix(".part")
        maps = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=(len(pool), *SHAPE))
        for number, crop in enumerate(track(pool.crops, "looking for fractures", transient=True)):
            maps[number] = attention_on(crop, network)
        maps.flush()
        part.replace(path)
    return np.asarray(np.load(path, mmap_mode="r"))


@torch.no_grad()
def attention_on(crop: SpineCrop, network: nn.Module) -> np.ndarray:
    """The classifier's heat on every sagittal slice of a crop, 8-bit, (left, rows, back)."""
    heats = [network(part).heat[:, 0] for part in _slices(crop)]
    return np.rint(ATTENTION_STEPS * torch.cat(heats).numpy()).astype(np.uint8)


def _slices(crop: SpineCrop) -> Iterator[torch.Tensor]:
    grey = torch.from_numpy(grey_of(crop.grey))[:, None]
    yield from torch.split(grey.contiguous(memory_format=torch.channels_last), AT_ONCE)


def _digest(pool: SpinePool) -> str:
    """Of every crop's facts and middle slice."""
    whole = hashlib.sha256()
    for crop in pool.crops:
        whole.update(repr(crop.facts).encode())
        whole.update(np.ascontiguousarray(crop.grey[len(crop.grey) // 2]).tobytes())
    return whole.hexdigest()
