"""Generators trained for the ablation: ONNX files and cards of a folder become drawers."""

import json
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from lamella.evaluation.spine_drawers import Drawer, Wanted, by_networks
from lamella.methods.healthivert.infer import Networks, Runner
from lamella.records import LamellaError
from lamella.tasks.pseudo_healthy import Restored
from lamella.zoo.models import opened, run_session

GENERATOR, CLASSIFIER = "healthivert", "fracture-classifier"
SAGITTAL, CORONAL = "sagittal", "coronal"


@dataclass(frozen=True, kw_only=True)
class TrainedFiles:
    """ONNX files of one variant.

    Args:
        sagittal: of the generator that must be there.
        coronal: of the other, or None.
        classifier: whose attention guides them, or None.
    """

    sagittal: Path
    coronal: Path | None = None
    classifier: Path | None = None


def trained_drawers(folder: Path) -> dict[str, Drawer]:
    """What every variant of a folder draws, with the heights it draws it with.

    Args:
        folder: of runs of ``lamella train healthivert``, one or several, at any depth.

    Raises:
        LamellaError: no sagittal generator there.
    """
    return {name: partial(_drawn_by, files=files) for name, files in trained_files(folder).items()}


def trained_files(folder: Path) -> dict[str, TrainedFiles]:
    """Variant -> its files.

    Raises:
        LamellaError: no sagittal generator there.
    """
    cards = [(path, json.loads(path.read_text(encoding="utf-8"))) for path in _cards(folder)]
    classifiers = [path for path, card in cards if card.get("kind") == CLASSIFIER]
    generators = {
        (_variant(card), str(card.get("plane"))): path.with_suffix(".onnx")
        for path, card in cards
        if card.get("kind") == GENERATOR
    }
    variants = dict.fromkeys(name for name, plane in generators if plane == SAGITTAL)
    if not variants:
        raise LamellaError(
            f"expected trained generators in {folder.name!r}, found none: lamella train healthivert"
        )
    classifier = classifiers[0].with_suffix(".onnx") if classifiers else None
    return {
        name: TrainedFiles(
            sagittal=generators[name, SAGITTAL],
            coronal=generators.get((name, CORONAL)),
            classifier=classifier,
        )
        for name in variants
    }


def _cards(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.json") if path.with_suffix(".onnx").is_file())


def _variant(card: dict[str, Any]) -> str:
    return str(card.get("recipe", {}).get("variant", "exact"))


def _drawn_by(wanted: Wanted, files: TrainedFiles) -> Restored:
    drawing = Networks(
        sagittal=_runner(files.sagittal),
        coronal=_runner(files.coronal) if files.coronal else None,
        classifier=_runner(files.classifier) if files.classifier else None,
    )
    return by_networks(wanted, drawing)


@lru_cache
def _runner(weights: Path) -> Runner:
    return partial(run_session, opened(weights.read_bytes()))
