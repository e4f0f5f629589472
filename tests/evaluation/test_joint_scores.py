"""Scores of rows on joints: who is scored, on what, and against what."""

from dataclasses import replace

import numpy as np
import pytest

import joints
from lamella.evaluation.joint_scores import (
    Floors,
    JointScore,
    NumberedJoint,
    RealFeatures,
    bone_distances,
    floors_of,
    manifest_in,
    numbered_joints,
    overlapping,
    score_closed,
    score_joints,
    set_distances,
)
from lamella.evaluation.rows import Separated
from lamella.records import LamellaError


def unchanged(radiograph, masks):
    """Layers and recomposition are the radiograph."""
    return Separated(layers=(radiograph.pixels,) * 2, recomposed=radiograph.pixels)


def bright(radiograph, masks):
    """The overlap is white."""
    overlap = np.stack(list(masks.values())).all(axis=0)
    pixels = np.where(overlap, 1.0, radiograph.pixels).astype(np.float32)
    return Separated(layers=(pixels, pixels), recomposed=pixels)


def declines(radiograph, masks):
    raise LamellaError("no soft tissue is visible")


@pytest.fixture(scope="module")
def all_joints(manifest):
    return numbered_joints(manifest)


@pytest.fixture(scope="module")
def scores(all_joints):
    rows = {"unchanged": unchanged, "bright": bright, "declines": declines}
    return score_joints(rows, overlapping(all_joints))


def test_overlapping_joints_are_scored_with_their_row_number(all_joints, scores):
    assert [joint.number for joint in all_joints] == [0, 1, 2, 3]
    assert [(one.number, one.is_sound) for one in scores["unchanged"]] == [(2, True), (3, False)]
    assert scores["unchanged"][0].overlap_px == all_joints[2].joint.overlap_px


def test_a_row_is_charged_with_its_own_errors(scores):
    assert scores["unchanged"][0].agreement.whole.mse == 0.0
    assert scores["bright"][0].agreement.overlap.mse > 0.01


def test_a_joint_that_a_row_refuses_is_missing(scores):
    assert scores["declines"] == []


@pytest.fixture(scope="module")
def many():
    """Features of twelve phantoms: half of them overlapping."""
    made = [
        joints.loaded(joints.coarse_phantom(jsw_mm=jsw_mm, seed=seed), f"{seed:05d}_R_2")
        for seed in range(6)
        for jsw_mm in (-1.0, 1.2)
    ]
    return [NumberedJoint(number=number, joint=joint) for number, joint in enumerate(made)]


def test_equal_images_are_no_distance_apart_and_bright_ones_are(many):
    real = RealFeatures.of(many)
    assert len(real.overlapping) == 6
    assert len(real.alone) == 6
    scores = score_joints({"same": unchanged, "bright": bright}, overlapping(many))
    same, changed = (set_distances(scores[name], real) for name in ("same", "bright"))
    assert set(same) == {"joint", "overlap", "upper", "lower"}
    for part in ("joint", "overlap"):
        assert same[part].frechet < 1e-9
        assert abs(same[part].kernel) < 1e-9
        assert changed[part].frechet > 1.0


def test_faulty_masks_take_no_part_in_sets(many):
    real = RealFeatures.of(many)
    scores = score_joints({"same": unchanged}, overlapping(many))["same"]
    stranger = replace(scores[0], number=99, is_sound=False)
    assert isinstance(stranger, JointScore)
    assert set_distances([*scores, stranger], real) == set_distances(scores, real)


def test_halves_share_no_joint(many):
    real = RealFeatures.of(many)
    assert sorted(map(len, real.halves)) == [3, 3]


def test_sets_too_small_have_no_distance(many):
    real = RealFeatures.of(many[:4])
    assert bone_distances(real.alone, real.alone) == {}


def test_true_layers_score_highest_and_every_case_counts(closed_cases):
    rows = {"unchanged": unchanged, "bright": bright}
    scores = score_closed(rows, closed_cases[:5])
    assert len(scores["unchanged"].fidelity) == 5
    assert len(scores["unchanged"].features) == 2
    for one, other in zip(scores["unchanged"].fidelity, scores["bright"].fidelity, strict=True):
        assert one.mse < other.mse


def test_floors_are_of_true_layers(many, closed_cases):
    real = RealFeatures.of(many)
    cases = [case for case in closed_cases for _ in range(4)]
    floors = floors_of(real, cases[: 4 * 4])
    assert isinstance(floors, Floors)
    assert set(floors.true_layers) == {"upper", "lower"}
    assert floors.real_halves == {}


def test_a_folder_stands_for_its_manifest(tmp_path):
    with pytest.raises(LamellaError, match="got none: name the file"):
        manifest_in(tmp_path)
    (tmp_path / "LS_K1_test").touch()
    assert manifest_in(tmp_path) == tmp_path / "LS_K1_test"
    (tmp_path / "LS_K1_all_train").touch()
    with pytest.raises(LamellaError, match="got LS_K1_all_train, LS_K1_test"):
        manifest_in(tmp_path)
    (tmp_path / "dev.json").touch()
    assert manifest_in(tmp_path) == tmp_path / "dev.json"
    assert manifest_in(tmp_path / "other.json") == tmp_path / "other.json"
