"""A labelled spine measured and compared, vertebra by vertebra."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from scipy import ndimage

from lamella.physics.vertebra_population import LEVEL_NORMS
from lamella.prepare.spine.body import vertebral_bodies
from lamella.prepare.spine.curve import SpineCurve, curve_of
from lamella.prepare.spine.measure import measure_body
from lamella.records import (
    VERSE_IDS,
    CTVolume,
    HealthyHeights,
    LamellaError,
    MeasuredBody,
    SpineLabels,
    Vertebra,
)
from lamella.tasks.spine_doubts import with_doubts
from lamella.tasks.vertebra_height import (
    HeightReference,
    foreign_material,
    healthy_levels,
    height_loss,
)
from lamella.types import LevelVolume

ALONE = 2
"""Fewer measured vertebrae cannot be compared with one another."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredSpine:
    """What can be said of a spine before any comparison.

    Args:
        labels: whole vertebrae.
        bodies: VerSe number where that vertebra's body is, on the same grid.
        curve: the spine's axis.
        by_level: level -> measured body, the refused ones with their reason.
    """

    labels: SpineLabels
    bodies: LevelVolume
    curve: SpineCurve
    by_level: Mapping[str, MeasuredBody]

    @property
    def usable(self) -> dict[str, MeasuredBody]:
        """Bodies that are not refused."""
        return {level: body for level, body in self.by_level.items() if body.refused is None}


def measured_spine(labels: SpineLabels, ct: CTVolume | None = None) -> MeasuredSpine:
    """Bodies, axis and heights of a labelled spine.

    Args:
        labels: whole vertebrae; those above T1 and below L6 are left out.
        ct: on the labels' grid, to find cement and metal; None without.

    Raises:
        LamellaError: fewer than two vertebrae between T1 and L6.
    """
    levels = [level for level in labels.levels if level in LEVEL_NORMS]
    if len(levels) < ALONE:
        raise LamellaError(
            f"expected at least two vertebrae between T1 and L6, got {levels or 'none'}: "
            "a vertebra is compared with its neighbours"
        )
    bodies = vertebral_bodies(labels)
    curve = curve_of(labels, bodies)
    found = {level: measure_body(labels, bodies, curve, level) for level in levels}
    if ct is not None:
        found = _clean(found, ct, bodies)
    return MeasuredSpine(labels=labels, bodies=bodies, curve=curve, by_level=found)


def compared(spine: MeasuredSpine, reference: HeightReference) -> tuple[Vertebra, ...]:
    """Every vertebra of a measured spine against what a reference says it was.

    Args:
        spine: see :func:`measured_spine`.
        reference: says healthy heights; rests on vertebrae that look healthy to it.

    Raises:
        LamellaError: fewer than two vertebrae can be measured.
    """
    usable = spine.usable
    if len(usable) < ALONE:
        reasons = "; ".join(
            f"{name}: {body.refused}" for name, body in spine.by_level.items() if body.refused
        )
        raise LamellaError(
            f"expected at least two vertebrae to compare, got {len(usable)}: {reasons}"
        )
    healthy = healthy_levels(usable, reference)
    return with_doubts(
        [
            Vertebra(level=level, refused=body.refused, flags=body.flags)
            if body.refused is not None
            else against(body, reference(level, usable, healthy - {level}))
            for level, body in spine.by_level.items()
        ]
    )


def against(body: MeasuredBody, healthy: HealthyHeights, *, generated: bool = False) -> Vertebra:
    """One vertebra with what it is compared with."""
    return Vertebra(
        level=body.level,
        body=body,
        healthy=healthy,
        loss=height_loss(body, healthy),
        flags=body.flags,
        generated=generated,
    )


def _clean(
    found: Mapping[str, MeasuredBody], ct: CTVolume, bodies: LevelVolume
) -> dict[str, MeasuredBody]:
    """Bodies with cement or metal in them refused; one pass over the volume finds all boxes."""
    boxes = ndimage.find_objects(bodies)
    clean = {}
    for level, body in found.items():
        number = VERSE_IDS[level]
        if body.refused is None:
            box = boxes[number - 1]
            hu = ct.hu[box][bodies[box] == number]
            body = replace(body, refused=foreign_material(hu))
        clean[level] = body
    return clean
