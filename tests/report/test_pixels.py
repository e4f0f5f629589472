"""What the page's script is given of one joint."""

import numpy as np

from lamella.records import Layers
from lamella.report.pixels import bone_key, payload


def test_identical_pictures_are_stored_once(layers: Layers) -> None:
    image = layers.radiograph.pixels
    given = payload(layers, {"input": image, "soft": layers.soft_image(), "again": image})
    assert set(given["images"]) == {"input", "soft"}
    assert given["same"] == {"again": "input"}


def test_every_bone_has_an_outline_and_a_share(layers: Layers) -> None:
    given = payload(layers, {"input": layers.radiograph.pixels})
    keys = {bone_key(name) for name in layers.bone_absorbance}
    assert set(given["shares"]) == set(given["outlines"]) == set(given["seams"]) == keys
    assert all(path.startswith("M") for path in given["outlines"].values())


def test_read_out_starts_inside_the_overlap(layers: Layers) -> None:
    row, col = payload(layers, {})["start"]
    assert layers.masks.overlap[row, col]


def test_ruler_measures_pixels_when_the_spacing_is_unknown(layers: Layers) -> None:
    assert payload(layers, {})["ruler"] == {"per_pixel": 0.1, "unit": "mm"}
    object.__setattr__(layers.radiograph, "pixel_spacing_mm", None)
    assert payload(layers, {})["ruler"] == {"per_pixel": 1.0, "unit": "px"}


def test_page_knows_the_source_size(layers: Layers) -> None:
    assert payload(layers, {})["source"] == layers.radiograph.shape
    assert np.all(np.asarray(payload(layers, {})["size"]) <= 768)
