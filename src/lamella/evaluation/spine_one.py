"""One phantom spine of the cohort, measured from its CT and labels alone by every method."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from lamella.evaluation.spine_cases import (
    Cases,
    SpineCase,
    known_cases,
    reference_cases,
    said_case,
    triple,
)
from lamella.evaluation.spine_cohort import CohortSpine
from lamella.evaluation.spine_drawers import AS_IT_IS, INPAINTED, STRETCHED, Drawer, Wanted
from lamella.evaluation.spine_drawn import (
    DrawnCase,
    drawn_case,
    healthy_phantom,
    true_vertebra,
)
from lamella.evaluation.spine_runs import SpineResult
from lamella.physics.phantoms.spine import SpinePhantom, spine_phantom
from lamella.prepare.spine.curve import curve_of
from lamella.prepare.spine.published_heights import published_rhlv
from lamella.prepare.spine.straight import StraightSpine, straighten
from lamella.records import VERSE_IDS, HealthyHeights, LamellaError, Vertebra
from lamella.tasks.pseudo_healthy import Restored
from lamella.tasks.spine import MeasuredSpine, against, compared, measured_spine
from lamella.tasks.vertebra_height import HeightReference
from lamella.types import Solid
from lamella.zoo.spine import REFERENCES, calibrated

PUBLISHED = ", published RHLV"
SAYS_NO_HEIGHT = frozenset((AS_IT_IS, INPAINTED, STRETCHED))
"""Drawers that take the expected heights as they are: their losses are the reference's."""

NOTHING_TO_COMPARE = frozenset((AS_IT_IS, INPAINTED))
"""Drawers whose bodies are not compared the published way."""

ABSURD = 5.0
"""The published measure divides by nearly nothing where a region is empty."""

Drawings = dict[str, dict[str, Restored | LamellaError]]
"""Drawer -> target -> the spine with that target alone restored, or why not."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """A spine as it is seen, and what is true of it.

    Args:
        spine: which one.
        phantom: it, drawn.
        measured: its bodies, from CT and labels.
        known: level -> what is true.
    """

    spine: CohortSpine
    phantom: SpinePhantom
    measured: MeasuredSpine
    known: Mapping[str, SpineCase]


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
        losses = reference_cases(spine, phantom, measured, self.references)
        seen = Observed(
            spine=spine, phantom=phantom, measured=measured, known=known_cases(spine, phantom)
        )
        drawn: dict[str, list[DrawnCase]] = {}
        if self.drawers:
            straight = straighten(phantom.ct, phantom.labels, measured.bodies, curve=measured.curve)
            with _timed(seconds, "drawing"):
                drawings = self._drawings(seen, straight)
            losses |= _own_losses(seen, drawings) | _published_losses(seen, straight, drawings)
            with _timed(seconds, "comparing drawings"):
                drawn = _compared(seen, drawings)
        return SpineResult(name=spine.name, losses=losses, drawn=drawn, seconds=seconds)

    def _drawings(self, seen: Observed, straight: StraightSpine) -> Drawings:
        said = {one.level: one for one in compared(seen.measured, self.references[self.expected])}
        abnormal = {
            one.level: one.healthy.heights_mm for one in said.values() if one.healthy and one.grade
        }
        told = {level: _told(said[level]) for level in seen.spine.targets}
        wanted = {
            level: heights
            if isinstance(heights, LamellaError)
            else Wanted(straight=straight, level=level, told=heights, abnormal=abnormal)
            for level, heights in told.items()
        }
        return {
            name: {level: _tried(drawer, one) for level, one in wanted.items()}
            for name, drawer in self.drawers.items()
        }


def calibrated_references() -> dict[str, HeightReference]:
    """The references as they are shipped."""
    return {name: calibrated(reference) for name, reference in REFERENCES.items()}


def published_case(
    known: SpineCase, straight: StraightSpine, restored: Restored | LamellaError
) -> SpineCase:
    """What the published comparison of two bodies says of a vertebra.

    Args:
        known: what is true of it.
        straight: the spine as it is.
        restored: with the vertebra as it was, or why not.
    """
    if isinstance(restored, LamellaError):
        return replace(known, refused=str(restored))
    synthetic, original = (_body(each, known.level) for each in (restored.straight, straight))
    try:
        losses = triple(published_rhlv(synthetic, original).rhlv)
    except LamellaError as error:
        return replace(known, refused=str(error))
    if max(map(abs, losses)) > ABSURD:
        return replace(known, refused="a region of the synthetic body is empty")
    return replace(known, rhlv=losses)


def _own_losses(seen: Observed, drawings: Drawings) -> Cases:
    """What drawers with heights of their own say of the targets."""
    return {
        name: [
            said_case(
                seen.known[level], seen.phantom.healthy_heights[level], _said(seen, level, one)
            )
            for level, one in found.items()
        ]
        for name, found in drawings.items()
        if name not in SAYS_NO_HEIGHT
    }


def _published_losses(seen: Observed, straight: StraightSpine, drawings: Drawings) -> Cases:
    return {
        f"{name}{PUBLISHED}": [
            published_case(seen.known[level], straight, one) for level, one in found.items()
        ]
        for name, found in drawings.items()
        if name not in NOTHING_TO_COMPARE
    }


def _compared(seen: Observed, drawings: Drawings) -> dict[str, list[DrawnCase]]:
    """The drawings beside the person without fractures."""
    healthy = healthy_phantom(seen.spine.spec)
    curve = curve_of(healthy.labels, healthy.bodies)
    levels = seen.spine.targets
    true = {level: true_vertebra(healthy, seen.phantom, level, curve) for level in levels}
    return {
        name: [
            drawn_case(
                seen.known[level],
                true[level],
                one if isinstance(one, LamellaError) else one.straight,
            )
            for level, one in found.items()
        ]
        for name, found in drawings.items()
    }


def _body(straight: StraightSpine, level: str) -> Solid:
    """A body, (down, back, left)."""
    return np.moveaxis(straight.bodies == VERSE_IDS[level], 0, -1)


def _told(said: Vertebra) -> HealthyHeights | LamellaError:
    return said.healthy or LamellaError(said.refused or "nothing is said")


def _tried(drawer: Drawer, wanted: Wanted | LamellaError) -> Restored | LamellaError:
    try:
        return wanted if isinstance(wanted, LamellaError) else drawer(wanted)
    except LamellaError as error:
        return error


def _said(seen: Observed, level: str, one: Restored | LamellaError) -> Vertebra:
    if isinstance(one, LamellaError):
        return Vertebra(level=level, refused=str(one))
    return against(seen.measured.by_level[level], one.healthy, generated=True)


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - started, 2)
