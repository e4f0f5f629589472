"""Labels as programs write them: one volume, one file per vertebra, with organs, with a scheme."""

import tracemalloc

import nibabel as nib
import numpy as np
import pytest

import volumes
from lamella.io.label_files import read_labels
from lamella.records import VERSE_IDS, LamellaError

TOTAL = {"T12": 32, "L1": 31, "L2": 30}


def saved(path, values, affine=None):
    nib.save(nib.Nifti1Image(values, volumes.affine() if affine is None else affine), path)
    return path


@pytest.fixture
def per_vertebra(tmp_path):
    folder = tmp_path / "segmentation"
    folder.mkdir()
    for level in volumes.LEVELS:
        mask = (volumes.ids() == VERSE_IDS[level]).astype(np.uint8)
        saved(folder / f"vertebrae_{level}.nii.gz", mask)
    for name in ("vertebrae_T1", "liver", "sacrum"):
        saved(folder / f"{name}.nii.gz", np.zeros(volumes.SHAPE, np.uint8))
    return folder


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64])
def test_one_volume_of_any_type(tmp_path, dtype):
    labels = read_labels(saved(tmp_path / "a.nii.gz", volumes.ids().astype(dtype)))
    np.testing.assert_array_equal(labels.ids, volumes.ids())
    assert (labels.levels, labels.scheme, labels.source) == (volumes.LEVELS, "VerSe", "a.nii.gz")


def test_a_whole_body_map_keeps_its_vertebrae(tmp_path):
    values = np.full(volumes.SHAPE, 5, np.uint8)
    values[20:, :, 10:20] = 20
    for level, number in TOTAL.items():
        values[volumes.ids() == VERSE_IDS[level]] = number
    labels = read_labels(saved(tmp_path / "a.nii.gz", values))
    np.testing.assert_array_equal(labels.ids, volumes.ids())
    assert labels.scheme == "TotalSegmentator"


def test_one_file_per_vertebra_from_a_folder_or_a_list(per_vertebra):
    files = [per_vertebra / f"vertebrae_{level}.nii.gz" for level in volumes.LEVELS]
    for paths in (per_vertebra, files, [per_vertebra]):
        labels = read_labels(paths)
        np.testing.assert_array_equal(labels.ids, volumes.ids())
        assert labels.scheme == "one file per vertebra"
        assert labels.warnings == ()


def test_one_vertebra_alone_is_named_by_its_file(per_vertebra):
    assert read_labels(per_vertebra / "vertebrae_L1.nii.gz").levels == ("L1",)


def test_vertebrae_that_overlap_are_told(per_vertebra):
    wide = volumes.ids() == VERSE_IDS["L1"]
    wide[8:10, 8:10] |= volumes.ids()[8:10, 8:10] == VERSE_IDS["T12"]
    saved(per_vertebra / "vertebrae_L1.nii.gz", wide.astype(np.uint8))
    labels = read_labels(per_vertebra)
    np.testing.assert_array_equal(labels.ids, volumes.ids())
    assert labels.warnings == ("vertebrae overlap in 52 voxels: the upper one keeps them",)


def test_the_upper_vertebra_keeps_the_overlap_in_whatever_order_files_come(tmp_path):
    """T10 sorts before T9: files come by name, vertebrae from the skull down."""
    masks = {"T9": slice(0, 20), "T10": slice(10, 30), "T11": slice(15, 40)}
    for level, rows in masks.items():
        values = np.zeros((8, 8, 40), np.uint8)
        values[2:6, 2:6, rows] = 1
        saved(tmp_path / f"{level}.nii.gz", values, np.diag([1.0, 1.0, -1.0, 1.0]))
    labels = read_labels(tmp_path)
    expected = np.repeat([16, 17, 18], [20, 10, 10])
    np.testing.assert_array_equal(labels.ids[3, 3], expected)
    assert labels.warnings == (
        f"vertebrae overlap in {16 * (10 + 15)} voxels: the upper one keeps them",
    )


def test_memory_holds_one_file_at_a_time(tmp_path):
    """Ten vertebrae need hardly more than two."""
    names, peaks = [f"T{number}.nii.gz" for number in range(1, 11)], []
    for place, name in enumerate(names):
        values = np.zeros((64, 64, 60), np.float32)
        values[20:40, 20:40, 6 * place : 6 * place + 4] = 1.0
        saved(tmp_path / name, values, np.diag([1.0, 1.0, -5.0, 1.0]))
    read_labels(tmp_path)
    for count in (2, 10):
        tracemalloc.start()
        labels = read_labels([tmp_path / name for name in names[:count]])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(labels.levels) == count
    assert peaks[1] < 1.3 * peaks[0]


def test_files_that_do_not_fit_together_are_refused(per_vertebra):
    saved(per_vertebra / "vertebrae_T11.nii.gz", volumes.ids()[:, :, :40])
    with pytest.raises(LamellaError, match=r"T11.nii.gz: expected all vertebrae on one grid"):
        read_labels(per_vertebra)
    saved(per_vertebra / "vertebrae_T11.nii.gz", volumes.ids())
    with pytest.raises(LamellaError, match=r"T11.nii.gz: expected one vertebra in the file"):
        read_labels(per_vertebra)
    liver = [per_vertebra / "vertebrae_L1.nii.gz", per_vertebra / "liver.nii.gz"]
    with pytest.raises(LamellaError, match=r"liver.nii.gz: expected a level in the name"):
        read_labels(liver)
    with pytest.raises(LamellaError, match=r"got two of L1"):
        read_labels([liver[0], liver[0]])


def test_a_given_scheme_is_followed_even_for_one_vertebra(tmp_path):
    path = saved(tmp_path / "a.nii.gz", np.where(volumes.ids() == 20, 20, 0).astype(np.uint8))
    with pytest.raises(LamellaError, match=r"^a\.nii\.gz: .*--label-scheme"):
        read_labels(path)
    assert read_labels(path, scheme="verse").levels == ("L1",)
    assert read_labels(path, scheme="totalsegmentator-v1").levels == ("L3",)
    with pytest.raises(LamellaError, match="hold no vertebra"):
        read_labels(path, scheme="totalsegmentator")


def test_a_given_scheme_that_runs_upwards_is_told(tmp_path):
    values = volumes.ids().copy()
    for number, other in ((19, 31), (20, 32), (21, 33)):
        values[volumes.ids() == number] = other
    labels = read_labels(saved(tmp_path / "a.nii.gz", values), scheme="totalsegmentator")
    assert len(labels.warnings) == 1
    assert "not in order along the spine" in labels.warnings[0]


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (volumes.hounsfield(), "as in a CT: give the labels as the labels"),
        (volumes.ids() + np.float32(0.5), "expected whole label numbers"),
        (np.where(volumes.ids() > 0, np.nan, 0.0), "expected whole label numbers"),
        (np.zeros(volumes.SHAPE, np.uint8), "the labels are empty"),
        ((volumes.ids() > 0).astype(np.uint8), "got a mask of the whole spine"),
    ],
)
def test_what_is_no_label_map_is_refused(tmp_path, values, match):
    with pytest.raises(LamellaError, match=match) as refusal:
        read_labels(saved(tmp_path / "a.nii.gz", values))
    message = str(refusal.value)
    assert message.startswith("a.nii.gz: ")
    assert "\n" not in message


def test_empty_files_of_every_vertebra_are_refused(tmp_path):
    for level in ("L1", "L2"):
        saved(tmp_path / f"{level}.nii", np.zeros(volumes.SHAPE, np.uint8))
    with pytest.raises(LamellaError, match="the labels are empty"):
        read_labels(tmp_path)


def test_folders_without_one_answer_are_refused(tmp_path):
    for name in ("a", "b"):
        saved(tmp_path / f"{name}.nii.gz", volumes.ids())
    with pytest.raises(LamellaError, match="expected one label file or files like"):
        read_labels(tmp_path)
    for paths, match in ((tmp_path / "none.nii", "no such file"), ([], "expected label files")):
        with pytest.raises(LamellaError, match=match):
            read_labels(paths)


@pytest.mark.parametrize(
    ("name", "levels", "scheme"),
    [
        (
            "abdomen_3mm/totalseg.nii.gz",
            ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"),
            "TotalSegmentator",
        ),
        (
            "abdomen_3mm/totalseg_vertebrae_pp_refined.nii.gz",
            ("T12", "L1", "L2", "L3", "L4", "L5"),
            "VerSe",
        ),
        ("dicom_series_labels.nii.gz", ("T11", "T12"), "TotalSegmentator"),
        ("crop_l3_1p5mm/vertebrae.nii.gz", ("L2", "L3", "L4"), "VerSe"),
        ("thorax_1p5mm", ("T12",), "one file per vertebra"),
        (
            "healthivert_0007/0007_msk.nii.gz",
            ("T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"),
            "VerSe",
        ),
        (
            "healthivert_0007/straightened_label/0007_23.nii.gz",
            ("T11", "T12", "L1", "L2", "L3", "L4", "L5"),
            "VerSe",
        ),
    ],
)
def test_real_labels(lamella_data, name, levels, scheme):
    path = lamella_data / "spine" / name
    if path.name == "thorax_1p5mm":
        path = path / "vertebrae_T12.nii.gz"
    labels = read_labels(path)
    assert (labels.levels, labels.scheme, labels.warnings) == (levels, scheme, ())


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("crop_l3_1p5mm/subregions.nii.gz", "as the body mask"),
        ("abdomen_3mm/totalseg_vertebrae_body.nii.gz", "as the body mask"),
        ("abdomen_3mm/ct.nii.gz", "as in a CT"),
        ("abdomen_3mm", "expected one label file"),
    ],
)
def test_real_files_that_are_no_labels(lamella_data, name, match):
    with pytest.raises(LamellaError, match=match):
        read_labels(lamella_data / "spine" / name)
