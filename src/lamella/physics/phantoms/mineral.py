"""Attenuation of bone along its chords: cortex, spongiosa, trabecular texture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lamella.physics.phantoms.bone import Chords
from lamella.physics.phantoms.texture import (
    TILE_SIZE_PX,
    TILE_SPACING_MM,
    TrabecularSpec,
    band_noise,
    sample_tile,
    trabecular_tile,
)


@dataclass(frozen=True, kw_only=True)
class MineralSpec:
    """How strongly a bone attenuates.

    Attributes:
        cortical_per_mm: Absorbance of cortical bone per mm of path.
        spongy_per_mm: Mean absorbance of spongiosa per mm of path.
        texture: SD of the trabecular texture against the spongiosa, dimensionless.
        subchondral: Extra density of spongiosa under the articular surface, as a fraction.
        subchondral_mm: Depth over which that density decays, mm.
        marrow: Loss of spongiosa towards the marrow cavity, as a fraction.
        fan_mm: Distance to the point from which trabeculae radiate, mm (inf: parallel).
        net: The trabecular net.
    """

    cortical_per_mm: float
    spongy_per_mm: float
    texture: float
    subchondral: float
    subchondral_mm: float
    marrow: float
    fan_mm: float
    net: TrabecularSpec


MINERAL = {
    "upper": MineralSpec(
        cortical_per_mm=0.15,
        spongy_per_mm=0.029,
        texture=0.31,
        subchondral=1.5,
        subchondral_mm=1.1,
        marrow=0.4,
        fan_mm=40.0,
        net=TrabecularSpec(cell_mm=0.54, elongation=3.5),
    ),
    "lower": MineralSpec(
        cortical_per_mm=0.16,
        spongy_per_mm=0.04,
        texture=0.36,
        subchondral=0.25,
        subchondral_mm=2.5,
        marrow=0.45,
        fan_mm=25.0,
        net=TrabecularSpec(cell_mm=0.63, elongation=1.8),
    ),
}


def bone_absorbance(
    chords: Chords,
    name: str,
    coordinates_mm: tuple[np.ndarray, np.ndarray],
    seed: int,
    texture: float = 1.0,
) -> Float[np.ndarray, "rows cols"]:
    """Absorbance of a bone by Beer-Lambert, unblurred.

    Equation: a = mu_c L_c (1 + n) + mu_s L_s d (1 + t), with chords L (mm), slow variation n,
    subchondral density d and trabecular texture t, both in the bone's own coordinates.

    Args:
        chords: Path lengths, mm.
        name: "upper" or "lower".
        coordinates_mm: (across, along) of every sample in the bone's frame, mm.
        seed: Draws the texture.
        texture: Factor on its strength.
    """
    mineral = MINERAL[name]
    across_mm, along_mm = coordinates_mm
    rng = np.random.default_rng([seed, 41, list(MINERAL).index(name)])
    fanned_mm = across_mm * (1 + np.clip(along_mm, -5, 15) / mineral.fan_mm)
    net = sample_tile(trabecular_tile(mineral.net, rng), fanned_mm, along_mm)
    slow = sample_tile(_slow_tile(rng), across_mm, along_mm)
    depth_mm = np.maximum(along_mm - chords.surface_mm, 0)
    cavity = np.clip((depth_mm - 3) / 6, 0, 1) ** 1.5 * np.exp(-((across_mm / 4.0) ** 2))
    density = 1 + mineral.subchondral * np.exp(-depth_mm / mineral.subchondral_mm)
    density *= 1 - mineral.marrow * cavity
    density += _sclerosis(rng, across_mm, depth_mm)
    strength = mineral.texture * texture * np.clip(1 + 0.2 * slow, 0.3, 2)
    spongy = density * np.maximum(1 + 0.17 * slow + strength * net, 0.05)
    cortical = np.maximum(1 + 0.08 * slow + 0.1 * net, 0)
    return (
        mineral.cortical_per_mm * chords.cortical_mm * cortical
        + mineral.spongy_per_mm * chords.spongy_mm * spongy
    )


def _sclerosis(
    rng: np.random.Generator, across_mm: np.ndarray, depth_mm: np.ndarray
) -> Float[np.ndarray, "rows cols"]:
    """A patch of denser spongiosa below the articular surface, as a fraction."""
    away_x = (across_mm - rng.normal(0, 1.8)) / rng.uniform(1.5, 3.0)
    away_s = (depth_mm - rng.uniform(0.5, 4.0)) / rng.uniform(1.2, 2.5)
    return rng.uniform(0.0, 0.5) * np.exp(-(away_x**2 + away_s**2))


def _slow_tile(rng: np.random.Generator) -> Float[np.ndarray, "tile tile"]:
    return band_noise((TILE_SIZE_PX, TILE_SIZE_PX), TILE_SPACING_MM, (2.5, 1.2), rng)
