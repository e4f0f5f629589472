"""A labelled phantom spine measured and compared, vertebra by vertebra."""

from dataclasses import replace

import numpy as np
import pytest

from lamella.methods.height_references.conditional import told_by_neighbours
from lamella.physics.virtual_fracture import FractureSpec
from lamella.records import VERSE_IDS, ZONES, LamellaError, SpineLabels
from lamella.tasks.spine import MeasuredSpine, compared, measured_spine
from spines import Fractures, spine

LEVELS = ("T12", "L1", "L2", "L3")
WEDGE = (("L1", FractureSpec(kind="wedge", loss=0.36)),)


@pytest.fixture(scope="module")
def wedged():
    return spine(levels=LEVELS, spacing_mm=2.0, fractures=Fractures(WEDGE))


@pytest.fixture(scope="module")
def measured(wedged) -> MeasuredSpine:
    return measured_spine(wedged.labels, wedged.ct)


def test_heights_are_those_of_the_phantom_within_a_fraction_of_a_voxel(wedged, measured):
    errors = [
        measured.by_level[level].heights_mm.of(zone) - wedged.heights[level].of(zone)
        for level in LEVELS
        for zone in ZONES
    ]
    assert np.abs(np.mean(errors)) < 0.3
    assert np.sqrt(np.square(errors).mean()) < 0.6


def test_the_wedge_is_found_and_nothing_else(wedged, measured):
    found = {one.level: one for one in compared(measured, told_by_neighbours)}
    assert {level: one.grade for level, one in found.items()} == {
        "T12": 0, "L1": 2, "L2": 0, "L3": 0,
    }  # fmt: skip
    wedge = found["L1"]
    true = 1 - wedged.heights["L1"].anterior / wedged.healthy_heights["L1"].anterior
    assert abs(wedge.rhlv.anterior - true) < 3 * wedge.rhlv_sd.anterior
    assert wedge.loss.kind == "wedge"
    assert "L1" not in found["L2"].healthy.neighbours


def test_one_vertebra_is_no_spine(wedged):
    alone = np.where(wedged.labels.ids == VERSE_IDS["L1"], wedged.labels.ids, 0).astype(np.uint8)
    with pytest.raises(LamellaError, match=r"at least two vertebrae.*\['L1'\]"):
        measured_spine(replace(wedged.labels, ids=alone))


def test_cement_refuses_its_vertebra_and_no_other(wedged):
    hu = np.array(wedged.ct.hu)
    hu[wedged.bodies == VERSE_IDS["L2"]] = 1500
    found = measured_spine(wedged.labels, replace(wedged.ct, hu=hu))
    by_level = {one.level: one for one in compared(found, told_by_neighbours)}
    assert "cement" in by_level["L2"].refused
    assert by_level["L2"].heights_mm is None
    assert "L2" not in by_level["L3"].healthy.neighbours


def test_a_cut_off_vertebra_is_refused(wedged):
    at = np.argwhere(wedged.labels.ids == VERSE_IDS["T12"])[:, 2]
    middle = int(at.mean())
    cut = SpineLabels(
        ids=np.ascontiguousarray(wedged.labels.ids[:, :, :middle]), affine=wedged.labels.affine
    )
    found = {one.level: one for one in compared(measured_spine(cut), told_by_neighbours)}
    assert found["T12"].refused is not None
    assert found["L2"].refused is None
