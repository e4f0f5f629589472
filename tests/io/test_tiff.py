"""Deep TIFF: compressions, byte orders, opacity, and headers that lie."""

import struct

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from lamella.io.raster import decode_raster
from lamella.io.tiff import deep_tiff_samples, is_tiff
from lamella.records import LamellaError


@pytest.fixture
def grey16(finger_image):
    return np.rint(finger_image * 65535).astype(np.uint16)


@pytest.mark.parametrize(
    "options",
    [{}, {"byteorder": ">"}, {"compression": "zlib"}, {"bigtiff": True}, {"rowsperstrip": 5}],
)
def test_16_bit_samples_come_out_as_written(tmp_path, grey16, options):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey16, **options)
    assert is_tiff(path.read_bytes())
    deep = deep_tiff_samples(path.read_bytes())
    assert deep is not None
    assert deep.alpha is None
    np.testing.assert_array_equal(deep.values, grey16)


def test_8_bits_and_palettes_are_left_to_pillow(tmp_path, grey16):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, (grey16 >> 8).astype(np.uint8))
    assert deep_tiff_samples(path.read_bytes()) is None


def test_lzw_16_bit_grey_is_read_through_pillow(tmp_path, grey16):
    path = tmp_path / "a.tif"
    PillowImage.fromarray(grey16).save(path, compression="tiff_lzw")
    np.testing.assert_array_equal(decode_raster(path.read_bytes()).values, grey16)


def test_separate_planes_and_opacity(tmp_path, grey16):
    path = tmp_path / "a.tif"
    opaque = np.full_like(grey16, 65535)
    tifffile.imwrite(
        path,
        np.stack([grey16, grey16, grey16, opaque]),
        photometric="rgb",
        planarconfig="separate",
        extrasamples=["unassalpha"],
    )
    deep = deep_tiff_samples(path.read_bytes())
    assert deep is not None
    assert deep.values.shape == (*grey16.shape, 3)
    np.testing.assert_array_equal(deep.alpha, opaque)
    np.testing.assert_array_equal(deep.values[..., 1], grey16)


def test_complex_values_are_refused(tmp_path, grey16):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey16.astype(np.complex64))
    with pytest.raises(LamellaError, match="integer or real values"):
        deep_tiff_samples(path.read_bytes())


def test_a_truncated_strip_is_refused(tmp_path, grey16):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey16)
    with pytest.raises(LamellaError, match="truncated"):
        deep_tiff_samples(path.read_bytes()[:-100])


def test_a_header_that_claims_gigabytes_is_refused(tmp_path, grey16):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey16)
    data = bytearray(path.read_bytes())
    width = struct.pack("<HHII", 256, 4, 1, grey16.shape[1])
    width_alternative = struct.pack("<HHIHH", 256, 3, 1, grey16.shape[1], 0)
    at = max(data.find(width), data.find(width_alternative))
    assert at > 0
    data[at : at + 12] = struct.pack("<HHII", 256, 4, 1, 2_000_000_000)
    with pytest.raises(LamellaError, match="header claims"):
        deep_tiff_samples(bytes(data))
