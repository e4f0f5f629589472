"""How well the voxel grid alone lets a mean height be known.

A label says whether a voxel's centre is inside. Along the grid axis nearest to an endplate's
normal the endplate is known to a voxel h; its error is a sawtooth of the place z/h with the
Fourier series sum_k (-1)^k sin(2 pi k z/h) h / (pi k). Averaged over the columns of a zone and
over an unknown shift of the grid its variance is

    var = h_n^2 sum_k |<exp(2 pi i k z_j / h)>|^2 / (2 pi^2 k^2)  +  h_n^2 / (12 N),

h_n = h times the normal's share along that axis: h^2/12 for a flat endplate along the grid,
nearly nothing for one that crosses several layers. <> is the zone's weighted mean over the
quadratic fitted to the endplate; the second term, over the N voxels of the zone, is what stays
when the phases are mixed. Both endplates add. The error of the segmentation itself is not in
it.
"""

from __future__ import annotations

import numpy as np

from lamella.physics.vertebra_zones import zone_weights
from lamella.prepare.spine.centroids import indexed
from lamella.prepare.spine.endplates import Section, quadratic, quadratic_terms, within
from lamella.records.spine import spacing_of
from lamella.records.vertebra import ZONES, HeightMap, Zones
from lamella.types import Affine, Image

HARMONICS = 6


def heights_sd(surface: HeightMap, sides: Section, affine: Affine) -> Zones:
    """Standard deviation of each zone's mean height from the voxel size.

    Args:
        surface: both endplates.
        sides: the middle section.
        affine: of the label grid.

    Returns:
        One figure per zone and for the whole, mm.
    """
    weights = zone_weights(
        surface.posterior_mm,
        surface.left_mm,
        surface.heights_mm,
        sides.depth_range_mm,
        sides.width_range_mm,
    )
    box, _ = within(surface, sides)
    plates = (box.upper_mm, box.lower_mm)
    found = [
        float(np.sqrt(sum(_variance(box, plate, weight, affine) for plate in plates)))
        for weight in (*weights, weights.sum(axis=0))
    ]
    return Zones(**dict(zip((*ZONES, "whole"), found, strict=True)))


def _variance(surface: HeightMap, plate_mm: Image, weight: np.ndarray, affine: Affine) -> float:
    """Variance of one endplate's mean place over the columns of a zone, mm^2."""
    total = float(weight.sum())
    if total <= 0.0:
        return float("nan")
    factors = quadratic(surface.posterior_mm, surface.left_mm, plate_mm)
    smooth = quadratic_terms(surface.posterior_mm, surface.left_mm) @ factors
    back, left = np.meshgrid(surface.posterior_mm, surface.left_mm, indexing="ij")
    normal = _normal(surface, weight, smooth)
    spacing = np.array(spacing_of(affine))
    shares = np.abs((affine[:3, :3] / spacing).T @ normal)
    axis = int(shares.argmax())
    world = surface.frame.to_world(np.stack([back, left, smooth], axis=-1))
    place = indexed(affine, world)[..., axis]
    layer = spacing[axis] * shares[axis]
    area = total * abs(float(np.prod([_gap(surface.posterior_mm), _gap(surface.left_mm)])))
    count = max(area * spacing[axis] * shares[axis] / float(np.prod(spacing)), 1.0)
    orders = np.arange(1, HARMONICS + 1)
    waves = np.exp(2j * np.pi * orders[:, None, None] * place)
    means = np.abs((waves * weight).sum(axis=(1, 2)) / total) ** 2
    return float(layer**2 * ((means / (2 * np.pi**2 * orders**2)).sum() + 1 / (12 * count)))


def _normal(surface: HeightMap, weight: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    slope_back, slope_left = np.gradient(smooth, _gap(surface.posterior_mm), _gap(surface.left_mm))
    frame = surface.frame
    mean_back = float((slope_back * weight).sum() / weight.sum())
    mean_left = float((slope_left * weight).sum() / weight.sum())
    normal = frame.cranial - mean_back * frame.posterior - mean_left * frame.left
    return np.asarray(normal / np.linalg.norm(normal))


def _gap(places: np.ndarray) -> float:
    return float(places[1] - places[0])
