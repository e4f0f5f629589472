"""The spine as it was: restored vertebrae, one after the other, back on the CT's own grid.

A restored vertebra is taller, so what lies above and below it moves apart along the curve. Near
the column everything moves with it; farther away the movement fades, so that the rest of the body
stays where it was and nothing tears:

    J(left, down, back) = S(left, down + (1 - w) shift(down), back),

with S the restored straight spine, ``shift`` how far the content of a row was moved, and w a weight
that falls from 1 near the curve to 0 at the border of the straight frame and at its ends.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage

from lamella.physics.virtual_fracture import OUTSIDE_HU
from lamella.prepare.spine.centroids import at_border, boxes
from lamella.prepare.spine.straight import MovedSpine, StraightSpine, returned
from lamella.records import CTVolume, HealthyHeights, LamellaError, SpineLabels
from lamella.records.spine import LEVEL_OF
from lamella.types import Profile, Volume

UNTOLD = 255
"""Number in a label volume for "keep what the CT has"."""
FADE_MM = 14.0
"""Over how much of the border the movement fades."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Restored(MovedSpine):
    """A straight spine with one vertebra as it was.

    Args:
        straight: see :class:`MovedSpine`.
        shift_down_mm: likewise.
        healthy: heights the vertebra was given.
    """

    healthy: HealthyHeights


Restore = Callable[[StraightSpine, str, HealthyHeights, Set[str]], Restored]
"""Restores a level in a straight spine, told its healthy heights and what is restored already."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RestoredSpine:
    """Several vertebrae as they were.

    Args:
        straight: the straight spine with all of them restored.
        before: the straight spine as it was given.
        healthy: level -> heights it was given.
        moved_mm: how far down the curve each row's content was moved, (down,).
        failed: level -> why it could not be restored.
    """

    straight: StraightSpine
    before: StraightSpine
    healthy: Mapping[str, HealthyHeights]
    moved_mm: Profile
    failed: Mapping[str, str] = field(default_factory=dict)


def restored_spine(
    straight: StraightSpine, wanted: Mapping[str, HealthyHeights], restore: Restore
) -> RestoredSpine:
    """Restore vertebrae in the order given, each in the spine that the one before left.

    Args:
        straight: the spine as it is, with CT.
        wanted: level -> what its heights should have been.
        restore: draws one; a level for which it raises :class:`LamellaError` stays as it is.
    """
    healthy: dict[str, HealthyHeights] = {}
    failed: dict[str, str] = {}
    moved_mm, before = np.zeros(straight.ids.shape[1]), straight
    for level, told in wanted.items():
        try:
            one = restore(straight, level, told, healthy.keys())
        except LamellaError as error:
            failed[level] = str(error)
            continue
        healthy[level] = one.healthy
        moved_mm = one.shift_down_mm + _followed(moved_mm, one)
        straight = one.straight
    return RestoredSpine(
        straight=straight, before=before, healthy=healthy, moved_mm=moved_mm, failed=failed
    )


def pushed_out(before: SpineLabels, after: SpineLabels) -> tuple[str, ...]:
    """Levels that restored vertebrae have pushed to the volume's border, or beyond.

    Args:
        before: labels as they were.
        after: with the vertebrae restored, on the same grid.
    """
    was, now = (_inside(labels) for labels in (before, after))
    return tuple(level for level in before.levels if level in was - now)


def _inside(labels: SpineLabels) -> set[str]:
    """Levels that do not touch the volume's border."""
    shape = labels.ids.shape
    return {LEVEL_OF[number] for number, box in boxes(labels.ids) if not at_border(box, shape)}


def on_the_ct(
    restored: RestoredSpine, ct: CTVolume, labels: SpineLabels
) -> tuple[CTVolume, SpineLabels]:
    """The restored spine on the CT's own grid, the rest of the CT untouched.

    Args:
        restored: see :func:`restored_spine`.
        ct: as it is.
        labels: on the same grid.

    Returns:
        CT and labels of the same shapes and affines; values keep the CT's type.
    """
    straight = restored.straight
    assert straight.hu is not None
    hu = returned(_faded(straight.hu, restored), straight, ct.shape, ct.affine)
    ids = returned(_told(restored), straight, ct.shape, ct.affine, order=0)
    changed = ids.covered & (ids.values != UNTOLD)
    drawn = np.array(ct.hu, copy=True)
    values = hu.values[changed]
    drawn[changed] = np.rint(values) if np.issubdtype(drawn.dtype, np.integer) else values
    numbers = np.where(changed, ids.values, labels.ids).astype(np.uint8)
    return replace(ct, hu=drawn), replace(labels, ids=numbers, bodies=None)


def _followed(earlier_mm: Profile, one: Restored) -> Profile:
    """Earlier movements of the content that now lies at each row."""
    rows = np.arange(len(earlier_mm))
    came_from = rows - one.shift_down_mm / one.straight.spacing_mm
    return np.asarray(np.interp(came_from, rows, earlier_mm))


def _faded(volume: np.ndarray, restored: RestoredSpine) -> np.ndarray:
    """Columns far from the curve and rows at its ends moved back to where they were."""
    spacing_mm = restored.straight.spacing_mm
    moved_rows = _original_shift(restored.moved_mm, spacing_mm) / spacing_mm
    rows = np.arange(volume.shape[1], dtype=np.float32)
    faded = np.empty_like(volume)
    for left, weight in enumerate(_weight(volume.shape, spacing_mm)):
        places = rows[:, None] + (1.0 - weight) * moved_rows[:, None]
        faded[left] = _columns(volume[left], np.clip(places, 0.0, len(rows) - 1.0))
    return faded


def _told(restored: RestoredSpine) -> np.ndarray:
    """Labels where something is to be told, ``UNTOLD`` elsewhere, (left, down, back).

    Nothing is told beyond the first and the last row that is not as it was, beside the tube, or
    where the content would come from beyond the CT.
    """
    straight = restored.straight
    assert straight.hu is not None
    differs = (straight.hu != restored.before.hu) | (straight.ids != restored.before.ids)
    rows = np.flatnonzero(differs.any(axis=(0, 2)))
    beyond = ndimage.binary_dilation(straight.hu == OUTSIDE_HU, iterations=2)
    told = _faded(np.where(beyond, np.uint8(UNTOLD), straight.ids), restored)
    told[_weight(told.shape, straight.spacing_mm) <= 0.0] = UNTOLD
    first, last = (rows[0], rows[-1] + 1) if len(rows) else (0, 0)
    told[:, :first], told[:, last:] = UNTOLD, UNTOLD
    return told


def _weight(shape: tuple[int, ...], spacing_mm: float) -> Volume:
    """1 near the column, falling to 0 at the border and at the ends, (left, down, back)."""
    sides = [np.arange(length, dtype=np.float32) for length in shape]
    left, down, back = (_ramp(np.minimum(side, side[::-1]) * spacing_mm) for side in sides)
    return np.asarray(left[:, None, None] * down[None, :, None] * back[None, None, :])


def _original_shift(moved_mm: Profile, spacing_mm: float) -> Profile:
    """Movement told by where the content was, instead of by where it is."""
    rows = np.arange(len(moved_mm), dtype=np.float64)
    came_from = np.maximum.accumulate(rows - moved_mm / spacing_mm)
    return np.asarray(np.interp(rows, came_from, moved_mm))


def _ramp(inwards_mm: np.ndarray) -> np.ndarray:
    part = np.clip(inwards_mm / FADE_MM, 0.0, 1.0)
    return np.asarray(part * part * (3.0 - 2.0 * part))


def _columns(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Each column sampled along the rows: linear, or nearest for whole numbers."""
    columns = np.arange(image.shape[1])[None, :]
    if np.issubdtype(image.dtype, np.integer):
        return np.asarray(image[np.rint(places).astype(int), columns])
    low = np.minimum(places.astype(int), image.shape[0] - 2)
    part = places - low
    return np.asarray((1 - part) * image[low, columns] + part * image[low + 1, columns])
