"""What trains and what judges: phantoms beside healthy scans, or the splits of a cohort."""

import json

import pytest

import spines
from lamella.io.verse import GRADES_FILES
from lamella.records import LamellaError
from lamella.training.spine_material import (
    COHORT_LICENCE,
    ONLY_PHANTOMS_LICENCE,
    PHANTOM_LICENCE,
    SpineAmounts,
    SpineMaterial,
)
from lamella.training.spine_phantoms import PhantomChance, PhantomCrops
from lamella.training.spine_scans import HEALTHY_SCANS, ScanCrops, SeriesCrops

COARSE = PhantomChance(fractured=0.5, spacing_mm=(3.0, 3.0), whole_trunk=0.0)
FEW = SpineAmounts(phantoms=2, judged_phantoms=1, levels=2, chance=COARSE, processes=1)


def makers(sources):
    return [source.make for source in sources]


def test_phantoms_that_judge_are_others_than_those_that_train(tmp_path):
    material = SpineMaterial(None, tmp_path, FEW)
    train, judge = makers(material._training_sources()), makers(material._judging_sources())
    assert [type(make) for make in (*train, *judge)] == [PhantomCrops] * 3
    assert len({(make.seed, make.number) for make in (*train, *judge)}) == 3
    assert not {make.spec().seed for make in train} & {make.spec().seed for make in judge}
    assert material.licence == ONLY_PHANTOMS_LICENCE
    assert (material.judged_on, material.named) == ("held-out phantoms", "phantoms")


def test_a_pool_is_made_once(tmp_path):
    first = SpineMaterial(None, tmp_path, FEW).judged
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    again = SpineMaterial(None, tmp_path, FEW).judged
    assert [crop.facts for crop in first.crops] == [crop.facts for crop in again.crops]
    assert file.stat().st_mtime_ns == written
    assert len(first) == 2


def test_healthy_scans_that_are_there_train_too_and_the_licence_says_so(tmp_path):
    """The third CT of the development data lies beside them and is not touched."""
    for path in (HEALTHY_SCANS[0].ct, "abdomen_3mm/ct.nii.gz"):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).touch()
    material = SpineMaterial(tmp_path, tmp_path / "pool", FEW)
    train = makers(material._training_sources())
    scans = [make.scan for make in train if isinstance(make, ScanCrops)]
    assert scans == [HEALTHY_SCANS[0]]
    assert len(train) == 3
    assert material.licence == PHANTOM_LICENCE
    assert "Apache-2.0" in material.licence
    assert material.named == f"phantoms and {tmp_path.name}"


@pytest.fixture
def cohort(tmp_path):
    for name in ("sub-verse004", "sub-verse005", "sub-verse006"):
        for ending in ("ct", "seg-vert_msk"):
            path = tmp_path / "rawdata" / name / f"{name}_{ending}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    splits = {
        "train": {"sub-verse004_20": 0, "sub-verse004_21": 2},
        "test": {"sub-verse005_20": 1},
        "val": {"sub-verse006_20": 3},
    }
    (tmp_path / GRADES_FILES[0]).write_text(json.dumps(splits))
    return tmp_path


def test_the_splits_of_a_cohort_train_and_judge_and_the_last_is_left_alone(cohort):
    material = SpineMaterial(cohort, cohort / "pool", FEW)
    train, judge = makers(material._training_sources()), makers(material._judging_sources())
    assert [type(make) for make in (*train, *judge)] == [SeriesCrops] * 2
    assert (train[0].series.name, dict(train[0].grades)) == ("sub-verse004", {"L1": 0, "L2": 2})
    assert (judge[0].series.name, dict(judge[0].grades)) == ("sub-verse005", {"L1": 1})
    assert material.licence == COHORT_LICENCE
    assert material.judged_on == "test split of the cohort"


def test_a_cohort_without_grades_is_refused(cohort):
    (cohort / GRADES_FILES[0]).unlink()
    with pytest.raises(LamellaError, match="split and grades"):
        _ = SpineMaterial(cohort, cohort / "pool", FEW).training


def test_levels_are_as_many_as_asked():
    make = PhantomCrops(seed=0, number=0, chance=COARSE, levels=2)
    assert len(make.spec().levels) == 2
    assert make.spec().spacing == (3.0, 3.0, 3.0)
    assert spines.spine().spec.spacing == (3.0, 3.0, 3.0)
