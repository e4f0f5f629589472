"""Vertebrae of a real CT fractured on purpose, and measured as if nobody knew.

A virtual fracture gives what no data set has: the same vertebra before and after. What a method
says of the fractured one stands against two truths: the loss that was made (exact by the height
map it was made with) and the loss between two measurements of the same vertebra, before and
after, which carries the error of measuring alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lamella.evaluation.spine_cases import SpineCase, said_case
from lamella.evaluation.spine_cohort import spacing_class
from lamella.evaluation.spine_drawers import Drawer, Wanted
from lamella.evaluation.spine_drawn import DrawnCase, TrueVertebra, drawn_case
from lamella.evaluation.spine_reading import read_straight
from lamella.physics.virtual_fracture import (
    ZONE_PATTERN,
    FracturedSpine,
    FractureSpec,
    LabelledSpine,
    virtual_fracture,
)
from lamella.prepare.spine.straight import StraightSpine, straighten
from lamella.records import ZONES, CTVolume, LamellaError, Vertebra, Zones
from lamella.tasks.spine import MeasuredSpine, compared, measured_spine
from lamella.tasks.vertebra_height import HeightReference

LOSSES = (0.2, 0.3, 0.45)
BETWEEN = "measured before and after"
"""Row: the same vertebra measured twice."""


@dataclass(frozen=True, kw_only=True)
class Fracture:
    """A fracture to make.

    Args:
        level: of which vertebra.
        spec: how.
    """

    level: str
    spec: FractureSpec

    @property
    def name(self) -> str:
        """For instance ``"L2 wedge 30 %"``."""
        return f"{self.level} {self.spec.kind} {100 * self.spec.loss:.0f} %"


@dataclass(frozen=True, kw_only=True, eq=False)
class Broken:
    """A vertebra before and after.

    Args:
        fracture: what was made.
        before: the spine measured as it was.
        ct: as it is, or None.
        made: the fracture and the volumes after it.
        after: the spine measured as it is.
    """

    fracture: Fracture
    before: MeasuredSpine
    ct: CTVolume | None
    made: FracturedSpine
    after: MeasuredSpine

    @property
    def known(self) -> SpineCase:
        """What is true of the vertebra, nothing said yet."""
        lost = _lost(self.made.heights_mm, self.made.healthy_heights_mm)
        return SpineCase(
            spine=self.fracture.name,
            level=self.fracture.level,
            spacing=spacing_class(self.before.labels.spacing_mm),
            target=True,
            kind=self.fracture.spec.kind,
            true_rhlv=lost,
        )


def fractures_of(levels: Sequence[str], losses: Sequence[float] = LOSSES) -> list[Fracture]:
    """Every level, kind and loss."""
    return [
        Fracture(level=level, spec=FractureSpec(kind=kind, loss=loss))  # type: ignore[arg-type]
        for level in levels
        for kind in ZONE_PATTERN
        for loss in losses
    ]


def broken(
    spine: MeasuredSpine, ct: CTVolume | None, fractures: Sequence[Fracture]
) -> Iterator[Broken]:
    """Fracture a measured spine in every way asked for, one vertebra at a time.

    Args:
        spine: as it is.
        ct: on the grid of its labels, or None.
        fractures: to make.
    """
    whole = LabelledSpine(labels=spine.labels, ct=ct)
    for fracture in fractures:
        body = spine.by_level[fracture.level]
        made = virtual_fracture(whole, fracture.level, body.height_map, fracture.spec)
        after = measured_spine(made.labels, made.ct)
        yield Broken(fracture=fracture, before=spine, ct=ct, made=made, after=after)


def loss_cases(case: Broken, references: Mapping[str, HeightReference]) -> dict[str, SpineCase]:
    """What two measurements and every reference say of the fractured vertebra."""
    level = case.fracture.level
    was, now = case.before.by_level[level], case.after.by_level[level]
    twice = (
        replace(case.known, refused=now.refused)
        if now.refused
        else replace(case.known, rhlv=_lost(now.heights_mm, was.heights_mm))
    )
    said = {
        name: said_case(
            case.known, case.made.healthy_heights_mm, _said(case.after, reference, level)
        )
        for name, reference in references.items()
    }
    return {BETWEEN: twice, **said}


def drawn_cases(
    case: Broken, reference: HeightReference, drawers: Mapping[str, Drawer]
) -> dict[str, DrawnCase]:
    """What drawers make of the fractured vertebra, against the same vertebra before.

    Args:
        case: with a CT.
        reference: whose heights the drawers are told.
        drawers: name -> drawer.
    """
    level = case.fracture.level
    said = {one.level: one for one in compared(case.after, reference)}
    told = said[level].healthy
    if told is None or case.ct is None or case.made.ct is None:
        reason = said[level].refused or "no CT"
        return {name: DrawnCase(known=case.known, refused=reason) for name in drawers}
    was = _straight(case.before, case.ct)
    true = TrueVertebra(
        read=read_straight(was, level),
        heights_mm=case.made.healthy_heights_mm,
        fractured=case.made.frame,
    )
    wanted = Wanted(
        straight=_straight(case.after, case.made.ct),
        level=level,
        told=told,
        abnormal={
            n: one.healthy.heights_mm for n, one in said.items() if one.healthy and one.grade
        },
    )
    return {name: _drawn(case.known, true, wanted, drawer) for name, drawer in drawers.items()}


def _drawn(known: SpineCase, true: TrueVertebra, wanted: Wanted, drawer: Drawer) -> DrawnCase:
    try:
        return drawn_case(known, true, drawer(wanted).straight)
    except LamellaError as error:
        return drawn_case(known, true, error)


def _straight(spine: MeasuredSpine, ct: CTVolume) -> StraightSpine:
    return straighten(ct, spine.labels, spine.bodies, curve=spine.curve)


def _said(spine: MeasuredSpine, reference: HeightReference, level: str) -> Vertebra:
    try:
        return next(one for one in compared(spine, reference) if one.level == level)
    except LamellaError as error:
        return Vertebra(level=level, refused=str(error))


def _lost(now: Zones, before: Zones) -> tuple[float, float, float]:
    first, second, third = (1.0 - now.of(zone) / before.of(zone) for zone in ZONES)
    return (float(first), float(second), float(third))
