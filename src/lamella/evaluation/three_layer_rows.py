"""Separators into three layers as rows: those that ship, and LSN's networks of a folder."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from lamella.evaluation.rows import LAMELLA
from lamella.methods.lsn.infer import layer_images, separate_scene
from lamella.methods.shares.calibrate import Calibration
from lamella.prepare.scene import scene
from lamella.records import LamellaError, Layers, Radiograph
from lamella.tasks.separation import separate_into_intensities, separate_joint
from lamella.types import Absorbance, BoneStack, Image, Mask
from lamella.zoo.models import opened, run_session
from lamella.zoo.separators import separators

LayersOf = Callable[[Radiograph, Mapping[str, Mask]], Layers]
"""Radiograph and two masks -> soft tissue and two bones."""

Runner = Callable[[np.ndarray], np.ndarray]

SHIPPED = {
    "exact": LAMELLA,
    "lsn": "LSN, exact, shipped",
    "lsn-as-published": "LSN as published, shipped",
    "bls-gan": "BLS-GAN, shipped",
}
"""Method -> its row."""

EXACT = ("exact", "lsn")
"""Methods whose layers add up to the radiograph whatever the network says."""


def three_layer_rows(networks: Path | None = None) -> dict[str, LayersOf]:
    """The separators that ship, and those of a folder of trained networks.

    Raises:
        LamellaError: a folder without a network of LSN.
    """
    known = separators()
    rows = {row: known[method] for method, row in SHIPPED.items() if method in known}
    return rows | (trained_layers(networks) if networks is not None else {})


def trained_layers(folder: Path) -> dict[str, LayersOf]:
    """LSN's networks of a folder by the name on their card; other kinds are passed over.

    Args:
        folder: with ``NAME.onnx`` and ``NAME.json``, or a folder per name that holds them.

    Raises:
        LamellaError: there is none.
    """
    cards = sorted([*folder.glob("*.json"), *folder.glob("*/*.json")])
    found = {
        card.stem: _KINDS[kind](_runner(card.with_suffix(".onnx")))
        for card in cards
        if card.with_suffix(".onnx").is_file() and (kind := _kind(card)) in _KINDS
    }
    if not found:
        raise LamellaError(
            f"expected networks of LSN in {folder.name!r}, found none: lamella train lsn"
        )
    return found


def _exact(runner: Runner) -> LayersOf:
    def estimate(
        absorbance: Absorbance, masks: Sequence[Mask], spacing_mm: float
    ) -> tuple[Absorbance, BoneStack, Image]:
        joint = scene(absorbance, masks, spacing_mm)
        return separate_scene(joint, runner, Calibration.none().factor)

    return partial(separate_joint, estimate=estimate, method="lsn")


def _published(runner: Runner) -> LayersOf:
    def predict(joint: Image, masks: Sequence[Mask], context: Mask) -> tuple[Image, BoneStack]:
        return layer_images(joint, masks, context, runner)

    return partial(separate_into_intensities, predict=predict, method="lsn as published")


def _runner(path: Path) -> Runner:
    network = opened(path.read_bytes())
    return lambda batch: run_session(network, batch)[0]


def _kind(card: Path) -> str:
    return str(json.loads(card.read_text(encoding="utf-8")).get("kind"))


_KINDS: dict[str, Callable[[Runner], LayersOf]] = {"soft-shares": _exact, "lsn": _published}
