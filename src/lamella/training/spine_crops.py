"""One vertebra to learn from: its box in the straight spine, and what is known of it.

A crop is the *centred* box of :mod:`lamella.methods.healthivert.gap`, 8-bit, so that thousands
fit in memory; whether the gap is drawn into it, and which of its slices are taken, is decided
when a batch is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import astuple, dataclass, fields, replace

import numpy as np

from lamella.methods.healthivert.channels import Plane, windowed
from lamella.methods.healthivert.gap import Site, centred, site_of
from lamella.methods.height_references.conditional import conditioned
from lamella.physics.vertebra_population import HeightPopulation, zones_of
from lamella.prepare.spine.straight import StraightSpine
from lamella.records import LEVELS, ZONES, LamellaError, Zones
from lamella.records.spine import LEVEL_OF, VERSE_IDS

TARGET, HEALTHY, FRACTURED = 1, 2, 3
"""Whose body a voxel of ``SpineCrop.parts`` lies in: the crop's own, or another vertebra's."""

WHOLE_NUMBERS = ("number", "grade", "real")
GREY_STEPS = 255.0
MEASURED_TO = 0.01
"""Relative standard deviation that a neighbour's measured height is taken to have."""

Prior = Callable[[str, Mapping[str, Zones], Set[str]], Zones]
"""Says a level's healthy heights from the heights of all, resting on the levels in the set."""


@dataclass(frozen=True, kw_only=True)
class CropFacts:
    """What is known of a crop, in numbers.

    Args:
        number: of its level in VerSe's scheme.
        grade: Genant's, 0 to 3.
        extent_rows: from x1 to x2, rows of the box.
        row_mm: mm to a row.
        left_first, left_last, back_first, back_last: slices between which the body lies.
        prior_mm: mean height that its healthy neighbours let expect.
        anterior_mm, middle_mm, posterior_mm, whole_mm: its heights as they are.
        real: 1 from a real CT, 0 from a phantom.
    """

    number: int
    grade: int
    extent_rows: float
    row_mm: float
    left_first: float
    left_last: float
    back_first: float
    back_last: float
    prior_mm: float
    anterior_mm: float
    middle_mm: float
    posterior_mm: float
    whole_mm: float
    real: int

    @property
    def level(self) -> str:
        """Name of the vertebra."""
        return LEVEL_OF[self.number]

    @property
    def prior_rows(self) -> float:
        """Expected mean height in rows of the box."""
        return self.prior_mm / self.row_mm

    def span(self, plane: Plane) -> tuple[float, float]:
        """First and last slice of the body across a plane."""
        if plane is Plane.SAGITTAL:
            return self.left_first, self.left_last
        return self.back_first, self.back_last

    @property
    def site(self) -> Site:
        """A site of the same extent in a spine of as many rows: what pushing apart needs."""
        return Site(
            level=self.level,
            left=0,
            back=0,
            upper=-self.extent_rows * self.row_mm / 2.0,
            lower=self.extent_rows * self.row_mm / 2.0,
            spacing_mm=1.0,
            row_mm=self.row_mm,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class SpineCrop:
    """A vertebra's centred box.

    Args:
        grey: CT from -300 to 800 HU as 0 to 255, (left, rows, back).
        parts: ``TARGET``, ``HEALTHY``, ``FRACTURED`` or 0, (left, rows, back).
        facts: see :class:`CropFacts`.
    """

    grey: np.ndarray
    parts: np.ndarray
    facts: CropFacts

    def row(self) -> dict[str, np.ndarray]:
        """The crop as arrays by name."""
        return {"grey": self.grey, "parts": self.parts, "facts": np.array(astuple(self.facts))}

    @classmethod
    def of_row(cls, grey: np.ndarray, parts: np.ndarray, facts: np.ndarray) -> SpineCrop:
        """The inverse of :meth:`row`."""
        told = dict(zip((field.name for field in fields(CropFacts)), facts.tolist(), strict=True))
        whole = {name: int(told[name]) for name in WHOLE_NUMBERS}
        return cls(grey=grey, parts=parts, facts=CropFacts(**(told | whole)))


@dataclass(frozen=True, kw_only=True, eq=False)
class StraightCase:
    """A straight spine whose vertebrae are graded.

    Args:
        name: a name safe to print.
        straight: with CT, its bodies as they are found from the labels.
        truth: VerSe number where a body is in truth, on the samples of ``straight``.
        grades: level -> Genant grade; another vertebra counts as not healthy.
        heights: level -> heights as they are, of the graded ones that can be measured: those
            are learnt from.
        real: whether the CT is one.
    """

    name: str
    straight: StraightSpine
    truth: np.ndarray
    grades: Mapping[str, int]
    heights: Mapping[str, Zones]
    real: bool = False


def conditional_prior(level: str, heights: Mapping[str, Zones], healthy: Set[str]) -> Zones:
    """Heights expected from healthy neighbours, the best linear prediction of the population.

    Example:
        >>> alone = conditional_prior("L1", {}, frozenset())
        >>> 20 < alone.posterior < 30
        True
    """
    near = tuple(name for name in LEVELS if name in healthy and name != level)
    mean, cov = HeightPopulation().covariance((level, *near))
    measured = np.log([[heights[name].of(zone) for zone in ZONES] for name in near])
    noise = np.full(measured.size, MEASURED_TO**2)
    told, _ = conditioned(mean, cov, measured.reshape(-1), noise)
    return zones_of(np.exp(told))


def crop_of(case: StraightCase, level: str, prior: Prior = conditional_prior) -> SpineCrop:
    """A vertebra of a case.

    Args:
        case: straight spine.
        level: one that was measured.
        prior: says what its healthy neighbours let expect.

    Raises:
        LamellaError: no body of that level.
    """
    healthy = frozenset(name for name, grade in case.grades.items() if grade == 0)
    told = prior(level, case.heights, (healthy & set(case.heights)) - {level})
    site = site_of(case.straight, level, told.whole)
    box = centred(case.straight, site)
    truth = centred(replace(case.straight, bodies=case.truth), site).bodies
    heights = case.heights[level]
    facts = CropFacts(
        number=VERSE_IDS[level],
        grade=case.grades[level],
        extent_rows=site.extent_rows,
        row_mm=site.row_mm,
        left_first=site.left_span[0],
        left_last=site.left_span[1],
        back_first=site.back_span[0],
        back_last=site.back_span[1],
        prior_mm=told.whole,
        anterior_mm=heights.anterior,
        middle_mm=heights.middle,
        posterior_mm=heights.posterior,
        whole_mm=heights.whole,
        real=int(case.real),
    )
    return SpineCrop(grey=grey_steps(box.hu), parts=_parts(truth, level, healthy), facts=facts)


def crops_of(case: StraightCase, prior: Prior = conditional_prior) -> list[SpineCrop]:
    """Every vertebra of a case that was measured and has a body in the straight spine."""
    made = []
    for level in case.heights:
        try:
            made.append(crop_of(case, level, prior))
        except LamellaError:
            continue
    return made


def losses(seen: Zones, healthy: Zones) -> Zones:
    """Relative height loss of each third and of the whole."""
    return Zones(**{zone: 1.0 - height / healthy.of(zone) for zone, height in seen})


def grey_steps(hu: np.ndarray) -> np.ndarray:
    """-300 to 800 HU as 0 to 255, 8-bit."""
    return np.rint((windowed(hu) + 1.0) * (GREY_STEPS / 2.0)).astype(np.uint8)


def grey_of(steps: np.ndarray) -> np.ndarray:
    """8-bit steps as grey in [-1, 1], float32."""
    return steps.astype(np.float32) * np.float32(2.0 / GREY_STEPS) - np.float32(1.0)


def _parts(bodies: np.ndarray, level: str, healthy: Set[str]) -> np.ndarray:
    table = np.full(256, FRACTURED, np.uint8)
    table[0] = 0
    table[[VERSE_IDS[name] for name in healthy]] = HEALTHY
    table[VERSE_IDS[level]] = TARGET
    return np.asarray(table[bodies])
