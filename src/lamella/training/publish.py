"""Weights with their papers: a trained network becomes an ONNX file and a model card."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lamella.io.write import write_json
from lamella.records import LamellaError
from lamella.training.export import export_onnx

LICENCE = (
    "trained on the public BLS-GAN research images, for which no licence is stated, and on "
    "Lamella's phantoms; research use only"
)


@dataclass(frozen=True, kw_only=True)
class Release:
    """What a model card says.

    Args:
        name: of the network and its files.
        purpose: one sentence.
        recipe: complete configuration, see :func:`plain`.
        outputs: names of the network's outputs.
        channels: of its input.
        held_out: metrics on what did not train.
        extra: further entries (for instance a calibration table).
        licence: what it was trained on, and what it may be used for.
        judged_on: what ``held_out`` was measured on, by default the joint-grouped fifth of
            ``train.json``.
    """

    name: str
    purpose: str
    recipe: Mapping[str, Any]
    outputs: tuple[str, ...]
    channels: int
    held_out: Mapping[str, float]
    extra: Mapping[str, Any] = field(default_factory=dict)
    licence: str = LICENCE
    judged_on: str = "held-out joints of train.json"


def release(network: nn.Module, folder: Path, about: Release) -> Path:
    """Write ``NAME.onnx`` and ``NAME.json`` into a folder; returns the card's path."""
    weights = folder / f"{about.name}.onnx"
    export_onnx(network.float().eval(), weights, about.channels, about.outputs)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    card = {
        "name": about.name,
        "purpose": about.purpose,
        "licence": about.licence,
        "recipe": about.recipe,
        "parameters": parameters,
        "outputs": list(about.outputs),
        "trained_with": {"torch": torch.__version__},
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "metrics": {about.judged_on: dict(about.held_out)},
        **about.extra,
    }
    path = folder / f"{about.name}.json"
    write_json(path, card)
    return path


def plain(recipe: Any, data: str | None = None) -> dict[str, Any]:
    """A recipe as plain values; the data folder is named, not located.

    Args:
        recipe: a dataclass with ``data``.
        data: what to call its data, by default the folder's ``train.json``.
    """
    entries = asdict(recipe)
    entries["data"] = f"{Path(entries['data']).name}/train.json" if data is None else data
    return entries


def keep_recipe(recipe: Mapping[str, Any], folder: Path) -> None:
    """Write ``recipe.json`` into the folder of a run.

    Raises:
        LamellaError: the folder holds a run of another recipe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "recipe.json"
    wanted = json.loads(json.dumps(recipe))
    if file.exists() and json.loads(file.read_text(encoding="utf-8")) != wanted:
        raise LamellaError(
            f"{folder.name} holds a run of another recipe: go on with the same options, or "
            "choose another folder with --out"
        )
    write_json(file, wanted)


def add_metrics(card: Path, measured_on: str, metrics: Mapping[str, float]) -> None:
    """Record metrics on further data in a model card.

    Args:
        card: path of the model card.
        measured_on: what the metrics were measured on.
        metrics: name -> figure.
    """
    entries = json.loads(card.read_text(encoding="utf-8"))
    entries["metrics"][measured_on] = dict(metrics)
    write_json(card, entries)
