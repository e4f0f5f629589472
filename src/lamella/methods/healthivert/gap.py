"""The gap: a vertebra's rows cut out of the straight spine, its true height hidden.

The box around a vertebra (``channels.SHAPE``) comes in two frames that differ in their rows
only. In the *centred* frame row r shows the straight spine at ``c + (r - 79.5) q``, with c the
middle of the body and q mm to a row. In the *gap's* frame the body's extent, from x1 to x2, is
replaced by a gap of 40 rows: what lay above x1 is pushed up to the gap, what lay below x2 down.
x1 and x2 hold for the whole vertebra, not slice by slice, and are sub-voxel. For tall bodies q
exceeds 1 mm, so that the gap is never less than 1.15 times what the height is expected to be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from lamella.methods.healthivert.channels import (
    FIRST_GAP_ROW,
    GAP_ROWS,
    LAST_GAP_ROW,
    MIDDLE_ROW,
    SHAPE,
    Plane,
)
from lamella.methods.healthivert.sampling import along, surfaces
from lamella.physics.vertebra_zones import RIM, SIDE
from lamella.physics.virtual_fracture import OUTSIDE_HU
from lamella.prepare.spine.straight import StraightSpine
from lamella.records.images import LamellaError
from lamella.records.spine import VERSE_IDS
from lamella.types import LevelVolume, Profile, Solid, Volume

HEADROOM = 1.15
EXTREME = 0.05
SURFACE_SD = 1.0
MARGIN = 5


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a vertebra's box lies in a straight spine.

    Args:
        level: of the vertebra.
        left, back: centre of the body, samples of the straight spine, whole numbers.
        upper, lower: x1 and x2, rows of the straight spine, sub-voxel.
        spacing_mm: of the straight spine.
        row_mm: q, mm to a row of the box; 1 for all but tall bodies.
        left_span, back_span: first and last slice of the body in the box.
    """

    level: str
    left: int
    back: int
    upper: float
    lower: float
    spacing_mm: float
    row_mm: float = 1.0
    left_span: tuple[float, float] = (0.0, SHAPE[0] - 1.0)
    back_span: tuple[float, float] = (0.0, SHAPE[2] - 1.0)

    @property
    def centre(self) -> float:
        """Middle of the body, row of the straight spine."""
        return (self.upper + self.lower) / 2.0

    @property
    def extent_mm(self) -> float:
        """x2 - x1."""
        return (self.lower - self.upper) * self.spacing_mm

    @property
    def extent_rows(self) -> float:
        """x2 - x1 in rows of the box."""
        return self.extent_mm / self.row_mm

    @property
    def push_rows(self) -> float:
        """How far the gap pushes what lies above up and what lies below down, rows."""
        return (GAP_ROWS - self.extent_rows) / 2.0

    @property
    def down_shift_mm(self) -> Profile:
        """How far the gap moved each row's content down, mm, (160,); NaN in the gap."""
        rows = np.arange(SHAPE[1])
        shift = np.where(rows < MIDDLE_ROW, -self.push_rows, self.push_rows) * self.row_mm
        return np.where(in_gap(rows), np.nan, shift)

    def span(self, plane: Plane) -> tuple[float, float]:
        """First and last slice of the body across a plane."""
        return self.left_span if plane is Plane.SAGITTAL else self.back_span


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxVolume:
    """A straight spine around one vertebra, in the centred or in the gap's frame.

    Args:
        site: where it lies.
        hu: (left, rows, back); -1000 in the gap and beyond the straight spine.
        ids: VerSe numbers; 0 in the gap.
        bodies: VerSe numbers where a body is; 0 in the gap.
    """

    site: Site
    hu: Volume
    ids: LevelVolume
    bodies: LevelVolume


GapVolume = BoxVolume
"""A box in the gap's frame."""


def cut_out(straight: StraightSpine, level: str, prior_mm: float | None = None) -> GapVolume:
    """The box around a vertebra with the gap in its place.

    Args:
        straight: the straight spine, with CT.
        level: of the vertebra.
        prior_mm: mean height to be expected; sets the row spacing of tall bodies.

    Raises:
        LamellaError: no body of that level, or no CT.
    """
    site = site_of(straight, level, prior_mm)
    return _box(straight, site, gap_rows_of(site), hidden=in_gap(np.arange(SHAPE[1])))


def centred(straight: StraightSpine, site: Site) -> BoxVolume:
    """The box around a vertebra as it is, centred on it: what the networks should restore.

    Args:
        straight: the straight spine, with CT.
        site: from :func:`site_of` on the same spine.
    """
    return _box(straight, site, centred_rows_of(site), hidden=np.zeros(SHAPE[1], bool))


def soft_body(straight: StraightSpine, site: Site) -> Volume:
    """Part of each place of the centred frame that the vertebra's body fills, 0 to 1.

    The mask is interpolated linearly, so that a body's surface keeps its place between rows.

    Args:
        straight: the straight spine.
        site: from :func:`site_of` on the same spine.
    """
    body = (straight.bodies == VERSE_IDS[site.level]).astype(np.float32)
    return _sampled(body, _places(site, centred_rows_of(site)), 0.0)


def site_of(straight: StraightSpine, level: str, prior_mm: float | None = None) -> Site:
    """Where a vertebra's box lies.

    x1 and x2 are the 5 % extremes of the endplates over the body's central part: without 15 % of
    the depth at the front and back and 20 % of the width at the sides.

    Raises:
        LamellaError: no body of that level.
    """
    body = straight.bodies == VERSE_IDS[level]
    if not body.any():
        raise LamellaError(f"no body of {level} in the straight spine")
    upper, lower = extent(body)
    spans = [_reach(body.any(axis=others)) for others in ((1, 2), (0, 1))]
    left, back = (round((first + last) / 2.0) for first, last in spans)
    spacing_mm = float(straight.spacing_mm)
    boxed = [
        tuple((end - middle) * spacing_mm + (SHAPE[axis] - 1) // 2 for end in span)
        for axis, middle, span in zip((0, 2), (left, back), spans, strict=True)
    ]
    return Site(
        level=level,
        left=left,
        back=back,
        upper=upper,
        lower=lower,
        spacing_mm=spacing_mm,
        row_mm=row_spacing_mm(prior_mm or 0.0, (lower - upper) * spacing_mm),
        left_span=(float(boxed[0][0]), float(boxed[0][1])),
        back_span=(float(boxed[1][0]), float(boxed[1][1])),
    )


def row_spacing_mm(*heights_mm: float) -> float:
    """q: 1 mm, or more where 40 rows would hold less than 1.15 times a height."""
    return max(1.0, HEADROOM * max(heights_mm) / GAP_ROWS)


def extent(body: Solid) -> tuple[float, float]:
    """x1 and x2 of a body, rows at sub-voxel precision.

    The mask is smoothed by a Gaussian of one sample: its surfaces come to lie between samples.
    """
    top, bottom = _reach(np.asarray(body.any(axis=(0, 2))))
    first = max(top - MARGIN, 0)
    cut = body[:, first : bottom + 1 + MARGIN].astype(np.float32)
    upper, lower = (first + side for side in surfaces(gaussian_filter(cut, SURFACE_SD)))
    known = np.isfinite(upper)
    rows, cols = (_central(known.any(axis=1 - axis), part) for axis, part in ((0, SIDE), (1, RIM)))
    central = known & rows[:, None] & cols[None, :]
    central = central if central.any() else known
    return (
        float(np.quantile(upper[central], EXTREME)),
        float(np.quantile(lower[central], 1.0 - EXTREME)),
    )


def centred_rows_of(site: Site) -> Profile:
    """Row of the straight spine that each row of the centred frame shows, (160,)."""
    return site.centre + (np.arange(SHAPE[1]) - MIDDLE_ROW) * site.row_mm / site.spacing_mm


def gap_rows_of(site: Site) -> Profile:
    """Row of the straight spine that each row of the gap's frame shows; x1 to x2 in the gap."""
    push = site.push_rows * site.row_mm / site.spacing_mm
    rows = centred_rows_of(site)
    above = np.minimum(rows + push, site.upper)
    return np.where(np.arange(SHAPE[1]) < MIDDLE_ROW, above, np.maximum(rows - push, site.lower))


def in_gap(rows: np.ndarray) -> np.ndarray:
    """Whether rows of the gap's frame lie in the gap."""
    return (rows >= FIRST_GAP_ROW) & (rows <= LAST_GAP_ROW)


def pushed_apart(volume: Volume, site: Site, fill: float = 0.0) -> Volume:
    """A map in the centred frame as the gap's frame shows it; ``fill`` in the gap.

    Args:
        volume: (left, rows, back), centred frame.
        site: of the vertebra.
        fill: value in the gap.
    """
    rows = np.arange(SHAPE[1], dtype=np.float64)
    moved = rows + np.where(rows < MIDDLE_ROW, site.push_rows, -site.push_rows)
    pushed = along(volume, np.clip(moved, 0.0, SHAPE[1] - 1.0), 1, fill)
    pushed[:, in_gap(rows)] = fill
    return pushed


def ct_of(straight: StraightSpine) -> Volume:
    """The straight spine's CT.

    Raises:
        LamellaError: it has none.
    """
    if straight.hu is None:
        raise LamellaError("expected a CT, got labels alone: the vertebra cannot be drawn")
    return straight.hu


def layers_of(straight: StraightSpine) -> tuple[tuple[np.ndarray, float], ...]:
    """CT, labels and bodies, each with what lies beyond it."""
    return (ct_of(straight), OUTSIDE_HU), (straight.ids, 0.0), (straight.bodies, 0.0)


def _box(straight: StraightSpine, site: Site, rows: Profile, hidden: np.ndarray) -> BoxVolume:
    places = _places(site, rows)
    boxed = [
        _sampled(volume, places, fill)
        for volume, fill in (
            (ct_of(straight), OUTSIDE_HU),
            (straight.ids, 0.0),
            (straight.bodies, 0.0),
        )
    ]
    hu, ids, bodies = boxed
    hu[:, hidden], ids[:, hidden], bodies[:, hidden] = OUTSIDE_HU, 0, 0
    return BoxVolume(site=site, hu=hu, ids=ids, bodies=bodies)


def _places(site: Site, rows: Profile) -> tuple[Profile, Profile, Profile]:
    left, back = (
        middle + (np.arange(SHAPE[axis]) - (SHAPE[axis] - 1) // 2) / site.spacing_mm
        for axis, middle in ((0, site.left), (2, site.back))
    )
    return left, rows, back


def _sampled(volume: np.ndarray, places: tuple[Profile, ...], fill: float) -> np.ndarray:
    for axis in (1, 2, 0):
        volume = along(volume, places[axis], axis, fill)
    return volume


def _reach(present: np.ndarray) -> tuple[int, int]:
    places = np.flatnonzero(present)
    return int(places[0]), int(places[-1])


def _central(present: np.ndarray, part: float) -> np.ndarray:
    first, last = _reach(present)
    places, cut = np.arange(len(present)), part * (last - first)
    return (places >= first + cut) & (places <= last - cut)
