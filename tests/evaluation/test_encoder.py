"""The bone encoder: the network's own bottom, crops at the joint, distances that mean something."""

from importlib.resources import as_file, files

import numpy as np
import pytest
import torch

import joints
from lamella.evaluation.encoder import (
    CROP_PX,
    FeatureSpace,
    articular_end,
    bottom_features,
    crop_at,
    describe,
    encoder_card,
)
from lamella.methods.bones.infer import normalised
from lamella.methods.bones.networks import BonesNetwork
from lamella.training.export import load_weights
from lamella.zoo.models import card


def test_features_are_the_bottom_of_the_segmentation_network():
    with as_file(files("lamella.zoo") / "bones.onnx") as path:
        network = load_weights(BonesNetwork(), path)
    picture = joints.phantom().intensity[:CROP_PX, :CROP_PX]
    image = torch.from_numpy(normalised(picture))[None, None]
    with torch.no_grad():
        expected = network.unet(network.fold(image))[0].numpy()
    assert expected.shape == (1, 96, 6, 6)
    np.testing.assert_allclose(bottom_features(picture[None]), expected, atol=1e-4)


def test_a_bone_ends_where_it_is_nearest_to_the_other():
    upper, lower = np.zeros((2, 60, 60), bool)
    upper[5:30, 10:50] = True
    lower[35:58, 20:40] = True
    row, col = articular_end(upper, lower)
    assert 24 < row < 30
    assert col == pytest.approx(29.5, abs=1.0)
    lower[15:35, 20:40] = True
    inside = articular_end(upper, lower)
    assert lower[round(inside[0]), round(inside[1])]
    assert inside[0] < row


def test_crops_stay_inside_the_image_and_fill_small_ones():
    image = np.arange(128 * 128, dtype=np.float32).reshape(128, 128)
    np.testing.assert_array_equal(crop_at(image, np.array([0.0, 127.0])), image[:96, 32:])
    np.testing.assert_array_equal(crop_at(image, np.array([64.0, 64.0])), image[16:112, 16:112])
    small = crop_at(image[:50, :50], np.array([25.0, 25.0]))
    np.testing.assert_array_equal(small[:50, :50], image[:50, :50])
    assert not small[50:].any()


def test_features_see_only_what_the_masks_let_through():
    joint = joints.phantom()
    masks = dict(joint.masks)
    pixels = joint.intensity.astype(np.float32)
    one = describe(pixels, [pixels, pixels], masks)
    outside = np.where(masks["upper"] | masks["lower"], pixels, 0.9).astype(np.float32)
    same = describe(outside, [outside, outside], masks)
    for part in ("joint", "overlap", "upper", "lower"):
        np.testing.assert_allclose(getattr(one, part), getattr(same, part), atol=1e-5)
    brighter = np.where(masks["upper"] & masks["lower"], 0.95, pixels).astype(np.float32)
    other = describe(pixels, [brighter, pixels], masks)
    np.testing.assert_array_equal(one.lower, other.lower)
    assert np.abs(one.upper - other.upper).max() > 0.01
    changed = describe(brighter, [pixels, pixels], masks)
    near, far = (
        np.linalg.norm(getattr(changed, p) - getattr(one, p)) for p in ("overlap", "joint")
    )
    assert near > far


def test_a_joint_without_overlap_has_no_features_of_one():
    joint = joints.phantom(jsw_mm=1.2, seed=1)
    pixels = joint.intensity.astype(np.float32)
    found = describe(pixels, [pixels, pixels], dict(joint.masks))
    assert np.isnan(found.overlap).all()
    assert np.isfinite(found.joint).all()


def test_the_space_has_the_units_of_the_real_set():
    rng = np.random.default_rng(3)
    real = (rng.normal(size=(60, 24)) * np.linspace(0.1, 9, 24) + 5).astype(np.float32)
    space = FeatureSpace.of(real)
    values = space.standardised(real)
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(values.std(axis=0), 1, rtol=1e-6)
    np.testing.assert_allclose(space.axes @ space.axes.T, np.eye(16), atol=1e-9)
    scaled = FeatureSpace.of(real * 7)
    moved = real + 0.5 * real.std(axis=0)
    assert scaled.distance(moved * 7, real * 7).frechet == pytest.approx(
        space.distance(moved, real).frechet, rel=1e-4
    )


def test_a_channel_that_never_varies_does_not_decide():
    real = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    real[:, 2] = 1.0
    assert np.isfinite(FeatureSpace.of(real).distance(real, real).frechet)


def test_distances_grow_with_the_difference_and_have_errors():
    rng = np.random.default_rng(5)
    real, alike = rng.normal(size=(2, 40, 12)).astype(np.float32)
    space = FeatureSpace.of(real)
    near, far = space.distance(alike, real), space.distance(alike + 1, real)
    assert far.frechet > near.frechet + 3 * near.frechet_sd
    assert far.kernel > near.kernel + 3 * near.kernel_sd
    paired = space.distance(real, real, paired=True)
    assert paired.frechet < 1e-9
    assert abs(paired.kernel) < 1e-9


def test_the_card_names_the_weights():
    assert encoder_card()["weights_sha256"] == card("bones")["sha256"]
