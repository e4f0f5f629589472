"""Pairs of one bone at two visits: on phantoms whose layers and motion are known."""

from dataclasses import replace

import numpy as np
import pytest

import joints
from lamella.evaluation.bone_pairs import (
    BONES,
    LEAST_PX,
    PENUMBRA_PX,
    alignment_weights,
    bone_pair,
    dilated,
    in_grey_scale_of,
    pairs_of,
)
from lamella.evaluation.visits import JointVisits

CROSSED = {"jsw_mm": -1.0, "seed": 3}
OPEN = {"jsw_mm": 1.6, "seed": 3, "noise_seed": 9}


def visit():
    return joints.loaded(joints.phantom(**CROSSED))


def other():
    return joints.loaded(joints.phantom(**OPEN))


@pytest.fixture(scope="module")
def pairs():
    return {bone: bone_pair(visit(), bone, other()) for bone in BONES}


@pytest.mark.parametrize("bone", BONES)
def test_the_reference_is_the_bone_that_lies_under_the_overlap(pairs, bone):
    """Nearer to the true layer than a quarter of what the other bone adds there."""
    pair = pairs[bone]
    truth = joints.phantom(**CROSSED)
    layer = 1 - np.exp(-(truth.soft_absorbance + truth.bone_absorbance[bone]))
    error = np.abs(pair.reference - layer)[pair.inside].mean()
    added = (pair.visit.pixels - layer)[pair.inside].mean()
    assert pair.ncc > 0.95
    assert error < 0.25 * added


@pytest.mark.parametrize("bone", BONES)
def test_compared_pixels_lie_in_the_overlap_and_see_this_bone_alone(pairs, bone):
    pair = pairs[bone]
    overlap = pair.visit.upper & pair.visit.lower
    assert LEAST_PX <= pair.inside.sum() <= overlap.sum()
    assert overlap[pair.inside].all()
    assert pair.usable[pair.inside].all()
    assert np.isfinite(pair.reference[pair.usable]).all()
    assert pair.beside.any()
    assert not (pair.beside & overlap).any()


def test_the_overlap_itself_has_no_say(pairs):
    """Other values in the overlap and its surround: same pixels, same reference."""
    spoilt = visit().pixels.copy()
    spoilt[visit().upper & visit().lower] = 0.05
    changed = bone_pair(replace(visit(), pixels=spoilt), "lower", other())
    np.testing.assert_array_equal(changed.inside, pairs["lower"].inside)
    difference = np.abs(changed.reference - pairs["lower"].reference)[changed.inside]
    # the finest level of the alignment blurs by one pixel: 0.05 instead of 0.6 leaks a little
    assert difference.max() < 0.02


def test_another_exposure_changes_nothing_but_the_gain(pairs):
    """Gain and offset of the other visit are undone."""
    brighter = replace(other(), pixels=(0.8 * other().pixels + 0.1).astype(np.float32))
    changed = bone_pair(visit(), "lower", brighter)
    inside = changed.inside
    np.testing.assert_allclose(
        changed.reference[inside], pairs["lower"].reference[inside], atol=5e-3
    )
    assert changed.gain == pytest.approx(pairs["lower"].gain / 0.8, rel=0.02)


def test_another_joint_is_refused():
    stranger = joints.loaded(joints.phantom(jsw_mm=1.6, seed=77))
    noise = np.random.default_rng(0).random(stranger.pixels.shape).astype(np.float32)
    assert bone_pair(visit(), "upper", replace(stranger, pixels=noise)) is None


def test_pairs_are_counted():
    crossed, apart = visit(), other()
    noise = np.random.default_rng(0).random(apart.pixels.shape).astype(np.float32)
    strange = replace(apart, pixels=noise)
    touching = replace(apart, upper=dilated(apart.upper, 30.0))
    visits = JointVisits(joint="00001_R_2", overlapping=(crossed,), apart=(strange, touching))
    found = pairs_of([visits])
    assert (found.tried, found.not_aligned) == (4, 2)
    assert found.hidden == 1
    assert [pair.bone for pair in found.pairs] == ["upper"]
    assert found.joints == ["00001_R_2"]


def test_weights_keep_away_from_the_other_bone_and_fall_with_distance():
    mask, hiding = visit().lower, visit().upper
    weights = alignment_weights(mask, hiding, 20.0)
    assert (weights[dilated(hiding, PENUMBRA_PX)] == 0).all()
    near = weights[dilated(mask & hiding, 8.0)].max()
    far = weights[~dilated(mask & hiding, 60.0)].max()
    assert near > 0.9 > 0.02 > far
    assert (weights[:2] == 0).all()


def test_gain_and_offset_are_undone_exactly_without_noise():
    image = np.random.default_rng(0).random((32, 32)).astype(np.float32)
    weights = np.ones((32, 32), np.float32)
    matched, gain = in_grey_scale_of(image, (0.5 * image + 0.3).astype(np.float32), weights)
    np.testing.assert_allclose(matched, image, atol=1e-5)
    assert gain == pytest.approx(2.0, rel=1e-5)
