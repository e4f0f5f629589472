"""The column: bodies stacked along kyphosis, lordosis and scoliosis, fractures included.

Neighbouring axes differ by what the spec's curve says plus, where a vertebra is fractured, half
of the wedge it gained on either side: what lies above a fractured vertebra follows rigidly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lamella.physics.phantoms.spine.body import BodyShape
from lamella.physics.phantoms.spine.spec import SpinePhantomSpec
from lamella.physics.vertebra_population import DrawnHeights, LevelNorm
from lamella.records.vertebra import VertebraFrame
from lamella.types import Profile

SIZE_SD = 0.03
"""Standard deviation of a body's depth and width about the person's, of their logarithm."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PhantomVertebra:
    """One vertebra of the phantom before it is drawn.

    Args:
        level: name.
        norm: mean size of its level.
        scale: of the person.
        healthy: body before the fracture.
        body: body as it is.
        frame: axes of ``body``, RAS.
    """

    level: str
    norm: LevelNorm
    scale: float
    healthy: BodyShape
    body: BodyShape
    frame: VertebraFrame


def column(spec: SpinePhantomSpec, drawn: DrawnHeights) -> tuple[PhantomVertebra, ...]:
    """Bodies and frames of every vertebra, from the skull down.

    Args:
        spec: levels, curve, fractures.
        drawn: healthy heights of the levels.
    """
    healthy = [_healthy_body(spec, drawn, level) for level in spec.levels]
    bodies = [
        _fractured(spec, level, shape) for level, shape in zip(spec.levels, healthy, strict=True)
    ]
    gained = np.array([_wedge(b) - _wedge(h) for b, h in zip(bodies, healthy, strict=True)])
    frames = _stacked(spec, bodies, gained, drawn.scale)
    return tuple(
        PhantomVertebra(
            level=level, norm=spec.population.norm(level), scale=drawn.scale,
            healthy=before, body=after, frame=frame,
        )
        for level, before, after, frame in zip(spec.levels, healthy, bodies, frames, strict=True)
    )  # fmt: skip


def _healthy_body(spec: SpinePhantomSpec, drawn: DrawnHeights, level: str) -> BodyShape:
    norm = spec.population.norm(level)
    index = list(spec.population.norms).index(level)
    rng = np.random.default_rng([*spec.rng_seed(1), index])
    depth, width = np.exp(SIZE_SD * rng.standard_normal(2)) * drawn.scale
    shape = BodyShape(
        depth_mm=float(norm.depth_mm * depth),
        width_mm=float(norm.width_mm * width),
        waist=float(rng.uniform(0.06, 0.11)),
        flare=norm.flare,
        notch=float(rng.uniform(0.08, 0.16)),
        saddle_mm=float(rng.uniform(0.5, 1.2)),
        deeper_below_mm=float(rng.uniform(0.2, 0.8)),
    )
    return shape.with_heights(drawn.heights_mm(level)).centred()


def _fractured(spec: SpinePhantomSpec, level: str, healthy: BodyShape) -> BodyShape:
    fracture = spec.fractures.get(level)
    if fracture is None:
        return healthy
    zones = healthy.zones
    before = np.array([zones.anterior, zones.middle, zones.posterior])
    shape = healthy.with_heights(before * (1.0 - fracture.zone_losses))
    return shape.centred()


def _wedge(shape: BodyShape) -> float:
    """Angle between the rims of both endplates, radians, positive when the front is lower."""
    front, back = shape.height(np.array([-1.0, 1.0]), np.zeros(2))
    return float(2.0 * np.arctan((back - front) / (2.0 * shape.depth_mm)))


def _rim(shape: BodyShape) -> float:
    """Half the mean height of front and back rim, mm."""
    return float(shape.height(np.array([-1.0, 1.0]), np.zeros(2)).mean()) / 2.0


def _bends(levels: tuple[str, ...], spec: SpinePhantomSpec) -> Profile:
    """Angle between neighbouring axes, radians, positive = kyphotic, (n - 1,)."""
    numbers = [_number(level) for level in levels]
    between = (np.array(numbers[:-1]) + np.array(numbers[1:])) / 2.0
    apart = np.diff(numbers)
    kyphotic = np.radians(spec.kyphosis_deg) * _thoracic(between) / _thoracic(_T4_T12).sum()
    lordotic = np.radians(spec.lordosis_deg) * _lumbar(between) / _lumbar(_L1_L5).sum()
    return np.asarray((kyphotic - lordotic) * apart)


_T4_T12 = np.arange(4.5, 12.0)
_L1_L5 = np.arange(13.5, 17.0)


def _thoracic(number: Profile) -> Profile:
    return (number < 12.0) * (0.5 + np.exp(-(((number - 7.5) / 2.8) ** 2)))


def _lumbar(number: Profile) -> Profile:
    return (number > 13.0) * (0.3 + 0.25 * np.clip(number - 13.0, 0.0, None))


def _number(level: str) -> float:
    if level == "T13":
        return 12.5
    return float(level[1:]) + (12.0 if level[0] == "L" else 0.0)


def _stacked(
    spec: SpinePhantomSpec, bodies: list[BodyShape], gained: Profile, scale: float
) -> list[VertebraFrame]:
    bends = _bends(spec.levels, spec)
    healthy_lean = np.concatenate([[0.0], -np.cumsum(bends)])
    lean = np.concatenate([[0.0], -np.cumsum(bends + (gained[:-1] + gained[1:]) / 2.0)])
    lean = lean - lean[-1] + healthy_lean[-1] - healthy_lean.mean()
    side = np.radians(spec.scoliosis_deg) / 2.0 * np.cos(np.linspace(0.0, np.pi, len(bodies)))
    axes = [_axes(a, b) for a, b in zip(lean, side, strict=True)]
    place = np.zeros(3)
    frames = []
    for index, (shape, turned) in enumerate(zip(bodies, axes, strict=True)):
        if index:
            disc = spec.population.norm(spec.levels[index - 1]).disc_mm * scale
            above, below = axes[index - 1][2], turned[2]
            middle = (above + below) / np.linalg.norm(above + below)
            place = place - _rim(bodies[index - 1]) * above - disc * middle - _rim(shape) * below
        frames.append(_frame(place - np.array(shape.origin_mm) @ turned, turned))
    return _centred(frames)


def _axes(lean: float, side: float) -> np.ndarray:
    """Rows posterior, left, cranial for a lean to the front and one to the right, radians."""
    cranial = np.array([0.0, np.sin(lean), np.cos(lean)])
    posterior = np.array([0.0, -np.cos(lean), np.sin(lean)])
    c, s = np.cos(side), np.sin(side)
    turn = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    return np.stack([turn @ posterior, turn @ np.array([-1.0, 0.0, 0.0]), turn @ cranial])


def _frame(centre_mm: Profile, axes: np.ndarray) -> VertebraFrame:
    return VertebraFrame(centre_mm=centre_mm, posterior=axes[0], left=axes[1], cranial=axes[2])


def _centred(frames: list[VertebraFrame]) -> list[VertebraFrame]:
    middle = np.mean([frame.centre_mm for frame in frames], axis=0)
    return [_frame(frame.centre_mm - middle, frame.axes) for frame in frames]
