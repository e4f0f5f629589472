"""Separators trained for a comparison: ONNX files and cards of a folder become rows."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from lamella.evaluation.rows import Separated, Separator, painted, standing_rows
from lamella.methods.bls_gan.infer import layer_images
from lamella.methods.inpainting.infer import complete
from lamella.methods.shares.calibrate import Calibration
from lamella.methods.shares.infer import separate_scene
from lamella.physics.formation import bls_gan_composition
from lamella.prepare.scene import scene
from lamella.records import LamellaError, Radiograph
from lamella.tasks.separation import separate_joint
from lamella.types import Absorbance, BoneStack, Image, Mask
from lamella.zoo.models import opened, run_session

Runner = Callable[[np.ndarray], tuple[np.ndarray, ...]]


def all_rows(networks: Path | None = None) -> dict[str, Separator]:
    """The standing rows, and those of a folder of trained networks."""
    return standing_rows() | (trained_rows(networks) if networks is not None else {})


def trained_rows(folder: Path) -> dict[str, Separator]:
    """Every network of a folder that has a card, by the name on it.

    Args:
        folder: with ``NAME.onnx`` and ``NAME.json`` or one folder per name that holds them.

    Raises:
        LamellaError: no network there, or of a kind that cannot be compared.
    """
    cards = sorted([*folder.glob("*.json"), *folder.glob("*/*.json")])
    networks = [card for card in cards if card.with_suffix(".onnx").is_file()]
    if not networks:
        raise LamellaError(f"expected trained networks in {folder.name!r}, found none: train them")
    return {card.stem: trained(card) for card in networks}


def trained(card: Path) -> Separator:
    """One network by the path of its card.

    Raises:
        LamellaError: of a kind that cannot be compared.
    """
    kind = json.loads(card.read_text(encoding="utf-8")).get("kind")
    if kind not in _KINDS:
        raise LamellaError(f"{card.name}: expected one of {', '.join(_KINDS)}, got {kind!r}")
    return _KINDS[kind](partial(run_session, opened(card.with_suffix(".onnx").read_bytes())))


def _shares(runner: Runner) -> Separator:
    def estimate(
        absorbance: Absorbance, masks: Sequence[Mask], spacing_mm: float
    ) -> tuple[Absorbance, BoneStack, Image]:
        joint = scene(absorbance, masks, spacing_mm)
        return separate_scene(joint, lambda batch: runner(batch)[0], Calibration.none())

    def separator(radiograph: Radiograph, masks: Mapping[str, Mask]) -> Separated:
        layers = separate_joint(radiograph, masks, estimate, "shares")
        images = tuple(layers.bone_image(name) for name in masks)
        return Separated(layers=images, recomposed=layers.recompose())

    return separator


def _bls_gan(runner: Runner) -> Separator:
    def separator(radiograph: Radiograph, masks: Mapping[str, Mask]) -> Separated:
        stack = np.stack(list(masks.values()))
        images, k = layer_images(radiograph.pixels, list(stack), _two(runner))
        recomposed = np.asarray(bls_gan_composition(images, stack.astype(np.float32), k))
        whole = np.where(stack.any(axis=0), np.clip(recomposed, 0.0, 1.0), radiograph.pixels)
        return Separated(layers=tuple(images), recomposed=np.asarray(whole, np.float32))

    return separator


def _inpainting(runner: Runner) -> Separator:
    def layers(radiograph: Radiograph, masks: Mapping[str, Mask]) -> list[Image]:
        return complete(radiograph.pixels, list(masks.values()), lambda batch: runner(batch)[0])

    return painted(layers)


def _two(runner: Runner) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    def run(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first, second = runner(batch)
        return first, second

    return run


_KINDS: dict[str, Callable[[Runner], Separator]] = {
    "shares": _shares,
    "bls-gan": _bls_gan,
    "inpainting": _inpainting,
}
