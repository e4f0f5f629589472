"""What the page stores reads back as what was put in."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image as PillowImage

from lamella.report import images


def decoded(uri: str) -> np.ndarray:
    head, data = uri.split(",", 1)
    assert head == "data:image/png;base64"
    with PillowImage.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.mode == "L"
        return np.asarray(picture)


def luminance(colours: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB bytes, the usual formula."""
    curved = colours / 255.0
    linear = np.where(curved > 0.04045, ((curved + 0.055) / 1.055) ** 2.4, curved / 12.92)
    relative = linear @ np.array([0.2126, 0.7152, 0.0722])
    low = relative * 903.3
    return np.where(relative > 0.008856, 116 * np.cbrt(relative) - 16, low)


def test_grey_values_survive_the_png() -> None:
    values = np.random.default_rng(0).random((40, 64)).astype(np.float32)
    read = decoded(images.png_data_uri(images.codes(values))) / 255.0
    assert np.abs(read - values).max() <= 0.5 / 255 + 1e-6


def test_codes_scale_with_the_largest_value_and_survive_none() -> None:
    values = np.array([[0.0, 0.1, 0.2]], np.float32)
    assert images.codes(values, 0.2).tolist() == [[0, 128, 255]]
    assert images.codes(np.zeros((2, 2), np.float32), 0.0).max() == 0


def test_signed_codes_put_zero_on_128_and_are_odd() -> None:
    values = np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]], np.float32)
    assert images.signed_codes(values, 2.0).tolist() == [[1, 64, 128, 192, 255]]


def test_diverging_map_is_symmetric_in_lightness_and_neutral_at_zero() -> None:
    colours = images.diverging_map().astype(float)
    light = luminance(colours)
    steps = np.arange(1, 128)
    assert np.ptp(colours[128]) <= 2
    assert np.abs(light[128 + steps] - light[128 - steps]).max() < 9
    assert (np.diff(light[128:]) > -0.2).all()
    assert light[128] == light[1:].min()


def test_diverging_map_has_opposite_hues_at_its_ends() -> None:
    colours = images.diverging_map().astype(int)
    assert colours[1][1] > colours[1][0]
    assert colours[255][0] > colours[255][1]
    assert colours[255][2] > colours[255][1]


def test_sequential_map_brightens_all_the_way() -> None:
    assert (np.diff(luminance(images.sequential_map().astype(float))) > -0.2).all()


def test_flat_hex_holds_every_colour() -> None:
    colours = images.sequential_map()
    digits = images.flat_hex(colours)
    assert bytes.fromhex(digits) == colours.tobytes()


def test_gradient_runs_from_the_first_to_the_last_colour() -> None:
    colours = images.diverging_map()
    named = re.findall(r"#([0-9a-f]{6})", images.css_gradient(colours))
    assert bytes.fromhex(named[0]) == colours[0].tobytes()
    assert bytes.fromhex(named[-1]) == colours[255].tobytes()


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((256, 256), (256, 256)), ((1536, 512), (768, 256)), ((700, 900), (597, 768))],
)
def test_page_size_keeps_the_aspect(shape: tuple[int, int], shown: tuple[int, int]) -> None:
    assert images.page_size(shape) == shown
    assert images.reduced(np.zeros(shape, np.float32)).shape == shown


def test_reduction_averages_areas() -> None:
    values = np.random.default_rng(1).random((1536, 1536)).astype(np.float32)
    expected = values.reshape(768, 2, 768, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(images.reduced(values), expected, atol=1e-6)


def _points(path: str) -> np.ndarray:
    return np.array(re.findall(r"[ML]([-\d.e]+) ([-\d.e]+)", path), dtype=float)


def test_outline_of_a_disc_lies_on_its_circle() -> None:
    row, col = np.mgrid[:80, :80] + 0.5
    path = images.outline_path((row - 40) ** 2 + (col - 30) ** 2 < 20**2)
    radius = np.hypot(*(_points(path) - [30, 40]).T)
    assert path.count("M") == 1
    assert path.endswith("Z")
    assert np.abs(radius - 20).max() < 1


def test_outline_has_one_loop_per_border() -> None:
    mask = np.zeros((60, 60), bool)
    mask[10:50, 10:50] = True
    mask[25:35, 25:35] = False
    mask[2:5, 2:5] = True
    assert images.outline_path(mask).count("M") == 3


def test_outline_leaves_the_image_where_the_mask_does() -> None:
    mask = np.zeros((40, 40), bool)
    mask[:20, 10:30] = True
    assert _points(images.outline_path(mask))[:, 1].min() < -2


def test_outline_survives_pixels_that_touch_at_a_corner_and_an_empty_mask() -> None:
    mask = np.zeros((40, 40), bool)
    mask[10:15, 10:15] = mask[15:20, 15:20] = True
    assert images.outline_path(mask).count("Z") >= 1
    assert images.outline_path(np.zeros((40, 40), bool)) == ""


def test_thumbnail_is_small() -> None:
    assert max(decoded(images.thumbnail(np.random.default_rng(2).random((256, 200)))).shape) == 72
