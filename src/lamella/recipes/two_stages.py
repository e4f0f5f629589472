"""What recipes of two stages share: names, lengths, pools, calibration, the pace on GPUs."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from lamella.records import LamellaError
from lamella.training.adversarial import Pace
from lamella.training.calibration import fitted_calibration
from lamella.training.ingredients import Ingredients
from lamella.training.material import Material
from lamella.training.processes import allotted

Recipe = TypeVar("Recipe", bound=Any)
"""A frozen recipe with ``data``, ``amounts``, ``pretraining_steps`` and ``main_steps``."""


def refuse_unknown(asked: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Check names against what there is.

    Args:
        asked: pairs of a name and the known ones.

    Raises:
        LamellaError: a name is not known.
    """
    for given, known in asked:
        if given not in known:
            raise LamellaError(f"expected one of {', '.join(known)}, got {given!r}")


def shortened(recipe: Recipe, steps: int) -> Recipe:
    """The same recipe with another number of steps, the stages in proportion."""
    part = recipe.main_steps / (recipe.main_steps + recipe.pretraining_steps)
    main = max(1, round(part * steps))
    shorter: Recipe = replace(recipe, pretraining_steps=max(1, steps - main), main_steps=main)
    return shorter


def ingredients(recipe: Any, cache: Path) -> Ingredients:
    """The pools of ``train.json``, a joint-grouped fifth of it kept for selection.

    Args:
        recipe: with ``data`` and ``amounts``.
        cache: folder of the pools.
    """
    material = Material(recipe.data / "train.json", cache, recipe.amounts)
    training, selecting = material.split()
    return Ingredients(materials=((material, training),), judged=(material, selecting))


def calibration(network: nn.Module, learns_from: Ingredients) -> dict[str, Any]:
    """The table of factors on an exact network's standard deviations, for its card."""
    material, selecting = learns_from.judged
    judges = [
        joint
        for joint in material.joints
        if not joint.is_overlapping and material.joint_numbers[joint.row.joint] in selecting
    ]
    return {"calibration": fitted_calibration(network, judges, material.amounts.seed).table()}


def accelerated() -> Pace:
    """The pace of a full recipe on the accelerators that are allotted."""
    devices, nodes = allotted()
    return Pace(
        chunk_steps=1000,
        ema_decay=0.9995,
        warmup_steps=500,
        accelerator="auto",
        devices=devices,
        nodes=nodes,
        workers=4,
    )
