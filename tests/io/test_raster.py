"""Rasters: every accepted kind comes out as written, every refusal says why."""

import io
import tracemalloc

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from lamella.io.raster import FULL_SCALES, appearance_warnings, grey_of
from lamella.io.read import read
from lamella.records import IntensityScale, LamellaError, SpacingSource


@pytest.fixture
def grey8(finger_image):
    return np.rint(finger_image * 255).astype(np.uint8)


@pytest.fixture
def grey16(finger_image):
    return np.rint(finger_image * 65535).astype(np.uint16)


def saved(path, array, **options):
    PillowImage.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif"])
def test_8_bit_grey_is_read_exactly(tmp_path, grey8, name):
    radiograph = read(saved(tmp_path / name, grey8))
    np.testing.assert_array_equal(radiograph.pixels, np.float32(grey8 / 255.0))
    assert radiograph.grey_level == 1 / 255
    assert radiograph.source == name
    assert radiograph.intensity_scale is IntensityScale.DISPLAY
    assert radiograph.warnings == ()


def test_jpeg_is_read_within_its_ripple(tmp_path, grey8):
    radiograph = read(saved(tmp_path / "a.jpg", grey8, quality=95))
    assert np.abs(radiograph.pixels - grey8 / 255.0).max() < 0.02


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey_is_read_exactly(tmp_path, grey16, name):
    radiograph = read(saved(tmp_path / name, grey16))
    np.testing.assert_array_equal(radiograph.pixels, np.float32(grey16 / 65535.0))
    assert radiograph.grey_level == 1 / 65535


@pytest.mark.parametrize("full", FULL_SCALES[:-1])
def test_16_bit_files_of_fewer_bits_use_the_smallest_full_scale(tmp_path, finger_image, full):
    stored = np.rint(finger_image / finger_image.max() * full).astype(np.uint16)
    radiograph = read(saved(tmp_path / "a.png", stored))
    np.testing.assert_array_equal(radiograph.pixels, np.float32(stored / full))
    assert radiograph.grey_level == 1 / full
    assert any(f"reach {full} of 65535" in warning for warning in radiograph.warnings)


def test_stated_significant_bits_keep_the_full_range(tmp_path, grey16, make_png, make_chunk):
    dark = grey16 // 16
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in dark)
    header = (dark.shape[1], dark.shape[0], 16, 0)
    path = tmp_path / "a.png"
    path.write_bytes(make_png(header, raw, make_chunk(b"sBIT", b"\x0c")))
    radiograph = read(path)
    np.testing.assert_array_equal(radiograph.pixels, np.float32(dark / 65535.0))
    assert radiograph.grey_level == 1 / 4095


def test_float_tiff_in_0_to_1_is_accepted_as_is(tmp_path, finger_image):
    tifffile.imwrite(tmp_path / "a.tif", finger_image.astype(np.float32))
    radiograph = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(radiograph.pixels, finger_image.astype(np.float32))


def test_float_tiff_outside_0_to_1_is_refused_with_a_remedy(tmp_path, finger_image):
    tifffile.imwrite(tmp_path / "a.tif", (finger_image * 255).astype(np.float32))
    with pytest.raises(LamellaError, match=r"a\.tif: expected floating-point .*rescale"):
        read(tmp_path / "a.tif")


def test_nan_tiff_is_refused(tmp_path, finger_image):
    pixels = finger_image.astype(np.float32)
    pixels[3, 4] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    with pytest.raises(LamellaError, match="NaN"):
        read(tmp_path / "a.tif")


def test_white_is_zero_tiff_is_inverted_once(tmp_path, grey8, grey16):
    for stored, full in ((grey8, 255.0), (grey16, 65535.0)):
        tifffile.imwrite(tmp_path / "a.tif", stored, photometric="miniswhite")
        pixels = read(tmp_path / "a.tif").pixels
        np.testing.assert_allclose(pixels, 1.0 - stored / full, atol=1e-6)


def test_rgb_grey_of_8_and_16_bits_is_read_exactly(tmp_path, grey8, grey16, make_png):
    colour = saved(tmp_path / "a.png", np.stack([grey8] * 3, -1))
    np.testing.assert_array_equal(read(colour).pixels, np.float32(grey8 / 255.0))
    tifffile.imwrite(tmp_path / "a.tif", np.stack([grey16] * 3, -1), photometric="rgb")
    np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, np.float32(grey16 / 65535.0))
    raw = b"".join(b"\0" + row.tobytes() for row in np.stack([grey16] * 3, -1).astype(">u2"))
    path = tmp_path / "deep.png"
    path.write_bytes(make_png((grey16.shape[1], grey16.shape[0], 16, 2), raw))
    deep = read(path)
    np.testing.assert_array_equal(deep.pixels, np.float32(grey16 / 65535.0))
    assert deep.grey_level == 1 / 65535


def test_grey_palette_and_opaque_alpha_are_accepted(tmp_path, grey8):
    picture = PillowImage.fromarray(grey8)
    picture.quantize(256).save(tmp_path / "palette.png")
    opaque = np.dstack([grey8, grey8, grey8, np.full_like(grey8, 255)])
    saved(tmp_path / "alpha.png", opaque)
    assert np.abs(read(tmp_path / "palette.png").pixels - grey8 / 255.0).max() < 0.02
    np.testing.assert_array_equal(read(tmp_path / "alpha.png").pixels, np.float32(grey8 / 255.0))


def test_transparent_pixels_are_refused(tmp_path, grey8):
    see_through = np.dstack([grey8, grey8, grey8, grey8])
    with pytest.raises(LamellaError, match="transparent pixels: flatten"):
        read(saved(tmp_path / "a.png", see_through))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif"])
def test_a_colour_photograph_is_refused(tmp_path, grey8, name):
    colour = np.stack([grey8, np.roll(grey8, 9, axis=1), grey8[::-1]], -1)
    with pytest.raises(LamellaError, match="colour photograph"):
        read(saved(tmp_path / name, colour))


def test_an_arrow_drawn_in_colour_is_a_warning(tmp_path, grey8):
    colour = np.stack([grey8] * 3, -1)
    colour[5:8, 5:8] = (255, 0, 0)
    assert any(
        "coloured marks" in warning for warning in read(saved(tmp_path / "a.png", colour)).warnings
    )


def test_grey_of_equal_channels_is_that_channel():
    channel = np.arange(12, dtype=np.uint16).reshape(3, 4)
    grey, warnings = grey_of(np.stack([channel] * 3, -1))
    np.testing.assert_array_equal(grey, channel)
    assert warnings == ()


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path, name, kept):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8)
    path = saved(tmp_path / name, noise)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(LamellaError, match=r"truncated|cut file"):
        read(path)


def test_a_damaged_png_is_refused(tmp_path, grey8):
    path = saved(tmp_path / "a.png", grey8)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(LamellaError, match="truncated or damaged"):
        read(path)


@pytest.mark.parametrize("size", [(100_000, 100_000), (20_000, 10_000), (2_000_000_000, 3)])
def test_a_png_header_that_claims_gigabytes_allocates_nothing(tmp_path, make_png, size):
    path = tmp_path / "a.png"
    path.write_bytes(make_png((*size, 8, 0), b"\0" * 100))
    tracemalloc.start()
    with pytest.raises(LamellaError, match="header claims"):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_several_pages_are_refused(tmp_path, grey8, grey16):
    for page in (grey8, grey16):
        tifffile.imwrite(tmp_path / "a.tif", np.stack([page] * 3), photometric="minisblack")
        with pytest.raises(LamellaError, match="several pages: save one page"):
            read(tmp_path / "a.tif")


def test_a_constant_image_is_refused(tmp_path):
    with pytest.raises(LamellaError, match=r"a\.png: the image is constant"):
        read(saved(tmp_path / "a.png", np.full((40, 40), 77, np.uint8)))


def test_32_bit_values_above_16_bits_are_refused(tmp_path, grey16):
    tifffile.imwrite(tmp_path / "a.tif", grey16.astype(np.uint32) * 4)
    with pytest.raises(LamellaError, match=r"expected values in 0\.\.65535"):
        read(tmp_path / "a.tif")


def test_resolution_tags_are_no_spacing_and_a_given_spacing_is(tmp_path, grey8):
    path = saved(tmp_path / "a.png", grey8, dpi=(300, 300))
    unknown, given = read(path), read(path, pixel_spacing_mm=0.1)
    assert (unknown.pixel_spacing_mm, unknown.spacing_source) == (None, SpacingSource.UNKNOWN)
    assert (given.pixel_spacing_mm, given.spacing_source) == (0.1, SpacingSource.GIVEN)


def test_an_orientation_tag_is_a_warning(tmp_path, grey8):
    exif = PillowImage.Exif()
    exif[274] = 6
    radiograph = read(saved(tmp_path / "a.jpg", grey8, exif=exif))
    assert radiograph.shape == grey8.shape
    assert any("orientation tag" in warning for warning in radiograph.warnings)


def test_a_bright_border_is_a_warning_and_a_dark_one_is_not(finger_image):
    pixels = finger_image.astype(np.float32)
    assert appearance_warnings(pixels, 1 / 255) == ()
    (warning,) = appearance_warnings(1.0 - pixels, 1 / 255)
    assert "invert the image (1 - pixels)" in warning


def test_saturation_above_one_percent_is_a_warning(finger_image):
    pixels = finger_image.astype(np.float32)
    pixels[20:30, 20:26] = 1.0
    (warning,) = appearance_warnings(pixels, 1 / 255)
    assert warning.startswith("2.0% of the pixels are saturated")


def test_two_levels_are_a_warning(tmp_path, finger_image):
    picture = PillowImage.fromarray(finger_image > 0.5)
    picture.save(tmp_path / "a.png")
    radiograph = read(tmp_path / "a.png")
    assert set(np.unique(radiograph.pixels)) == {0.0, 1.0}
    assert any("may be a mask" in warning for warning in radiograph.warnings)


def test_real_joint_crops_have_no_bright_border(lamella_data):
    paths = sorted((lamella_data / "mcp" / "images").glob("*/*.jpg"))[::40]
    assert len(paths) > 20
    flagged = [path for path in paths if any("border" in text for text in read(path).warnings)]
    inverted = [appearance_warnings(1.0 - read(path).pixels, 1 / 255) for path in paths]
    assert flagged == []
    assert all(any("border" in text for text in warnings) for warnings in inverted)


def test_a_16_bit_file_with_transparency_is_read_at_8_bits_with_a_warning(
    tmp_path, grey16, make_png
):
    pairs = np.stack([grey16, np.full_like(grey16, 65535)], -1).astype(">u2")
    path = tmp_path / "a.png"
    raw = b"".join(b"\0" + row.tobytes() for row in pairs)
    path.write_bytes(make_png((grey16.shape[1], grey16.shape[0], 16, 4), raw))
    radiograph = read(path)
    assert radiograph.grey_level == 1 / 255
    assert any("read at 8 bits" in warning for warning in radiograph.warnings)
    assert np.abs(radiograph.pixels - grey16 / 65535.0).max() < 1 / 200


def test_a_raster_needs_no_file_extension(tmp_path, grey8):
    buffer = io.BytesIO()
    PillowImage.fromarray(grey8).save(buffer, format="PNG")
    (tmp_path / "image").write_bytes(buffer.getvalue())
    assert read(tmp_path / "image").shape == grey8.shape


def test_libraries_print_nothing_about_a_damaged_tiff(tmp_path, grey8, capfd):
    PillowImage.fromarray(grey8).save(tmp_path / "a.tif", compression="tiff_lzw")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        at = tiff.pages[0].dataoffsets[0] + 20
    data[at : at + 40] = b"\xff" * 40
    (tmp_path / "a.tif").write_bytes(bytes(data))
    with pytest.raises(LamellaError, match="truncated or damaged"):
        read(tmp_path / "a.tif")
    assert capfd.readouterr() == ("", "")
