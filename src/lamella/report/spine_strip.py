"""The spine strip: the sagittal plane that follows the spine sideways, with levels and grades.

Rows run down the patient and columns to the back, both in mm, so the curve of the back is as the
patient lay; sideways the plane goes through the middle of every vertebra.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from lamella.physics.virtual_fracture import OUTSIDE_HU
from lamella.prepare.spine.centroids import centroids, indexed
from lamella.prepare.spine.sampling import label_grid, sampled
from lamella.records import VERSE_IDS, CTVolume, SpineAssessment, Vertebra
from lamella.report import images
from lamella.report.spine_words import answer, status
from lamella.types import Affine, Places, Profile

STEP_MM = 0.5
ABOVE_MM = 14.0
FRONT_MM, BEHIND_MM = 24.0, 10.0
WINDOW_HU = (-250.0, 950.0)
SMOOTH_VOXELS = 0.5
LEAST_PX = 24


def strip(assessment: SpineAssessment) -> dict[str, Any]:
    """The strip as the page shows it: pictures, outlines and places in mm.

    Args:
        assessment: every vertebra, and the spine as it was.
    """
    labels = assessment.labels
    plane_mm = _plane(assessment)
    ids = label_grid(labels.ids).at(indexed(labels.affine, plane_mm))
    rows, cols = ids.shape
    smooth_px = max(1.0, SMOOTH_VOXELS * max(labels.spacing_mm) / STEP_MM)
    shown = [_marked(each, ids, smooth_px) for each in assessment.vertebrae]
    return {
        "cols": cols,
        "rows": rows,
        "mm": STEP_MM,
        "before": _picture(plane_mm, assessment.ct),
        "after": _picture(plane_mm, assessment.pseudo_ct),
        "marks": _apart([each for each in shown if each is not None], rows),
    }


def _plane(assessment: SpineAssessment) -> Places:
    """Places in RAS mm, (rows, cols, 3)."""
    labels = assessment.labels
    middles = np.stack([each.place_mm for each in centroids(labels.ids, labels.affine).values()])
    low, high = _box(labels.ids, labels.affine)
    up = np.arange(high[2] + ABOVE_MM, low[2] - ABOVE_MM, -STEP_MM)
    front = np.arange(high[1] + FRONT_MM, low[1] - BEHIND_MM, -STEP_MM)
    order = np.argsort(middles[:, 2])
    right = np.interp(up, middles[order, 2], _smooth(middles[order, 0]))
    places = np.empty((len(up), len(front), 3))
    places[..., 0], places[..., 1], places[..., 2] = right[:, None], front, up[:, None]
    return places


def _smooth(right_mm: Profile) -> Profile:
    """Sideways places of vertebrae without the jitter between neighbours."""
    if len(right_mm) < 3:
        return right_mm
    return np.asarray(ndimage.correlate1d(right_mm, [0.25, 0.5, 0.25], mode="nearest"))


def _box(ids: np.ndarray, affine: Affine) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest corner of what is labelled, RAS mm."""
    sides = [np.flatnonzero(np.any(ids, axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    ends = np.array([[side[0], side[-1]] for side in sides], dtype=np.float64)
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    places = corners @ affine[:3, :3].T + affine[:3, 3]
    return places.min(axis=0), places.max(axis=0)


def _picture(plane_mm: Places, ct: CTVolume | None) -> str | None:
    if ct is None:
        return None
    low, high = WINDOW_HU
    coarse_mm = plane_mm[::2, ::2]  # one pixel per mm is what a CT holds
    values = sampled(ct.hu, indexed(ct.affine, coarse_mm), OUTSIDE_HU)
    return images.png_data_uri(images.codes(np.asarray(values - low, np.float32), high - low))


def _marked(vertebra: Vertebra, ids: np.ndarray, smooth_px: float) -> dict[str, Any] | None:
    """A vertebra's outline and where its name goes; None where the plane misses it."""
    mask = ids == VERSE_IDS[vertebra.level]
    if mask.sum() < LEAST_PX:
        return None
    rows, cols = np.nonzero(mask)
    smooth = ndimage.gaussian_filter(mask.astype(np.float32), smooth_px) > 0.5
    said = answer(vertebra)
    return {
        "level": vertebra.level,
        "status": status(vertebra),
        "grade": vertebra.grade,
        "path": images.outline_path(smooth),
        "row": float(np.median(rows)),
        "col": float(cols.min()),
        "words": f"{said.text}. {said.detail}",
    }


def _apart(marks: list[dict[str, Any]], rows: int) -> list[dict[str, Any]]:
    """Names beside their vertebrae, moved down where two would lie on one another."""
    least = 26.0
    last = -least
    for mark in sorted(marks, key=lambda each: each["row"]):
        last = mark["name_row"] = round(max(mark["row"], last + least), 1)
    return [mark | {"name_row": min(mark["name_row"], rows - 4.0)} for mark in marks]
