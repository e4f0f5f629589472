"""The machine reader finds what is wrong, and nothing where there is nothing."""

import json

import numpy as np
import pytest

import joints
from lamella.evaluation import reader
from lamella.evaluation.baselines import equal_split
from lamella.evaluation.reader import (
    BLURRED,
    EQUAL_SPLIT,
    Reading,
    Sample,
    blurred,
    bootstrap_interval,
    is_strong,
    judge,
    layers_of,
    read,
)
from lamella.evaluation.reader_patches import bones_of, matched_pairs
from lamella.evaluation.rows import Separated, painted


def samples(shift, seed=0, bones=60, per_bone=2):
    """Made-up patches; generated ones differ by ``shift`` in one of three features."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(bones):
        is_generated = number % 2 == 0
        for _ in range(per_bone):
            numbers = rng.normal(0, 1, 3) + np.array([shift * is_generated, 0, 0])
            made.append(
                Sample(
                    unit=(str(number), "upper", is_generated),
                    joint=str(number // 2),
                    fold=number // 2 % 5,
                    is_generated=is_generated,
                    features=dict(zip(("tell", "b", "c"), numbers.tolist(), strict=True)),
                )
            )
    return made


@pytest.fixture(autouse=True)
def small_forest(monkeypatch):
    monkeypatch.setattr(reader, "TREES", 40)
    monkeypatch.setattr(reader, "RESAMPLES", 200)


def test_a_difference_is_found_and_named():
    reading = read(samples(3.0))
    assert reading.auc > 0.95
    assert reading.interval[0] > 0.9
    assert next(iter(reading.tells)) == "tell"
    assert reading.bones == 60


def test_where_there_is_no_difference_none_is_found():
    """Training patches are never the judged ones, or the forest would remember them."""
    areas = [read(samples(0.0, seed)).auc for seed in range(4)]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.12)


def test_the_interval_holds_the_area_and_knows_that_bones_of_a_joint_go_together():
    rng = np.random.default_rng(1)
    truth = np.tile([True, False], 40)
    suspicion = np.repeat(rng.normal(size=8), 10) + truth * 0.8 + rng.normal(size=80)
    together = bootstrap_interval(truth, suspicion, np.repeat(np.arange(8), 10))
    again = bootstrap_interval(truth, suspicion, np.repeat(np.arange(8), 10))
    assert together == again
    assert together[0] < reader.area_under_curve(truth, suspicion) < together[1]


@pytest.mark.parametrize(
    ("areas", "strong"),
    [
        ({BLURRED: 0.95, EQUAL_SPLIT: 0.92, "other": 0.5}, True),
        ({BLURRED: 0.95, EQUAL_SPLIT: 0.89}, False),
        ({BLURRED: 0.89}, False),
        ({"other": 1.0}, False),
    ],
)
def test_a_reader_is_strong_when_it_sees_through_every_control(areas, strong):
    readings = {
        name: Reading(auc=area, interval=(0.0, 1.0), bones=2, tells={})
        for name, area in areas.items()
    }
    assert is_strong(readings) is strong


def test_the_control_is_blurred_in_the_overlap_only():
    radiograph = joints.radiograph_of(joints.coarse_phantom())
    masks = dict(joints.coarse_phantom().masks)
    layers = blurred(painted(equal_split))(radiograph, masks).layers
    sharp = painted(equal_split)(radiograph, masks).layers
    overlap = masks["upper"] & masks["lower"]
    for one, two in zip(layers, sharp, strict=True):
        np.testing.assert_array_equal(one[~overlap], two[~overlap])
        detail = [np.abs(np.diff(layer, axis=1))[overlap[:, 1:]].mean() for layer in (one, two)]
        assert detail[0] < 0.5 * detail[1]


def test_each_bone_gets_its_own_layer(manifest):
    pairs = matched_pairs(*bones_of(manifest), 0, folds=1)
    seen = []

    def top_first(radiograph, masks):
        seen.append([float(np.nonzero(mask)[0].mean()) for mask in masks.values()])
        layers = (radiograph.pixels, 1 - radiograph.pixels)
        return Separated(layers=layers, recomposed=radiograph.pixels)

    layers = layers_of(pairs, top_first)
    assert len(seen) == 1
    assert seen[0] == sorted(seen[0])
    for (_, name), layer in layers.items():
        pixels = pairs[0].generated.pixels
        np.testing.assert_array_equal(layer, pixels if name == "upper" else 1 - pixels)


@pytest.mark.slow
def test_the_table_has_every_row_and_both_checks(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "shipped", lambda _: painted(equal_split))
    visits = {
        f"{number:05d}_R_2": [
            joints.phantom(seed=number),
            joints.phantom(seed=number, jsw_mm=1.2),
        ]
        for number in range(5)
    }
    manifest = joints.write_manifest(tmp_path / "dev.json", visits)
    table = judge({EQUAL_SPLIT: painted(equal_split)}, manifest, tmp_path)
    result = json.loads((tmp_path / "reader.json").read_text())
    assert list(result["rows"]) == [EQUAL_SPLIT, BLURRED, reader.SURROUNDINGS]
    assert result["rows"][EQUAL_SPLIT]["auc"] > 0.8
    assert ("strong enough" in table) or ("too weak" in table)
    assert (tmp_path / "reader.md").read_text() == table
