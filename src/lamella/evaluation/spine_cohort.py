"""Which phantom spines are measured: people, curves, scanners and fractures drawn from a seed.

Seeds of people start at 3 000 000 000. Training draws them below 2^31, so no network has seen one
of these. Four vertebrae of each spine are targets: four in ten are left whole, the others lose
0 to 60 % of the most affected third, any amount as likely as another, as wedge, biconcave or
crush. Of the vertebrae between them one in ten is fractured, too: a reference may rest on the
wrong neighbour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lamella.physics.phantoms.spine import SpinePhantomSpec
from lamella.physics.phantoms.spine.column import column
from lamella.physics.virtual_fracture import LARGEST_LOSS, ZONE_PATTERN, FractureSpec
from lamella.records import LEVELS, LamellaError

FIRST_SEED = 3_000_000_000
STREAM = 61
SPINES = 56
FIRST, LAST = "T4", "L5"
VERTEBRAE = (7, 9)
TARGETS = 4
WHOLE = 0.4
"""Part of the targets that are not fractured."""

FRACTURED_BESIDE = 0.1
LOSS_BESIDE = (0.2, 0.6)
TRIES = 50

Spacing = float | tuple[float, float, float]
SPACINGS: tuple[Spacing, ...] = (0.7, 1.0, 1.5, 1.0, 2.0, 0.7, 3.0, (1.0, 1.0, 3.0))
"""Voxels of the spines in turn: half of them at 1 mm or finer."""

FINE, MIDDLE, COARSE = "1 mm or finer", "1.5 to 2 mm", "3 mm"
CLASSES = (FINE, MIDDLE, COARSE)


@dataclass(frozen=True, kw_only=True)
class CohortSpine:
    """One phantom spine and its vertebrae of interest.

    Args:
        number: in the cohort.
        spacing_mm: of its voxels.
        vertebrae: fewest and most in it.
    """

    number: int
    spacing_mm: Spacing
    vertebrae: tuple[int, int] = VERTEBRAE

    @property
    def name(self) -> str:
        """For instance ``"spine-007"``."""
        return f"spine-{self.number:03d}"

    @property
    def spec(self) -> SpinePhantomSpec:
        """Determines the phantom."""
        return _drawn(self)[0]

    @property
    def targets(self) -> tuple[str, ...]:
        """Levels that are scored, from the skull down."""
        return _drawn(self)[1]


def spine_cohort(
    count: int = SPINES,
    spacings: Sequence[Spacing] = SPACINGS,
    vertebrae: tuple[int, int] = VERTEBRAE,
) -> tuple[CohortSpine, ...]:
    """The first spines of the cohort; the same for the same arguments.

    Args:
        count: spines.
        spacings: of their voxels in mm, in turn.
        vertebrae: fewest and most in one spine.
    """
    return tuple(
        CohortSpine(number=number, spacing_mm=spacings[number % len(spacings)], vertebrae=vertebrae)
        for number in range(count)
    )


def spacing_class(spacing_mm: Sequence[float]) -> str:
    """Class of a voxel by its longest edge.

    Example:
        >>> spacing_class((1.0, 1.0, 3.0))
        '3 mm'
    """
    longest = max(spacing_mm)
    return FINE if longest <= 1.0 else MIDDLE if longest <= 2.0 else COARSE


@lru_cache
def _drawn(spine: CohortSpine) -> tuple[SpinePhantomSpec, tuple[str, ...]]:
    """Drawn again where the fractures leave a body thinner than can be drawn."""
    rng = np.random.default_rng([STREAM, FIRST_SEED, spine.number])
    for attempt in range(TRIES):
        levels = _levels(rng, spine.vertebrae)
        targets = _chosen(levels, rng)
        spec = _spec(FIRST_SEED + TRIES * spine.number + attempt, levels, spine.spacing_mm, rng)
        fractured = _fractured(spec, targets, rng)
        if _is_drawable(fractured):
            return fractured, targets
    raise LamellaError(f"{spine.name} cannot be drawn in {TRIES} tries")


def _levels(rng: np.random.Generator, vertebrae: tuple[int, int]) -> tuple[str, ...]:
    known = [name for name in LEVELS if name not in ("T13", "L6")]
    first, last = known.index(FIRST), known.index(LAST)
    many = int(rng.integers(vertebrae[0], vertebrae[1] + 1))
    start = int(rng.integers(first, last - many + 2))
    return tuple(known[start : start + many])


def _chosen(levels: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
    drawn = set(rng.choice(levels, min(TARGETS, len(levels)), replace=False))
    return tuple(level for level in levels if level in drawn)


def _spec(
    seed: int, levels: tuple[str, ...], spacing_mm: Spacing, rng: np.random.Generator
) -> SpinePhantomSpec:
    return SpinePhantomSpec(
        levels=levels,
        spacing_mm=spacing_mm,
        kyphosis_deg=float(rng.uniform(15.0, 60.0)),
        lordosis_deg=float(rng.uniform(20.0, 60.0)),
        scoliosis_deg=float(np.clip(8.0 * rng.standard_normal(), -25.0, 25.0)),
        seed=seed,
        noise_hu=float(rng.uniform(8.0, 40.0)),
        psf_mm=float(rng.uniform(0.35, 0.9)),
        trabecular_hu=float(rng.uniform(60.0, 230.0)),
        texture_hu=float(rng.uniform(25.0, 90.0)),
    )


def _fractured(
    spec: SpinePhantomSpec, targets: tuple[str, ...], rng: np.random.Generator
) -> SpinePhantomSpec:
    drawn = {level: _fracture(level in targets, rng) for level in spec.levels}
    return replace_fractures(spec, {level: one for level, one in drawn.items() if one})


def replace_fractures(
    spec: SpinePhantomSpec, fractures: Mapping[str, FractureSpec]
) -> SpinePhantomSpec:
    """The same person with these fractures and no others."""
    return SpinePhantomSpec(**vars(spec) | {"fractures": dict(fractures)})


def _fracture(is_target: bool, rng: np.random.Generator) -> FractureSpec | None:
    chance, kind = rng.random(), list(ZONE_PATTERN)[int(rng.integers(len(ZONE_PATTERN)))]
    beside, wide = rng.uniform(*LOSS_BESIDE), rng.uniform(0.0, LARGEST_LOSS)
    if chance < (WHOLE if is_target else 1.0 - FRACTURED_BESIDE):
        return None
    return FractureSpec(kind=kind, loss=float(wide if is_target else beside))  # type: ignore[arg-type]


def _is_drawable(spec: SpinePhantomSpec) -> bool:
    drawn = spec.population.draw(np.random.default_rng(spec.rng_seed(0)), spec.levels)
    try:
        column(spec, drawn)
    except LamellaError:
        return False
    return True
