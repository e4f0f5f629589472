"""Synthetic DICOM files: marked, nameless, the same each time, and read back as they were."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from lamella.io import read
from lamella.io.dicom_write import Derivation, digest_uid, synthetic_dicom
from lamella.records import SpacingSource

DERIVATION = Derivation(description="SYNTHETIC: moved", study="a", instance="a 1", number=3)


@pytest.fixture
def written(tmp_path, synthetic):
    path = tmp_path / "a.dcm"
    path.write_bytes(synthetic_dicom(synthetic.radiograph, DERIVATION))
    return path


def test_pixels_are_the_images_to_half_a_step(written, synthetic):
    stored = pydicom.dcmread(written).pixel_array
    np.testing.assert_array_equal(stored, np.rint(65535 * synthetic.image.astype(np.float64)))
    np.testing.assert_allclose(read(written).pixels, synthetic.image, atol=0.51 / 65535)


def test_the_file_says_what_it_is(written):
    image = pydicom.dcmread(written)
    assert list(image.ImageType) == ["DERIVED", "SECONDARY", "SYNTHETIC"]
    assert (image.ConversionType, image.SyntheticData) == ("SYN", "YES")
    assert image.DerivationDescription == "SYNTHETIC: moved"
    assert image.InstanceNumber == 3
    assert image.SOPInstanceUID == image.file_meta.MediaStorageSOPInstanceUID
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "StudyDate"):
        assert not image[keyword].value
    assert image.PatientIdentityRemoved == "YES"


def test_the_spacing_is_kept(written, synthetic):
    found = read(written)
    assert found.pixel_spacing_mm == pytest.approx(synthetic.radiograph.pixel_spacing_mm)
    assert found.warnings == ()


def test_a_spacing_at_the_detector_stays_one(tmp_path, synthetic):
    imager = replace(synthetic.radiograph, spacing_source=SpacingSource.IMAGER)
    path = tmp_path / "a.dcm"
    path.write_bytes(synthetic_dicom(imager, DERIVATION))
    assert read(path).spacing_source is SpacingSource.IMAGER


def test_an_unknown_spacing_is_not_stated(tmp_path, synthetic):
    unknown = replace(
        synthetic.radiograph, pixel_spacing_mm=None, spacing_source=SpacingSource.UNKNOWN
    )
    path = tmp_path / "a.dcm"
    path.write_bytes(synthetic_dicom(unknown, DERIVATION))
    assert read(path).pixel_spacing_mm is None


def test_the_same_joint_gives_the_same_bytes(synthetic):
    first, again = (synthetic_dicom(synthetic.radiograph, DERIVATION) for _ in range(2))
    assert first == again
    other = synthetic_dicom(synthetic.radiograph, replace(DERIVATION, instance="a 2"))
    assert other != first


def test_uids_are_valid_and_follow_the_text():
    uids = {digest_uid(text) for text in ("a", "a", "b")}
    assert len(uids) == 2
    assert all(uid.is_valid and len(uid) <= 64 for uid in uids)


def test_a_dim_image_is_read_back_as_dim_as_it_is(tmp_path, synthetic):
    dim = replace(synthetic.radiograph, pixels=0.3 * synthetic.image)
    path = tmp_path / "dim.dcm"
    path.write_bytes(synthetic_dicom(dim, DERIVATION))
    found = read(path)
    np.testing.assert_allclose(found.pixels, dim.pixels, atol=0.51 / 65535)
    assert found.warnings == ()


@pytest.mark.parametrize("side", ["R", "L", None])
def test_the_side_of_the_body_is_kept(tmp_path, synthetic, side):
    path = tmp_path / "side.dcm"
    path.write_bytes(synthetic_dicom(replace(synthetic.radiograph, laterality=side), DERIVATION))
    assert read(path).laterality == side
