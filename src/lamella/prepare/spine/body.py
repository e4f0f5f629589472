"""The vertebral body without pedicles, arch and processes: in three dimensions.

Each vertebra is sampled in a local frame (left, down, back) of 1 mm from the spine's axis:

1. *Core*: in every axial section the distance to the outline; where its square, summed over the
   sections, is greatest lies the body's middle: a body is the thick part of a vertebra even
   when it is crushed, because the distance is taken within the section.
2. *Posterior wall*: lines from there backwards leave the bone into the vertebral canal. Where
   each of many lines near the midline leaves it, and stays out for at least 3 mm, is one point
   of the wall; w(u, v) = a + b u + c v + d v^2 + e min(u, canal)^2 is fitted to all of them by
   Tukey's biweight (tilt, axial rotation and the wall's concavity included). Bone behind the
   wall is removed; in front of the canal, bone up to the canal stays.
3. *Outline*: the silhouette of what remains, opened by a disc of 60 % of the core's radius,
   keeps the body's own outline and drops what sticks out of it: rib stubs, transverse
   processes, necks of pedicles.
4. The largest connected part stays; islands go.

The result is told on the labels' own grid. A supplied mask of bodies takes the place of all
this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lamella.prepare.spine.centroids import (
    boxes,
    centroids,
    grown,
    indexed,
    largest,
    placed,
    shifted,
)
from lamella.prepare.spine.curve import DOWN, POSTERIOR, SpineCurve, curve_through, from_world
from lamella.records.spine import VERSE_IDS, SpineLabels
from lamella.types import Affine, LevelVolume, Places, Solid

GRID_MM = 1.0
CANAL_MM = 3.0
"""How long a line must stay outside the bone to have reached the canal."""

MIDLINE = 0.35
"""Half-width of the wall's midline strip, as a part of the core's radius."""

THINNEST_MM = 5.0
"""Least radius of a body's sections: processes and laminae are thinner."""

SLACK = 1.0
"""How far behind the fitted wall bone in front of the canal still counts as body, samples."""

ALONE = 0.03
"""Labels with a smaller part of their bone behind the wall hold bodies alone: nothing is cut."""

OPENING = 0.6
"""Radius of the disc that opens the silhouette, as a part of the core's radius."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalBone:
    """One vertebra in its local frame.

    Args:
        axes: rows left, down, back, RAS unit vectors.
        start_mm: local coordinates of the first sample.
        bone: (left, down, back) samples, every :data:`GRID_MM`.
    """

    axes: np.ndarray
    start_mm: np.ndarray
    bone: Solid


@dataclass(frozen=True, kw_only=True)
class Core:
    """Middle of a body in samples of the local grid.

    Args:
        left, down, back: its place.
        radius: of the largest disc inside the body's sections.
        half_height: samples up and down that the body reaches there.
    """

    left: int
    down: float
    back: int
    radius: float
    half_height: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Wall:
    """The posterior wall: back = f(left, down), samples from the core.

    Args:
        factors: of 1, u, v, v^2 and min(|u|, canal)^2.
        canal: half-width of the canal.
        reach: how far up and down the wall was seen.
    """

    factors: np.ndarray
    canal: float
    reach: float

    def at(self, left: np.ndarray, down: np.ndarray) -> np.ndarray:
        """Back coordinate of the wall."""
        seen = np.clip(down, -self.reach, self.reach)
        beside = np.minimum(np.abs(left), self.canal)
        terms = (np.ones_like(left), left, down, seen**2, beside**2)
        return np.asarray(sum(f * term for f, term in zip(self.factors, terms, strict=True)))


def vertebral_bodies(labels: SpineLabels) -> LevelVolume:
    """Where each vertebra's body is.

    Args:
        labels: whole vertebrae, or bodies alone; ``labels.bodies`` is used when it is there.

    Returns:
        VerSe numbers inside bodies, 0 elsewhere, on the labels' grid.
    """
    bodies = np.zeros_like(labels.ids)
    if labels.bodies is not None:
        for number, box in boxes(labels.ids):
            bodies[box][largest((labels.ids[box] == number) & labels.bodies[box])] = number
        return bodies
    first = _cut(labels, _whole_curve(labels))
    found = centroids(first, labels.affine)
    if len(found) < 3:
        return first
    return _cut(labels, curve_through(found, centroids(labels.ids, labels.affine)))


def _whole_curve(labels: SpineLabels) -> SpineCurve | None:
    found = centroids(labels.ids, labels.affine)
    whole = {level: part for level, part in found.items() if not part.cut}
    return curve_through(whole) if len(whole) > 2 else None


def _cut(labels: SpineLabels, curve: SpineCurve | None) -> LevelVolume:
    bodies = np.zeros_like(labels.ids)
    for number, box in boxes(labels.ids):
        if number == VERSE_IDS["C1"]:  # a ring without a body
            continue
        wide = grown(box, labels.ids.shape)
        where = body_in(labels.ids[wide], number, shifted(labels.affine, wide), curve)
        bodies[wide][where] = number
    return bodies


def body_in(
    ids: LevelVolume, number: int, affine: Affine, curve: SpineCurve | None = None
) -> Solid:
    """The body of one vertebra inside a crop of a label volume.

    Args:
        ids: labels.
        number: which vertebra.
        affine: of the crop.
        curve: the spine's axis, or None for the patient's axes.

    Returns:
        True inside the body, on the crop's grid; nowhere when the label holds none.
    """
    local = _local(ids, number, affine, curve)
    core = _core(local.bone)
    if core is None:
        return np.zeros(ids.shape, dtype=np.bool_)
    where = np.argwhere(ids == number)
    samples = (placed(affine, where) @ local.axes.T - local.start_mm) / GRID_MM
    kept = _kept(local.bone, core, samples)
    body = np.zeros(ids.shape, dtype=np.bool_)
    body[tuple(where[kept].T)] = True
    return largest(body)


def _kept(bone: Solid, core: Core, samples: Places) -> np.ndarray:
    """Which samples (left, down, back) of the local grid lie in the body."""
    wall = _wall(bone, core)
    if wall and _alone(bone, core, wall):
        return np.ones(len(samples), dtype=np.bool_)
    grid = np.moveaxis(np.indices(bone.shape, dtype=np.float64), 0, -1)
    outline = _outline(bone & _in_front(wall, core, grid) if wall else bone, core)
    left, back = (np.rint(samples[:, axis]).astype(np.intp) for axis in (0, 2))
    inside = outline[left.clip(0, bone.shape[0] - 1), back.clip(0, bone.shape[2] - 1)]
    return inside & _in_front(wall, core, samples) if wall else inside


def _alone(bone: Solid, core: Core, wall: Wall) -> bool:
    """Whether there is a body and no arch."""
    places = np.argwhere(bone).astype(np.float64)
    behind = places[:, 2] - core.back - wall.at(places[:, 0] - core.left, places[:, 1] - core.down)
    return float((behind > 4.0).mean()) < ALONE


def _local(ids: LevelVolume, number: int, affine: Affine, curve: SpineCurve | None) -> LocalBone:
    inside = (ids == number).astype(np.float32)
    places = placed(affine, np.argwhere(inside))
    axes = _axes(places.mean(axis=0), curve)
    told = places @ axes.T
    start, stop = told.min(axis=0) - 3.0, told.max(axis=0) + 3.0
    shape = np.ceil((stop - start) / GRID_MM).astype(int)
    grid = start + GRID_MM * np.moveaxis(np.indices(shape), 0, -1)
    at = np.moveaxis(indexed(affine, grid @ axes), -1, 0)
    bone = ndimage.map_coordinates(inside, at, order=1, mode="constant") > 0.5
    return LocalBone(axes=axes, start_mm=start, bone=np.asarray(bone))


def _axes(middle_mm: np.ndarray, curve: SpineCurve | None) -> np.ndarray:
    if curve is None:
        return np.stack([np.cross(DOWN, POSTERIOR), DOWN, POSTERIOR])
    frame = curve.at(from_world(curve, middle_mm[None])[0, 1])
    return np.stack([frame.left, frame.down, frame.back])


def _core(bone: Solid) -> Core | None:
    if not bone.any():
        return None
    # A step of 1e4 between sections makes the distance one within each section.
    depth = ndimage.distance_transform_edt(bone, sampling=(1.0, 1e4, 1.0))
    thick = (depth**2).sum(axis=1)
    left, back = (int(k) for k in np.unravel_index(thick.argmax(), thick.shape))
    radius = float(np.quantile(depth.max(axis=(0, 2)), 0.9))
    column = np.flatnonzero(depth[left, :, back] > 0.4 * radius)
    if radius < THINNEST_MM / GRID_MM or len(column) == 0:
        return None
    return Core(
        left=left,
        down=float(column.mean()),
        back=back,
        radius=radius,
        half_height=float(np.ptp(column) + 1) / 2,
    )


def _wall(bone: Solid, core: Core) -> Wall | None:
    left, down, back = _exits(bone, core)
    if len(left) < 12:
        return None
    canal = _canal(bone, core, float(np.median(back)) + core.back)
    reach = float(np.abs(down).max())
    beside = np.minimum(np.abs(left), canal)
    terms = np.stack([np.ones_like(left), left, down, down**2, beside**2], axis=1)
    return Wall(factors=_robust(terms, back), canal=canal, reach=reach)


def _exits(bone: Solid, core: Core) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(left, down, back) from the core where lines backwards leave the bone into the canal."""
    strip = round(MIDLINE * core.radius)
    lefts = np.arange(max(core.left - strip, 0), min(core.left + strip + 1, bone.shape[0]))
    tall = 0.8 * core.half_height
    downs = np.arange(max(int(core.down - tall), 0), min(int(core.down + tall) + 1, bone.shape[1]))
    lines = bone[np.ix_(lefts, downs, np.arange(core.back, bone.shape[2]))]
    gap = int(CANAL_MM / GRID_MM)
    free = ~ndimage.maximum_filter1d(lines, gap, axis=2, origin=-(gap // 2), mode="nearest")
    first = free.argmax(axis=2)
    valid = lines[:, :, 0] & free.any(axis=2) & (first < 2.0 * core.radius)
    where = np.argwhere(valid)
    return (
        (lefts[where[:, 0]] - core.left).astype(float),
        downs[where[:, 1]] - core.down,
        first[valid] - 0.5,
    )


def _canal(bone: Solid, core: Core, wall: float) -> float:
    """Half the width of the gap behind the wall, in samples."""
    behind = slice(int(wall) + 2, int(wall) + 6)
    rows = slice(max(int(core.down - core.half_height), 0), int(core.down + core.half_height) + 1)
    filled = bone[:, rows, behind].mean(axis=(1, 2)) > 0.15
    right, left = filled[: core.left][::-1], filled[core.left + 1 :]
    sides = [int(side.argmax()) for side in (right, left) if side.any()]
    return float(np.clip(np.mean(sides) if sides else core.radius / 2, 3.0, core.radius))


def _robust(terms: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Least squares with Tukey's biweight (4.685 robust SDs); a slight pull to 0 of curvatures."""
    pull = np.diag([0.0, 2.0, 2.0, 30.0, 30.0])
    weights = np.ones_like(values)
    start = np.zeros(terms.shape[1])
    start[0] = np.median(values)
    factors = start
    for _ in range(10):
        rest = values - terms @ factors
        spread = max(1.4826 * float(np.median(np.abs(rest - np.median(rest)))), 0.5)
        weights = np.clip(1 - (rest / (4.685 * spread)) ** 2, 0.0, None) ** 2
        normal = terms.T @ (weights[:, None] * terms) + pull
        factors = np.linalg.solve(normal, terms.T @ (weights * values))
    return np.asarray(factors)


def _in_front(wall: Wall, core: Core, places: Places) -> np.ndarray:
    left = places[..., 0] - core.left
    down = places[..., 1] - core.down
    rest = wall.at(left, down) - (places[..., 2] - core.back)
    tall = np.abs(down) < core.half_height + 2.0
    slack = np.where((np.abs(left) < wall.canal - 1.0) & tall, SLACK, 0.0)
    return np.asarray(rest + slack >= 0.0)


def _outline(bone: Solid, core: Core) -> np.ndarray:
    """The body's silhouette from above, (left, back)."""
    thick = bone.sum(axis=1)
    middle = float(thick[core.left, core.back])
    shape = np.pad(thick >= max(2.0, 0.15 * middle), 12)
    inner = ndimage.distance_transform_edt(shape) > OPENING * core.radius
    opened = ndimage.distance_transform_edt(~inner) <= OPENING * core.radius
    wide = ndimage.distance_transform_edt(~opened) <= 2.5
    return np.asarray(wide[12:-12, 12:-12])
