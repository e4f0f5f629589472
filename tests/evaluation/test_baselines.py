"""Separators to compare with: each does what it says and nothing outside the overlap."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from lamella.evaluation.baselines import (
    biharmonic,
    equal_split,
    no_separation,
    opencv_inpainting,
)
from lamella.records import Radiograph

INPAINTINGS = {
    "telea": opencv_inpainting("telea"),
    "navier-stokes": opencv_inpainting("navier-stokes"),
    "biharmonic": biharmonic,
}


@pytest.fixture
def case(closed_cases):
    """The closed joint whose overlap is smallest: inpainting is quick there."""
    known, radiograph = min(closed_cases, key=lambda pair: pair[0].overlap.sum())
    return known, radiograph, dict(known.masks)


def test_no_separation_gives_the_joint_image_for_every_bone(case):
    _, radiograph, masks = case
    images = no_separation(radiograph, masks)
    assert len(images) == 2
    for image in images:
        np.testing.assert_array_equal(image, radiograph.pixels)


def near(mask: np.ndarray) -> np.ndarray:
    """A mask with its soft edge."""
    return ndimage.binary_dilation(mask, iterations=8)


def test_an_equal_split_sums_exactly_to_the_radiograph(case):
    """L = 1 - exp(-(soft + bone)): with soft counted once, both bones give the image again."""
    known, radiograph, masks = case
    upper, lower = (-np.log1p(-image) for image in equal_split(radiograph, masks))
    observed = -np.log1p(-radiograph.pixels)
    far = ~near(masks["upper"] | masks["lower"])
    np.testing.assert_allclose(upper[far], observed[far], atol=1e-5)
    both = masks["upper"] & masks["lower"]
    np.testing.assert_allclose(upper[both], lower[both], atol=1e-5)
    soft = upper[both] + lower[both] - observed[both]
    assert soft.min() >= -1e-5
    assert (soft <= upper[both]).all()
    assert np.abs(soft - known.soft[both]).mean() < 0.1


def test_an_equal_split_leaves_lone_bones_whole(case):
    _, radiograph, masks = case
    alone = masks["upper"] & ~near(masks["lower"])
    image = equal_split(radiograph, masks)[0]
    np.testing.assert_allclose(image[alone], radiograph.pixels[alone], atol=1e-5)


@pytest.mark.parametrize("name", INPAINTINGS)
def test_inpainting_changes_the_overlap_alone(case, name):
    known, radiograph, masks = case
    for image in INPAINTINGS[name](radiograph, masks):
        changed = image != radiograph.pixels
        assert (known.overlap[changed]).all()
        assert changed[known.overlap].mean() > 0.5
        assert 0 <= image.min() <= image.max() <= 1


def discs() -> tuple[Radiograph, dict[str, np.ndarray], np.ndarray]:
    """Two flat bones: alone 0.5, where they overlap 0.8, soft tissue 0.3."""
    rows, cols = np.indices((96, 96))
    masks = {
        "upper": np.hypot(rows - 34, cols - 48) < 24,
        "lower": np.hypot(rows - 66, cols - 48) < 24,
    }
    pixels = np.where(masks["upper"] | masks["lower"], 0.5, 0.3).astype(np.float32)
    overlap = masks["upper"] & masks["lower"]
    pixels[overlap] = 0.8
    return Radiograph(pixels=pixels, pixel_spacing_mm=0.2), masks, overlap


@pytest.mark.parametrize("name", INPAINTINGS)
def test_inpainting_continues_a_bone_from_where_it_is_alone(name):
    """What shines through of the other bone disappears: 0.8 becomes much nearer to 0.5."""
    radiograph, masks, overlap = discs()
    for image in INPAINTINGS[name](radiograph, masks):
        assert 0.3 < image[overlap].mean() < 0.62


@pytest.mark.parametrize("name", INPAINTINGS)
def test_inpainting_treats_both_bones_alike(name):
    """The image upside down, bones exchanged: the same layers upside down."""
    radiograph, masks, overlap = discs()
    turned = replace(radiograph, pixels=radiograph.pixels[::-1].copy())
    swapped = {"upper": masks["lower"][::-1], "lower": masks["upper"][::-1]}
    upper = INPAINTINGS[name](radiograph, masks)[0]
    other = INPAINTINGS[name](turned, swapped)[1][::-1]
    assert np.abs(upper - other)[overlap].mean() < 0.03


def test_an_unknown_inpainting_is_no_method():
    with pytest.raises(KeyError):
        opencv_inpainting("imagination")
