"""Rows of the comparisons: the soft tissue's k, Eq. 1 after painting, and the exact row."""

import numpy as np
import pytest
from scipy import ndimage

from lamella.evaluation.baselines import equal_split, no_separation
from lamella.evaluation.rows import (
    equally_split,
    painted,
    shipped,
    soft_transmittance,
    standing_rows,
)
from lamella.physics.formation import SMALLEST_K
from lamella.records import Radiograph

SOFT = 0.3
"""Intensity of the soft tissue: 0.7 of the light passes."""


def discs(
    soft: float = SOFT, bone: float = 0.4, apart_px: int = 32, slope: float = 0.0
) -> tuple[Radiograph, dict[str, np.ndarray], np.ndarray]:
    """Two flat bones of radius 26 on soft tissue that is flat or thickens downwards.

    Returns:
        radiograph, masks, transmittance of the soft tissue (row, col).
    """
    rows, cols = np.indices((128, 128))
    masks = {
        name: np.hypot(rows - 64 - side * apart_px / 2, cols - 64) < 26
        for name, side in (("upper", -1), ("lower", 1))
    }
    absorbance = -np.log1p(-soft) + slope * rows / 127
    total = absorbance + bone * (masks["upper"].astype(float) + masks["lower"])
    pixels = (1 - np.exp(-total)).astype(np.float32)
    radiograph = Radiograph(pixels=pixels, pixel_spacing_mm=0.1, grey_level=1e-6)
    return radiograph, masks, np.exp(-absorbance)


def test_k_is_the_transmittance_of_the_soft_tissue():
    radiograph, masks, _ = discs()
    assert soft_transmittance(radiograph, masks) == pytest.approx(1 - SOFT, abs=0.02)


@pytest.mark.parametrize("apart_px", [32, 60])
def test_k_is_measured_in_the_overlap_or_where_there_is_none_in_the_bones(apart_px):
    """Soft tissue that thickens from top to bottom: its mean over the pixels that count."""
    radiograph, masks, transmitted = discs(apart_px=apart_px, slope=0.5)
    upper, lower = masks.values()
    counts = upper & lower if apart_px == 32 else upper | lower
    assert counts.any()
    expected = transmitted[counts].mean()
    assert soft_transmittance(radiograph, masks) == pytest.approx(expected, abs=0.02)


def test_k_stays_large_enough_to_divide_by():
    radiograph, masks, _ = discs(soft=0.99, bone=0.005)
    assert soft_transmittance(radiograph, masks) == SMALLEST_K


def test_painted_layers_are_composed_by_equation_1_inside_the_bones_alone():
    radiograph, masks, _ = discs()
    rng = np.random.default_rng(0)
    layers = [rng.uniform(0.3, 0.9, (128, 128)).astype(np.float32) for _ in masks]
    row = painted(lambda *_: layers)(radiograph, masks)
    k = soft_transmittance(radiograph, masks)
    upper, lower = masks.values()
    product = np.ones((128, 128))
    for layer, mask in zip(layers, (upper, lower), strict=True):
        product *= 1 - (1 - (1 - layer) / k) * mask
    expected = np.where(upper | lower, np.clip(1 - k * product, 0, 1), radiograph.pixels)
    np.testing.assert_allclose(row.recomposed, expected, atol=1e-5)
    only = upper & ~lower
    np.testing.assert_allclose(row.recomposed[only], layers[0][only], atol=1e-5)
    for found, given in zip(row.layers, layers, strict=True):
        np.testing.assert_array_equal(found, given)
    assert row.recomposed.dtype == np.float32


def test_on_flat_soft_tissue_an_equal_split_obeys_equation_1():
    """Its layers superpose exactly; a scalar k says the same where soft tissue is even."""
    radiograph, masks, _ = discs()
    row = painted(equal_split)(radiograph, masks)
    core = ndimage.binary_erosion(masks["upper"] & masks["lower"], iterations=3)
    assert core.sum() > 300
    assert np.abs(row.recomposed - radiograph.pixels)[core].max() < 0.02


def test_without_separation_the_overlap_is_counted_twice():
    """``R = 1 - (1 - J)^2 / k`` there: darker would be wrong, brighter it is."""
    radiograph, masks, _ = discs()
    row = painted(no_separation)(radiograph, masks)
    both, k = masks["upper"] & masks["lower"], soft_transmittance(radiograph, masks)
    expected = 1 - (1 - radiograph.pixels[both]) ** 2 / k
    np.testing.assert_allclose(row.recomposed[both], expected, atol=1e-5)
    assert (row.recomposed[both] > radiograph.pixels[both] + 0.05).all()


def test_the_exact_row_recomposes_every_pixel(closed_cases):
    known, radiograph = closed_cases[0]
    row = shipped("exact")(radiograph, known.masks)
    assert np.abs(row.recomposed - radiograph.pixels).max() <= 1e-6
    alone = known.masks["upper"] & ~ndimage.binary_dilation(known.masks["lower"], iterations=8)
    np.testing.assert_allclose(row.layers[0][alone], radiograph.pixels[alone], atol=1e-6)
    turned = shipped("exact")(radiograph, dict(reversed(known.masks.items())))
    np.testing.assert_allclose(turned.layers[0], row.layers[1], atol=1e-6)


def test_the_equal_split_recomposes_exactly_and_halves_the_bone(closed_cases):
    known, radiograph = closed_cases[0]
    row = equally_split(radiograph, known.masks)
    assert np.abs(row.recomposed - radiograph.pixels).max() <= 1e-6
    core = ndimage.binary_erosion(known.overlap, iterations=2)
    np.testing.assert_allclose(row.layers[0][core], row.layers[1][core], atol=1e-6)


def test_every_standing_row_gives_both_layers_and_a_joint(closed_cases):
    known, radiograph = min(closed_cases, key=lambda case: case[0].overlap.sum())
    rows = standing_rows()
    assert next(iter(rows)) == "no separation"
    assert list(rows)[-1] == "Lamella"
    outside = ~np.any(list(known.masks.values()), axis=0)
    errors = {}
    for name, separator in rows.items():
        row = separator(radiograph, known.masks)
        assert len(row.layers) == 2
        assert 0 <= row.recomposed.min() <= row.recomposed.max() <= 1
        assert np.abs(row.recomposed - radiograph.pixels)[outside].max() <= 1e-6
        errors[name] = np.square(row.recomposed - radiograph.pixels)[known.overlap].mean()
    assert max(errors, key=errors.__getitem__) == "no separation"
    assert {name for name, error in errors.items() if error < 1e-12} == {"equal split", "Lamella"}
