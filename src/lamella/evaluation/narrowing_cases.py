"""Pairs of visits measured by several methods from the pixels alone: one record per pair.

A visit is segmented once and separated once by each separator, whatever the number of methods that
ask for it.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.progress import track

from lamella.evaluation.narrowing_pairs import KnownPair
from lamella.records import JointVisit, LamellaError, Narrowing, Radiograph
from lamella.zoo.narrowing import comparators, narrowing, prepare_visit
from lamella.zoo.verbs import EXACT, segment

Visits = Mapping[str, JointVisit | LamellaError]
"""Method -> a visit prepared for it, or why there is none."""

NAN = float("nan")
KEPT_VISITS = 128


@dataclass(frozen=True, kw_only=True)
class NarrowingCase:
    """One pair of visits, measured by one method.

    Args:
        joint: whose they are.
        known_mm: the true narrowing; NaN where nobody knows it.
        measured_mm: the measured one, also where the method gives no answer; NaN where nothing
            could be measured.
        sd_mm: standard deviation the method states; NaN where it states none.
        computed_sd_mm: the same as the method computes it, before anything was fitted to it.
        agreement: how well the bones matched, 0 to 1; -1 where nothing could be measured.
        ncc: correlation of the upper and of the lower bone; NaN where nothing was compared.
        refused: why no answer is given, or None.
        exposure: of the follow-up against the baseline.
        projection_deg: change of the projection between the visits.
    """

    joint: str
    known_mm: float = NAN
    measured_mm: float = NAN
    sd_mm: float = NAN
    computed_sd_mm: float = NAN
    agreement: float = -1.0
    ncc: tuple[float, float] = (NAN, NAN)
    refused: str | None = None
    exposure: float = 1.0
    projection_deg: float = 0.0

    @property
    def error_mm(self) -> float:
        """Measured minus known."""
        return self.measured_mm - self.known_mm

    @property
    def is_accepted(self) -> bool:
        """True when the method answers."""
        return self.refused is None and bool(np.isfinite(self.measured_mm))


def all_methods(methods: Sequence[str] | None = None) -> tuple[str, ...]:
    """The methods named, or every comparator there is, the default first."""
    return tuple(comparators()) if methods is None else tuple(methods)


def leading_methods(methods: Sequence[str] | None = None) -> tuple[str, ...]:
    """The methods named, or every comparator with Lamella's own separator or none.

    Where no bones of two kinds are to be told apart, other separators say nothing new.
    """
    if methods is not None:
        return tuple(methods)
    return tuple(name for name, known in comparators().items() if known.separator in (EXACT, None))


def prepared(radiograph: Radiograph, methods: Sequence[str]) -> Visits:
    """A visit for each method, segmented once and separated once by each separator."""
    known = comparators()
    try:
        masks = segment(radiograph)
    except LamellaError as error:
        return dict.fromkeys(methods, error)
    by_separator: dict[str | None, JointVisit | LamellaError] = {}
    for method in methods:
        separator = known[method].separator
        if separator not in by_separator:
            try:
                by_separator[separator] = prepare_visit(radiograph, masks, method)
            except LamellaError as error:
                by_separator[separator] = error
    return {method: by_separator[known[method].separator] for method in methods}


class PreparedVisits:
    """Visits prepared for some methods, the latest of them kept."""

    def __init__(self, methods: Sequence[str], most: int = KEPT_VISITS) -> None:
        self._methods = tuple(methods)
        self._most = most
        self._kept: OrderedDict[str, Visits] = OrderedDict()

    def of(self, key: str, radiograph: Radiograph) -> Visits:
        """The visit that a key names; its radiograph is prepared when it is not kept."""
        if key not in self._kept:
            self._kept[key] = prepared(radiograph, self._methods)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return self._kept[key]


def compared(baseline: Visits, followup: Visits) -> dict[str, Narrowing | LamellaError]:
    """What each method says about two visits, or why it says nothing."""
    return {method: _compared(baseline[method], followup[method], method) for method in baseline}


def case_of(found: Narrowing | LamellaError, joint: str) -> NarrowingCase:
    """The record of one comparison whose truth is unknown."""
    if isinstance(found, LamellaError):
        return NarrowingCase(joint=joint, refused=str(found))
    spacing_mm = found.pixel_spacing_mm or NAN
    return NarrowingCase(
        joint=joint,
        measured_mm=found.jsn_px * spacing_mm,
        sd_mm=found.jsn_sd_px * spacing_mm,
        computed_sd_mm=spacing_mm * float(np.hypot(*_deviations(found))),
        agreement=found.agreement,
        ncc=_correlations(found),
        refused=found.refused,
    )


def _correlations(found: Narrowing) -> tuple[float, float]:
    upper, lower = (bone.ncc for bone in found.bones.values())
    return (upper, lower)


def _deviations(found: Narrowing) -> tuple[float, float]:
    upper, lower = (bone.along_sd_px for bone in found.bones.values())
    return (upper, lower)


def known_case(found: Narrowing | LamellaError, pair: KnownPair) -> NarrowingCase:
    """The record of one comparison whose truth is known."""
    case = case_of(found, pair.joint)
    return NarrowingCase(
        **vars(case)
        | {
            "known_mm": pair.known_mm,
            "exposure": pair.exposure,
            "projection_deg": pair.projection_deg,
        }
    )


def measured_pairs(
    pairs: Iterable[KnownPair], methods: Sequence[str], title: str, total: int | None = None
) -> dict[str, list[NarrowingCase]]:
    """Every pair by every method, from the pixels alone.

    Args:
        pairs: of known answer.
        methods: names of comparators.
        title: of the progress shown.
        total: number of pairs, where it is known.
    """
    cases: dict[str, list[NarrowingCase]] = {method: [] for method in methods}
    for pair in track(pairs, title, total=total):
        for method, found in compared_pair(pair.baseline, pair.followup, methods):
            cases[method].append(known_case(found, pair))
    return cases


def compared_pair(
    baseline: Radiograph, followup: Radiograph, methods: Sequence[str]
) -> Iterator[tuple[str, Narrowing | LamellaError]]:
    """Two radiographs compared by every method."""
    yield from compared(prepared(baseline, methods), prepared(followup, methods)).items()


def _compared(
    baseline: JointVisit | LamellaError, followup: JointVisit | LamellaError, method: str
) -> Narrowing | LamellaError:
    if isinstance(baseline, LamellaError):
        return baseline
    if isinstance(followup, LamellaError):
        return followup
    try:
        return narrowing(baseline, followup, method)
    except LamellaError as error:
        return error
