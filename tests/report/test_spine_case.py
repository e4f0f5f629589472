"""The straight spine before and after, in one frame."""

from dataclasses import replace

import numpy as np
import pytest

from assessed_spines import assessed
from lamella.records import VERSE_IDS, LamellaError, Vertebra
from lamella.report.spine_case import SpineCase, SpinePictures, spine_case


@pytest.fixture(scope="module")
def case() -> SpineCase:
    return spine_case(assessed(), "phantom")


def test_both_sides_have_one_shape_and_each_body_is_where_it_is_said(case):
    pictures = case.pictures
    for volume in (pictures.hu, pictures.hu_after, pictures.ids_after):
        assert volume.shape == pictures.ids.shape
    for vertebra in case.assessment.vertebrae[:-1]:
        place = pictures.to_straight(vertebra.body.frame.centre_mm[None])[0]
        at = tuple(np.rint(pictures.index(place)).astype(int))
        assert pictures.ids[at] == VERSE_IDS[vertebra.level]
        assert pictures.hu[at] > 50.0


def test_nothing_is_cut_off_above_or_below(case):
    rows = np.flatnonzero((case.pictures.ids > 0).any(axis=(0, 2)))
    assert rows[0] > 0
    assert rows[-1] < case.pictures.ids.shape[1] - 1


def test_the_pseudo_healthy_vertebra_is_higher_at_the_front(case):
    pictures, vertebra = case.pictures, case.assessment["L1"]
    centre = pictures.to_straight(vertebra.body.frame.centre_mm[None])[0]
    front = centre + np.array([0.0, 0.0, -0.33 * vertebra.body.depth_mm])
    left, _, back = np.rint(pictures.index(front)).astype(int)
    rows = [
        int((ids[left, :, back] == VERSE_IDS["L1"]).sum())
        for ids in (pictures.ids, pictures.ids_after)
    ]
    assert rows[1] - rows[0] >= 3


def test_labels_alone_have_no_shades_but_the_same_frame(case):
    alone = spine_case(assessed(with_ct=False)).pictures
    assert (alone.hu, alone.hu_after, alone.ids_after) == (None, None, None)
    np.testing.assert_array_equal(alone.ids, case.pictures.ids)


def test_fractures_come_first_else_the_likeliest(case):
    assert [each.level for each in case.reading_order] == ["L1", "T12", "L2"]
    others = tuple(each for each in case.assessment.vertebrae if each.level != "L1")
    healthy = replace(case, assessment=replace(case.assessment, vertebrae=others[::-1]))
    assert healthy.reading_order[0].level == "T12"


def test_requested_vertebrae_are_looked_at_unless_every_one_was(case):
    """T12 is whole and drawn on request; L2 has no answer."""
    upper, fractured, cut = case.assessment.vertebrae
    asked = replace(upper, generated=True)

    def shown(*vertebrae):
        found = replace(case, assessment=replace(case.assessment, vertebrae=vertebrae))
        return found.looked_at, [each.level for each in found.reading_order]

    whole = replace(fractured, level="T11", loss=upper.loss, generated=False)
    assert shown(whole, asked, cut) == (("T12",), ["T12", "T11", "L2"])
    assert shown(whole, asked, fractured)[0] == ("T12", "L1")
    every = (replace(whole, generated=True), asked, fractured)
    assert shown(*every)[0] == ("L1",)


def test_without_a_measured_body_the_curve_goes_through_whole_vertebrae():
    spine = assessed()
    refused = tuple(Vertebra(level=each.level, refused="cement") for each in spine.vertebrae)
    pictures = spine_case(replace(spine, vertebrae=refused)).pictures
    assert set(np.unique(pictures.ids)) == {0, *(VERSE_IDS[each.level] for each in refused)}


def test_pictures_of_two_shapes_are_refused(case):
    pictures = case.pictures
    with pytest.raises(LamellaError, match="one shape"):
        SpinePictures(
            ids=pictures.ids,
            corner_mm=pictures.corner_mm,
            spacing_mm=1.0,
            to_straight=pictures.to_straight,
            hu=pictures.hu[:-1],
        )
