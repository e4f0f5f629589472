"""From a scene to LSN's layers: physical whatever the network says, and where it may speak."""

import numpy as np
import pytest

import joints
from lamella.methods.lsn.infer import (
    BONE_CONTEXT_PX,
    context_of,
    layer_images,
    separate_scene,
)
from lamella.physics.formation import WIDEST_SHARE_SD, intensity, split_by_shares
from lamella.physics.phantoms import JointPhantom
from lamella.prepare.scene import Scene, scene
from lamella.prepare.windows import PX_MULTIPLE, box_around
from lamella.types import Image


def unwidened(raw_sd: Image, overlap_px: float) -> Image:
    assert raw_sd.ndim == 2
    assert overlap_px >= 0
    return np.ones_like(raw_sd)


def scene_of(phantom: JointPhantom) -> Scene:
    observed = -np.log1p(-phantom.intensity)
    return scene(observed, list(phantom.masks.values()), phantom.spec.pixel_spacing_mm)


@pytest.fixture(scope="module")
def overlapping() -> Scene:
    return scene_of(joints.coarse_phantom())


@pytest.fixture(scope="module")
def apart() -> Scene:
    return scene_of(joints.coarse_phantom(jsw_mm=3.0))


@pytest.mark.parametrize(
    "said",
    [
        {"share": 0.0},
        {"share": 30.0, "log_sd": 0.0, "correction": 50.0},
        {"share": -30.0, "log_sd": -6.0, "correction": -50.0},
    ],
)
def test_layers_recompose_whatever_the_network_says(overlapping, said):
    soft, shares, share_sd = separate_scene(overlapping, joints.says(**said), unwidened)
    assert soft.min() >= 0
    assert (soft <= overlapping.absorbance).all()
    layer, bones = split_by_shares(overlapping.absorbance, soft, shares)
    np.testing.assert_allclose(layer + bones.sum(axis=0), overlapping.absorbance, atol=1e-5)
    assert bones.min() >= 0
    assert 0 <= share_sd.min() <= share_sd.max() <= WIDEST_SHARE_SD
    assert (share_sd[~overlapping.both] == 0).all()


@pytest.mark.parametrize("correction", [-0.2, 0.1])
def test_the_soft_tissue_is_corrected_under_all_of_both_bones(overlapping, correction):
    """``clip(a_harmonic + scale p c, 0, a)``, also far from the overlap, also without one."""
    soft, _, _ = separate_scene(overlapping, joints.says(correction=correction), unwidened)
    matte = overlapping.mattes.max(axis=0)
    expected = np.clip(
        overlapping.soft + overlapping.scale * matte * correction, 0.0, overlapping.absorbance
    )
    np.testing.assert_allclose(soft, expected, atol=1e-6)
    far = (matte == 1) & ~overlapping.both
    assert np.abs(soft - overlapping.soft)[far].mean() > 0.02
    np.testing.assert_allclose(soft[matte == 0], overlapping.soft[matte == 0], atol=1e-6)


def test_a_joint_without_overlap_has_whole_shares_and_a_corrected_soft_tissue(apart):
    soft, shares, share_sd = separate_scene(apart, joints.says(correction=0.1), unwidened)
    assert share_sd.max() == 0
    alone = apart.mattes.max(axis=0) > 0
    np.testing.assert_allclose(shares.sum(axis=0)[alone], 1.0, atol=1e-6)
    assert np.isin(shares, [0.0, 1.0]).all()
    assert (soft - apart.soft)[alone].mean() > 0.01


def test_the_standard_deviation_is_widened_by_its_calibration(overlapping):
    said = joints.says(log_sd=-4.0)
    plain = separate_scene(overlapping, said, unwidened)[2]
    wide = separate_scene(overlapping, said, lambda sd, _: np.full_like(sd, 3.0))[2]
    np.testing.assert_allclose(wide, 3 * plain, rtol=1e-5)
    assert plain.max() == pytest.approx(np.exp(-4.0), rel=1e-5)


def test_each_answer_is_the_mean_with_the_mirror_image(overlapping):
    """A network that leans to the right says nothing on the mean."""

    def leaning(features: np.ndarray) -> np.ndarray:
        ramp = np.linspace(-1, 1, features.shape[-1], dtype=np.float32)
        return np.broadcast_to(ramp, (len(features), 3, *features.shape[2:])).copy()

    found = separate_scene(overlapping, leaning, unwidened)
    even = separate_scene(overlapping, joints.says(log_sd=0.0), unwidened)
    _, cols = box_around(overlapping.mattes.max(axis=0) > 0, BONE_CONTEXT_PX)
    assert (cols.stop - cols.start) % PX_MULTIPLE == 0
    np.testing.assert_allclose(found[0], even[0], atol=1e-5)
    np.testing.assert_allclose(found[1], even[1], atol=1e-5)


def test_shares_are_read_around_the_overlap_and_soft_tissue_around_the_bones(overlapping):
    """Seen areas: that of the overlap with context first, then that of both bones."""
    seen = []

    def runner(features: np.ndarray) -> np.ndarray:
        seen.append(features.shape[2:])
        first = 1.0 if len(seen) == 1 else -1.0
        return joints.says(share=first, correction=0.1 * (1 - first))(features)

    soft, shares, _ = separate_scene(overlapping, runner, unwidened)
    both = overlapping.mattes.min(axis=0) == 1
    assert float(shares[0][both].mean()) == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-3)
    assert (soft - overlapping.soft)[both].mean() > 0.01
    assert seen[0] < seen[1]


# --- as published -------------------------------------------------------------------------------


def test_published_layers_come_by_name_and_on_the_joints_own_grid():
    rng = np.random.default_rng(0)
    joint = rng.random((50, 70)).astype(np.float32)
    upper, lower = np.zeros((2, 50, 70), bool)
    upper[:30], lower[25:] = True, True
    context = np.ones((50, 70), bool)
    context[:, 60:] = False

    def runner(seen: np.ndarray) -> np.ndarray:
        assert seen.shape == (1, 4, 64, 80)
        np.testing.assert_array_equal(seen[0, 0, :50, :70], joint)
        return seen[:, 1:] * np.array([0.2, 0.5, 2.0], np.float32)[:, None, None]

    soft, bones = layer_images(joint, [upper, lower], context, runner)
    np.testing.assert_allclose(bones[0], 0.2 * upper, atol=1e-6)
    np.testing.assert_allclose(bones[1], 0.5 * lower, atol=1e-6)
    assert soft.shape == (50, 70)
    assert 0.999 < soft[context].min() <= soft[context].max() < 1
    assert (soft[~context] == 0).all()


def test_context_is_all_but_the_air():
    phantom = joints.coarse_phantom()
    absorbed = -np.log1p(-phantom.intensity)
    bone = phantom.masks["upper"] | phantom.masks["lower"]
    context = context_of(absorbed.astype(np.float32), bone)
    assert context[bone].all()
    with_air = np.array(absorbed, np.float32)
    with_air[:, :8] = 0.0
    beside = context_of(with_air, bone)
    assert not beside[:, :6][~bone[:, :6]].any()
    assert beside[:, 12:].sum() == context[:, 12:].sum()


def test_where_no_soft_tissue_is_seen_all_is_context():
    full = np.ones((10, 12), bool)
    assert context_of(np.ones((10, 12), np.float32), full).all()


def test_the_recomposition_of_exact_layers_is_the_radiograph(overlapping):
    soft, shares, _ = separate_scene(overlapping, joints.says(correction=0.05), unwidened)
    layer, bones = split_by_shares(overlapping.absorbance, soft, shares)
    again = intensity(layer + bones.sum(axis=0))
    np.testing.assert_allclose(again, intensity(overlapping.absorbance), atol=1e-6)
