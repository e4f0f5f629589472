"""What the page of a spine is made from: the assessment, and the straight spine before and after.

Original and pseudo-healthy CT are sampled along one curve, the original's, so that a place of
one is the same place of the other and a wipe between them shows what changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lamella.prepare.spine.centroids import Centroid, centroids
from lamella.prepare.spine.curve import SpineCurve, curve_through, from_world
from lamella.prepare.spine.straight import straighten
from lamella.records import LamellaError, SpineAssessment, Vertebra
from lamella.report.spine_words import chance_of_fracture
from lamella.types import LevelVolume, Places, Profile, Volume

LEFT_MM = (-32.0, 32.0)
BACK_MM = (-36.0, 46.0)
NO_BODIES: LevelVolume = np.zeros((1, 1, 1), np.uint8)
"""The page draws whole vertebrae; where their bodies are is known from their frames."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SpinePictures:
    """The straight spine before and after, axes (left, down, back), one voxel size.

    Args:
        ids: labels as they are, VerSe numbers.
        corner_mm: (left, down, back) of voxel (0, 0, 0).
        spacing_mm: edge of a voxel.
        to_straight: RAS mm -> (left, down, back) mm.
        hu: CT as it is, or None.
        ids_after: labels of the pseudo-healthy spine, or None.
        hu_after: pseudo-healthy CT, or None.

    Raises:
        LamellaError: volumes of different shapes.
    """

    ids: LevelVolume
    corner_mm: tuple[float, float, float]
    spacing_mm: float
    to_straight: Callable[[Places], Places]
    hu: Volume | None = None
    ids_after: LevelVolume | None = None
    hu_after: Volume | None = None

    def __post_init__(self) -> None:
        volumes = (self.hu, self.ids_after, self.hu_after)
        if any(each is not None and each.shape != self.ids.shape for each in volumes):
            raise LamellaError("expected pictures of one shape: sample them along one curve")

    def index(self, places_mm: Places) -> Places:
        """(left, down, back) in mm -> indices, not rounded."""
        return np.asarray((places_mm - np.array(self.corner_mm)) / self.spacing_mm)


@dataclass(frozen=True, kw_only=True, eq=False)
class SpineCase:
    """One spine of a page.

    Args:
        assessment: every vertebra, and the spine as it was.
        pictures: the straight spine before and after.
        name: safe to show (never a patient's).
    """

    assessment: SpineAssessment
    pictures: SpinePictures
    name: str = "Spine"

    @property
    def reading_order(self) -> tuple[Vertebra, ...]:
        """Those to look at first, the worst grade foremost; then the others from above."""
        first = self.looked_at
        every = self.assessment.vertebrae
        ordered = sorted(every, key=lambda each: (-(each.grade or 0), each.level not in first))
        return tuple(ordered)

    @property
    def looked_at(self) -> tuple[str, ...]:
        """Levels a reader came for: fractured, and requested where not every one was.

        Without either, the vertebra that is likeliest to be fractured.
        """
        every = self.assessment.vertebrae
        answered = [each for each in every if each.loss is not None]
        picked = not all(each.generated for each in answered)
        chosen = [each.level for each in every if each.grade or (picked and each.generated)]
        if chosen:
            return tuple(chosen)
        return (
            max(every, key=lambda each: (each.loss is not None, chance_of_fracture(each))).level,
        )


def spine_case(assessment: SpineAssessment, name: str = "Spine") -> SpineCase:
    """An assessment with its pictures, sampled along the curve through its bodies.

    Args:
        assessment: every vertebra, and the spine as it was.
        name: safe to show.
    """
    curve = _curve(assessment)
    before = straighten(assessment.ct, assessment.labels, NO_BODIES, 1.0, curve)
    sides = (_within(before.left_mm, LEFT_MM), slice(None), _within(before.back_mm, BACK_MM))
    ids_after, hu_after = _after(assessment, curve)
    corner = before.placed(np.array([float(side.start or 0) for side in sides]))
    pictures = SpinePictures(
        ids=before.ids[sides],
        corner_mm=(float(corner[0]), float(corner[1]), float(corner[2])),
        spacing_mm=before.spacing_mm,
        to_straight=lambda places: from_world(curve, places),
        hu=None if before.hu is None else before.hu[sides],
        ids_after=None if ids_after is None else ids_after[sides],
        hu_after=None if hu_after is None else hu_after[sides],
    )
    return SpineCase(assessment=assessment, pictures=pictures, name=name)


def _after(
    assessment: SpineAssessment, curve: SpineCurve
) -> tuple[LevelVolume | None, Volume | None]:
    """The pseudo-healthy spine along the original's curve, where there is one."""
    ct, labels = assessment.pseudo_ct, assessment.pseudo_labels
    if ct is None or labels is None:
        return None, None
    straight = straighten(ct, labels, NO_BODIES, 1.0, curve)
    return straight.ids, straight.hu


def _within(places_mm: Profile, range_mm: tuple[float, float]) -> slice:
    inside = np.flatnonzero((places_mm >= range_mm[0]) & (places_mm <= range_mm[1]))
    return slice(int(inside[0]), int(inside[-1]) + 1)


def _curve(assessment: SpineAssessment) -> SpineCurve:
    """Through the measured bodies (whole vertebrae where none was), reaching every label."""
    labels = assessment.labels
    whole = centroids(labels.ids, labels.affine)
    found = {
        each.level: Centroid(
            place_mm=each.body.frame.centre_mm, volume_mm3=float(each.body.volume_mm3)
        )
        for each in assessment.vertebrae
        if each.body is not None and each.body.refused is None
    }
    curve = curve_through(found or whole, whole)
    others = [level for level in whole if level not in curve.levels_mm]
    places = np.array([whole[level].place_mm for level in others]).reshape(-1, 3)
    reached = from_world(curve, places)[:, 1]
    told = {level: float(down) for level, down in zip(others, reached, strict=True)}
    return replace(curve, levels_mm={**curve.levels_mm, **told})
