"""From stored values to intensity: orientation, detector scales, proxies, and no identifiers."""

import dataclasses

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from lamella.io.dicom import dense_is_high, laterality, shows_low_bright
from lamella.io.read import read
from lamella.records import IntensityScale, LamellaError, Radiograph, SpacingSource

ORIENTATIONS = [
    ("MONOCHROME2", None, False),
    ("MONOCHROME2", "IDENTITY", False),
    ("MONOCHROME1", None, True),
    ("MONOCHROME1", "INVERSE", True),
    ("MONOCHROME1", "IDENTITY", True),
    ("MONOCHROME2", "INVERSE", True),
]


def absorbance(finger_image):
    return -np.log1p(-np.float64(finger_image))


@pytest.mark.parametrize(("photometric", "shape", "inverted"), ORIENTATIONS)
def test_display_values_are_inverted_once_or_not_at_all(
    write_dicom, finger_image, photometric, shape, inverted
):
    stored = np.rint(finger_image * 4095).astype(np.uint16)
    path = write_dicom(
        4095 - stored if inverted else stored,
        BitsStored=12,
        HighBit=11,
        PhotometricInterpretation=photometric,
        PresentationLUTShape=shape,
    )
    radiograph = read(path)
    np.testing.assert_allclose(radiograph.pixels, stored / 4095, atol=1e-6)
    assert radiograph.intensity_scale is IntensityScale.DISPLAY
    assert radiograph.grey_level == pytest.approx(1 / 4095)
    contradictory = (photometric, shape) in {
        ("MONOCHROME1", "IDENTITY"),
        ("MONOCHROME2", "INVERSE"),
    }
    assert any("contradict" in text for text in radiograph.warnings) is contradictory


def test_monochrome1_and_2_of_one_chest_are_complementary(lamella_data):
    """The same stored values in both: complementary as read, identical once one is inverted."""
    first = read(lamella_data / "dicom" / "cr_monochrome1.dcm")
    second = read(lamella_data / "dicom" / "cr_monochrome2.dcm")
    np.testing.assert_allclose(first.pixels, 1.0 - second.pixels, atol=1e-6)
    assert np.abs(first.pixels - second.pixels).mean() > 0.1
    assert first.pixel_spacing_mm == 0.168
    assert first.spacing_source is SpacingSource.DETECTOR


def test_a_dx_with_inverse_presentation_comes_out_bone_bright(lamella_data):
    path = lamella_data / "dicom" / "dx_monochrome1_inverse.dcm"
    radiograph = read(path)
    stored = pydicom.dcmread(path).pixel_array
    assert np.corrcoef(radiograph.pixels.ravel(), stored.ravel())[0, 1] < -0.999
    assert radiograph.intensity_scale is IntensityScale.LINEAR
    assert radiograph.spacing_source is SpacingSource.IMAGER
    assert radiograph.pixels[-10:, -30:].mean() < 0.2


@pytest.mark.parametrize(
    ("sign", "photometric"),
    [(-1, "MONOCHROME2"), (1, "MONOCHROME1"), (None, "MONOCHROME2"), (None, "MONOCHROME1")],
)
def test_log_values_are_affine_in_absorbance(write_dicom, finger_image, sign, photometric):
    true = absorbance(finger_image)
    high_is_dense = photometric == "MONOCHROME2"
    values = 300 + 1500 * true if high_is_dense else 4000 - 1500 * true
    path = write_dicom(
        np.rint(values).astype(np.uint16),
        BitsStored=12,
        HighBit=11,
        PixelIntensityRelationship="LOG",
        PixelIntensityRelationshipSign=sign,
        PhotometricInterpretation=photometric,
    )
    radiograph = read(path)
    found = absorbance(radiograph.pixels)
    slope, offset = np.polyfit(true.ravel(), found.ravel(), 1)
    assert radiograph.intensity_scale is IntensityScale.LOGARITHMIC
    assert np.percentile(found, 99.5) == pytest.approx(1.4, abs=0.005)
    assert np.abs(found - (slope * true + offset)).max() < 0.02
    assert radiograph.warnings == ()


def test_lin_values_are_normalised_by_measured_air(write_dicom, finger_image):
    """I = 1 - t / air: the true intensity again, whatever the gain of the detector."""
    transmitted = np.clip(1.0 - finger_image + 0.02, None, 1.0)
    for gain in (800, 3900):
        path = write_dicom(
            np.rint(gain * transmitted).astype(np.uint16),
            BitsStored=12,
            HighBit=11,
            PixelIntensityRelationship="LIN",
            PixelIntensityRelationshipSign=1,
            PhotometricInterpretation="MONOCHROME1",
        )
        radiograph = read(path)
        assert radiograph.intensity_scale is IntensityScale.LINEAR
        assert radiograph.grey_level == pytest.approx(1 / gain, rel=0.01)
        np.testing.assert_allclose(radiograph.pixels, 1.0 - transmitted, atol=0.002)


def test_lin_values_that_fall_with_transmission(write_dicom, finger_image):
    transmitted = np.rint(4000 * (1.0 - finger_image))
    path = write_dicom(
        (4095 - transmitted).astype(np.uint16),
        BitsStored=12,
        HighBit=11,
        PixelIntensityRelationship="LIN",
        PixelIntensityRelationshipSign=-1,
    )
    radiograph = read(path)
    air = np.percentile(transmitted, 99.9)
    np.testing.assert_allclose(radiograph.pixels, np.clip(1 - transmitted / air, 0, 1), atol=1e-6)
    assert any("highest value that can be stored" in text for text in radiograph.warnings)


def test_pixels_that_received_nothing_are_saturated(write_dicom, finger_image):
    values = np.rint(4000 * (1.0 - finger_image)).astype(np.uint16)
    values[30:34, 20:24] = 0
    path = write_dicom(values, PixelIntensityRelationship="LIN", PixelIntensityRelationshipSign=1)
    radiograph = read(path)
    assert radiograph.saturated[30:34, 20:24].all()
    assert radiograph.saturated.sum() == 16


def test_lin_values_without_air_are_refused(write_dicom):
    stored = np.zeros((64, 64), np.uint16)
    with pytest.raises(LamellaError, match="no air"):
        read(
            write_dicom(stored, PixelIntensityRelationship="LIN", PixelIntensityRelationshipSign=1)
        )


def test_a_detector_sign_beats_a_contradictory_display(write_dicom, finger_image):
    values = np.rint(300 + 1500 * absorbance(finger_image)).astype(np.uint16)
    path = write_dicom(
        values,
        PixelIntensityRelationship="LOG",
        PixelIntensityRelationshipSign=-1,
        PhotometricInterpretation="MONOCHROME1",
    )
    radiograph = read(path)
    assert np.corrcoef(radiograph.pixels.ravel(), finger_image.ravel())[0, 1] > 0.99
    assert any("bone dark on display" in text for text in radiograph.warnings)


def test_orientation_predicates():
    header = Dataset()
    header.PhotometricInterpretation = "MONOCHROME1"
    assert shows_low_bright(header)
    assert not dense_is_high(header)
    header.PixelIntensityRelationshipSign = -1
    assert dense_is_high(header)


def test_rescale_does_not_change_a_display_image(write_dicom, finger_image):
    stored = np.rint(finger_image * 4095).astype(np.uint16)
    options = {"BitsStored": 12, "HighBit": 11}
    plain = read(write_dicom(stored, "a.dcm", **options))
    rescaled = read(
        write_dicom(stored, "b.dcm", RescaleSlope="0.5", RescaleIntercept="-100", **options)
    )
    falling = read(
        write_dicom(4095 - stored, "c.dcm", RescaleSlope="-1", RescaleIntercept="4095", **options)
    )
    np.testing.assert_allclose(rescaled.pixels, plain.pixels, atol=1e-6)
    np.testing.assert_allclose(falling.pixels, plain.pixels, atol=1e-6)
    assert rescaled.grey_level == pytest.approx(plain.grey_level)


def test_a_modality_lut_is_applied(write_dicom, make_dataset, finger_image, tmp_path):
    stored = np.rint(finger_image * 255).astype(np.uint8)
    squares = (np.arange(256) ** 2).astype(np.uint16)
    header = make_dataset(stored)
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [256, 0, 16])
    item.add_new("LUTData", "OW", squares.tobytes())
    item.ModalityLUTType = "US"
    header.ModalityLUTSequence = [item]
    pydicom.dcmwrite(tmp_path / "lut.dcm", header)
    np.testing.assert_allclose(
        read(tmp_path / "lut.dcm").pixels, squares[stored] / 65535, atol=1e-6
    )


def test_a_voi_window_changes_nothing(write_dicom, finger_image):
    stored = np.rint(finger_image * 4095).astype(np.uint16)
    plain = read(write_dicom(stored, "a.dcm", BitsStored=12))
    windowed = read(
        write_dicom(stored, "b.dcm", BitsStored=12, WindowCenter="100", WindowWidth="50")
    )
    np.testing.assert_array_equal(windowed.pixels, plain.pixels)


@pytest.mark.parametrize("slope", ["steep", "0", "1e400"])
def test_a_damaged_rescale_is_refused(write_dicom, finger_image, slope):
    stored = np.rint(finger_image * 4095).astype(np.uint16)
    path = write_dicom(stored, RescaleSlope=[slope], RescaleIntercept="0")
    with pytest.raises(LamellaError, match=r"rescale|constant"):
        read(path)


def test_few_bits_in_a_wide_header_are_scaled_by_the_image_with_a_warning(
    write_dicom, finger_image
):
    stored = np.rint(100 + 800 * finger_image).astype(np.uint16)
    radiograph = read(write_dicom(stored))
    span = float(stored.max() - stored.min())
    expected = (stored - float(stored.min())) / span * (1 - 0.5 / span)
    np.testing.assert_allclose(radiograph.pixels, expected, atol=1e-6)
    assert not radiograph.saturated.any()
    assert any("lowest to the highest" in text for text in radiograph.warnings)


def test_padding_is_air_and_takes_no_part_in_the_scale(write_dicom, finger_image):
    stored = np.rint(100 + 800 * finger_image).astype(np.uint16)
    inside = read(write_dicom(stored[8:-8], "a.dcm"))
    stored[:8] = stored[-8:] = 4000
    padded = read(write_dicom(stored, "b.dcm", PixelPaddingValue=4000))
    np.testing.assert_array_equal(padded.pixels[8:-8], inside.pixels)
    assert (padded.pixels[:8] == 0.0).all()


def test_ct_is_windowed_from_minus_1024_to_3071_hu(lamella_data):
    path = lamella_data / "dicom" / "ct_single_slice.dcm"
    hu = pydicom.dcmread(path).pixel_array.astype(float) - 1024
    radiograph = read(path)
    np.testing.assert_allclose(radiograph.pixels, (hu + 1024) / 4095, atol=1e-6)
    assert radiograph.spacing_source is SpacingSource.CALIBRATED
    assert "modality CT is not a radiograph" in radiograph.warnings


def test_a_constant_dicom_is_refused(write_dicom):
    for dtype in (np.uint8, np.uint16):
        with pytest.raises(LamellaError, match="constant"):
            read(write_dicom(np.full((40, 40), 7, dtype)))


def test_grey_stored_as_rgb_is_read(write_dicom, finger_image):
    grey = np.rint(finger_image * 255).astype(np.uint8)
    path = write_dicom(
        np.stack([grey] * 3, -1), PhotometricInterpretation="RGB", PlanarConfiguration=0
    )
    np.testing.assert_array_equal(read(path).pixels, np.float32(grey / 255.0))


def test_a_small_radiograph_is_refused(write_dicom):
    with pytest.raises(LamellaError, match="at least 32 pixels"):
        read(write_dicom(np.arange(256, dtype=np.uint8).reshape(16, 16)))


def test_spacing_and_its_source_reach_the_record(write_dicom, finger_image):
    stored = np.rint(finger_image * 255).astype(np.uint8)
    path = write_dicom(stored, ImagerPixelSpacing=["0.2", "0.2"])
    stated, given = read(path), read(path, pixel_spacing_mm=0.1)
    assert (stated.pixel_spacing_mm, stated.spacing_source) == (0.2, SpacingSource.IMAGER)
    assert (given.pixel_spacing_mm, given.spacing_source) == (0.1, SpacingSource.GIVEN)
    assert any("disagrees" in text for text in given.warnings)


def test_an_unknown_spacing_stays_unknown(write_dicom, finger_image):
    radiograph = read(write_dicom(np.rint(finger_image * 255).astype(np.uint8)))
    assert radiograph.pixel_spacing_mm is None
    assert radiograph.size_mm is None
    assert radiograph.spacing_source is SpacingSource.UNKNOWN


def spoken(radiograph: Radiograph) -> str:
    """Everything textual a record can say."""
    fields = [field.name for field in dataclasses.fields(radiograph) if field.name != "pixels"]
    return " ".join(str(getattr(radiograph, name)) for name in fields).casefold()


IDENTIFIERS = ("quatermain", "allan", "zulu", "4711", "18560622", "acc90210")


@pytest.mark.parametrize("name", ["scan.dcm", "Quatermain_left_hand.dcm", "zulu-4711.dcm"])
def test_no_identifier_enters_a_record(write_dicom, finger_image, capfd, caplog, name):
    stored = np.rint(finger_image * 255).astype(np.uint8)
    radiograph = read(write_dicom(stored, name, BurnedInAnnotation="YES", Modality="QUATERMAIN"))
    assert [text for text in IDENTIFIERS if text in spoken(radiograph)] == []
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "fault",
    [
        {"Rows": 60_000, "Columns": 60_000},
        {"Rows": 999},
        {"NumberOfFrames": ["Quatermain"]},
        {"NumberOfFrames": "7"},
        {"RescaleSlope": ["Quatermain"], "RescaleIntercept": "0"},
        {"PixelSpacing": ["0.1", "0.2"]},
        {"PhotometricInterpretation": "PALETTE COLOR"},
        {"BitsStored": 99},
        {"BitsAllocated": 12},
    ],
)
def test_no_identifier_enters_an_error(write_dicom, finger_image, capfd, fault):
    stored = np.rint(finger_image * 255).astype(np.uint8)
    path = write_dicom(stored, "Quatermain.dcm", **fault)
    with pytest.raises(LamellaError) as refusal:
        read(path)
    message = str(refusal.value)
    assert [text for text in IDENTIFIERS if text in message.casefold()] == []
    assert message.startswith("dicom-")
    assert "\n" not in message
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"ImageLaterality": "L"}, "L"),
        ({"Laterality": "R"}, "R"),
        ({"ImageLaterality": "R", "Laterality": "L"}, "R"),
        ({"ImageLaterality": "U", "Laterality": "L"}, "L"),
        ({"Laterality": ""}, None),
        ({}, None),
    ],
)
def test_the_side_of_the_body_is_read_where_it_is_said(said, found):
    header = Dataset()
    for keyword, value in said.items():
        setattr(header, keyword, value)
    assert laterality(header) == found
