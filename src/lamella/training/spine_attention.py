"""Where the classifier sees a fracture, for every crop of a pool: made once, kept as one file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from rich.progress import track

from lamella.io.write import sha256_of
from lamella.methods.healthivert.channels import SHAPE
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
        session = _session(weights)
        part = path.with_suffix(f".{os.getpid()}.part")
        shape = (len(pool), *SHAPE)
        maps = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
        for number, crop in enumerate(track(pool.crops, "looking for fractures", transient=True)):
            maps[number] = attention_on(crop, session)
        maps.flush()
        part.replace(path)
    return np.asarray(np.load(path, mmap_mode="r"))


def attention_on(crop: SpineCrop, session: onnxruntime.InferenceSession) -> np.ndarray:
    """The classifier's heat on every sagittal slice of a crop, 8-bit, (left, rows, back)."""
    slices = grey_of(crop.grey)[:, None]
    heats = [
        session.run(["heat"], {"input": slices[first : first + AT_ONCE]})[0][:, 0]
        for first in range(0, len(slices), AT_ONCE)
    ]
    return np.rint(ATTENTION_STEPS * np.concatenate(heats)).astype(np.uint8)


def _session(weights: Path) -> onnxruntime.InferenceSession:
    """The classifier with as many threads as training has."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def _digest(pool: SpinePool) -> str:
    """Of every crop's facts and middle slice."""
    whole = hashlib.sha256()
    for crop in pool.crops:
        whole.update(repr(crop.facts).encode())
        whole.update(np.ascontiguousarray(crop.grey[len(crop.grey) // 2]).tobytes())
    return whole.hexdigest()
