"""Joints moved by a known amount."""

import numpy as np
import pytest

import joints
from lamella.evaluation import narrowing_moved
from lamella.evaluation.narrowing_moved import (
    NARROWING_MM,
    NOISE_SD,
    ROTATION_DEG,
    commanded,
    known_pairs,
    moved_pair,
)
from lamella.records import Pose
from lamella.zoo.verbs import adjustable, separate


@pytest.fixture(scope="module")
def bones():
    phantom = joints.phantom(jsw_mm=1.0, seed=3)
    return adjustable(separate(joints.radiograph_of(phantom), phantom.masks))


def test_a_commanded_approach_is_the_narrowing(bones):
    along_mm, across_mm, angle_deg = commanded(bones, Pose(along_px=-8.0))
    assert along_mm == pytest.approx(-8.0 * joints.SPACING_MM)
    assert (across_mm, angle_deg) == pytest.approx((0.0, 0.0), abs=1e-9)
    width = [bones.space_at(pose).jsw_mm for pose in (Pose(), Pose(along_px=-8.0))]
    assert width[1] - width[0] == pytest.approx(along_mm, abs=1e-6)


def test_a_rotation_at_the_joint_is_no_narrowing(bones):
    along_mm, across_mm, angle_deg = commanded(bones, Pose(rotation_deg=3.0))
    assert (along_mm, across_mm) == pytest.approx((0.0, 0.0), abs=5e-4)
    assert angle_deg == pytest.approx(3.0)


def test_moved_pairs_keep_to_their_ranges_both_ways(bones):
    made = [moved_pair("a", bones, np.random.default_rng(seed)) for seed in range(6)]
    known = np.array([pair.known_mm for pair in made])
    assert np.abs(known).max() <= NARROWING_MM + 0.02
    assert known.min() < 0 < known.max()
    assert max(abs(pair.angle_deg) for pair in made) <= ROTATION_DEG


def test_the_bones_lie_where_they_were_sent(bones):
    for seed in range(3):
        pair = moved_pair("a", bones, np.random.default_rng(seed))
        still, moved = pair.baseline.pixels, pair.followup.pixels
        if pair.known_mm < 0:
            still, moved = moved, still
        sent = Pose(
            along_px=-abs(pair.known_mm) / joints.SPACING_MM,
            across_px=np.sign(pair.known_mm) * pair.lateral_mm / joints.SPACING_MM,
            rotation_deg=float(np.sign(pair.known_mm) * pair.angle_deg),
        )
        rest = (moved - bones.at(sent).image).std()
        assert rest < 1.5 * NOISE_SD < 5 * NOISE_SD < (moved - still).std()


def test_noise_is_added_to_both_and_rounded(bones):
    pair = moved_pair("a", bones, np.random.default_rng(0))
    same = min(
        (pair.baseline, pair.followup),
        key=lambda each: np.abs(each.pixels - bones.layers.radiograph.pixels).mean(),
    )
    added = same.pixels - bones.layers.radiograph.pixels
    assert added.std() == pytest.approx(NOISE_SD, rel=0.35)
    for each in (pair.baseline, pair.followup):
        assert np.unique(each.pixels).size <= 256


def test_a_joint_that_cannot_move_gives_no_pair(bones, monkeypatch):
    monkeypatch.setattr(narrowing_moved, "ROTATION_DEG", 170.0)
    monkeypatch.setattr(narrowing_moved, "LATERAL_MM", 40.0)
    assert moved_pair("a", bones, np.random.default_rng(1)) is None


@pytest.mark.parametrize("drawn", [True, False])
def test_one_pair_from_each_joint_up_to_a_cap(tmp_path, drawn):
    phantom = joints.phantom(jsw_mm=1.0, seed=3)
    made = {f"0000{k}_R_2": [phantom] for k in range(5)}
    manifest = joints.write_manifest(tmp_path / "dev.json", made)
    pairs = list(known_pairs(manifest, 5, drawn=drawn))
    assert len({pair.joint for pair in pairs}) == len(pairs) == 5
    assert len({pair.known_mm for pair in pairs}) == 5
    again = next(iter(known_pairs(manifest, 5, drawn=drawn)))
    assert np.array_equal(again.followup.pixels, pairs[0].followup.pixels)
