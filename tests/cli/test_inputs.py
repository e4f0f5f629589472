"""Which files are radiographs, which are masks, and what they are called."""

import pytest

from lamella.cli.inputs import find_jobs, image_files, safe_name
from lamella.cli.separate import SeparateOptions
from lamella.records import LamellaError


@pytest.fixture
def options(tmp_path):
    return SeparateOptions(out=tmp_path / "out")


def names(jobs):
    return [job.name for job in jobs]


def test_a_folder_is_searched_by_extension_and_content(tmp_path, joint, dicom, options):
    joint("in/b.png")
    joint("in/deep/a.PNG", masks=False)
    dicom("in/IM0001")
    joint("in/no_extension", masks=False)
    (tmp_path / "in" / "notes.txt").write_text("hello")
    (tmp_path / "in" / "scan").write_text("hello")
    (tmp_path / "in" / "broken.tif").write_text("hello")
    dicom("in/DICOMDIR")
    (tmp_path / "in" / ".hidden.png").write_bytes(b"")
    found = [path.name for path in image_files([tmp_path / "in"], options.out)]
    assert found == ["IM0001", "b.png", "broken.tif", "no_extension", "a.PNG"]


def test_own_results_and_backgrounds_are_left_out(tmp_path, joint, options):
    joint("in/a.png")
    joint("in/background/a.png")
    joint("in/.git/a.png")
    joint("in/earlier/a/upper.png")
    (tmp_path / "in" / "earlier" / "a" / "result.json").write_text("{}")
    joint("out/a.png")
    assert [path.name for path in image_files([tmp_path / "in"], options.out)] == ["a.png"]
    assert len(image_files([tmp_path], options.out)) == 1


def test_an_image_named_twice_is_taken_once(tmp_path, joint, options):
    path = joint("in/a.png")
    assert image_files([path, tmp_path / "in", path], options.out) == [path]


def test_masks_beside_an_image_are_its_masks(tmp_path, joint, dicom, options):
    joint("in/a.png")
    dicom("in/b.dcm")
    joint("in/c.png", masks=False)
    jobs = find_jobs([tmp_path / "in"], options)
    assert names(jobs) == ["a", "b", "c"]
    assert [sorted(path.name for path in job.masks.values()) for job in jobs] == [
        ["a_mask_lower.png", "a_mask_upper.png"],
        ["b_mask_lower.png", "b_mask_upper.png"],
        [],
    ]
    assert all(len(job.mask_sha256) == len(job.masks) for job in jobs)


def test_a_mask_without_its_partner_is_a_problem(tmp_path, joint, options):
    path = joint()
    (tmp_path / "joint_mask_upper.png").unlink()
    (job,) = find_jobs([path], options)
    assert job.problem == "found a mask of the lower bone but none of the upper bone beside it"


def test_an_unreadable_mask_is_a_problem_that_names_the_bone(tmp_path, joint, options):
    path = joint()
    (tmp_path / "joint_mask_lower.png").write_bytes(b"")
    (job,) = find_jobs([path], options)
    assert job.problem is not None
    assert job.problem.startswith("mask of the lower bone: the file is empty")


def test_names_are_safe_and_unique():
    taken = {"report.html", "run.json"}
    sources = ["Hand links.png", "hand links.jpg", "../x.dcm", "übung.tif", "run.json", "ÄÖ.png"]
    sources += ["日本.png", "1.2.840.5", f"{'n' * 200}.png"]
    found = [safe_name(source, taken) for source in sources]
    assert found[:6] == ["Hand-links", "hand-links-2", "x", "ubung", "run.json-2", "AO"]
    assert found[6:] == ["image", "1.2.840.5", "n" * 80]


def test_a_dicom_file_named_after_its_patient_gets_a_neutral_name(dicom, options):
    path = dicom("rossi.dcm", PatientName="Rossi^Anna")
    (job,) = find_jobs([path], options)
    assert job.sha256 is not None
    assert job.source == job.name == f"dicom-{job.sha256[:8]}"


def test_a_dicom_file_whose_header_is_damaged_gets_a_neutral_name(dicom, options):
    path = dicom("rossi.dcm", PatientName="Rossi^Anna")
    path.write_bytes(path.read_bytes()[:5000])
    (job,) = find_jobs([path], options)
    assert job.name.startswith("dicom-")


def test_a_path_that_cannot_be_looked_at_is_a_problem(tmp_path, options):
    (job,) = find_jobs([tmp_path / ("n" * 300)], options)
    assert job.problem is not None


def test_no_radiograph_at_all(tmp_path, options):
    with pytest.raises(LamellaError, match="found no radiograph"):
        find_jobs([tmp_path], options)
