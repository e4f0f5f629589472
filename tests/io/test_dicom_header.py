"""Spacing by order of trust, days to order visits by, and names that carry no patient."""

from datetime import date

import numpy as np
import pytest
from pydicom.dataset import Dataset

from lamella.io.dicom_header import (
    acquisition_date,
    code,
    header_warnings,
    number,
    numbers,
    resolve_spacing,
    safe_source,
)
from lamella.records import LamellaError, SpacingSource

STORED = np.zeros((4, 4), np.uint16)


def spacing(make_dataset, given_mm=None, **attributes):
    return resolve_spacing(make_dataset(STORED, **attributes), given_mm)


@pytest.mark.parametrize("kind", ["GEOMETRY", "FIDUCIAL"])
def test_a_calibrated_pixel_spacing(make_dataset, kind):
    found = spacing(
        make_dataset,
        PixelSpacing=["0.14", "0.14"],
        ImagerPixelSpacing=["0.15", "0.15"],
        PixelSpacingCalibrationType=kind,
    )
    assert (found.mm, found.source) == (0.14, SpacingSource.CALIBRATED)


def test_a_ct_slice_is_calibrated(make_dataset):
    found = spacing(make_dataset, PixelSpacing=["0.7", "0.7"], Modality="CT")
    assert (found.mm, found.source) == (0.7, SpacingSource.CALIBRATED)


def test_a_pixel_spacing_that_differs_from_the_imager_is_not_stated_as_calibrated(make_dataset):
    found = spacing(
        make_dataset, PixelSpacing=["0.14", "0.14"], ImagerPixelSpacing=["0.15", "0.15"]
    )
    assert (found.mm, found.source) == (0.14, SpacingSource.DETECTOR)


def test_a_pixel_spacing_alone(make_dataset):
    found = spacing(make_dataset, PixelSpacing=["0.168", "0.168"])
    assert (found.mm, found.source) == (0.168, SpacingSource.DETECTOR)


def test_a_pixel_spacing_that_repeats_the_imager_is_in_the_detector_plane(make_dataset):
    found = spacing(
        make_dataset, PixelSpacing=["0.15", "0.15"], ImagerPixelSpacing=["0.15", "0.15"]
    )
    assert (found.mm, found.source) == (0.15, SpacingSource.IMAGER)


def test_an_imager_spacing_is_divided_by_the_magnification(make_dataset):
    found = spacing(
        make_dataset,
        ImagerPixelSpacing=["0.15", "0.15"],
        EstimatedRadiographicMagnificationFactor="1.25",
    )
    assert found.mm == pytest.approx(0.15 / 1.25)
    assert found.source is SpacingSource.IMAGER_MAGNIFIED


def test_an_imager_spacing_is_divided_by_the_ratio_of_distances(make_dataset):
    found = spacing(
        make_dataset,
        ImagerPixelSpacing=["0.15", "0.15"],
        DistanceSourceToDetector="1100",
        DistanceSourceToPatient="1000",
    )
    assert found.mm == pytest.approx(0.15 / 1.1)
    assert found.source is SpacingSource.IMAGER_MAGNIFIED


@pytest.mark.parametrize("factor", ["0.5", "100"])
def test_an_implausible_magnification_is_ignored_with_a_warning(make_dataset, factor):
    found = spacing(
        make_dataset,
        ImagerPixelSpacing=["0.15", "0.15"],
        EstimatedRadiographicMagnificationFactor=factor,
    )
    assert (found.mm, found.source) == (0.15, SpacingSource.IMAGER)
    assert "implausible" in found.warnings[0]


def test_no_spacing_is_unknown(make_dataset):
    found = spacing(make_dataset)
    assert (found.mm, found.source, found.warnings) == (None, SpacingSource.UNKNOWN, ())


@pytest.mark.parametrize(
    "pair", [["0", "0"], ["-0.1", "-0.1"], ["wide", "wide"], ["0.1"], ["nan", "1"]]
)
def test_a_malformed_spacing_is_a_warning_and_unknown(make_dataset, pair):
    found = spacing(make_dataset, PixelSpacing=pair)
    assert (found.mm, found.source) == (None, SpacingSource.UNKNOWN)
    assert "PixelSpacing in the header is malformed" in found.warnings[0]


def test_a_given_spacing_wins_and_warns_when_it_disagrees(make_dataset):
    agreeing = spacing(make_dataset, 0.101, PixelSpacing=["0.1", "0.1"])
    disagreeing = spacing(make_dataset, 0.105, PixelSpacing=["0.1", "0.1"])
    assert (agreeing.mm, agreeing.source, agreeing.warnings) == (0.101, SpacingSource.GIVEN, ())
    assert (disagreeing.mm, disagreeing.source) == (0.105, SpacingSource.GIVEN)
    assert "0.105 mm disagrees with the header's 0.1 mm" in disagreeing.warnings[0]


def test_pixels_that_are_not_square_are_refused(make_dataset):
    with pytest.raises(LamellaError, match=r"square pixels.*resample"):
        spacing(make_dataset, PixelSpacing=["0.1", "0.102"])
    with pytest.raises(LamellaError, match=r"square pixels.*resample"):
        spacing(make_dataset, 0.1, PixelAspectRatio=["3", "4"])
    assert spacing(make_dataset, PixelSpacing=["0.1", "0.1005"]).mm == pytest.approx(0.10025)


@pytest.mark.parametrize(
    "name",
    [
        "quatermain.dcm",
        "hand_ALLAN_left.dcm",
        "zulu4711.dcm",
        "x-4711.dcm",
        "18560622.dcm",
        "acc90210",
    ],
)
def test_a_base_name_that_holds_an_identifier_is_replaced(make_dataset, name):
    assert safe_source(make_dataset(STORED), name, "0123456789abcdef") == "dicom-01234567"


def test_accents_and_hyphens_do_not_hide_a_name():
    header = Dataset()
    header.PatientName = "Müller-Lüdenscheidt^Jo"
    assert safe_source(header, "mueller.dcm", "ab" * 32) == "mueller.dcm"
    assert safe_source(header, "Luden_scheidt-MULLER.dcm", "ab" * 32) == "dicom-abababab"


@pytest.mark.parametrize(
    ("keyword", "value", "name"),
    [
        ("ReferringPhysicianName", "Curtis^Henry", "for_curtis.dcm"),
        ("InstitutionName", "Kukuanaland Hospital", "kukuanaland-hospital-3.dcm"),
        ("StudyInstanceUID", "1.2.840.99.7", "1.2.840.99.7.dcm"),
        ("PatientBirthDate", "18560622", "left_22.06.1856.dcm"),
        ("PatientBirthDate", "18560622", "06-22-1856.dcm"),
    ],
)
def test_names_of_places_other_people_and_studies_are_replaced_too(keyword, value, name):
    header = Dataset()
    setattr(header, keyword, value)
    assert safe_source(header, name, "ab" * 32) == "dicom-abababab"


def test_further_patient_identifiers_are_replaced_and_the_root_of_a_uid_is_not():
    header, other = Dataset(), Dataset()
    other.PatientID = "gagool77"
    header.OtherPatientIDsSequence = [other]
    header.StudyInstanceUID = "1.2.840.99.7"
    assert safe_source(header, "gagool77-hand.dcm", "ab" * 32) == "dicom-abababab"
    header.InstitutionName = "Kukuanaland Hand Hospital"
    assert safe_source(header, "hand-840.dcm", "ab" * 32) == "hand-840.dcm"


def test_a_base_name_without_identifiers_is_kept(make_dataset):
    assert safe_source(make_dataset(STORED), "joint_07.dcm", "ab" * 32) == "joint_07.dcm"


@pytest.mark.parametrize(
    ("modality", "expected"),
    [
        ("DX", ()),
        ("CT", ("modality CT is not a radiograph",)),
        ("QUATERMAIN", ("the stated modality is not a radiograph",)),
        (None, ("the header states no modality: it may not be a radiograph",)),
    ],
)
def test_modality_warnings_quote_known_codes_only(make_dataset, modality, expected):
    assert header_warnings(make_dataset(STORED, Modality=modality)) == expected


def test_burned_in_text_is_a_warning(make_dataset):
    (warning,) = header_warnings(make_dataset(STORED, BurnedInAnnotation="YES"))
    assert "burned into the pixels" in warning


def test_malformed_elements_count_as_absent(make_dataset):
    header = make_dataset(STORED, RescaleSlope=["steep"], WindowCenter=["1", "x"])
    assert number(header, "RescaleSlope") is None
    assert numbers(header, "WindowCenter") is None
    assert numbers(header, "PixelSpacing") == ()
    assert code(header, "PresentationLUTShape") == ""


@pytest.mark.parametrize(
    ("attributes", "day"),
    [
        ({"AcquisitionDate": "20240229", "StudyDate": "20200101"}, date(2024, 2, 29)),
        ({"AcquisitionDate": "", "StudyDate": "20200101"}, date(2020, 1, 1)),
        ({"AcquisitionDate": "20230229", "SeriesDate": "20230301"}, date(2023, 3, 1)),
        ({"ContentDate": "20230301"}, date(2023, 3, 1)),
        ({}, None),
    ],
)
def test_the_day_an_image_was_taken(make_dataset, attributes, day):
    assert acquisition_date(make_dataset(STORED, **attributes)) == day
