"""From a scene to layers: physical whatever the network says, symmetric, only where needed."""

import numpy as np
import pytest

import joints
from lamella.methods.shares.calibrate import Calibration
from lamella.methods.shares.infer import (
    CONTEXT_PX,
    separate_scene,
    spread_of_layers,
)
from lamella.physics.formation import split_by_shares
from lamella.prepare.scene import Scene, scene
from lamella.prepare.windows import PX_MULTIPLE, box_around

NONE = Calibration.none()


# --- the box around the overlap ------------------------------------------------------------


@pytest.mark.parametrize("shape", [(200, 240), (256, 256), (101, 77), (40, 50)])
@pytest.mark.parametrize("where", [(0, 0), (90, 60), (30, 40)])
def test_the_box_holds_the_overlap_with_context_and_fits_the_network(shape, where):
    both = np.zeros(shape, bool)
    row, col = (min(at, length - 5) for at, length in zip(where, shape, strict=True))
    both[row : row + 5, col : col + 5] = True
    box = box_around(both, CONTEXT_PX)
    assert both[box].sum() == both.sum()
    for span, first, length in zip(box, (row, col), shape, strict=True):
        assert span.start <= max(first - CONTEXT_PX, 0)
        assert span.stop >= min(first + 5 + CONTEXT_PX, length)
        assert 0 <= span.start < span.stop <= length
        size = span.stop - span.start
        assert size % PX_MULTIPLE == 0 or size == length


# --- separation ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {"share": 0.0},
        {"share": 30.0, "log_sd": 0.0, "correction": 50.0},
        {"share": -30.0, "log_sd": -6.0, "correction": -50.0},
    ],
)
def test_layers_are_physical_whatever_the_network_says(overlapping_scene, said):
    soft, shares, share_sd = separate_scene(overlapping_scene, joints.says(**said), NONE)
    assert soft.min() >= 0
    assert (soft <= overlapping_scene.absorbance).all()
    assert shares.min() >= 0
    total = shares.sum(axis=0)
    np.testing.assert_allclose(total[overlapping_scene.mattes.max(axis=0) > 0], 1.0, atol=1e-5)
    assert (total[overlapping_scene.mattes.max(axis=0) == 0] == 0).all()
    assert (share_sd[~overlapping_scene.both] == 0).all()
    layer, bones = split_by_shares(overlapping_scene.absorbance, soft, shares)
    np.testing.assert_allclose(layer + bones.sum(axis=0), overlapping_scene.absorbance, atol=1e-6)


def test_a_lone_bone_keeps_everything(overlapping_scene):
    _, shares, _ = separate_scene(overlapping_scene, joints.says(share=-200.0), NONE)
    upper, lower = overlapping_scene.mattes > 0
    np.testing.assert_array_equal(shares[0][upper & ~lower], 1.0)
    np.testing.assert_array_equal(shares[1][lower & ~upper], 1.0)


@pytest.mark.parametrize("share", [-1.5, 0.0, 2.0])
def test_the_network_decides_the_share_where_both_bones_are(overlapping_scene, share):
    _, shares, sd = separate_scene(overlapping_scene, joints.says(share=share, log_sd=-3.0), NONE)
    certain = overlapping_scene.mattes.min(axis=0) == 1
    np.testing.assert_allclose(shares[0][certain], 1 / (1 + np.exp(-share)), atol=1e-5)
    np.testing.assert_allclose(sd[certain], np.exp(-3.0), rtol=1e-5)


def test_the_correction_changes_soft_tissue_in_its_window_alone(overlapping_scene):
    plain, _, _ = separate_scene(overlapping_scene, joints.says(), NONE)
    less, _, _ = separate_scene(overlapping_scene, joints.says(correction=-0.1), NONE)
    window = overlapping_scene.correction_window()
    np.testing.assert_array_equal(plain, np.clip(plain, 0, overlapping_scene.absorbance))
    expected = np.maximum(plain - 0.1 * overlapping_scene.scale * window, 0)
    np.testing.assert_allclose(less, expected, atol=1e-6)


def test_without_overlap_the_network_is_not_asked(apart_scene):
    def never(_: np.ndarray) -> np.ndarray:
        pytest.fail("asked")

    assert not apart_scene.both.any()
    soft, shares, share_sd = separate_scene(apart_scene, never, NONE)
    np.testing.assert_array_equal(soft, apart_scene.soft)
    assert share_sd.max() == 0
    assert set(np.unique(shares.round(6))) == {0.0, 1.0}


def crooked(features: np.ndarray) -> np.ndarray:
    """A network that sees left and right differently."""
    rise = np.linspace(-2, 2, features.shape[-1], dtype=np.float32)
    share, log_sd = features[:, 0] + rise, features[:, 1] - 3 + rise / 4
    return np.stack([share, log_sd, 0.1 * rise * features[:, 2]], axis=1)


def test_a_mirrored_joint_has_mirrored_layers(overlapping_scene):
    """The network sees the mirror image too, so left and right cannot matter."""
    mirrored = Scene(
        absorbance=overlapping_scene.absorbance[:, ::-1].copy(),
        soft=overlapping_scene.soft[:, ::-1].copy(),
        mattes=overlapping_scene.mattes[..., ::-1].copy(),
        scale=overlapping_scene.scale,
    )
    assert box_around(overlapping_scene.both, CONTEXT_PX)[1] == slice(0, 128)
    straight = separate_scene(overlapping_scene, crooked, NONE)
    other = separate_scene(mirrored, crooked, NONE)
    for one, two in zip(straight, other, strict=True):
        np.testing.assert_allclose(two[..., ::-1], one, atol=1e-5)


def test_sides_that_do_not_divide_are_padded_for_the_network():
    phantom = joints.phantom(rows=120, cols=100, pixel_spacing_mm=0.17)
    seen = []

    def runner(features: np.ndarray) -> np.ndarray:
        seen.append(features.shape)
        return joints.says()(features)

    joint = scene(-np.log1p(-phantom.intensity), list(phantom.masks.values()), 0.17)
    soft, shares, _ = separate_scene(joint, runner, NONE)
    assert soft.shape == shares.shape[1:] == (120, 100)
    ((batch, channels, rows, cols),) = seen
    assert (batch, channels, rows % PX_MULTIPLE, cols % PX_MULTIPLE) == (2, 4, 0, 0)


def test_the_calibration_multiplies_the_sd(overlapping_scene):
    one = np.ones(1)
    double = Calibration(sd_knots=one, size_knots=one, factors=np.full((1, 1), 2.0))
    raw, scaled = (
        separate_scene(overlapping_scene, joints.says(), calibration)[2]
        for calibration in (NONE, double)
    )
    assert raw.max() > 0
    np.testing.assert_allclose(scaled, 2 * raw, rtol=1e-6)


def test_spread_is_the_slope_of_a_layer_image_in_its_share():
    rng = np.random.default_rng(0)
    soft, bone = 0.1 + 0.3 * rng.random((2, 5, 6))
    first = rng.random((5, 6))
    shares, step = np.stack([first, 1 - first]), 1e-5

    def images(parts: np.ndarray) -> np.ndarray:
        return 1 - np.exp(-(soft + parts * bone))

    slope = ((images(shares + step) - images(shares - step)) / (2 * step)).mean(axis=0)
    np.testing.assert_allclose(spread_of_layers(soft + bone, soft, shares), slope, rtol=1e-4)
