"""MSE of registered bones on pixels that no method chose."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

import joints
from lamella.evaluation.bone_pairs import PENUMBRA_PX, dilated
from lamella.evaluation.narrowing_mse import TOLERANCE_PX, compared_pixels, registered_mse
from lamella.records import Similarity

RNG = np.random.default_rng(0)
IMAGE = ndimage.gaussian_filter(RNG.random((80, 90)), 3).astype(np.float32)
INSIDE = np.zeros(IMAGE.shape, bool)
INSIDE[20:60, 20:60] = True


def moved(down: int, right: int) -> np.ndarray:
    return np.roll(IMAGE, (down, right), axis=(0, 1))


def test_the_right_motion_leaves_nothing():
    right = Similarity(down_px=3.0, right_px=-2.0)
    assert registered_mse(IMAGE, moved(3, -2), right, INSIDE) == pytest.approx(0.0, abs=1e-9)


def test_the_wrong_motion_leaves_the_difference():
    still = registered_mse(IMAGE, moved(3, -2), Similarity(), INSIDE)
    nearer = registered_mse(IMAGE, moved(3, -2), Similarity(down_px=3.0, right_px=-1.0), INSIDE)
    assert still > 2 * nearer > 1e-6


def test_gain_and_offset_do_not_count():
    other = (0.7 * moved(3, -2) + 0.2).astype(np.float32)
    right = Similarity(down_px=3.0, right_px=-2.0)
    assert registered_mse(IMAGE, other, right, INSIDE) == pytest.approx(0.0, abs=1e-9)


def test_noise_counts_twice():
    noise = [RNG.normal(0, 0.01, IMAGE.shape).astype(np.float32) for _ in range(2)]
    found = registered_mse(IMAGE + noise[0], IMAGE + noise[1], Similarity(), INSIDE)
    assert found == pytest.approx(2e-4, rel=0.15)


def test_compared_pixels_show_one_bone_alone_at_both_visits():
    first = joints.loaded(joints.phantom(jsw_mm=-0.5, seed=6))
    last = joints.loaded(joints.phantom(jsw_mm=-1.2, seed=6))
    found = compared_pixels(first, last)
    assert set(found) == {"upper", "lower"}
    for bone, other in (("upper", "lower"), ("lower", "upper")):
        assert not (found[bone] & ~first.masks[bone]).any()
        assert not (found[bone] & dilated(first.masks[other], PENUMBRA_PX)).any()
    hidden = dilated(last.masks["upper"], PENUMBRA_PX + TOLERANCE_PX - 2)
    assert not (found["lower"] & hidden).any()
    assert found["lower"].sum() > 0.5 * first.masks["lower"].sum()


def test_a_bone_that_is_never_alone_is_left_out():
    joint = joints.loaded(joints.phantom(jsw_mm=-0.5, seed=6))
    covered = replace(joint, lower=np.ones_like(joint.lower))
    assert set(compared_pixels(covered, joint)) == {"lower"}
