"""Visits in order, under safe names."""

from pathlib import Path

import pytest

from lamella.cli.narrowing import NarrowingOptions
from lamella.cli.narrowing_plan import OTHER_PERSON, named_joint, tabled_joints
from lamella.records import LamellaError


@pytest.fixture
def options(tmp_path: Path) -> NarrowingOptions:
    return NarrowingOptions(out=tmp_path / "out", pixel_spacing_mm=0.2)


def planned(tmp_path, options, text):
    path = tmp_path / "visits.csv"
    path.write_text(f"joint,visit,image,pixel_spacing_mm\n{text}\n", encoding="utf-8")
    return tabled_joints(path, options)


def test_visits_by_number_whatever_their_rows(tmp_path, options, joint):
    joint("a.png"), joint("b.png", dim=0.99), joint("c.png", dim=0.98)
    text = "J,10,c.png,\nJ,1,a.png,0.1\nJ,2,b.png,"
    (found,) = planned(tmp_path, options, text)
    assert [visit.job.name for visit in found.visits] == ["a", "b", "c"]
    assert [visit.number for visit in found.visits] == [1, 2, 3]
    assert [visit.spacing_mm for visit in found.visits] == [0.1, 0.2, 0.2]
    assert [visit.days for visit in found.visits] == [None, None, None]
    assert set(found.visits[0].job.masks) == {"upper", "lower"}


def test_visits_by_date_count_days(tmp_path, options, joint):
    joint("a.png"), joint("b.png", dim=0.99)
    (found,) = planned(tmp_path, options, "J,2025-03-01,b.png,\nJ,2024-03-01,a.png,")
    assert [(visit.job.name, visit.days) for visit in found.visits] == [("a", 0), ("b", 365)]


def test_a_bad_baseline_keeps_its_place(tmp_path, options, joint):
    joint("b.png")
    (found,) = planned(tmp_path, options, "J,1,,\nJ,2,b.png,")
    assert "expected an image" in found.visits[0].job.problem
    assert found.visits[1].job.problem is None


def test_joints_get_file_names_of_their_own(tmp_path, options):
    text = "MCP 2 R,1,a.png,\nMCP 2 R,2,b.png,\nMCP/2/R,1,a.png,\nMCP/2/R,2,b.png,"
    found = planned(tmp_path, options, text)
    assert [joint.name for joint in found] == ["MCP 2 R", "MCP/2/R"]
    assert [joint.key for joint in found] == ["MCP-2-R", "MCP-2-R-2"]


def test_dates_are_read_from_headers(options, dicom):
    late = dicom("late.dcm", StudyDate="20240311", PatientID="x", SeriesNumber=2)
    early = dicom("early.dcm", AcquisitionDate="20240301", PatientID="x")
    found = named_joint([early, late], options)
    assert [visit.days for visit in found.visits] == [0, 10]
    assert found.flags == ()
    assert named_joint([late, early], options).flags != ()


@pytest.mark.parametrize(
    ("said", "flags"),
    [
        ({"PatientID": "y"}, (OTHER_PERSON,)),
        ({"PatientID": "x", "PatientBirthDate": "19600101"}, (OTHER_PERSON,)),
        ({"PatientID": "x", "PatientBirthDate": ""}, ()),
        ({}, ()),
    ],
)
def test_headers_of_two_patients_are_a_flag(tmp_path, options, dicom, said, flags):
    dicom("a.dcm", PatientID="x", PatientBirthDate="19530217")
    dicom("b.dcm", SeriesNumber=2, **said)
    assert named_joint([tmp_path / "a.dcm", tmp_path / "b.dcm"], options).flags == flags
    (found,) = planned(tmp_path, options, "J,1,a.dcm,\nJ,2,b.dcm,")
    assert found.flags == flags


@pytest.mark.parametrize(
    "rows",
    [
        "{0},1,a.dcm,",
        "{0},1,a.dcm,\n{0},1,b.dcm,",
        "{0},1.2.2024,a.dcm,",
        "{0},1,no.dcm,\n{0},2,b.dcm,",
    ],
)
def test_a_patient_is_not_named_by_a_joint_that_cannot_be_compared(tmp_path, options, dicom, rows):
    dicom("a.dcm", PatientName="Zbigniewska^Wilhelmina")
    dicom("b.dcm", PatientName="Zbigniewska^Wilhelmina", SeriesNumber=2)
    (found,) = planned(tmp_path, options, rows.format("Wilhelmina R2"))
    assert found.name.startswith("joint-")
    assert "ilhelmina" not in repr((found.name, found.key, found.problem, found.flags))


def test_a_patient_is_not_named_by_a_file_without_a_header(tmp_path, options, dicom, joint):
    first = dicom("a.dcm", PatientName="Zbigniewska^Wilhelmina")
    later = joint("Wilhelmina 2.png")
    names = [visit.job.name for visit in named_joint([first, later], options).visits]
    assert names == ["a", "visit-2"]
    (found,) = planned(tmp_path, options, "J,1,a.dcm,\nJ,2,gone Wilhelmina.png,")
    assert [visit.job.name for visit in found.visits] == ["a", "visit-2"]


def test_two_names_of_one_image_are_refused(options, joint):
    with pytest.raises(LamellaError, match="same one twice"):
        named_joint([joint("a.png"), joint("copy.png")], options)
