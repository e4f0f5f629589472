"""Numbers and their order along the spine tell the scheme; what they do not tell is refused."""

import numpy as np
import pytest
from scipy import ndimage

import volumes
from lamella.io.label_schemes import (
    SCHEMES,
    boxes_of,
    descends,
    fits,
    level_in,
    parts_of,
    recognised_scheme,
    scheme_named,
    verse_numbers,
)
from lamella.records import LEVELS, VERSE_IDS, LamellaError

AFFINE = np.diag([5.0, 5.0, 2.0, 1.0])
REGULAR = tuple(level for level in LEVELS if level not in ("T13", "L6"))


def column(numbers, step_mm=30.0):
    """Blocks one below the other, the first number at the top; 2 mm slices."""
    step = round(step_mm / 2)
    made = np.zeros((8, 8, step * len(numbers) + 4), np.uint8)
    for place, number in enumerate(reversed(numbers)):
        made[2:6, 2:6, place * step : place * step + step - 4] = number
    return made


def numbers_in(scheme, levels):
    number_of = {level: number for number, level in SCHEMES[scheme].levels.items()}
    return [number_of[level] for level in levels]


def recognised(numbers, step_mm=30.0):
    return recognised_scheme(parts_of(column(numbers, step_mm), AFFINE)).name


@pytest.mark.parametrize(
    ("scheme", "number", "level"),
    [
        ("verse", 1, "C1"),
        ("verse", 8, "T1"),
        ("verse", 19, "T12"),
        ("verse", 28, "T13"),
        ("verse", 25, "L6"),
        ("verse", 26, "S1"),
        ("totalsegmentator", 26, "S1"),
        ("totalsegmentator", 27, "L5"),
        ("totalsegmentator", 31, "L1"),
        ("totalsegmentator", 32, "T12"),
        ("totalsegmentator", 43, "T1"),
        ("totalsegmentator", 44, "C7"),
        ("totalsegmentator", 50, "C1"),
        ("totalsegmentator-v1", 18, "L5"),
        ("totalsegmentator-v1", 41, "C1"),
        ("totalspineseg", 11, "C1"),
        ("totalspineseg", 32, "T12"),
        ("totalspineseg", 45, "L5"),
    ],
)
def test_numbers_of_the_schemes(scheme, number, level):
    assert SCHEMES[scheme].levels[number] == level


@pytest.mark.parametrize("count", [2, 3, 5, 9])
def test_every_stretch_of_spine_is_recognised_in_both_schemes(count):
    for first in range(len(REGULAR) - count + 1):
        levels = REGULAR[first : first + count]
        top = numbers_in("totalsegmentator", levels)
        assert recognised(top, 25.0) == "totalsegmentator", levels
        below = numbers_in("verse", levels)
        if set(below) != {1, 2}:
            assert recognised(below, 25.0) == "verse", levels


def test_transitional_levels_and_gaps_are_recognised():
    assert recognised(numbers_in("verse", ("T11", "T12", "T13", "L1"))) == "verse"
    assert recognised(numbers_in("verse", ("L4", "L5", "L6", "S1"))) == "verse"
    assert recognised(numbers_in("verse", ("T11", "L1", "L2"))) == "verse"


def test_the_older_totalsegmentator_is_told_by_its_lumbar_spine():
    levels = ("T11", "T12", "L1", "L2", "L3", "L4", "L5")
    assert recognised(numbers_in("totalsegmentator-v1", levels)) == "totalsegmentator-v1"


def test_organs_beside_the_spine_do_not_mislead():
    made = column(numbers_in("totalsegmentator", ("T12", "L1", "L2")))
    made[0, :, :] = 5
    made[7, :, 4:30] = 20
    parts = parts_of(made, AFFINE)
    assert recognised_scheme(parts).name == "totalsegmentator"
    found = verse_numbers(made, recognised_scheme(parts))
    assert set(np.unique(found)) == {0, 19, 20, 21}


@pytest.mark.parametrize("number", [5, 20, 24, 31, 47])
def test_one_vertebra_alone_tells_no_order(number):
    with pytest.raises(LamellaError, match="--label-scheme") as refusal:
        recognised([number])
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("numbers", "match"),
    [
        ([20, 22, 21], "got 20, 21, 22"),
        ([16, 17, 18, 99], "got 16, 17, 18, 99"),
        ([1, 2], "as the body mask"),
        ([49, 42, 50], "as the body mask"),
        ([1], "got a mask of the whole spine .* number each vertebra"),
        (list(range(60, 100)), "got 40 numbers from 60 to 99"),
    ],
)
def test_numbers_that_no_scheme_explains_are_refused(numbers, match):
    with pytest.raises(LamellaError, match=match):
        recognised(numbers)


def test_a_mask_of_the_whole_spine_is_never_taken_for_an_atlas():
    with pytest.raises(LamellaError) as refusal:
        recognised([1])
    assert "--label-scheme" not in str(refusal.value)


@pytest.mark.parametrize(
    ("step_mm", "spine"), [(5.0, False), (9.0, True), (55.0, True), (70.0, False)]
)
def test_distances_no_spine_has_are_refused(step_mm, spine):
    affine = np.diag([5.0, 5.0, 2.0 * step_mm / 30.0, 1.0])
    assert fits(SCHEMES["verse"], parts_of(column([20, 21, 22]), affine)) is spine


def test_a_stray_island_has_no_say():
    made = column([20, 21, 22])
    made[0, 0, 0] = 19
    assert recognised_scheme(parts_of(made, AFFINE)).name == "verse"


def test_orientation_of_the_axes_is_that_of_the_world():
    made = column(numbers_in("verse", ("T9", "T10", "T11")))[:, :, ::-1]
    upside_down = AFFINE @ np.diag([1.0, 1.0, -1.0, 1.0])
    assert recognised_scheme(parts_of(made, upside_down)).name == "verse"
    with pytest.raises(LamellaError):
        recognised_scheme(parts_of(made, AFFINE))


def test_parts_have_the_count_and_centroid_of_their_voxels():
    numbers = np.random.default_rng(4).integers(0, 5, (9, 10, 11)).astype(np.uint8)
    parts = parts_of(np.asfortranarray(numbers), volumes.affine())
    for number in range(1, 5):
        places = np.argwhere(numbers == number)
        centre = places.mean(axis=0) @ volumes.affine()[:3, :3].T + volumes.affine()[:3, 3]
        assert parts[number].voxels == len(places)
        np.testing.assert_allclose(parts[number].centroid_mm, centre, atol=1e-9)


def test_boxes_do_not_depend_on_the_order_in_memory():
    numbers = np.zeros((6, 7, 8), np.uint8)
    numbers[1:3, 2:6, 4] = 3
    expected = ndimage.find_objects(numbers)
    assert boxes_of(numbers) == boxes_of(np.asfortranarray(numbers)) == expected


def test_levels_that_do_not_descend():
    parts = parts_of(column([1, 2]), AFFINE)
    assert descends({"L1": parts[1], "L2": parts[2]})
    assert not descends({"L2": parts[1], "L1": parts[2]})


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("vertebrae_T12.nii.gz", "T12"),
        ("vertebrae_L5.nii", "L5"),
        ("T1.mha", "T1"),
        ("L1 vertebra", "L1"),
        ("Twelfth thoracic vertebra", "T12"),
        ("seventh cervical", "C7"),
        ("vertebrae_T12_L1.nii.gz", None),
        ("CT12.nii.gz", None),
        ("sacrum", None),
        ("L7", None),
        ("ninth lumbar", None),
        ("case_L12.nii", None),
    ],
)
def test_levels_in_names(text, level):
    assert level_in(text) == level


def test_an_unknown_scheme_is_refused_with_the_known_ones():
    assert scheme_named("verse").title == "VerSe"
    with pytest.raises(LamellaError, match="expected a label scheme of verse, totalsegmentator"):
        scheme_named("VERSE2020")


def test_no_scheme_uses_one_number_twice():
    for scheme in SCHEMES.values():
        assert not scheme.others & scheme.levels.keys()
        assert len(set(scheme.levels.values())) == len(scheme.levels)
        assert set(scheme.levels.values()) <= VERSE_IDS.keys()
