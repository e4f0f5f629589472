"""One phantom spine of the cohort, measured from its CT and labels alone by every method."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from lamella.evaluation.spine_cases import (
    Cases,
    SpineCase,
    known_cases,
    reference_cases,
    said_case,
)
from lamella.evaluation.spine_cohort import CohortSpine
from lamella.evaluation.spine_drawers import AS_IT_IS, INPAINTED, STRETCHED, Drawer, Wanted
from lamella.evaluation.spine_drawn import (
    DrawnCase,
    TrueVertebra,
    drawn_case,
    healthy_phantom,
    true_vertebra,
)
from lamella.evaluation.spine_runs import SpineResult
from lamella.physics.phantoms.spine import SpinePhantom, spine_phantom
from lamella.prepare.spine.curve import curve_of
from lamella.prepare.spine.straight import straighten
from lamella.records import HealthyHeights, LamellaError, Vertebra
from lamella.tasks.pseudo_healthy import Restored
from lamella.tasks.spine import MeasuredSpine, against, compared, measured_spine
from lamella.tasks.vertebra_height import HeightReference
from lamella.zoo.spine import REFERENCES, calibrated

SAYS_NO_HEIGHT = frozenset((AS_IT_IS, INPAINTED, STRETCHED))
"""Drawers that take the expected heights as they are: their losses are the reference's."""


@dataclass(frozen=True, kw_only=True)
class SpineWork:
    """What is measured of every spine.

    Args:
        references: name -> what says healthy heights.
        drawers: name -> what draws the targets; none: heights only.
        expected: the reference whose heights the drawers are told.
    """

    references: Mapping[str, HeightReference]
    drawers: Mapping[str, Drawer] = field(default_factory=dict)
    expected: str = "conditional"

    def __call__(self, spine: CohortSpine) -> SpineResult:
        """Draw a spine, measure it, compare it, restore its targets."""
        seconds: dict[str, float] = {}
        with _timed(seconds, "phantom"):
            phantom = spine_phantom(spine.spec)
        with _timed(seconds, "measuring"):
            measured = measured_spine(phantom.labels, phantom.ct)
        with _timed(seconds, "comparing"):
            losses = reference_cases(spine, phantom, measured, self.references)
        drawn: dict[str, list[DrawnCase]] = {}
        if self.drawers:
            with _timed(seconds, "drawing"):
                restored = self._restored(spine, phantom, measured)
            losses |= self._losses(spine, phantom, measured, restored)
            with _timed(seconds, "comparing drawings"):
                drawn = _drawn(spine, phantom, measured, restored)
        return SpineResult(name=spine.name, losses=losses, drawn=drawn, seconds=seconds)

    def _restored(
        self, spine: CohortSpine, phantom: SpinePhantom, measured: MeasuredSpine
    ) -> dict[str, dict[str, Restored | LamellaError]]:
        """Drawer -> target -> the spine with that target alone restored."""
        straight = straighten(phantom.ct, phantom.labels, measured.bodies, curve=measured.curve)
        said = {one.level: one for one in compared(measured, self.references[self.expected])}
        abnormal = {
            one.level: one.healthy.heights_mm for one in said.values() if one.healthy and one.grade
        }
        told = {level: _told(said[level]) for level in spine.targets}
        return {
            name: {
                level: heights
                if isinstance(heights, LamellaError)
                else _tried(
                    drawer, Wanted(straight=straight, level=level, told=heights, abnormal=abnormal)
                )
                for level, heights in told.items()
            }
            for name, drawer in self.drawers.items()
        }

    def _losses(
        self,
        spine: CohortSpine,
        phantom: SpinePhantom,
        measured: MeasuredSpine,
        restored: Mapping[str, Mapping[str, Restored | LamellaError]],
    ) -> Cases:
        """What drawers with heights of their own say of the targets."""
        known = known_cases(spine, phantom)
        return {
            name: [
                said_case(known[level], phantom, _said(measured, level, one))
                for level, one in found.items()
            ]
            for name, found in restored.items()
            if name not in SAYS_NO_HEIGHT
        }


def calibrated_references() -> dict[str, HeightReference]:
    """The references as they are shipped."""
    return {name: calibrated(reference) for name, reference in REFERENCES.items()}


def _drawn(
    spine: CohortSpine,
    phantom: SpinePhantom,
    measured: MeasuredSpine,
    restored: Mapping[str, Mapping[str, Restored | LamellaError]],
) -> dict[str, list[DrawnCase]]:
    known = known_cases(spine, phantom)
    healthy = healthy_phantom(spine.spec)
    curve = curve_of(healthy.labels, healthy.bodies)
    true = {level: true_vertebra(healthy, phantom, level, curve) for level in spine.targets}
    return {
        name: [_case(known[level], true[level], one) for level, one in found.items()]
        for name, found in restored.items()
    }


def _case(known: SpineCase, true: TrueVertebra, one: Restored | LamellaError) -> DrawnCase:
    return drawn_case(known, true, one if isinstance(one, LamellaError) else one.straight)


def _told(said: Vertebra) -> HealthyHeights | LamellaError:
    return said.healthy or LamellaError(said.refused or "nothing is said")


def _tried(drawer: Drawer, wanted: Wanted) -> Restored | LamellaError:
    try:
        return drawer(wanted)
    except LamellaError as error:
        return error


def _said(measured: MeasuredSpine, level: str, one: Restored | LamellaError) -> Vertebra:
    if isinstance(one, LamellaError):
        return Vertebra(level=level, refused=str(one))
    return against(measured.by_level[level], one.healthy, generated=True)


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - started, 2)
