"""What may be replaced in a cohort's folder."""

import json

import pytest

from lamella.cli.cohort_files import OWN_SAMPLE, refuse_other, remove_samples
from lamella.records import LamellaError

IDENTITY = {"widths_mm": (0.0, 0.5), "seed": 1}


@pytest.fixture
def cohort(tmp_path):
    folder = tmp_path / "samples" / "a"
    folder.mkdir(parents=True)
    for name in ("a_w000_0000.png", "a_w000_0000.json", "a_w000_0000_mask_upper.png"):
        (folder / name).write_text("x")
    (tmp_path / "run.json").write_text(json.dumps({"request": IDENTITY}))
    return tmp_path


def test_an_empty_folder_and_the_same_request_may_go_on(cohort, tmp_path):
    refuse_other(tmp_path / "new", IDENTITY, force=False)
    refuse_other(cohort, IDENTITY, force=False)


@pytest.mark.parametrize("text", ["", "[]", '{"command": "lamella separate"}'])
def test_anything_else_is_refused(cohort, text):
    with pytest.raises(LamellaError, match="made by another request"):
        refuse_other(cohort, IDENTITY | {"seed": 2}, force=False)
    refuse_other(cohort, IDENTITY | {"seed": 2}, force=True)
    (cohort / "run.json").write_text(text)
    with pytest.raises(LamellaError, match="made by another request"):
        refuse_other(cohort, IDENTITY, force=False)


def test_force_deletes_no_file_that_is_not_lamellas(cohort):
    (cohort / "samples" / "a" / "notes.txt").write_text("mine")
    with pytest.raises(LamellaError, match=r"not Lamella's \(notes\.txt\)"):
        refuse_other(cohort, IDENTITY, force=True)


def test_samples_and_lists_are_removed(cohort):
    (cohort / "thesis.txt").write_text("mine")
    remove_samples(cohort)
    assert [path.name for path in cohort.rglob("*") if path.is_file()] == ["thesis.txt"]
    assert not (cohort / "samples" / "a").exists()


def test_names_of_samples():
    for name in ("a_w012_0003.dcm", "a.b_w1000_12345.png", "a_w000_0000_mask_lower.png"):
        assert OWN_SAMPLE.fullmatch(name)
    for name in ("a.png", "w000_0000.png", "a_w000_0000.txt", "a_w000_0000_mask_soft.png"):
        assert not OWN_SAMPLE.fullmatch(name)
