"""CT volumes and labels of vertebrae: what they say of themselves, what they refuse."""

from dataclasses import replace

import numpy as np
import pytest

from lamella.records import LEVEL_OF, LEVELS, VERSE_IDS, CTVolume, LamellaError, SpineLabels
from lamella.records.spine import numbers_in


def labelled(*numbers: int) -> np.ndarray:
    ids = np.zeros((9, 9, 40), np.uint8)
    for k, number in enumerate(numbers):
        ids[2:5, 2:5, 4 * k : 4 * k + 3] = number
    return ids


def test_every_level_has_one_number_and_back():
    assert {LEVEL_OF[VERSE_IDS[level]] for level in LEVELS} == set(LEVELS)
    assert (VERSE_IDS["T12"], VERSE_IDS["T13"], VERSE_IDS["L1"]) == (19, 28, 20)


def test_levels_run_from_the_skull_down_whatever_their_numbers():
    labels = SpineLabels(ids=labelled(20, 28, 19, 25, 24), affine=np.eye(4))
    assert labels.levels == ("T12", "T13", "L1", "L5", "L6")


def test_spacing_is_read_off_an_oblique_affine():
    turn = np.array([[0.0, -1.0, 0.0], [0.8, 0.0, -0.6], [0.6, 0.0, 0.8]])
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array([0.7, 0.9, 2.0])
    volume = CTVolume(hu=np.zeros((8, 8, 8), np.float32), affine=affine)
    assert volume.spacing_mm == pytest.approx((0.7, 0.9, 2.0))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"hu": np.zeros((8, 8), np.float32)}, "3 dimensions"),
        ({"hu": np.zeros((8, 8, 7), np.float32)}, "at least 8 voxels"),
        ({"affine": np.diag([1.0, 1.0, 0.0, 1.0])}, "singular"),
        ({"hu": np.full((8, 8, 8), np.nan, np.float32)}, "expected finite Hounsfield units"),
        ({"affine": np.full((4, 4), np.nan)}, "finite"),
    ],
)
def test_volumes_without_geometry_are_refused(fields: dict, words: str):
    usual = {"hu": np.zeros((8, 8, 8), np.float32), "affine": np.eye(4)}
    with pytest.raises(LamellaError, match=words):
        CTVolume(**(usual | fields))


def test_labels_without_a_vertebra_or_with_strange_numbers_are_refused():
    with pytest.raises(LamellaError, match="no vertebra"):
        SpineLabels(ids=labelled(), affine=np.eye(4))
    with pytest.raises(LamellaError, match=r"\[99\]"):
        SpineLabels(ids=labelled(20, 99), affine=np.eye(4))
    with pytest.raises(LamellaError, match="body mask"):
        SpineLabels(ids=labelled(20), affine=np.eye(4), bodies=np.zeros((2, 2, 2), bool))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_refused(value: float):
    hu = np.full((8, 9, 10), -1000.0, np.float32, order="F")
    CTVolume(hu=hu, affine=np.eye(4))
    hu[7, 3, 9] = value
    with pytest.raises(LamellaError, match="expected finite Hounsfield units, got NaN or infinite"):
        CTVolume(hu=hu, affine=np.eye(4))


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.int8, np.uint16])
def test_every_integer_type_becomes_uint8(dtype: type):
    given = labelled(19, 20).astype(dtype)
    labels = SpineLabels(ids=given, affine=np.eye(4))
    assert labels.ids.dtype == np.uint8
    np.testing.assert_array_equal(labels.ids, given)
    assert numbers_in(given) == (19, 20)


def test_uint8_labels_are_not_copied():
    given = labelled(19)
    assert SpineLabels(ids=given, affine=np.eye(4)).ids is given


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (np.where(labelled(20) > 0, 300, 0), "expected label numbers from 0 to 255, got 0 to 300"),
        (np.where(labelled(20) > 0, -1, 20), "expected label numbers from 0 to 255, got -1 to 20"),
        (labelled(20).astype(np.float32), "expected whole label numbers, got values of type float"),
        (labelled(20) > 0, "expected whole label numbers, got values of type bool"),
    ],
    ids=["300", "-1", "float", "mask"],
)
def test_what_is_no_label_number_is_refused(ids: np.ndarray, words: str):
    with pytest.raises(LamellaError, match=words):
        SpineLabels(ids=ids, affine=np.eye(4))
    with pytest.raises(LamellaError, match=words):
        numbers_in(ids)


def test_cut_levels_are_kept_by_name():
    labels = SpineLabels(ids=labelled(19, 20), affine=np.eye(4), cut=("T12",))
    assert replace(labels, ids=labelled(20)).cut == ("T12",)
    with pytest.raises(LamellaError, match="expected cut levels such as T12, got"):
        replace(labels, cut=("T14",))
