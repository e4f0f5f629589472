"""CT volumes and labels of vertebrae: what they say of themselves, what they refuse."""

import numpy as np
import pytest

from lamella.records import LEVEL_OF, LEVELS, VERSE_IDS, CTVolume, LamellaError, SpineLabels


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
