"""Everything that is not one of the two bones: soft tissue, air, sesamoid, neighbouring finger."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lamella.physics.phantoms.texture import band_noise, power_law_noise

VEIL = 0.02  # absorbance where there is only air: base and fog of the image


@dataclass(frozen=True, kw_only=True)
class SoftTissueSpec:
    """What surrounds the bones.

    Attributes:
        level: Absorbance of soft tissue beside the joint, dimensionless.
        gradient: Rise of that absorbance over 10 mm towards the palm, as a fraction.
        air: Whether the skin border and the air beyond show at one side.
        sesamoid: Whether a sesamoid lies beside the metacarpal head.
        neighbour: Whether the edge of the neighbouring finger's bone enters the field.
        seed: Draws side, position and the slow variation.
    """

    level: float = 0.31
    gradient: float = 0.2
    air: bool = False
    sesamoid: bool = False
    neighbour: bool = False
    seed: int = 0


def soft_absorbance(
    spec: SoftTissueSpec,
    right_mm: Float[np.ndarray, "rows cols"],
    up_mm: Float[np.ndarray, "rows cols"],
) -> Float[np.ndarray, "rows cols"]:
    """Absorbance of the layer that holds no articular bone (unblurred), at joint coordinates.

    A finger of elliptic section thickens towards the palm; its absorbance varies slowly (fat
    planes, tendons) and finely. Sesamoid and neighbouring bone are counted to this layer: they
    move with neither of the two bones.
    """
    rng = np.random.default_rng([spec.seed, 21])
    side = float(rng.choice([-1.0, 1.0]))
    ramp = 1 - spec.gradient * np.tanh(up_mm / 10) + rng.uniform(-0.005, 0.03) * -side * right_mm
    absorbance = spec.level * ramp * _envelope(spec.air, side * right_mm, up_mm, rng)
    absorbance *= 1 + _variation(right_mm, rng)
    if spec.sesamoid:
        grain = 1 + 0.12 * power_law_noise(
            right_mm.shape, float(right_mm[0, 1] - right_mm[0, 0]), 2.0, rng
        )
        absorbance += grain * _ossicle(rng, -side * right_mm, up_mm)
    if spec.neighbour:
        absorbance += _neighbour_bone(rng, -side * right_mm, up_mm)
    return absorbance + VEIL


def _envelope(
    air: bool, towards_skin_mm: np.ndarray, up_mm: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    edge_mm = rng.uniform(8.6, 10.4) if air else rng.uniform(13.0, 17.0)
    skin_mm = (
        edge_mm - rng.uniform(-0.05, 0.12) * up_mm + 0.012 * (up_mm - 2) ** 2 * rng.uniform(0, 1)
    )
    skin_mm = skin_mm + 0.25 * np.sin(up_mm / 4 + rng.uniform(0, 6))
    inside = np.clip(towards_skin_mm / skin_mm, 0, 1)
    roundness = rng.uniform(2.5, 4.0) if air else rng.uniform(4.0, 7.0)
    return np.maximum(1 - inside**roundness, 0) ** 0.6


def _variation(right_mm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    spacing_mm = float(right_mm[0, 1] - right_mm[0, 0])
    shape = right_mm.shape
    slow = band_noise(shape, spacing_mm, (6.0, 3.0), rng)
    fine = power_law_noise(shape, spacing_mm, 2.4, rng)
    return 0.055 * slow + 0.03 * fine


def _ossicle(rng: np.random.Generator, beside_mm: np.ndarray, up_mm: np.ndarray) -> np.ndarray:
    radius_mm = rng.uniform(1.2, 2.0)
    away_x = (beside_mm - rng.uniform(6.0, 8.0)) / rng.uniform(0.85, 1.0)
    away_y = (up_mm + rng.uniform(1.5, 5.5)) / rng.uniform(0.95, 1.2)
    angle = np.arctan2(away_y, away_x)
    uneven = 1 + 0.06 * np.sin(2 * angle + radius_mm) + 0.04 * np.sin(3 * angle + 5 * radius_mm)
    return _rounded(radius_mm, np.hypot(away_x, away_y) * uneven, 0.1, 0.18)


def _neighbour_bone(
    rng: np.random.Generator, beside_mm: np.ndarray, up_mm: np.ndarray
) -> np.ndarray:
    radius_mm = rng.uniform(4.0, 6.0)
    centre_mm = rng.uniform(9.6, 10.6) + radius_mm
    away = np.hypot(beside_mm - centre_mm, (up_mm + rng.uniform(-4, 4)) / rng.uniform(1.0, 1.5))
    return _rounded(radius_mm, away, 0.06, 0.11)


def _rounded(radius_mm: float, away_mm: np.ndarray, spongy: float, cortical: float) -> np.ndarray:
    whole = np.sqrt(np.maximum(1 - (away_mm / radius_mm) ** 2, 0))
    core = np.sqrt(np.maximum((1 - 0.3 / radius_mm) ** 2 - (away_mm / radius_mm) ** 2, 0))
    return 1.5 * spongy * core + 2.2 * cortical * (whole - core) * radius_mm / 1.2
