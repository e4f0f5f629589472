"""One vertebral body measured: heights of its thirds, or the reason why not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lamella.physics.vertebra_zones import zone_weights
from lamella.prepare.spine.centroids import Box, at_border, box_around, box_of, centroids
from lamella.prepare.spine.curve import SpineCurve, from_world
from lamella.prepare.spine.endplates import (
    Section,
    frame_along,
    heights_of,
    mapped,
    occupancy_of,
    section,
)
from lamella.prepare.spine.precision import heights_sd
from lamella.records.spine import VERSE_IDS, SpineLabels, spacing_of
from lamella.records.vertebra import ZONES, HeightMap, MeasuredBody, VertebraFrame, Zones
from lamella.types import Affine, Direction, LevelVolume

FRAGMENT_MM3 = 3000.0
"""Least volume of a thoracic or lumbar body; a third of it in the neck."""

NARROW_MM = 8.0
REACH_MM = 90.0
TILT_DEG = 25.0
COVERED = 0.7
"""Least part of each zone's columns that both endplates must be known for."""


def measure_body(
    labels: SpineLabels, bodies: LevelVolume, curve: SpineCurve, level: str
) -> MeasuredBody:
    """Heights, sizes and doubts of one vertebral body.

    Args:
        labels: whole vertebrae.
        bodies: VerSe numbers inside bodies, on the labels' grid.
        curve: the spine's axis.
        level: which vertebra.

    Returns:
        The measures; ``refused`` says why they must not be used: the sacrum, a body that
        touches the volume's border or that of the label file, a fragment, a label too thin or
        too holed for its voxels.
        A vertebra without any body has NaN for all of them.
    """
    number = VERSE_IDS[level]
    box = _box(bodies, labels, curve, level)
    if box is None:
        return _nothing(labels, curve, level)
    body = occupancy_of(bodies, labels.affine, level, box)
    start = start_frame(curve, body.middle_mm)
    surface = mapped(body, start)
    sides = section(body, surface.frame)
    voxel_mm3 = abs(float(np.linalg.det(labels.affine[:3, :3])))
    measured = MeasuredBody(
        level=level,
        frame=surface.frame,
        heights_mm=heights_of(surface, sides),
        heights_sd_mm=heights_sd(surface, sides, labels.affine),
        depth_mm=float(np.ptp(sides.depth_range_mm)),
        width_mm=float(np.ptp(sides.width_range_mm)),
        volume_mm3=float((bodies[box] == number).sum()) * voxel_mm3,
        height_map=surface,
        flags=_flags(surface.frame, start),
    )
    reason = _cut_off(box, labels, level) or _doubt(measured, sides, labels.affine)
    return replace(measured, refused=reason)


def _box(bodies: LevelVolume, labels: SpineLabels, curve: SpineCurve, level: str) -> Box | None:
    """The body's bounding box, looked for around its place on the curve."""
    if level not in curve.levels_mm:
        return box_of(bodies, VERSE_IDS[level])
    place_mm = curve.at(np.array(curve.levels_mm[level])).place_mm
    near = box_around(labels.affine, bodies.shape, place_mm, REACH_MM)
    return box_of(bodies, VERSE_IDS[level], near)


def start_frame(curve: SpineCurve, middle_mm: np.ndarray) -> VertebraFrame:
    """A body's first frame: the curve's own at its centroid."""
    frame = curve.at(from_world(curve, middle_mm[None])[0, 1])
    return frame_along(middle_mm, -frame.down, frame.back)


def _cut_off(box: Box, labels: SpineLabels, level: str) -> str | None:
    if level == "S1":
        return "the sacrum has no lower endplate"
    if at_border(box, labels.ids.shape):
        return "the body is cut off by the volume's border"
    return "the body is cut off by the label file's border" if level in labels.cut else None


def _doubt(measured: MeasuredBody, sides: Section, affine: Affine) -> str | None:
    least = FRAGMENT_MM3 / 3 if measured.level.startswith("C") else FRAGMENT_MM3
    if measured.volume_mm3 < least:
        return f"a fragment: {measured.volume_mm3 / 1000:.1f} ml of body"
    if min(measured.depth_mm, measured.width_mm) < NARROW_MM:
        return f"a fragment: {measured.depth_mm:.0f} x {measured.width_mm:.0f} mm across"
    if not _coverage(measured.height_map, sides) >= COVERED:
        return "the endplates are incomplete in the label"
    lowest = min(measured.heights_mm.of(zone) for zone in ZONES)
    if lowest < 2 * _layer_mm(affine, measured.frame.cranial):
        return f"the label is too thin for its voxels: {lowest:.1f} mm"
    return None


def _layer_mm(affine: Affine, direction: Direction) -> float:
    """Extent of a voxel along a direction: a step along the grid axis nearest to it, mm."""
    steps_mm = np.abs(affine[:3, :3].T @ direction)
    return float(steps_mm[(steps_mm / spacing_of(affine)).argmax()])


def _coverage(surface: HeightMap, sides: Section) -> float:
    """Least part of a zone's columns where the height is known."""
    full = np.zeros_like(surface.heights_mm)
    box = (surface.posterior_mm, surface.left_mm)
    ranges = (sides.depth_range_mm, sides.width_range_mm)
    known = zone_weights(*box, surface.heights_mm, *ranges).sum(axis=(1, 2))
    whole = zone_weights(*box, full, *ranges).sum(axis=(1, 2))
    return float((known / np.maximum(whole, 1e-9)).min())


def _flags(frame: VertebraFrame, start: VertebraFrame) -> tuple[str, ...]:
    tilt = float(np.degrees(np.arccos(np.clip(frame.cranial @ start.cranial, -1.0, 1.0))))
    if tilt < TILT_DEG:
        return ()
    return (f"its endplates are tilted by {tilt:.0f} degrees against the spine",)


def _nothing(labels: SpineLabels, curve: SpineCurve, level: str) -> MeasuredBody:
    found = centroids(labels.ids, labels.affine)
    middle = found[level].place_mm if level in found else np.zeros(3)
    frame = start_frame(curve, middle)
    unknown = Zones(anterior=np.nan, middle=np.nan, posterior=np.nan, whole=np.nan)
    empty = HeightMap(
        frame=frame,
        posterior_mm=np.array([0.0, 1.0]),
        left_mm=np.array([0.0, 1.0]),
        upper_mm=np.full((2, 2), np.nan),
        lower_mm=np.full((2, 2), np.nan),
    )
    reason = "the label holds no vertebral body" if level in found else "no such label"
    return MeasuredBody(
        level=level,
        frame=frame,
        heights_mm=unknown,
        heights_sd_mm=unknown,
        depth_mm=float("nan"),
        width_mm=float("nan"),
        volume_mm3=0.0,
        height_map=empty,
        refused=reason,
    )
