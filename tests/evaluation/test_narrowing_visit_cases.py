"""Visits compared in every order, and repeats with jitter."""

import numpy as np
import pytest

import comparing
import joints
from lamella.evaluation import narrowing_visit_cases
from lamella.evaluation.narrowing_visit_cases import (
    JITTER_PX,
    jittered,
    joints_seen_repeatedly,
    repeated_pairs,
    visit_cases,
)
from lamella.io.datasets import joint_rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    three = [joints.phantom(jsw_mm=width, seed=6) for width in (1.2, 0.7, -0.5)]
    made = {
        "00001_R_2": three,
        "00002_R_2": three[:2],
        "00003_R_2": three[:1],
    }
    return joints.write_manifest(tmp_path_factory.mktemp("visits") / "dev.json", made)


def test_joints_with_several_sound_visits(manifest):
    found = joints_seen_repeatedly(joint_rows(manifest))
    assert {name: len(visits) for name, visits in found.items()} == {"00001_R_2": 3, "00002_R_2": 2}
    assert len(joints_seen_repeatedly(joint_rows(manifest), 1)) == 1


def test_every_ordered_pair_is_compared(manifest, monkeypatch):
    comparing.use(
        monkeypatch,
        widths=comparing.answering(comparing.width_lost()),
        far=comparing.answering(lambda *_: 30.0),
    )
    cases = visit_cases(manifest, ["widths", "far"])
    assert [len(found) for found in cases.values()] == [8, 8]
    widths = {(case.joint, case.first, case.last): case for case in cases["widths"]}
    there, back = (widths["00001_R_2", *pair].case.measured_mm for pair in ((0, 1), (1, 0)))
    assert there == pytest.approx(-back)
    assert abs(there) > 0.2
    assert widths["00001_R_2", 0, 2].overlap_px > 20
    assert widths["00002_R_2", 0, 1].overlap_px == 0


def test_a_wrong_registration_has_the_larger_mse(manifest, monkeypatch):
    comparing.use(
        monkeypatch,
        widths=comparing.answering(comparing.width_lost()),
        far=comparing.answering(lambda *_: 30.0),
    )
    cases = visit_cases(manifest, ["widths", "far"])
    for near, far in zip(cases["widths"], cases["far"], strict=True):
        assert set(near.mse) == ({"upper", "lower"} if near.first < near.last else set())
        if near.mse:
            assert far.mse["upper"] > near.mse["upper"]
            assert far.mse["lower"] == near.mse["lower"]


def test_jitter_crops_and_moves():
    radiograph = joints.radiograph_of(joints.phantom(jsw_mm=0.7, seed=6))
    made = [jittered(radiograph, np.random.default_rng(seed)) for seed in range(12)]
    side = 256 - 2 * JITTER_PX
    assert {each.shape for each in made} == {(side, side)}
    offsets = {
        (down, right)
        for each in made
        for down in range(2 * JITTER_PX + 1)
        for right in range(2 * JITTER_PX + 1)
        if np.array_equal(each.pixels, radiograph.pixels[down : down + side, right : right + side])
    }
    assert len(offsets) > 6


def test_repeats_measure_afresh(manifest, monkeypatch):
    monkeypatch.setattr(narrowing_visit_cases, "REPEATS", 3)
    comparing.use(monkeypatch, widths=comparing.answering(comparing.width_lost()))
    (found,) = repeated_pairs(manifest, ["widths"], 2).values()
    assert len(found) == 2
    for pair in found:
        assert pair.accepted.all()
        assert pair.measured_mm.shape == (3,)
        assert 0.0 < pair.answered_mm.std() < 0.2
        assert pair.made_mm.size == 3
