"""Labelled CTs: grades of readers, fractures on purpose, and what cannot be measured."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

import spines
from lamella.io.verse import VerseSeries
from lamella.io.volume import write_volume
from lamella.physics.virtual_fracture import FractureSpec, LabelledSpine
from lamella.records import LEVEL_OF
from lamella.training.spine_crops import FRACTURED, HEALTHY, TARGET, crop_of
from lamella.training.spine_scans import (
    HEALTHY_SCANS,
    HealthyScan,
    ScanCrops,
    SeriesCrops,
    fractured_case,
    measured_case,
    read_scan,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A phantom as if it had been scanned."""
    place = tmp_path_factory.mktemp("scan")
    phantom = spines.spine(levels=LEVELS)
    write_volume(phantom.ct, place / "ct.nii.gz")
    write_volume(phantom.labels, place / "labels.nii.gz")
    return place


LEVELS = ("L1", "L2")
SCAN = HealthyScan(name="phantom", ct="ct.nii.gz", labels="labels.nii.gz")


@pytest.fixture(scope="module")
def crops(folder):
    return ScanCrops(folder=folder, scan=SCAN, fractures=1)()


@pytest.mark.slow
def test_a_healthy_scan_gives_each_vertebra_healthy_and_fractured_in_every_way(crops):
    healthy = [crop.facts.level for crop in crops if crop.facts.grade == 0]
    broken = [crop.facts for crop in crops if crop.facts.grade > 0]
    assert healthy == list(LEVELS)
    assert len(broken) >= 5
    assert all(crop.facts.real == 1 for crop in crops)
    whole = {crop.facts.level: crop.facts.whole_mm for crop in crops[:2]}
    assert all(facts.whole_mm < 0.97 * whole[facts.level] for facts in broken)


@pytest.mark.slow
def test_measured_heights_are_the_phantoms(crops):
    truth = spines.spine(levels=LEVELS).heights
    for crop in crops[:2]:
        assert crop.facts.whole_mm == pytest.approx(truth[crop.facts.level].whole, abs=0.8)


def test_a_vertebra_that_is_not_complete_is_no_neighbour_to_rest_on(folder):
    spine = read_scan(folder, SCAN)
    spec = FractureSpec(kind="crush", loss=0.45)
    case = fractured_case(spine, "L2", spec, {})
    assert case.grades == {"L2": 3}
    crop = crop_of(case, "L2")
    assert not (crop.parts == HEALTHY).any()
    rows = np.argwhere(crop.parts == FRACTURED)[:, 1]
    assert rows.max() < np.argwhere(crop.parts == TARGET)[:, 1].min()


@pytest.mark.parametrize("given", [(20, 21), (21,)])
def test_a_series_has_its_readers_grades_and_only_vertebrae_with_a_centroid(
    folder, tmp_path, given
):
    points = tmp_path / "points.json"
    points.write_text(json.dumps([{"label": n, "X": 1, "Y": 1, "Z": 1} for n in given]))
    series = VerseSeries(
        name="sub-verse004",
        ct=folder / "ct.nii.gz",
        labels=folder / "labels.nii.gz",
        centroids=points,
    )
    made = SeriesCrops(series=series, grades={"L1": 2, "L2": 0, "T4": 0})()
    assert [(crop.facts.level, crop.facts.grade) for crop in made] == [
        (LEVEL_OF[n], {20: 2, 21: 0}[n]) for n in given
    ]


def test_a_scan_cut_through_a_vertebra_leaves_it_out():
    phantom = spines.spine()
    labels, ct = phantom.labels, phantom.ct
    places = np.argwhere(phantom.bodies == 20)[:, 2]
    top = int(places.min() + 0.5 * (places.max() - places.min()))
    cut = LabelledSpine(
        labels=type(labels)(ids=labels.ids[:, :, :top].copy(), affine=labels.affine),
        ct=type(ct)(hu=ct.hu[:, :, :top].copy(), affine=ct.affine),
    )
    case = measured_case("cut", cut)
    assert case.grades == {"L1": 0, "L2": 0, "L3": 0}
    assert set(case.heights) == {"L2", "L3"}


@pytest.mark.slow
@pytest.mark.skipif("LAMELLA_DATA" not in os.environ, reason="needs the CTs of LAMELLA_DATA/spine")
def test_the_scans_that_may_train_hold_one_complete_vertebra_each():
    folder = Path(os.environ["LAMELLA_DATA"]) / "spine"
    found = [ScanCrops(folder=folder, scan=scan, fractures=0)() for scan in HEALTHY_SCANS]
    assert [[crop.facts.level for crop in each] for each in found] == [["T12"], ["L3"]]
    assert "abdomen" not in "".join(scan.ct for scan in HEALTHY_SCANS)
