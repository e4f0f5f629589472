"""Vertebrae as they were before they fractured, assembled from references and shipped networks.

Healthy heights come from the healthy neighbours and published anatomy
(:mod:`lamella.methods.height_references.conditional`). For flagged and requested vertebrae of a CT
the networks draw the vertebra; what they drew has a say in the heights, with the weight that was
best on phantoms (``spine.json``). The restored vertebra has the heights that result, a shape
between the drawn one and its own, and its own voxels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from lamella.io.label_files import read_labels
from lamella.io.label_grid import on_grid
from lamella.io.volume import read_ct
from lamella.methods.healthivert.infer import Networks, generate
from lamella.methods.healthivert.own import in_own_voxels
from lamella.methods.healthivert.paste import restored
from lamella.methods.height_references.conditional import told_by_neighbours
from lamella.methods.height_references.plain import (
    told_by_interpolation,
    told_by_min_max,
    told_by_norms,
    told_by_six_points,
)
from lamella.prepare.spine.straight import StraightSpine, straighten
from lamella.records import (
    ZONES,
    CTVolume,
    HealthyHeights,
    LamellaError,
    SpineAssessment,
    SpineLabels,
    Vertebra,
    Zones,
)
from lamella.tasks.pseudo_healthy import (
    Restored,
    RestoredSpine,
    on_the_ct,
    pushed_out,
    restored_spine,
)
from lamella.tasks.spine import MeasuredSpine, against, compared, measured_spine
from lamella.tasks.spine_doubts import left_out, unlikely_size
from lamella.tasks.vertebra_height import HeightReference
from lamella.zoo import models

HEALTHIVERT = "healthivert"
ALL = "all"
SAGITTAL, CORONAL, ATTENTION = (
    "healthivert-sagittal",
    "healthivert-coronal",
    "healthivert-classifier",
)
DRAWING = (SAGITTAL, CORONAL, ATTENTION)
"""Networks that draw a vertebra."""
NO_CT = "labels alone: no pseudo-healthy image was made"

REFERENCES: Mapping[str, HeightReference] = {
    "conditional": told_by_neighbours,
    "neighbours": told_by_interpolation,
    "norms": told_by_norms,
    "six-points": told_by_six_points,
    "min-max": told_by_min_max,
}
"""References that need heights alone, by name; ``healthivert`` is ``conditional`` drawn upon."""


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """How what the networks drew counts, fitted on phantoms.

    Args:
        drawn_weight: part of the logarithm of a height that comes from the drawing.
        drawn_shape: part of the shape that comes from the drawing, the rest being the vertebra's
            own, stretched.
        spread: factor on the standard deviation that the neighbours' prediction states.
    """

    drawn_weight: float
    drawn_shape: float
    spread: float


Progress = Callable[[str], None]


def assess_spine(
    ct: CTVolume | str | Path | None,
    labels: SpineLabels | str | Path | Sequence[str | Path],
    *,
    method: str = HEALTHIVERT,
    generate: Sequence[str] | str | None = None,
    progress: Progress | None = None,
) -> SpineAssessment:
    """Heights, height loss and Genant grade of every vertebra, and the spine before it fractured.

    RHLV = (healthy - observed) / healthy of the anterior, middle and posterior third
    (HealthiVert-GAN, arXiv 2503.05990; zones in ``docs/notation.md``).

    Args:
        ct: a CT or its path; None: heights and grades from the labels alone.
        labels: labelled vertebrae or their path; on another grid they are resampled.
        method: ``healthivert``, or a reference that needs heights alone (:data:`REFERENCES`).
        generate: levels to draw as they were besides those of grade 1 and more, which are
            always drawn; ``"all"``: every one; an empty sequence: none at all.
        progress: told in words what is done next.

    Raises:
        LamellaError: no such method or level, labels of another place, fewer than two vertebrae
            that can be measured.

    Example:
        >>> import lamella
        >>> from lamella.physics.phantoms.spine import SpinePhantomSpec, spine_phantom
        >>> phantom = spine_phantom(SpinePhantomSpec(spacing_mm=3.0))
        >>> spine = lamella.assess_spine(None, phantom.labels)
        >>> [(one.level, one.grade) for one in spine.vertebrae]
        [('T11', 0), ('T12', 0), ('L1', 0)]
    """
    reference = _reference(method, generate)
    tell = progress or _quiet
    ct, labels = _opened(ct, labels)
    tell("measuring vertebral bodies")
    spine = measured_spine(labels, ct)
    vertebrae = compared(spine, calibrated(reference))
    said = _warnings(ct, labels, vertebrae)
    found = SpineAssessment(vertebrae=vertebrae, labels=labels, ct=ct, method=method, warnings=said)
    wanted = _wanted(vertebrae, generate)
    if ct is None:
        return replace(found, warnings=(*found.warnings, NO_CT))
    if method != HEALTHIVERT or not wanted:
        return found
    return drawn_upon(found, spine, wanted, tell)


def drawn_upon(
    found: SpineAssessment, spine: MeasuredSpine, wanted: Sequence[str], tell: Progress
) -> SpineAssessment:
    """An assessment with vertebrae drawn as they were, their losses told anew.

    Args:
        found: every vertebra compared by heights alone, with a CT.
        spine: what was measured.
        wanted: levels to draw.
        tell: progress.
    """
    ct = found.ct
    assert ct is not None
    tell("straightening the spine")
    straight = straighten(ct, found.labels, spine.bodies, curve=spine.curve)
    expected = {level: found[level].healthy for level in wanted}
    abnormal = {
        one.level: one.healthy.heights_mm
        for one in found.vertebrae
        if one.healthy and _fractured(one)
    }
    restorer = _Restorer(abnormal=abnormal, tell=tell)
    made = restored_spine(straight, {k: v for k, v in expected.items() if v}, restorer)
    tell("returning to the CT's own grid")
    told = tuple(_told_anew(one, spine, made) for one in found.vertebrae)
    if not made.healthy:
        return replace(found, vertebrae=told)
    pseudo_ct, pseudo_labels = on_the_ct(made, ct, found.labels)
    beyond = pushed_out(found.labels, pseudo_labels)
    said = f"pushed to the border of the pseudo-healthy volume: {', '.join(beyond)}"
    return replace(
        found,
        vertebrae=told,
        pseudo_ct=pseudo_ct,
        pseudo_labels=pseudo_labels,
        warnings=(*found.warnings, said) if beyond else found.warnings,
    )


def calibrated(reference: HeightReference) -> HeightReference:
    """The conditional reference with its stated spread as fitted on phantoms; others unchanged."""
    if reference is not told_by_neighbours:
        return reference
    return partial(_spread, factor=fusion().spread)


def networks() -> Networks:
    """The shipped generators and classifier."""
    runners = [partial(models.run, name) for name in (SAGITTAL, CORONAL, ATTENTION)]
    return Networks(sagittal=runners[0], coronal=runners[1], classifier=runners[2])


def shipped_networks() -> Networks | None:
    """The shipped networks, or None where the package lacks one."""
    return networks() if {SAGITTAL, CORONAL, ATTENTION} <= set(models.names()) else None


@lru_cache
def fusion() -> Fusion:
    """How what the networks drew counts."""
    stored = json.loads((files("lamella.zoo") / "spine.json").read_text(encoding="utf-8"))
    return Fusion(**stored["fusion"])


def fused(told: HealthyHeights, drawn: Zones, weight: float) -> HealthyHeights:
    """Heights told by neighbours and heights drawn, a weighted mean of their logarithms.

    ``ln h = (1 - w) ln h_told + w ln h_drawn`` for each third; the whole is their mean.
    """
    heights = {
        zone: float(told.heights_mm.of(zone) ** (1 - weight) * drawn.of(zone) ** weight)
        for zone in ZONES
    }
    whole = float(np.mean(list(heights.values())))
    told_by = HEALTHIVERT if weight else told.told_by
    return replace(told, heights_mm=Zones(**heights, whole=whole), told_by=told_by)


def redrawn(
    straight: StraightSpine,
    level: str,
    told: HealthyHeights,
    abnormal: Mapping[str, Zones],
    how: Fusion,
) -> Restored:
    """A straight spine with a vertebra as it was, by the shipped networks.

    Args:
        straight: the spine as it is, with CT.
        level: of the vertebra.
        told: heights its healthy neighbours let expect.
        abnormal: levels taken to be fractured, with the heights expected of them; those beside
            ``level`` are restored before it is drawn.
        how: what is drawn counts.
    """
    drawn = generate(straight, level, told.heights_mm, networks(), abnormal)
    healthy = fused(told, drawn.heights_mm, how.drawn_weight)
    content = in_own_voxels(straight, drawn.content, healthy.heights_mm, how.drawn_shape)
    made = restored(straight, content, healthy.heights_mm)
    return Restored(straight=made.straight, shift_down_mm=made.shift_down_mm, healthy=healthy)


@dataclass(frozen=True, kw_only=True)
class _Restorer:
    """Draws one vertebra after the other; a restored one is no longer abnormal.

    Args:
        abnormal: levels taken to be fractured, with the heights expected of them.
        tell: progress.
    """

    abnormal: Mapping[str, Zones]
    tell: Progress

    def __call__(
        self, straight: StraightSpine, level: str, told: HealthyHeights, done: Set[str]
    ) -> Restored:
        self.tell(f"drawing {level} as it was")
        abnormal = {name: heights for name, heights in self.abnormal.items() if name not in done}
        return redrawn(straight, level, told, abnormal, fusion())


def _spread(level: str, bodies: Any, healthy: Any, factor: float) -> HealthyHeights:
    told = told_by_neighbours(level, bodies, healthy)
    wider = Zones(**{zone: factor * value for zone, value in told.heights_sd_mm})
    return replace(told, heights_sd_mm=wider)


def _reference(method: str, asked: Sequence[str] | str | None) -> HeightReference:
    known = {HEALTHIVERT: told_by_neighbours, **REFERENCES}
    if method not in known:
        raise LamellaError(f"expected a method among {', '.join(known)}, got {method!r}")
    if asked and method != HEALTHIVERT:
        raise LamellaError(
            f"expected no levels to draw with the method {method}, got some: only {HEALTHIVERT} "
            "draws vertebrae"
        )
    return known[method]


def _opened(ct: Any, labels: Any) -> tuple[CTVolume | None, SpineLabels]:
    volume = ct if ct is None or isinstance(ct, CTVolume) else read_ct(ct)
    named = labels if isinstance(labels, SpineLabels) else read_labels(labels)
    return volume, named if volume is None else on_grid(named, volume)


def _wanted(vertebrae: Sequence[Vertebra], asked: Sequence[str] | str | None) -> tuple[str, ...]:
    measured = tuple(one.level for one in vertebrae if one.refused is None)
    fractured = {one.level for one in vertebrae if _fractured(one)}
    if asked == ALL:
        return measured
    if asked is not None and not asked:
        return ()
    levels = (asked,) if isinstance(asked, str) else tuple(asked or ())
    strange = [level for level in levels if level not in measured]
    if strange:
        raise LamellaError(
            f"expected levels among the measured {', '.join(measured)}, got {', '.join(strange)}"
        )
    return tuple(level for level in measured if level in {*levels, *fractured})


def _fractured(one: Vertebra) -> bool:
    return bool(one.grade)


def _told_anew(one: Vertebra, spine: MeasuredSpine, made: RestoredSpine) -> Vertebra:
    if one.level in made.failed:
        return replace(one, flags=(*one.flags, f"not drawn: {made.failed[one.level]}"))
    if one.level not in made.healthy:
        return one
    told = against(spine.by_level[one.level], made.healthy[one.level], generated=True)
    return replace(told, flags=one.flags)


def _warnings(
    ct: CTVolume | None, labels: SpineLabels, vertebrae: Sequence[Vertebra]
) -> tuple[str, ...]:
    whole = {one.level: one.body for one in vertebrae if one.body and not _fractured(one)}
    found = (left_out(labels), unlikely_size(whole))
    return (*(ct.warnings if ct else ()), *labels.warnings, *(each for each in found if each))


def _quiet(_: str) -> None:
    """Say nothing."""
