"""VerSe's layouts: which files belong together, and whose grades they are."""

import json
from pathlib import Path

import pytest

from lamella.io.verse import (
    GRADES_FILES,
    read_centroids,
    read_grades,
    verse_cohort,
    verse_series,
)
from lamella.records import LamellaError


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def published(folder: Path, name: str) -> None:
    subject = name.partition("_")[0]
    touch(folder / "rawdata" / subject / f"{name}_ct.nii.gz")
    touch(folder / "derivatives" / subject / f"{name}_seg-vert_msk.nii.gz")
    touch(folder / "derivatives" / subject / f"{name}_seg-subreg_ctd.json")


def graded(folder: Path, **splits: dict[str, int]) -> None:
    (folder / GRADES_FILES[0]).write_text(json.dumps(splits))


def test_the_published_layout_finds_masks_in_another_branch(tmp_path):
    published(tmp_path / "dataset-01training", "sub-verse004")
    published(tmp_path / "dataset-02test", "sub-verse500_dir-ax")
    touch(tmp_path / "rawdata" / "sub-verse009" / "sub-verse009_ct.nii.gz")
    first, second = verse_series(tmp_path)
    assert (first.name, second.name) == ("sub-verse004", "sub-verse500_dir-ax")
    assert second.subject == "sub-verse500"
    assert first.ct.name == "sub-verse004_ct.nii.gz"
    assert first.labels.parent.parent.name == "derivatives"
    assert first.centroids is not None


@pytest.mark.parametrize("ending", ["seg", "msk"])
def test_the_other_layout_lies_side_by_side(tmp_path, ending):
    touch(tmp_path / "raw" / "0007" / "0007.nii.gz")
    touch(tmp_path / "raw" / "0007" / f"0007_{ending}.nii.gz")
    touch(tmp_path / "raw" / "0008" / f"0008_{ending}.nii.gz")
    (only,) = verse_series(tmp_path)
    assert (only.name, only.centroids) == ("0007", None)
    assert only.labels.name == f"0007_{ending}.nii.gz"


def test_one_series_in_two_layouts_is_refused(tmp_path):
    published(tmp_path, "sub-verse004")
    for name in ("sub-verse004", "sub-verse004_seg"):
        touch(tmp_path / "raw" / "sub-verse004" / f"{name}.nii.gz")
    with pytest.raises(LamellaError, match="sub-verse004 twice"):
        verse_series(tmp_path)


def test_grades_go_to_the_series_that_are_there(tmp_path):
    """The second series of a patient is found by its order, one that is missing is passed."""
    for name in ("sub-verse004", "sub-verse414_split-verse231", "sub-verse414_split-verse256"):
        published(tmp_path, name)
    graded(
        tmp_path,
        train={"sub-verse004_8": 0, "sub-verse004_20": 2, "sub-verse005_20": 1},
        test={"sub-verse414_series1_28": 3, "sub-verse414_series2_28": 3},
        val={"sub-verse414_19": 1},
    )
    cohort = verse_cohort(tmp_path)
    assert cohort.grades == {
        "train": {"sub-verse004": {"T1": 0, "L1": 2}},
        "test": {"sub-verse414_split-verse256": {"T13": 3}},
        "val": {},
    }
    assert set(cohort.series) >= {"sub-verse004", "sub-verse414_split-verse256"}


def test_a_folder_without_series_grades_or_agreement_is_refused(tmp_path):
    with pytest.raises(LamellaError, match="found no CT with a vertebra mask"):
        verse_cohort(tmp_path)
    published(tmp_path, "sub-verse004")
    with pytest.raises(LamellaError, match="found no file: put"):
        verse_cohort(tmp_path)
    graded(tmp_path, train={"sub-verse005_20": 1})
    with pytest.raises(LamellaError, match="none of the 1 series"):
        verse_cohort(tmp_path)


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        ({"train": {"sub-verse004_27": 0}}, "SERIES_LABEL"),
        ({"train": {"_8": 0}}, "SERIES_LABEL"),
        ({"train": {"sub-verse004_8": 4}}, "grade 0 to 3"),
        ([1], "splits"),
    ],
)
def test_grades_of_another_form_are_refused(tmp_path, splits, said):
    path = tmp_path / "grades.json"
    path.write_text(json.dumps(splits))
    with pytest.raises(LamellaError, match=said):
        read_grades(path)


def test_centroids_are_read_by_level_with_or_without_a_direction(tmp_path):
    path = tmp_path / "points.json"
    place = {"label": 28, "X": 1.5, "Y": 2.0, "Z": 3.25}
    path.write_text(json.dumps([{"direction": ["P", "I", "R"]}, place]))
    assert read_centroids(path) == {"T13": (1.5, 2.0, 3.25)}
    path.write_text(json.dumps([{"label": 19, "X": 1.0}]))
    with pytest.raises(LamellaError, match="X, Y and Z"):
        read_centroids(path)
    path.write_text("{")
    with pytest.raises(LamellaError, match="not JSON"):
        read_centroids(path)
