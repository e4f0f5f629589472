"""Dispatch by content, refusals before decoding, masks."""

import numpy as np
import pydicom
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from lamella.io import read, read_mask
from lamella.io.read import two_valued
from lamella.io.write import write_mask_png, write_png16
from lamella.records import LamellaError, Radiograph


@pytest.fixture
def mask():
    rows, cols = np.mgrid[:60, :50]
    return (rows - 30) ** 2 + (cols - 20) ** 2 < 15**2


@pytest.fixture
def grey8(finger_image):
    return np.rint(finger_image * 255).astype(np.uint8)


def outcome(path):
    try:
        return "read" if isinstance(read(path), Radiograph) else "no record"
    except LamellaError as error:
        return str(error)


def one_line(refusal, name):
    message = str(refusal.value)
    return message.startswith(f"{name}: ") and "\n" not in message


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "the file is empty"),
        (
            b"Dear colleague, please find attached.\n" * 40,
            "expected a PNG, JPEG, BMP, TIFF or DICOM",
        ),
        (b"\x89PNG\r\n\x1a\n", "cut file"),
        (b"GIF89a" + bytes(100), "expected a PNG, JPEG, BMP, TIFF or DICOM"),
        (b"II*\0", "truncated or damaged"),
    ],
)
def test_what_is_not_an_image_is_refused_whatever_its_extension(tmp_path, content, match):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for reader in (read, read_mask):
        with pytest.raises(LamellaError, match=match) as refusal:
            reader(path)
        assert one_line(refusal, "a.png")


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(LamellaError, match=r"none\.png: found no such file"):
        read(tmp_path / "none.png")
    with pytest.raises(LamellaError, match="got a folder"):
        read(tmp_path)


@pytest.mark.parametrize("spacing", [0.0, -0.1, float("nan")])
def test_a_spacing_not_above_zero_is_refused_before_reading(tmp_path, spacing):
    with pytest.raises(LamellaError, match="expected a pixel spacing above 0 mm"):
        read(tmp_path / "none.png", pixel_spacing_mm=spacing)


def test_the_kind_of_file_is_known_by_content(tmp_path, write_dicom, grey8):
    dicom = write_dicom(grey8, "looks_like.png")
    assert read(dicom).shape == grey8.shape
    PillowImage.fromarray(grey8).save(tmp_path / "looks_like.dcm", format="PNG")
    np.testing.assert_array_equal(read(tmp_path / "looks_like.dcm").pixels, np.float32(grey8 / 255))


def test_paths_may_be_strings(tmp_path, finger_image):
    write_png16(tmp_path / "a.png", finger_image)
    assert read(str(tmp_path / "a.png")).source == "a.png"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10**6))
def test_damaged_bytes_give_a_radiograph_or_one_line(tmp_path, write_dicom, seed):
    """Whatever is overwritten: a record, or a LamellaError that names the file."""
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, 4096, (40, 40), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stored)
    PillowImage.fromarray(stored).save(tmp_path / "a.png")
    PillowImage.fromarray((stored >> 4).astype(np.uint8)).save(tmp_path / "a.jpg")
    write_dicom(stored, PixelSpacing=["0.1", "0.1"], RescaleSlope="1", RescaleIntercept="0")
    for name in ("a.tif", "a.png", "a.jpg", "a.dcm"):
        path = tmp_path / name
        data = bytearray(path.read_bytes())
        for at in rng.integers(0, min(len(data), 1200), 4):
            data[at] = rng.integers(0, 256)
        path.write_bytes(bytes(data))
        message = outcome(path)
        assert message == "read" or message.startswith((name, "dicom-"))
        assert "\n" not in message


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
def test_binary_images_of_any_mode_are_masks(tmp_path, mask, name, mode):
    if mode == "I;16" and name == "a.bmp":
        picture = PillowImage.fromarray(mask.astype(np.uint8))
    elif mode == "I;16":
        picture = PillowImage.fromarray(mask.astype(np.uint16) * np.uint16(40_000))
    elif mode == "P":
        picture = PillowImage.fromarray(mask.astype(np.uint8), mode="L").convert("P")
        picture.putpalette([0, 0, 0, 200, 30, 30] + [0] * 762)
    else:
        picture = PillowImage.fromarray(mask.astype(np.uint8) * np.uint8(255)).convert(mode)
    picture.save(tmp_path / name)
    np.testing.assert_array_equal(read_mask(tmp_path / name, mask.shape), mask)


@pytest.mark.parametrize("value", [1, 2, 128, 255])
def test_any_non_zero_value_marks_the_bone(tmp_path, mask, value):
    PillowImage.fromarray(mask.astype(np.uint8) * np.uint8(value)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), mask)


def test_a_mask_painted_on_a_transparent_ground(tmp_path, mask):
    painted = np.dstack([np.full(mask.shape, 200, np.uint8)] * 3 + [mask.astype(np.uint8) * 255])
    PillowImage.fromarray(painted).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), mask)


def test_a_jpeg_mask_is_thresholded_halfway(tmp_path, mask):
    PillowImage.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / "a.jpg", quality=90)
    assert len(np.unique(np.asarray(PillowImage.open(tmp_path / "a.jpg")))) > 2
    assert (read_mask(tmp_path / "a.jpg") != mask).mean() < 0.005


def test_a_dicom_mask_is_read(write_dicom, mask):
    path = write_dicom(mask.astype(np.uint8))
    np.testing.assert_array_equal(read_mask(path, mask.shape), mask)


def test_a_single_frame_of_a_dicom_segmentation_is_read():
    path = pydicom.data.get_testdata_file("liver_1frame.dcm", download=False)
    assert path is not None
    found = read_mask(path, (512, 512))
    np.testing.assert_array_equal(found, pydicom.dcmread(path).pixel_array == 1)


def test_an_empty_mask_is_refused(tmp_path, mask):
    write_mask_png(tmp_path / "a.png", np.zeros_like(mask))
    with pytest.raises(LamellaError, match=r"a\.png: the mask is empty") as refusal:
        read_mask(tmp_path / "a.png")
    assert one_line(refusal, "a.png")


def test_a_mask_of_another_size_or_image_is_refused(tmp_path, mask):
    write_mask_png(tmp_path / "a.png", mask)
    for shape in ((50, 60), (61, 50)):
        with pytest.raises(LamellaError, match=r"got 60 x 50: give the mask drawn on this image"):
            read_mask(tmp_path / "a.png", shape)


def test_a_radiograph_is_no_mask(tmp_path, finger_image):
    write_png16(tmp_path / "a.png", finger_image)
    with pytest.raises(LamellaError, match=r"expected a two-valued mask, got .* grey levels"):
        read_mask(tmp_path / "a.png")


def test_a_label_map_is_no_mask(tmp_path, mask):
    labels = mask.astype(np.uint8)
    labels[20:30] *= 2
    PillowImage.fromarray(labels).save(tmp_path / "a.png")
    with pytest.raises(LamellaError, match="two-valued"):
        read_mask(tmp_path / "a.png")


def test_two_valued_thresholds_halfway():
    values = np.array([[0.0, 0.01, 1.0], [0.0, 0.99, 1.0]])
    np.testing.assert_array_equal(two_valued(values), values > 0.5)
    assert two_valued(np.full((2, 2), 9)).all()
    assert not two_valued(np.zeros((2, 2))).any()
    with pytest.raises(LamellaError, match="NaN"):
        two_valued(np.array([[0.0, np.nan]]))


def test_published_masks_are_read_in_both_formats(lamella_data):
    folder = lamella_data / "mcp_published_layout" / "Data" / "Dataset_cases_anonymization"
    bitmaps = sorted(folder.glob("*/*_mask_upper.bmp"))
    assert len(bitmaps) >= 4
    for bitmap in bitmaps:
        image = read(bitmap.with_name(bitmap.name.replace("_mask_upper.bmp", ".jpg")))
        found = read_mask(bitmap, image.shape)
        twin = lamella_data / "mcp" / "images" / bitmap.parent.name / f"{bitmap.stem}.png"
        np.testing.assert_array_equal(found, read_mask(twin, image.shape))
