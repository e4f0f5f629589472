"""The spine's own axis: a smooth curve through the bodies, with frames that do not twist.

Centroids of the vertebral bodies, in RAS mm and from the skull down, are joined by a natural
smoothing spline over their chord length u,

    minimise sum_i |p_i - c(u_i)|^2 + lambda int |c''(u)|^2 du,  lambda = (W / 2 pi)^4 / d,

d the mean distance of neighbours: what repeats over less than W = 70 mm (one vertebra beside
its neighbours: noise, a wedge) is smoothed away, the curvatures of a spine are kept. Beyond the
first and the last body the curve runs on straight.

Frames are rotation-minimising, by the double reflection of Wang, Jüttler, Zheng & Liu, *ACM
Trans. Graph.* 27 (2008) 2. A scoliotic spine twists about its own axis: the angle between the
carried frame and each vertebra's own direction from body to arch, smoothed along the curve over
:data:`TWIST_MM`, is added, so that ``back`` stays posterior. In a spine without scoliosis the
angle is zero and the frame is the rotation-minimising one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import CubicSpline, make_smoothing_spline
from scipy.spatial import cKDTree

from lamella.prepare.spine.centroids import Centroid, centroids
from lamella.records.images import LamellaError
from lamella.records.spine import LEVELS, SpineLabels
from lamella.types import Direction, LevelVolume, Places, Profile

STEP_MM = 0.5
CUTOFF_MM = 70.0
TWIST_MM = 60.0
REACH_MM = 150.0
DOWN = np.array([0.0, 0.0, -1.0])
POSTERIOR = np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True, kw_only=True, eq=False)
class CurveFrame:
    """Places on the curve and the unit vectors there, each (..., 3), RAS."""

    place_mm: Places
    left: Places
    down: Places
    back: Places


@dataclass(frozen=True, kw_only=True, eq=False)
class SpineCurve:
    """A curve through the bodies, told every :data:`STEP_MM` of its length.

    Args:
        start_mm: arc length of the first entry; 0 at the first body, growing caudally.
        places_mm: (n, 3) places, RAS mm.
        downs: (n, 3) unit tangents, caudal.
        backs: (n, 3) unit vectors at right angles to them, posterior.
        levels_mm: level -> arc length of its body's centroid.
        flags: what a reader should know, for instance that one vertebra gives no curve.
    """

    start_mm: float
    places_mm: Places
    downs: Places
    backs: Places
    levels_mm: Mapping[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    @property
    def range_mm(self) -> tuple[float, float]:
        """Arc length of the first and the last entry; beyond them the curve is straight."""
        return self.start_mm, self.start_mm + STEP_MM * (len(self.places_mm) - 1)

    def at(self, down_mm: np.ndarray | float) -> CurveFrame:
        """Place and frame at arc lengths of any shape."""
        index, part = self._entry(down_mm)
        down = _unit(_between(self.downs, index, part))
        back = _between(self.backs, index, part)
        back = _unit(back - (back * down).sum(axis=-1, keepdims=True) * down)
        place = _between(self.places_mm, index, part)
        return CurveFrame(place_mm=place, left=np.cross(down, back), down=down, back=back)

    def _entry(self, down_mm: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        position = (np.asarray(down_mm, dtype=np.float64) - self.start_mm) / STEP_MM
        index = np.clip(np.floor(position), 0, len(self.places_mm) - 2).astype(np.intp)
        return np.asarray(index), np.asarray(position - index)[..., None]

    def _miss(self, places_mm: Places, down_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        index, part = self._entry(down_mm)
        down = _unit(_between(self.downs, index, part))
        offset = places_mm - _between(self.places_mm, index, part)
        pace = (self.places_mm[index + 1] - self.places_mm[index]) / STEP_MM
        turn = (self.downs[index + 1] - self.downs[index]) / STEP_MM
        slope = (pace * down).sum(axis=-1) - (offset * turn).sum(axis=-1)
        return (offset * down).sum(axis=-1), slope


def to_world(curve: SpineCurve, places_mm: Places) -> Places:
    """(left, down, back) in mm -> RAS mm: c(s) + left L(s) + back B(s).

    Args:
        curve: the spine's axis.
        places_mm: (..., 3); ``down`` is the arc length s.

    Returns:
        (..., 3) RAS mm.
    """
    frame = curve.at(places_mm[..., 1])
    aside = places_mm[..., 0:1] * frame.left + places_mm[..., 2:3] * frame.back
    return np.asarray(frame.place_mm + aside)


def from_world(curve: SpineCurve, places_mm: Places, near_mm: np.ndarray | None = None) -> Places:
    """RAS mm -> (left, down, back) in mm: the inverse of :func:`to_world`.

    The arc length solves (p - c(s)) . t(s) = 0 by Newton's method from the nearest entry of
    the curve. Within the radius of curvature the solution is unique and returns to the same
    place within 1e-6 mm; beyond it (:func:`stretch` at most 0) there is none.

    Args:
        curve: the spine's axis.
        places_mm: (..., 3) RAS mm.
        near_mm: (...) arc lengths to start from, where they are known roughly.

    Returns:
        (..., 3) left, down, back.
    """
    if near_mm is None:
        nearest = cKDTree(curve.places_mm[::4]).query(places_mm)[1]
        near_mm = curve.start_mm + 4 * STEP_MM * np.asarray(nearest)
    down_mm = _solved(curve, places_mm, near_mm)
    frame = curve.at(down_mm)
    offset = places_mm - frame.place_mm
    left, back = (offset * frame.left).sum(axis=-1), (offset * frame.back).sum(axis=-1)
    return np.stack([left, down_mm, back], axis=-1)


def stretch(curve: SpineCurve, places_mm: Places) -> np.ndarray:
    """How many mm of space one mm of arc length is at (left, down, back): 1 - offset . kappa.

    It falls to 0 at the centre of curvature, where the straight frame folds over.
    """
    return np.asarray(curve._miss(to_world(curve, places_mm), places_mm[..., 1])[1])


def curve_of(labels: SpineLabels, bodies: LevelVolume) -> SpineCurve:
    """The curve of a labelled spine.

    Args:
        labels: whole vertebrae; the direction from body to whole is posterior.
        bodies: VerSe number where that vertebra's body is, on the same grid.

    Returns:
        The curve; with one vertebra a straight line along the patient's axis, flagged.

    Raises:
        LamellaError: no body at all.
    """
    found = centroids(bodies, labels.affine)
    whole = centroids(labels.ids, labels.affine)
    if not found:
        raise LamellaError("expected at least one vertebral body, got none: check the labels")
    return curve_through(found, whole)


def curve_through(
    found: Mapping[str, Centroid], whole: Mapping[str, Centroid] | None = None
) -> SpineCurve:
    """The curve through centroids.

    Bodies under a quarter of the usual volume of their neighbours, and under half of it when
    the volume's border cuts them, are fragments whose centroid lies beside the axis: the curve
    does not heed them, but says where they lie.

    Args:
        found: level -> body.
        whole: level -> whole vertebra, for the posterior direction.

    Returns:
        The curve.
    """
    used = _heeded(found)
    points = np.stack([found[name].place_mm for name in used])
    start_mm, places = _line(points)
    downs = _unit(np.gradient(places, axis=0))
    bare = SpineCurve(
        start_mm=start_mm, places_mm=places, downs=downs, backs=_carried(places, downs, POSTERIOR)
    )
    backs = _anchored(bare, {name: found[name] for name in used}, whole or {})
    curve = SpineCurve(start_mm=start_mm, places_mm=places, downs=downs, backs=backs)
    levels_mm = {
        name: float(from_world(curve, body.place_mm[None])[0, 1]) for name, body in found.items()
    }
    return SpineCurve(
        start_mm=start_mm,
        places_mm=places,
        downs=downs,
        backs=backs,
        levels_mm=levels_mm,
        flags=_flags(len(used)),
    )


def _heeded(found: Mapping[str, Centroid]) -> list[str]:
    names = [name for name in LEVELS if name in found]
    sizes = np.array([found[name].volume_mm3 for name in names])
    kept = []
    for index, name in enumerate(names):
        near = sizes[max(index - 2, 0) : index + 3]
        usual = near.max() if found[name].cut else float(np.median(near))
        if sizes[index] >= usual * (0.5 if found[name].cut else 0.25):
            kept.append(name)
    return kept or names


def _flags(count: int) -> tuple[str, ...]:
    if count == 1:
        return ("one vertebra: the spine's axis is taken from the patient's axes",)
    return ("two vertebrae: the spine's axis is straight",) if count == 2 else ()


def _line(points: Places) -> tuple[float, Places]:
    if len(points) == 1:
        arc = np.arange(-REACH_MM, REACH_MM + STEP_MM / 2, STEP_MM)
        return -REACH_MM, np.asarray(points[0] + arc[:, None] * DOWN)
    chord = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    fine = np.linspace(0.0, chord[-1], max(3, int(np.ceil(chord[-1] / 0.05))))
    dense = _joined(chord, points, fine)
    head, tail = _unit(dense[0] - dense[1]), _unit(dense[-1] - dense[-2])
    dense = np.concatenate([[dense[0] + REACH_MM * head], dense, [dense[-1] + REACH_MM * tail]])
    arc = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(dense, axis=0), axis=1))]
    even = np.arange(0.0, arc[-1], STEP_MM)
    places = np.stack([np.interp(even, arc, dense[:, axis]) for axis in range(3)], axis=1)
    return -REACH_MM, places


def _joined(chord: Profile, points: Places, fine: Profile) -> Places:
    """The spline at ``fine``; fewer than five points are met exactly."""
    if len(chord) < 5:
        kind = "natural" if len(chord) > 2 else "not-a-knot"
        return np.asarray(CubicSpline(chord, points, axis=0, bc_type=kind)(fine))
    weight = (CUTOFF_MM / (2 * np.pi)) ** 4 / (chord[-1] / (len(chord) - 1))
    return np.asarray(make_smoothing_spline(chord, points, lam=weight, axis=0)(fine))


def _carried(places: Places, downs: Places, first: Direction) -> Places:
    backs = np.empty_like(downs)
    back = first - (first @ downs[0]) * downs[0]
    if np.linalg.norm(back) < 1e-3:
        back = np.cross(downs[0], np.array([1.0, 0.0, 0.0]))
    backs[0] = _unit(back)
    for index in range(len(downs) - 1):
        chord = _unit(places[index + 1] - places[index])
        back = backs[index] - 2 * (chord @ backs[index]) * chord
        turned = downs[index] - 2 * (chord @ downs[index]) * chord
        mirror = downs[index + 1] - turned
        backs[index + 1] = back - 2 * (mirror @ back) / (mirror @ mirror) * mirror
    return backs


def _anchored(
    bare: SpineCurve, found: Mapping[str, Centroid], whole: Mapping[str, Centroid]
) -> Places:
    angles, arcs = [], []
    for name, body in found.items():
        down_mm = from_world(bare, body.place_mm[None])[0, 1]
        frame = bare.at(down_mm)
        towards = whole[name].place_mm - body.place_mm if name in whole else np.zeros(3)
        aside, behind = float(towards @ frame.left), float(towards @ frame.back)
        if np.hypot(aside, behind) > 5.0:  # less: the label has no arch
            angles.append(np.arctan2(aside, behind))
            arcs.append(down_mm)
    if not angles:
        return bare.backs
    arc = bare.start_mm + STEP_MM * np.arange(len(bare.places_mm))
    twist = _smooth(arc, np.array(arcs), np.array(angles))[:, None]
    return np.asarray(np.cos(twist) * bare.backs + np.sin(twist) * np.cross(bare.downs, bare.backs))


def _smooth(arc: Profile, arcs: Profile, angles: Profile) -> Profile:
    """Locally weighted mean of unit vectors, constant beyond the ends."""
    held = np.clip(arc, arcs.min(), arcs.max())
    weight = np.exp(-0.5 * ((held[:, None] - arcs) / TWIST_MM) ** 2)
    return np.asarray(np.arctan2(weight @ np.sin(angles), weight @ np.cos(angles)))


def _solved(curve: SpineCurve, places_mm: Places, guess_mm: np.ndarray) -> np.ndarray:
    down_mm = guess_mm
    for _ in range(12):
        miss, slope = curve._miss(places_mm, down_mm)
        move = np.clip(miss / np.maximum(slope, 0.1), -10.0, 10.0)
        down_mm = down_mm + move
        # Newton squares the error: after a step of 2e-4 mm far less than 1e-6 mm is left.
        if move.size == 0 or float(np.abs(move).max()) < 2e-4:
            break
    return down_mm


def _between(table: np.ndarray, index: np.ndarray, part: np.ndarray) -> np.ndarray:
    return np.asarray(table[index] + part * (table[index + 1] - table[index]))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
