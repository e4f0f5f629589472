"""Anatomy of one finger joint, drawn from a seed: a phalanx base and a metacarpal head.

Dimensions follow published osteometry of the adult hand: bases of proximal phalanges about
13 to 17 mm wide, metacarpal heads 12 to 16 mm, bowl shallower than the head is round; the head's
section is a trapezoid, narrow dorsally and wide palmarly, so that on a PA view thin condyles
stand out at its sides and the walls of its core show as bright oblique lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lamella.physics.phantoms.bone import AXIS_MM, AXIS_STEP_MM, Bone, Bowl, Lobe


@dataclass(frozen=True, kw_only=True)
class AnatomySpec:
    """What the bones are made from.

    Attributes:
        seed: Draws every shape parameter.
        scale: Size of both bones against the mean, dimensionless.
        flexion_deg: Rotation of the phalanx about the left-right axis, degrees.
        erosion: Severity of marginal erosions, 0 to 1.
        osteophyte: Severity of marginal osteophytes, 0 to 1.
    """

    seed: int = 0
    scale: float = 1.0
    flexion_deg: float = 0.0
    erosion: float = 0.0
    osteophyte: float = 0.0


def phalanx(spec: AnatomySpec) -> Bone:
    """Base and shaft of the proximal phalanx (s upward from the valley of its bowl)."""
    rng = np.random.default_rng([spec.seed, 11])
    base_mm = spec.scale * rng.uniform(6.8, 7.7)
    shaft_mm = base_mm * rng.uniform(0.56, 0.66)
    widest_mm = rng.uniform(0.6, 2.2)
    flare_mm = rng.uniform(3.6, 5.6)
    sides = [
        shaft_mm
        + (base_mm * rng.uniform(0.92, 1.07) - shaft_mm)
        * _flare(widest_mm + rng.normal(0, 0.4), flare_mm * rng.uniform(0.85, 1.2), rng)
        for _ in range(2)
    ]
    sides = [side + _tubercle(rng) for side in sides]
    sides = _leaning(sides, rng.normal(0, 0.035))
    depth_base_mm = spec.scale * rng.uniform(4.6, 5.6)
    depth = depth_base_mm * (0.7 + 0.3 * np.maximum(_flare(0.0, flare_mm, rng), -1))
    hook_side = int(rng.integers(2))
    sides[hook_side] = sides[hook_side] + 1.6 * spec.osteophyte * _bump(rng.uniform(-0.3, 0.6), 0.8)
    cortex = [_shaft_cortex(widest_mm, rng) for _ in range(2)]
    thin = 0.4 * (cortex[0] + cortex[1]) / 2
    lobe = Lobe(
        outer_mm=np.stack([*sides, depth]),
        inner_mm=np.stack([sides[0] - cortex[0], sides[1] - cortex[1], depth - thin]),
        exponent=rng.uniform(2.1, 2.6),
    )
    plate_mm = rng.uniform(0.45, 1.0)
    radius_mm = spec.scale * rng.uniform(5.0, 8.0)
    bend = 1 / (2 * radius_mm) + (plate_mm - 0.2) / depth_base_mm**2
    bowl = Bowl(
        radius_across_mm=spec.scale * rng.uniform(5.5, 9.5),
        brim_mm=base_mm * rng.uniform(0.64, 0.78),
        radius_depth_mm=radius_mm,
        slope=float(np.tan(np.deg2rad(spec.flexion_deg))),
        plate_radius_mm=1 / (2 * bend),
        plate_mm=plate_mm,
        load_mm=(rng.normal(0, 1.2), spec.scale * rng.uniform(3.2, 5.2)),
    )
    side = 1 - 2 * hook_side
    bite = (side * base_mm * 0.98, rng.uniform(0.6, 1.8), 2.0 * spec.erosion)
    return Bone(lobes=(lobe,), bowl=bowl, erosions_mm=(bite,) if spec.erosion > 0 else ())


def metacarpal(spec: AnatomySpec) -> Bone:
    """Head and neck of the metacarpal (s downward from its apex)."""
    rng = np.random.default_rng([spec.seed, 12])
    core_mm = spec.scale * rng.uniform(5.2, 6.3)
    core = _core(core_mm, spec, rng)
    condyles = _condyles(core_mm * rng.uniform(1.14, 1.32), spec, rng)
    side = rng.choice([-1.0, 1.0])
    bite = (side * core_mm * 1.1, rng.uniform(3.8, 5.0), 2.3 * spec.erosion)
    return Bone(lobes=(core, condyles), erosions_mm=(bite,) if spec.erosion > 0 else ())


def _leaning(sides: list[np.ndarray], slope: float) -> list[np.ndarray]:
    """Left and right half-widths of a bone whose axis leans to the right by ``slope``."""
    shift = slope * np.clip(AXIS_MM, 0, 15)
    return [sides[0] - shift, sides[1] + shift]


def _core(core_mm: float, spec: AnatomySpec, rng: np.random.Generator) -> Lobe:
    power = rng.uniform(2.0, 2.5)
    length_mm = spec.scale * rng.uniform(4.8, 6.6)
    sunk_mm = rng.uniform(0.3, 1.2)
    cap = _cap(AXIS_MM - sunk_mm, length_mm, power)
    inner_cap = _cap(AXIS_MM - sunk_mm - rng.uniform(0.1, 0.2), length_mm, power)
    depth_mm = spec.scale * rng.uniform(5.2, 6.4)
    deep = depth_mm * _cap(AXIS_MM - sunk_mm, 6.0, 2.2)
    inner_deep = depth_mm * _cap(AXIS_MM - sunk_mm - 0.2, 6.0, 2.2)
    outer, inner = [], []
    for _ in range(2):
        neck = 1 - rng.uniform(-0.06, 0.34) * _smoothstep((AXIS_MM - 4.0) / 7.0)
        width = core_mm * rng.uniform(0.95, 1.05) * neck * (1 + 0.02 * _wobble(1.6, rng))
        start_mm = rng.uniform(2.0, 4.5)
        recess = rng.uniform(0.1, 0.9) * _bump(start_mm + 3.0, rng.uniform(1.2, 2.6))
        wall = 0.12 + recess + rng.uniform(0.3, 0.6) * _smoothstep((AXIS_MM - start_mm) / 3.0)
        sunk = 0.85 + 0.15 * np.clip(AXIS_MM / 3, 0, 1)
        outer.append(width * cap * sunk)
        inner.append(
            width * inner_cap * sunk - wall * np.clip(1 + 0.35 * _wobble(0.9, rng), 0.2, 2)
        )
    slope = rng.normal(0, 0.05)
    outer, inner = _leaning(outer, slope), _leaning(inner, slope)
    return Lobe(
        outer_mm=np.stack([*outer, deep]),
        inner_mm=np.stack([*inner, inner_deep - 0.3]),
        exponent=rng.uniform(3.0, 4.2),
    )


def _condyles(width_mm: float, spec: AnatomySpec, rng: np.random.Generator) -> Lobe:
    outer, inner = [], []
    for _ in range(2):
        length_mm = spec.scale * rng.uniform(5.5, 9.0)
        cap = _cap(AXIS_MM, length_mm, 2.0)
        fade = 1 - rng.uniform(0.0, 0.35) * _smoothstep((AXIS_MM - rng.uniform(7, 9)) / 4)
        width = width_mm * rng.uniform(0.84, 1.08) * cap * fade * (1 + 0.012 * _wobble(1.2, rng))
        hook = 1.5 * spec.osteophyte * rng.uniform(0.2, 1) * _bump(rng.uniform(4.5, 6.0), 0.8)
        outer.append(width + hook)
        inner.append(width + hook - 0.12)
    thinning = 1 - rng.uniform(0.3, 0.55) * _smoothstep((AXIS_MM - 1.5) / rng.uniform(4.0, 7.0))
    depth = spec.scale * rng.uniform(5.0, 5.8) * _cap(AXIS_MM, 5.0, 2.2) * thinning
    return Lobe(
        outer_mm=np.stack([*outer, depth]),
        inner_mm=np.stack([*inner, depth - 0.15]),
        exponent=rng.uniform(2.0, 2.6),
    )


def _flare(
    widest_mm: float, length_mm: float, rng: np.random.Generator
) -> Float[np.ndarray, "axis"]:
    """1 where the base is widest, 0 on the shaft, falling towards the rounded corners below."""
    above = np.maximum(AXIS_MM - widest_mm, 0) / length_mm
    below = np.maximum(widest_mm - AXIS_MM, 0)
    shaft = np.exp(-(above ** rng.uniform(1.3, 1.7)))
    corner = 1 - rng.uniform(0.035, 0.07) * below**2.2
    return shaft * np.maximum(corner, -1.0) + 0.035 * _wobble(rng.uniform(0.8, 1.4), rng) * shaft


def _tubercle(rng: np.random.Generator) -> Float[np.ndarray, "axis"]:
    """Where a collateral ligament inserts at the side of the base."""
    return rng.uniform(-0.1, 0.6) * _bump(rng.uniform(1.0, 4.0), rng.uniform(0.6, 1.3))


def _shaft_cortex(widest_mm: float, rng: np.random.Generator) -> Float[np.ndarray, "axis"]:
    rise = _smoothstep((AXIS_MM - widest_mm) / rng.uniform(7, 10))
    cortex = rng.uniform(0.25, 0.6) + rng.uniform(0.5, 0.95) * rise
    return cortex * np.clip(1 + 0.12 * _wobble(1.0, rng), 0.3, 2)


def _cap(along_mm: np.ndarray, length_mm: float, power: float) -> np.ndarray:
    """Rounded tip: 0 at 0, 1 from ``length_mm`` on, a quarter of a superellipse between."""
    rest = np.clip(1 - along_mm / length_mm, 0, 1)
    return np.maximum(1 - rest**power, 0) ** (1 / power)


def _bump(centre_mm: float, width_mm: float) -> Float[np.ndarray, "axis"]:
    return np.exp(-(((AXIS_MM - centre_mm) / width_mm) ** 2))


def _smoothstep(ramp: np.ndarray) -> np.ndarray:
    clipped = np.clip(ramp, 0, 1)
    return clipped * clipped * (3 - 2 * clipped)


def _wobble(scale_mm: float, rng: np.random.Generator) -> Float[np.ndarray, "axis"]:
    """Smooth unit-variance random function along the axis, correlated over ``scale_mm``."""
    knots = np.arange(0, AXIS_MM[-1] - AXIS_MM[0] + 3 * scale_mm, scale_mm)
    weights = rng.standard_normal(knots.size)
    away = (AXIS_MM[:, None] - AXIS_MM[0] + AXIS_STEP_MM - knots[None, :]) / scale_mm
    return np.exp(-0.5 * away**2) @ weights / 1.33
