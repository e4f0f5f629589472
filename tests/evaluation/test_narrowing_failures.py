"""Refusals and their trade-off."""

import json

import numpy as np
import pytest

import comparing
import joints
from lamella.evaluation.narrowing_cases import NarrowingCase
from lamella.evaluation.narrowing_failures import (
    FINGER,
    MIRRORED,
    NAME,
    PATIENT,
    SAME,
    evaluate,
    mirrored,
    pairs_of_classes,
    refusals,
    separability,
    trade_off,
    trade_off_curves,
)


def cases(*agreement: float, refused: int = 0) -> list[NarrowingCase]:
    return [
        NarrowingCase(
            joint="a",
            measured_mm=0.1,
            agreement=value,
            refused="poor match" if at < refused else None,
        )
        for at, value in enumerate(agreement)
    ]


CLASSES = {
    SAME: cases(*np.linspace(0.6, 1.0, 100).tolist(), refused=2),
    PATIENT: cases(*np.linspace(0.2, 0.59, 100).tolist(), refused=97),
    FINGER: cases(*np.linspace(0.6, 1.0, 100).tolist()),
    MIRRORED: cases(*[-1.0] * 50, *[0.8] * 50, refused=50),
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    seeds = {"00001_R_2": 6, "00002_R_2": 7, "00003_R_5": 8, "00004_L_2": 9}
    made = {name: [joints.phantom(jsw_mm=0.7, seed=seed)] * 2 for name, seed in seeds.items()}
    return joints.write_manifest(tmp_path_factory.mktemp("failures") / "dev.json", made)


def test_classes_are_what_their_names_say(manifest):
    found = pairs_of_classes(manifest, 100)
    names = {
        kind: [(first.row.joint, last.row.joint) for first, last in pairs]
        for kind, pairs in found.items()
    }
    assert all(first == last for first, last in names[SAME])
    assert len(names[SAME]) == 4
    assert names[MIRRORED] == names[SAME]
    assert names[PATIENT] == [("00001_R_2", "00002_R_2")]
    assert sorted(names[FINGER]) == [("00001_R_2", "00003_R_5"), ("00002_R_2", "00003_R_5")]
    assert len(pairs_of_classes(manifest, 1)[SAME]) == 1


def test_mirroring_turns_left_to_right():
    radiograph = joints.radiograph_of(joints.phantom(jsw_mm=0.7, seed=6))
    assert np.array_equal(mirrored(radiograph).pixels[:, 0], radiograph.pixels[:, -1])
    assert np.array_equal(mirrored(mirrored(radiograph)).pixels, radiograph.pixels)


def test_refusals_are_counted():
    found = refusals(CLASSES)
    assert {kind: part.hits for kind, part in found.items()} == {
        SAME: 2,
        PATIENT: 97,
        FINGER: 0,
        MIRRORED: 50,
    }


@pytest.mark.parametrize("allowed", [0.01, 0.03, 0.05])
def test_the_trade_off_spares_the_same_joints(allowed):
    found = trade_off(CLASSES, allowed)
    assert found.refused[SAME].value == pytest.approx(allowed)
    assert found.refused[PATIENT].value == 1.0
    assert found.refused[FINGER].hits == found.refused[SAME].hits
    assert found.refused[MIRRORED].value == 0.5


def test_separability_is_a_chance():
    found = separability(CLASSES)
    assert found[PATIENT] == 1.0
    assert found[FINGER] == pytest.approx(0.5)
    assert found[MIRRORED] == pytest.approx(0.5 + 0.5 * 0.5, abs=0.01)


def test_curves_run_from_nothing_to_everything():
    for places, refused in trade_off_curves(CLASSES).values():
        assert (places[0], places[-1]) == (0.0, 100.0)
        assert refused[-1] == 100.0
        assert (np.diff(places) >= 0).all()
        assert (np.diff(refused) >= 0).all()
    same, finger = trade_off_curves(CLASSES)[FINGER]
    assert same == pytest.approx(finger)


def test_the_evaluation_tells_strangers_by_the_image(manifest, tmp_path, monkeypatch):
    look = comparing.answering(comparing.width_lost(), looking=True)
    comparing.use(monkeypatch, exact=look)
    table = evaluate(manifest, tmp_path, pairs=4)
    result = json.loads((tmp_path / f"{NAME}.json").read_text())
    assert result["area_under_curve"]["exact"] == {PATIENT: 1.0, FINGER: 1.0, MIRRORED: 1.0}
    assert result["refused"]["exact"][SAME]["trials"] == 4
    assert result["refused"]["exact"][SAME]["hits"] == 0
    assert result["trade_off"]["exact"]["0.03"]["refused"][MIRRORED]["part"] == 1.0
    assert ">= 95%" in table
    assert (tmp_path / f"{NAME}.png").exists()
