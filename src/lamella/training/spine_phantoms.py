"""Random spine phantoms to learn from: people, curves, scanners and fractures drawn anew.

A phantom is straightened as any CT is: its bodies and its curve are found from the labels. What
its bodies are in truth is drawn at 1 mm whatever the CT's spacing, so that a coarse scan's
staircases do not become what a network draws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lamella.physics.phantoms.spine import SpinePhantomSpec, spine_phantom
from lamella.physics.virtual_fracture import ZONE_PATTERN, FractureSpec
from lamella.prepare.spine.body import vertebral_bodies
from lamella.prepare.spine.straight import StraightSpine, straighten
from lamella.records import LEVELS
from lamella.tasks.vertebra_height import genant_grade
from lamella.training.spine_crops import SpineCrop, StraightCase, crops_of, losses

FIRST, LAST = "T4", "L5"
LEVELS_IN_ONE = (4, 8)
TRUTH_MM = 1.0
STREAM = 83
THICK = 0.3
FINE_MM = 1.4


@dataclass(frozen=True, kw_only=True)
class PhantomChance:
    """What random phantoms are drawn from.

    Args:
        fractured: part of the vertebrae.
        loss: range of a fracture's largest regional loss.
        spacing_mm: range of the voxels; in three of ten phantoms slices are thicker than pixels
            are wide, and half of the others are finer than 1.4 mm.
        noise_hu: range.
        trabecular_hu: range: osteoporotic to young.
        scoliosis_deg: standard deviation.
        whole_trunk: part of the phantoms with the trunk and the air around it.
    """

    fractured: float = 0.28
    loss: tuple[float, float] = (0.2, 0.6)
    spacing_mm: tuple[float, float] = (0.7, 3.0)
    noise_hu: tuple[float, float] = (4.0, 45.0)
    trabecular_hu: tuple[float, float] = (60.0, 230.0)
    scoliosis_deg: float = 8.0
    whole_trunk: float = 0.25


@dataclass(frozen=True, kw_only=True)
class PhantomCrops:
    """Makes the crops of one random phantom; the same for the same seed and number.

    Args:
        seed: of the cohort.
        number: of the phantom in it.
        chance: what it is drawn from.
        levels: how many vertebrae, or None: 4 to 7.
    """

    seed: int
    number: int
    chance: PhantomChance = PhantomChance()
    levels: int | None = None

    def __call__(self) -> list[SpineCrop]:
        """Every vertebra of the phantom."""
        return crops_of(phantom_case(self.spec()))

    def spec(self) -> SpinePhantomSpec:
        """The phantom."""
        rng = np.random.default_rng([STREAM, self.seed, self.number])
        return random_spec(rng, self.chance, self.levels)


def random_spec(
    rng: np.random.Generator, chance: PhantomChance, levels: int | None = None
) -> SpinePhantomSpec:
    """A phantom drawn from chance."""
    names = _levels(rng, levels)
    return SpinePhantomSpec(
        levels=names,
        spacing_mm=_spacing(rng, chance.spacing_mm),
        kyphosis_deg=float(rng.uniform(15.0, 60.0)),
        lordosis_deg=float(rng.uniform(20.0, 60.0)),
        scoliosis_deg=float(np.clip(chance.scoliosis_deg * rng.standard_normal(), -25.0, 25.0)),
        seed=int(rng.integers(2**31)),
        noise_hu=float(np.exp(rng.uniform(*np.log(chance.noise_hu)))),
        psf_mm=float(rng.uniform(0.35, 0.9)),
        trabecular_hu=float(rng.uniform(*chance.trabecular_hu)),
        texture_hu=float(rng.uniform(25.0, 90.0)),
        fractures=_fractures(names, rng, chance),
        cropped=bool(rng.random() >= chance.whole_trunk),
    )


def phantom_case(spec: SpinePhantomSpec) -> StraightCase:
    """A phantom straightened, with its true bodies, grades and heights."""
    phantom = spine_phantom(spec)
    found = straighten(phantom.ct, phantom.labels, vertebral_bodies(phantom.labels))
    return StraightCase(
        name=f"phantom {spec.seed}",
        straight=found,
        truth=_true_bodies(spec, found),
        grades={
            level: genant_grade(losses(phantom.heights[level], was))
            for level, was in phantom.healthy_heights.items()
        },
        heights=phantom.heights,
    )


def _true_bodies(spec: SpinePhantomSpec, found: StraightSpine) -> np.ndarray:
    """The person's exact bodies, on the samples of the straight spine."""
    fine = replace(spec, spacing_mm=TRUTH_MM, cropped=True, noise_hu=0.0)
    drawn = spine_phantom(fine)
    return straighten(
        None, drawn.labels, drawn.bodies, spacing_mm=found.spacing_mm, curve=found.curve
    ).bodies


def _levels(rng: np.random.Generator, count: int | None) -> tuple[str, ...]:
    known = [name for name in LEVELS if name not in ("T13", "L6")]
    first, last = known.index(FIRST), known.index(LAST)
    drawn = int(rng.integers(*LEVELS_IN_ONE))
    many = drawn if count is None else count
    start = int(rng.integers(first, last - many + 2))
    return tuple(known[start : start + many])


def _spacing(
    rng: np.random.Generator, limits: tuple[float, float]
) -> float | tuple[float, float, float]:
    low, high = limits
    kind, size = rng.random(), float(np.exp(rng.uniform(*np.log(limits))))
    if kind < THICK:
        wide = float(rng.uniform(low, max(low, min(high, FINE_MM))))
        return (wide, wide, float(rng.uniform(wide, high)))
    return size if kind < 2 * THICK else float(rng.uniform(low, max(low, min(high, FINE_MM))))


def _fractures(
    levels: tuple[str, ...], rng: np.random.Generator, chance: PhantomChance
) -> dict[str, FractureSpec]:
    chosen = [level for level in levels if rng.random() < chance.fractured]
    kinds = list(ZONE_PATTERN)
    return {
        level: FractureSpec(
            kind=kinds[int(rng.integers(len(kinds)))],  # type: ignore[arg-type]
            loss=float(rng.uniform(*chance.loss)),
        )
        for level in chosen
    }
