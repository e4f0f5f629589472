"""Pairs for the machine reader: the same place, one mask, one fold, nothing generated in real."""

import numpy as np
import pytest

import joints
from lamella.evaluation.reader_patches import (
    FEWEST_OVERLAP_PX,
    RIM_PX,
    SIDE_PX,
    bones_of,
    generated_patch,
    levelled,
    matched_pairs,
    real_patch,
)
from lamella.records import LamellaError
from lamella.tasks.reading import cut, place_of


@pytest.fixture(scope="module")
def pairs(manifest):
    """Pairs of the manifest's one overlapping joint, in one fold."""
    return matched_pairs(*bones_of(manifest), 0, folds=1)


def test_bones_are_those_with_sound_masks(manifest):
    crossed, free = bones_of(manifest)
    assert {bone.joint for bone in crossed} == {"00003_L_13"}
    assert {bone.joint for bone in free} == {"00001_R_1", "00002_R_2"}
    assert all(bone.overlap_px == 0 for bone in free)


def test_a_pair_is_one_bone_at_one_place_through_one_mask(pairs):
    assert {pair.generated.name for pair in pairs} == {"upper", "lower"}
    for pair in pairs:
        assert pair.generated.name == pair.real.name
        here = place_of(pair.generated, pair.at)
        there = place_of(pair.real, pair.real_at)
        assert here.depth_px == pytest.approx(there.depth_px, abs=1.5)
        assert here.across == pytest.approx(there.across, abs=0.05)
        assert pair.overlap.sum() >= FEWEST_OVERLAP_PX
        assert not (pair.overlap & ~pair.seen).any()
        for bone, at in ((pair.generated, pair.at), (pair.real, pair.real_at)):
            wide = cut(bone.mask, at, SIDE_PX + 2 * RIM_PX)
            shrunk = np.roll(wide, 1, 0) & np.roll(wide, -1, 0) & wide
            assert not (pair.seen & ~shrunk[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX]).any()


def test_real_pixels_are_the_radiographs_up_to_gain_and_offset(pairs):
    for pair in pairs:
        shown, raw = real_patch(pair), cut(pair.real.pixels, pair.real_at, SIDE_PX)
        assert np.corrcoef(shown[pair.seen], raw[pair.seen])[0, 1] == pytest.approx(1.0, abs=1e-5)
        assert (shown[~pair.seen] == 0).all()


def test_exposure_and_contrast_are_levelled_away(pairs):
    pair = pairs[0]
    raw = cut(pair.generated.pixels, pair.at, SIDE_PX)
    np.testing.assert_allclose(
        levelled(pair, raw), levelled(pair, (0.5 * raw + 0.2).astype(np.float32)), atol=1e-3
    )
    around = levelled(pair, raw)[pair.surroundings]
    assert (around.mean(), around.std()) == pytest.approx((0.0, 1.0), abs=1e-3)
    assert not (pair.surroundings & pair.overlap).any()


def test_layers_are_rounded_like_their_radiograph(pairs):
    pair = pairs[0]
    finer = pair.generated.pixels + np.float32(0.3 / 255)
    rounded = (np.round(pair.generated.pixels * 255) / 255).astype(np.float32)
    np.testing.assert_allclose(
        generated_patch(pair, finer), generated_patch(pair, rounded), atol=1e-5
    )


def test_a_joint_stays_in_its_fold(tmp_path):
    visits = {
        f"{number:05d}_R_2": [
            joints.phantom(seed=number),
            joints.phantom(seed=number, jsw_mm=1.2),
        ]
        for number in range(4)
    }
    manifest = joints.write_manifest(tmp_path / "dev.json", visits)
    pairs = matched_pairs(*bones_of(manifest), 3, folds=2)
    fold = {pair.generated.joint: pair.fold for pair in pairs}
    assert sorted(fold.values()) == [0, 0, 1, 1]
    assert all(fold[pair.real.joint] == pair.fold for pair in pairs)


def test_too_few_joints_are_refused(manifest):
    with pytest.raises(LamellaError, match="use more joints"):
        matched_pairs(*bones_of(manifest), 0, folds=5)
    crossed, _ = bones_of(manifest)
    with pytest.raises(LamellaError, match="without overlap in every fold"):
        matched_pairs(crossed, [], 0, folds=1)
