"""Layers made fit for moving: soft edges shared without a bias, and the grain under the bones."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lamella.physics.formation import absorbance
from lamella.physics.grain import grain_beside, grain_like, visible_tissue
from lamella.prepare.masks import by_height
from lamella.records import Layers
from lamella.types import Absorbance, BoneStack, Image

INNER_FROM = 0.5
EDGE_STRENGTH = 1.3
EDGE_MEAN_MM = 0.25
EDGE_CLIP_SD = 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Movable:
    """Parts that add up to the radiograph's absorbance.

    Args:
        observed: absorbance of the radiograph, (row, col).
        soft: of the soft tissue, smooth under the bones, (row, col).
        bones: of each bone, top one first, (bone, row, col); on soft edges also below 0, for the
            grain there is of either sign.
        grain: h of :mod:`lamella.tasks.synthesis`, (row, col).
    """

    observed: Absorbance
    soft: Absorbance
    bones: BoneStack
    grain: Image


def movable(layers: Layers, mattes: BoneStack, spacing_mm: float, seed: int) -> Movable:
    """Share the soft edges anew and draw the grain that the bones hide.

    Args:
        layers: as a separator gives them.
        mattes: of each bone, top one first, (bone, row, col).
        spacing_mm: mm per pixel.
        seed: of the grain.
    """
    radiograph = layers.radiograph
    observed = np.asarray(absorbance(radiograph.pixels, radiograph.grey_level), np.float32)
    covered = mattes.max(axis=0)
    smooth = _across_edges(layers.soft_absorbance, covered, EDGE_MEAN_MM / spacing_mm)
    bones = np.stack([layers.bone_absorbance[name] for name in by_height(layers.masks)])
    edge = (covered > 0) & (covered < 1)
    rest = np.where(edge, observed - smooth, 0.0)
    parts = mattes / np.maximum(mattes.sum(axis=0), 1e-6)
    bones = np.where(edge, parts * covered * rest, bones).astype(np.float32)
    soft = np.where(edge, observed - covered * rest, layers.soft_absorbance).astype(np.float32)

    visible = visible_tissue(observed, covered > 0, spacing_mm)
    real = grain_beside(observed, visible, spacing_mm)
    drawn = grain_like(real, visible, spacing_mm, seed)
    bound = EDGE_CLIP_SD * float(real[visible].std()) if visible.any() else 0.0
    grain = np.where(covered > 0, drawn, real)
    grain[edge] = _edge_grain(rest[edge], drawn[edge], covered[edge], bound)
    return Movable(observed=observed, soft=soft, bones=bones, grain=grain.astype(np.float32))


def _edge_grain(
    rest: np.ndarray, drawn: np.ndarray, covered: np.ndarray, bound: float
) -> np.ndarray:
    """Grain h on soft edges, bounded: the tissue's own on the outer part, drawn on the inner part.

    A bone that leaves shows ``a_smooth + (1 - m) r + m h``, one that arrives takes h away. Drawn
    grain is a little stronger there because powers add, and what of r exceeds any grain is bone
    and goes with it.
    """
    told = np.clip(rest, -bound, bound)
    excess = np.clip((told - rest) * (1.0 - covered) / covered, -bound, bound)
    inner = np.clip(covered / INNER_FROM, 0.0, 1.0)
    return np.asarray(inner * (EDGE_STRENGTH * drawn + excess) + (1.0 - inner) * told)


def _across_edges(soft: Absorbance, covered: Absorbance, sigma_px: float) -> Absorbance:
    """Soft tissue on the bones' soft edges from both sides of them: a normalised mean."""
    sure = ((covered <= 0) | (covered >= 1)).astype(np.float32)
    weight = ndimage.gaussian_filter(sure, sigma_px)
    total = ndimage.gaussian_filter(soft * sure, sigma_px)
    return np.asarray(total / np.maximum(weight, 1e-6), np.float32)
