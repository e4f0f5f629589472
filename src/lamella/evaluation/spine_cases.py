"""One vertebra as a method sees it, beside what is true of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lamella.evaluation.spine_cohort import CohortSpine, spacing_class
from lamella.physics.phantoms.spine import SpinePhantom
from lamella.records import ZONES, LamellaError, Vertebra, Zones
from lamella.tasks.spine import MeasuredSpine, compared
from lamella.tasks.vertebra_height import GENANT, HeightReference

NAN = float("nan")
UNKNOWN = (NAN, NAN, NAN)
ORACLE = "oracle"

Triple = tuple[float, float, float]
"""Anterior, middle, posterior."""

Cases = dict[str, list["SpineCase"]]
"""Method -> its cases."""


@dataclass(frozen=True, kw_only=True)
class SpineCase:
    """One vertebra, by one method.

    Args:
        spine: whose vertebra it is.
        level: of it.
        spacing: class of the voxels.
        target: whether it is one of the vertebrae of interest.
        kind: of its true fracture, or None.
        true_rhlv: what each third has lost, exactly.
        rhlv: what the method says; NaN where it says nothing.
        rhlv_sd: standard deviation the method states; NaN where it states none.
        height_error_mm: healthy height it says minus the true one.
        refused: why nothing is said, or None.
        said_grade: grade, where it does not follow from ``rhlv``.
    """

    spine: str
    level: str
    spacing: str
    target: bool
    kind: str | None
    true_rhlv: Triple
    rhlv: Triple = UNKNOWN
    rhlv_sd: Triple = UNKNOWN
    height_error_mm: Triple = UNKNOWN
    refused: str | None = None
    said_grade: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Spine and level."""
        return self.spine, self.level

    @property
    def is_answered(self) -> bool:
        """True when the method says a loss or a grade."""
        has_grade = self.said_grade is not None
        return self.refused is None and (has_grade or bool(np.isfinite(self.rhlv).all()))

    @property
    def is_whole(self) -> bool:
        """True when the vertebra has lost nothing at all."""
        return max(map(abs, self.true_rhlv)) < 1e-6

    @property
    def true_grade(self) -> int:
        """Genant grade of the true loss."""
        return grade_of(self.true_rhlv)

    @property
    def grade(self) -> int:
        """Genant grade the method gives."""
        return grade_of(self.rhlv) if self.said_grade is None else self.said_grade


def grade_of(rhlv: Triple) -> int:
    """Genant grade of the largest regional loss.

    Example:
        >>> grade_of((0.1, 0.27, 0.0))
        2
    """
    return int(np.searchsorted(GENANT, max(rhlv), side="right"))


def triple(zones: Zones) -> Triple:
    """The thirds of a record."""
    return (zones.anterior, zones.middle, zones.posterior)


def known_cases(spine: CohortSpine, phantom: SpinePhantom) -> dict[str, SpineCase]:
    """What is true of every vertebra, by level, nothing said yet.

    ``RHLV = 1 - observed / healthy``, both exact.
    """
    known = {}
    for level in spine.spec.levels:
        fracture = spine.spec.fractures.get(level)
        known[level] = SpineCase(
            spine=spine.name,
            level=level,
            spacing=spacing_class(spine.spec.spacing),
            target=level in spine.targets,
            kind=fracture.kind if fracture else None,
            true_rhlv=_lost(phantom.heights[level], _heights(phantom.healthy_heights[level])),
        )
    return known


def oracle_case(known: SpineCase, phantom: SpinePhantom) -> SpineCase:
    """The attainable bound.

    The oracle knows the exact observed heights, the level's norm, the person's scale and trend;
    it does not know by how much this one vertebra differs from them, as nobody can who has not
    seen it whole: ``RHLV = 1 - observed / exp(expected log height)``.
    """
    expected = np.exp(phantom.expected_log_heights[known.level])
    healthy = _heights(phantom.healthy_heights[known.level])
    return replace(
        known,
        rhlv=_lost(phantom.heights[known.level], expected),
        height_error_mm=_as_triple(expected - healthy),
    )


def said_case(known: SpineCase, healthy_mm: Zones, said: Vertebra) -> SpineCase:
    """What a method says of a vertebra.

    Args:
        known: what is true of it.
        healthy_mm: its true heights before the fracture.
        said: by the method.
    """
    if said.loss is None or said.healthy is None:
        return replace(known, refused=said.refused or "nothing is said")
    return replace(
        known,
        rhlv=triple(said.loss.rhlv),
        rhlv_sd=triple(said.loss.rhlv_sd),
        height_error_mm=_as_triple(_heights(said.healthy.heights_mm) - _heights(healthy_mm)),
    )


def reference_cases(
    spine: CohortSpine,
    phantom: SpinePhantom,
    measured: MeasuredSpine,
    references: Mapping[str, HeightReference],
) -> Cases:
    """Every vertebra of a spine by the oracle and by every reference.

    Args:
        spine: which one.
        phantom: it, drawn.
        measured: its bodies, from the labels alone.
        references: name -> reference.
    """
    known = known_cases(spine, phantom)
    cases = {ORACLE: [oracle_case(case, phantom) for case in known.values()]}
    for name, reference in references.items():
        said = _compared(measured, reference)
        cases[name] = [
            said_case(case, phantom.healthy_heights[level], said(level))
            for level, case in known.items()
        ]
    return cases


def plain_case(case: SpineCase) -> dict[str, Any]:
    """A case as JSON holds it."""
    return asdict(case)


def read_case(row: Mapping[str, Any]) -> SpineCase:
    """A case from JSON."""
    triples = {name: tuple(value) for name, value in row.items() if isinstance(value, list)}
    return SpineCase(**{**row, **triples})


def answered(cases: Sequence[SpineCase]) -> list[SpineCase]:
    """Those of which something is said."""
    return [case for case in cases if case.is_answered]


class _Said:
    """What a reference says of each level, or why it says nothing of any."""

    def __init__(self, vertebrae: Sequence[Vertebra], refused: str | None = None) -> None:
        self._by_level = {vertebra.level: vertebra for vertebra in vertebrae}
        self._refused = refused

    def __call__(self, level: str) -> Vertebra:
        missing = Vertebra(level=level, refused=self._refused or "not found in the labels")
        return self._by_level.get(level, missing)


def _compared(measured: MeasuredSpine, reference: HeightReference) -> _Said:
    try:
        return _Said(compared(measured, reference))
    except LamellaError as error:
        return _Said((), str(error))


def _heights(zones: Zones) -> np.ndarray:
    return np.array([zones.of(zone) for zone in ZONES])


def _lost(observed: Zones, healthy: np.ndarray) -> Triple:
    return _as_triple(1.0 - _heights(observed) / healthy)


def _as_triple(values: np.ndarray) -> Triple:
    first, second, third = (float(value) for value in values)
    return (first, second, third)
