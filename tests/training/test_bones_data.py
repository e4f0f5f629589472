"""Batches for the segmentation network."""

import numpy as np
import pytest
import torch

import joints
from lamella.prepare.grid import NETWORK_SPACING_MM
from lamella.tasks.joint_width import measure_joint_space
from lamella.training import bones_data
from lamella.training.bones_data import (
    SIDE_PX,
    BonesPool,
    bones_batch,
    closed_on_purpose,
    joints_in_memory,
    moved_on_purpose,
    no_joint,
)
from lamella.training.sources import EVEN_JSW_MM


@pytest.fixture(scope="module")
def pool(apart, overlapping) -> BonesPool:
    texture = np.random.default_rng(0).integers(0, 256, (1, SIDE_PX, SIDE_PX)).astype(np.uint8)
    return joints_in_memory(
        [phantom.intensity for phantom in (apart, overlapping)],
        [np.stack([p.masks["upper"], p.masks["lower"]]) for p in (apart, overlapping)],
        [False, True],
        list(texture),
    )


def test_joints_are_kept_to_half_a_grey_level(pool, overlapping):
    assert np.abs(pool.pixels[1] / 255 - overlapping.intensity).max() <= 0.5 / 255 + 1e-6
    np.testing.assert_array_equal(pool.masks[1, 1], overlapping.masks["lower"])
    assert pool.is_thumb.tolist() == [False, True]


def test_a_pool_needs_no_other_images(overlapping):
    masks = np.stack([overlapping.masks["upper"], overlapping.masks["lower"]])
    lonely = joints_in_memory([overlapping.intensity], [masks], [False])
    assert lonely.others.shape == (0, SIDE_PX, SIDE_PX)
    for seed in range(8):
        assert no_joint(lonely, np.random.default_rng(seed)).shape == (SIDE_PX, SIDE_PX)


def test_a_batch_depends_on_its_generator_alone(pool):
    first, again, other = (
        bones_batch(pool, np.random.default_rng([0, step]), size=5) for step in (3, 3, 4)
    )
    for one, two in zip(first, again, strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(first.radiograph, other.radiograph)


@pytest.mark.parametrize(("size", "joint_count"), [(5, 4), (10, 8), (16, 13)])
def test_four_fifths_are_joints(pool, size, joint_count):
    batch = bones_batch(pool, np.random.default_rng(0), size=size)
    assert batch.radiograph.shape == (size, 1, SIDE_PX, SIDE_PX)
    assert batch.masks.shape == (size, 2, SIDE_PX, SIDE_PX)
    assert batch.is_joint.sum() == joint_count
    assert (batch.masks[batch.is_joint == 0] == 0).all()
    assert (batch.is_thumb[batch.is_joint == 0] == 0).all()


@pytest.fixture(scope="module")
def big_batch(pool):
    return bones_batch(pool, np.random.default_rng(1), size=20)


def test_images_are_normalised_and_finite(big_batch):
    images = big_batch.radiograph.flatten(start_dim=1)
    assert images.mean(dim=1).abs().max() < 1e-3
    assert (images.std(dim=1) - 1).abs().max() < 1e-2
    assert all(part.dtype == torch.float32 for part in big_batch)


def test_masks_stay_masks_and_follow_their_image(big_batch):
    """Whatever the motion, bone is brighter than what surrounds it, and upper is above lower."""
    found = big_batch.is_joint > 0.5
    masks, images = big_batch.masks[found], big_batch.radiograph[found, 0]
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    rows = torch.arange(SIDE_PX)[:, None]
    for image, (upper, lower) in zip(images, masks, strict=True):
        bone = (upper + lower) > 0
        assert image[bone].mean() > image[~bone].mean() + 0.5
        assert (rows * upper).sum() / upper.sum() < (rows * lower).sum() / lower.sum()


def test_joints_are_turned_mirrored_and_scaled_but_not_sheared():
    """Discs stay discs: their spread along and across differs by the stretch alone."""
    rows, cols = np.indices((SIDE_PX, SIDE_PX))
    discs = np.stack([np.hypot(rows - row, cols - 120) < 30 for row in (90, 165)])
    image = (0.3 + 0.4 * discs.any(axis=0)).astype(np.float32)
    lone = joints_in_memory([image], [discs], [False])
    batch = bones_batch(lone, np.random.default_rng(0), size=30)
    for mask in batch.masks[batch.is_joint > 0.5].flatten(end_dim=1).numpy():
        longest, shortest = np.sqrt(np.linalg.eigvalsh(np.cov(np.nonzero(mask))))[::-1]
        assert longest / shortest < 1.12


def test_joints_of_a_batch_vary(big_batch):
    areas = big_batch.masks[big_batch.is_joint > 0.5].mean(dim=(1, 2, 3))
    assert areas.max() > 1.1 * areas.min()


def test_thumbs_keep_their_label(pool):
    thumbs = BonesPool(
        pixels=pool.pixels[1:], masks=pool.masks[1:], is_thumb=pool.is_thumb[1:], others=pool.others
    )
    batch = bones_batch(thumbs, np.random.default_rng(0), size=5)
    assert torch.equal(batch.is_thumb, batch.is_joint)


def test_images_that_show_no_joint_are_images_of_many_kinds(pool):
    made = [no_joint(pool, np.random.default_rng(seed)) for seed in range(24)]
    for image in made:
        assert image.shape == (SIDE_PX, SIDE_PX)
        assert 0 <= image.min() <= image.max() <= 1
        assert np.ptp(image) > 0.1
    upright = [pool.pixels[k] / np.float32(255) for k in (0, 1)]
    assert all(np.abs(image - joint).mean() > 0.01 for image in made for joint in upright)
    assert any(np.array_equal(image[::-1], joint) for image in made for joint in upright)
    assert len({round(float(image.mean()), 4) for image in made}) > 12


def test_shared_phantoms_were_not_written_into(overlapping, pool):
    bones_batch(pool, np.random.default_rng(2), size=5)
    np.testing.assert_array_equal(overlapping.intensity, joints.phantom().intensity)
    assert np.abs(pool.pixels[1] / 255 - overlapping.intensity).max() <= 0.5 / 255 + 1e-6


def test_joints_closed_on_purpose_overlap_and_keep_their_size():
    joint = joints.loaded(joints.phantom(jsw_mm=1.0))
    assert not joint.is_overlapping
    shut = list(closed_on_purpose([joint], 3, seed=0))
    assert len(shut) == 3
    assert all(made.pixels.shape == joint.pixels.shape for made in shut)
    assert all(made.row is joint.row for made in shut)
    assert max(made.overlap_px for made in shut) > 100
    again = list(closed_on_purpose([joint], 3, seed=0))
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(shut, again, strict=True))


def test_joints_moved_on_purpose_are_wider_and_narrower_than_they_were():
    joint = joints.loaded(joints.phantom(jsw_mm=1.0))
    moved = list(moved_on_purpose([joint], 6, seed=0))
    assert len(moved) >= 4
    widths = [measure_joint_space(made.masks, NETWORK_SPACING_MM).jsw_mm for made in moved]
    assert min(widths) < 0.5 < 1.5 < max(widths)
    assert all(EVEN_JSW_MM[0] - 0.1 < width < EVEN_JSW_MM[1] + 0.1 for width in widths)
    for made in moved:
        levels = made.pixels * 255
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)


def test_a_coarse_detector_loses_what_is_finer_than_its_pixels(overlapping):
    image = overlapping.intensity
    coarse = bones_data._seen_coarsely(image, 2.0)
    assert coarse.shape == image.shape
    np.testing.assert_allclose(coarse.mean(), image.mean(), atol=2e-3)
    assert np.abs(np.diff(coarse)).mean() < 0.8 * np.abs(np.diff(image)).mean()
