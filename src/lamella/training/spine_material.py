"""What the spine's networks learn from and are judged by: a graded cohort, or phantoms and scans.

With a cohort in VerSe's layout its training split trains and its test split judges; the split
called ``val``, on which results are published, is never read here. Without one, random phantoms
train together with virtual fractures of the healthy scans that are there, and other phantoms
judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lamella.io.verse import VerseCohort, verse_cohort, verse_series
from lamella.training.spine_phantoms import PhantomChance, PhantomCrops
from lamella.training.spine_pool import Source, SpinePool, kept_pool
from lamella.training.spine_scans import HEALTHY_SCANS, ScanCrops, SeriesCrops

JUDGED_SEED = 1009

PHANTOM_LICENCE = (
    "trained on Lamella's phantoms and on virtual fractures of two CTs (thorax_1p5mm, "
    "crop_l3_1p5mm; never of abdomen_3mm, which only tests) from a repository under Apache-2.0; "
    "research use only"
)
ONLY_PHANTOMS_LICENCE = "trained on Lamella's phantoms only; research use only"
COHORT_LICENCE = (
    "trained on a cohort in VerSe's layout (VerSe itself is under CC BY-SA 4.0: cite its papers); "
    "research use only"
)


@dataclass(frozen=True, kw_only=True)
class SpineAmounts:
    """How much is made.

    Args:
        phantoms: that train.
        judged_phantoms: that judge.
        levels: vertebrae of each, or None: 4 to 7.
        fractures: virtual ones of each vertebra of a healthy scan, in each of three kinds.
        chance: what phantoms are drawn from.
        processes: that make crops side by side; they do not change what is made.
        seed: of everything random.
    """

    phantoms: int = 72
    judged_phantoms: int = 8
    levels: int | None = None
    fractures: int = 4
    chance: PhantomChance = PhantomChance()  # noqa: RUF009
    processes: int = 2
    seed: int = 0


@dataclass(frozen=True)
class SpineMaterial:
    """Crops, made once and kept in a folder.

    Args:
        data: folder of a cohort or of the healthy scans, or None: phantoms alone.
        cache: folder of the crops.
        amounts: how many.
    """

    data: Path | None
    cache: Path
    amounts: SpineAmounts

    @cached_property
    def cohort(self) -> VerseCohort | None:
        """The graded cohort in the data folder, if it holds one."""
        if self.data is None or not verse_series(self.data):
            return None
        return verse_cohort(self.data)

    @cached_property
    def training(self) -> SpinePool:
        """Crops to learn from."""
        return self._kept(self._training_sources())

    @cached_property
    def judged(self) -> SpinePool:
        """Crops to judge by, of other phantoms or patients."""
        return self._kept(self._judging_sources())

    @property
    def licence(self) -> str:
        """What the weights' card says they were trained on."""
        if self.cohort is not None:
            return COHORT_LICENCE
        return PHANTOM_LICENCE if self._scans() else ONLY_PHANTOMS_LICENCE

    @property
    def judged_on(self) -> str:
        """What the card calls the judges."""
        return "held-out phantoms" if self.cohort is None else "test split of the cohort"

    @property
    def named(self) -> str:
        """What a recipe calls its data."""
        if self.data is None:
            return "phantoms"
        return self.data.name if self.cohort is not None else f"phantoms and {self.data.name}"

    def _kept(self, sources: list[Source]) -> SpinePool:
        return kept_pool(self.cache, sources, self.amounts.processes)

    def _training_sources(self) -> list[Source]:
        if self.cohort is not None:
            return _series(self.cohort, "train")
        amounts = self.amounts
        return self._scans() + self._phantoms("phantom", amounts.phantoms, amounts.seed)

    def _judging_sources(self) -> list[Source]:
        if self.cohort is not None:
            return _series(self.cohort, "test")
        amounts = self.amounts
        return self._phantoms("judged", amounts.judged_phantoms, amounts.seed + JUDGED_SEED)

    def _phantoms(self, name: str, count: int, seed: int) -> list[Source]:
        about = {"seed": seed, "chance": self.amounts.chance, "levels": self.amounts.levels}
        return [
            Source(name=f"{name}-{number:04d}", make=PhantomCrops(number=number, **about))  # type: ignore[arg-type]
            for number in range(count)
        ]

    def _scans(self) -> list[Source]:
        if self.data is None:
            return []
        amounts = self.amounts
        found = [scan for scan in HEALTHY_SCANS if (self.data / scan.ct).is_file()]
        about = {"folder": self.data, "fractures": amounts.fractures, "seed": amounts.seed}
        return [Source(name=scan.name, make=ScanCrops(scan=scan, **about)) for scan in found]  # type: ignore[arg-type]


def _series(cohort: VerseCohort, split: str) -> list[Source]:
    """Every graded series of a split."""
    return [
        Source(name=name, make=SeriesCrops(series=cohort.series[name], grades=dict(grades)))
        for name, grades in sorted(cohort.grades.get(split, {}).items())
    ]
