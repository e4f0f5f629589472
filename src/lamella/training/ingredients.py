"""What a run learns from and is judged by: pools of one or two manifests, and whose joints."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lamella.records import LamellaError
from lamella.training.bls_gan_data import Drawer, Drawing
from lamella.training.loop import BatchMaker
from lamella.training.material import Material
from lamella.training.overlaps import OverlapPool

MOST_JUDGED = 96


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """What a run learns from and is judged by.

    Args:
        materials: pools of one or two manifests with the joints of each that train.
        judged: pool with known layers and the samples of it that select.
    """

    materials: tuple[tuple[Material, set[int]], ...]
    judged: tuple[Material, set[int]]


def judging(learns_from: Ingredients) -> tuple[OverlapPool, np.ndarray]:
    """The pool that judges a run, and the indices (sample,) of what is judged of it."""
    material, selecting = learns_from.judged
    at = material.judged.of_joints(selecting)
    return material.judged, at[:: max(1, len(at) // MOST_JUDGED)]


def drawer(learns_from: Ingredients, drawing: Drawing) -> BatchMaker:
    """Batches from all materials, each manifest as often as it has samples.

    Raises:
        LamellaError: no overlap whose layers are known.
    """
    drawers = [
        Drawer(
            closed=material.closed,
            closed_at=material.closed.of_joints(joints),
            real=material.real,
            real_at=material.real.of_joints(joints),
            drawing=drawing,
        )
        for material, joints in learns_from.materials
    ]
    amounts = np.array([len(drawer.closed_at) for drawer in drawers], float)
    if not amounts.sum():
        raise LamellaError(
            "no overlap to train on: the data needs joints whose bones lie apart, to be closed"
        )

    def draw(rng: np.random.Generator) -> Any:
        return drawers[int(rng.choice(len(drawers), p=amounts / amounts.sum()))](rng)

    return draw
