"""Lossless formats are read back identical; nothing is left half written or overwritten."""

import hashlib
import json
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as PillowImage

from lamella.io import read, read_mask, write
from lamella.records import LamellaError

PROPERTY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


@PROPERTY
@given(hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, min_side=32, max_side=40)))
def test_16_bit_png_written_then_read_is_identity(tmp_path, stored):
    """Dark images too: the stated 16 significant bits keep their scale."""
    path = tmp_path / "a.png"
    image = stored / 65535.0
    write.write_png16(path, image)
    np.testing.assert_array_equal(np.asarray(PillowImage.open(path)), stored)
    if stored.min() < stored.max():
        radiograph = read(path)
        np.testing.assert_array_equal(radiograph.pixels, image.astype(np.float32))
        assert radiograph.grey_level == 1 / 65535


@PROPERTY
@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=3, max_side=6), elements=FLOATS)
)
def test_float_tiff_written_then_read_is_identity(tmp_path, values):
    write.write_tiff_float(tmp_path / "a.tif", values)
    found = write.read_tiff_float(tmp_path / "a.tif")
    assert found.dtype == np.float32
    assert found.shape == values.shape
    np.testing.assert_array_equal(found, values)


@PROPERTY
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_mask_png_written_then_read_is_identity(tmp_path, mask):
    write.write_mask_png(tmp_path / "a.png", mask)
    if mask.any():
        np.testing.assert_array_equal(read_mask(tmp_path / "a.png", mask.shape), mask)
    else:
        with pytest.raises(LamellaError, match="empty"):
            read_mask(tmp_path / "a.png")


def test_a_float_tiff_of_intensity_is_a_radiograph(tmp_path, finger_image):
    write.write_tiff_float(tmp_path / "a.tif", finger_image)
    np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, finger_image.astype(np.float32))


def test_a_description_travels_with_the_first_page(tmp_path, finger_image):
    write.write_tiff_float(tmp_path / "a.tif", [finger_image] * 2, description="absorbance σ")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.pages[0].description == "absorbance σ"
        assert len(tiff.pages) == 2


@pytest.mark.parametrize(
    ("image", "match"),
    [
        (np.full((40, 40), 1.2), r"a\.png: expected intensity in \[0, 1\]"),
        (np.full((40, 40), np.nan), "NaN"),
        (np.zeros((2, 40, 40)), r"expected one image \(row, col\)"),
        (np.zeros((0, 40)), r"expected one image \(row, col\)"),
    ],
)
def test_what_is_no_intensity_is_not_written(tmp_path, image, match):
    with pytest.raises(LamellaError, match=match):
        write.write_png16(tmp_path / "a.png", image)
    assert list(tmp_path.iterdir()) == []


def test_a_stack_of_wrong_dimensions_is_not_written(tmp_path):
    with pytest.raises(LamellaError, match=r"a\.tif: expected \(row, col\) or \(layer, row, col\)"):
        write.write_tiff_float(tmp_path / "a.tif", np.zeros(5))
    assert list(tmp_path.iterdir()) == []


def test_only_whole_float_tiffs_are_read_back(tmp_path, finger_image):
    path = tmp_path / "a.tif"
    write.write_tiff_float(path, finger_image)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(LamellaError, match=r"a\.tif: .*truncated"):
        write.read_tiff_float(path)
    tifffile.imwrite(path, np.zeros((40, 40), np.uint16))
    with pytest.raises(LamellaError, match="expected a float32 TIFF"):
        write.read_tiff_float(path)
    path.write_text("no image")
    with pytest.raises(LamellaError, match="expected a float32 TIFF"):
        write.read_tiff_float(path)


def test_json_keeps_order_and_speaks_plain_types(tmp_path):
    mapping = {
        "z": np.float32(0.5),
        "a": np.int64(3),
        "flag": np.bool_(True),
        "missing": float("nan"),
        "curve": np.array([1.0, np.inf]),
        "path": Path("joint.png"),
        "nested": MappingProxyType({"name": "Gelenk Grün", "pair": (1, 2), "none": None}),
    }
    write.write_json(tmp_path / "run.json", mapping)
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert "Grün" in text
    found = json.loads(text)
    assert list(found) == list(mapping)
    assert found == {
        "z": 0.5,
        "a": 3,
        "flag": True,
        "missing": None,
        "curve": [1.0, None],
        "path": "joint.png",
        "nested": {"name": "Gelenk Grün", "pair": [1, 2], "none": None},
    }


def test_json_refuses_what_it_cannot_hold(tmp_path):
    with pytest.raises(LamellaError, match=r"run\.json: expected values JSON can hold, got object"):
        write.write_json(tmp_path / "run.json", {"thing": object()})
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_leaves_the_old_file_and_no_other(tmp_path, finger_image, monkeypatch):
    path = tmp_path / "a.png"
    write.write_png16(path, finger_image)
    before = path.read_bytes()

    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(write.os, "fsync", interrupted)
    writers = [
        lambda: write.write_png16(path, 1.0 - finger_image),
        lambda: write.write_mask_png(path, finger_image > 0.5),
        lambda: write.write_tiff_float(path, finger_image),
        lambda: write.write_json(path, {"a": 1}),
    ]
    for interrupted_writer in writers:
        with pytest.raises(KeyboardInterrupt):
            interrupted_writer()
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_does_not_exist_is_one_line(tmp_path):
    with pytest.raises(LamellaError, match=r"run\.json: cannot be written \(no such file"):
        write.write_json(tmp_path / "none" / "run.json", {})


def test_sha256_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"lamella")
    assert write.sha256_of(tmp_path / "a") == hashlib.sha256(b"lamella").hexdigest()
    with pytest.raises(LamellaError, match="none: the file cannot be read"):
        write.sha256_of(tmp_path / "none")


def test_existing_output_is_guarded(tmp_path):
    new, old = tmp_path / "new.png", tmp_path / "old.png"
    old.write_bytes(b"")
    write.guard_output([new], force=False)
    write.guard_output([new, old], force=True)
    with pytest.raises(LamellaError, match=r"old\.png exists already: .*--force"):
        write.guard_output([new, old], force=False)
    assert not new.exists()
