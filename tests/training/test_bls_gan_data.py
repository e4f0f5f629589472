"""Batches of overlaps: crops cut alike from every map, real overlaps as many as wanted."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lamella.methods.shares.objective import SharesBatch
from lamella.training.bls_gan_data import (
    Drawer,
    Drawing,
    OverlapBatch,
    as_batch,
    whole_batch,
)
from lamella.training.overlaps import MAPS, MASKS, WINDOW_PX, OverlapPool

ROWS, COLS = np.indices(WINDOW_PX)
HAND = ("upper_mask", "lower_mask", "overlap")


def pool_of(count: int, known: bool) -> OverlapPool:
    """Every pixel says where it lies: rows in even maps, columns in odd ones."""
    maps = np.stack([ROWS if channel % 2 == 0 else COLS for channel in range(len(MAPS))])
    masks = np.stack([(ROWS + channel) % (channel + 2) == 0 for channel in range(len(MASKS))])
    return OverlapPool(
        maps=np.repeat(maps[None], count, 0).astype(np.float16),
        masks=np.repeat(masks[None], count, 0).astype(np.uint8),
        scale=np.arange(count) + (10.0 if known else 20.0),
        known=np.full(count, known),
        joints=np.zeros((count, 2), int),
    )


def physical_pool(count: int) -> OverlapPool:
    """Known layers that differ from pixel to pixel."""
    rng = np.random.default_rng(0)
    soft, upper, lower = rng.uniform(0.1, 0.4, (3, count, *WINDOW_PX))
    matte = np.ones_like(soft)
    maps = [soft + upper + lower, soft, matte, matte, matte, soft, upper]
    masks = rng.random((count, len(MASKS), *WINDOW_PX)) > 0.5
    return OverlapPool(
        maps=np.stack(maps, axis=1).astype(np.float16),
        masks=masks.astype(np.uint8),
        scale=np.full(count, 0.5),
        known=np.ones(count, bool),
        joints=np.zeros((count, 2), int),
    )


@pytest.fixture
def drawer() -> Drawer:
    """No layer of its pools is known, so crops come as they are."""
    return Drawer(
        closed=pool_of(6, known=False),
        closed_at=np.array([1, 4]),
        real=replace(pool_of(5, known=False), scale=np.arange(5) + 30.0),
        real_at=np.array([0, 3]),
        drawing=Drawing(size=6, crop_px=(64, 96), real_fraction=0.5),
    )


def test_a_crop_is_cut_alike_from_every_map_and_mask(drawer):
    flips, firsts = set(), set()
    for seed in range(5):
        batch = drawer(np.random.default_rng(seed))
        for sample in range(6):
            maps = {name: getattr(batch, name)[sample].numpy() for name in (*MAPS, *MASKS)}
            rows, cols = maps["absorbance"], maps["soft"]
            assert rows.shape == (64, 96)
            assert (np.diff(rows, axis=0) == 1).all()
            assert np.unique(np.diff(cols, axis=1)).tolist() in ([1], [-1])
            for channel, name in enumerate(MAPS):
                np.testing.assert_array_equal(maps[name], rows if channel % 2 == 0 else cols)
            for channel, name in enumerate(MASKS):
                expected = (rows + channel) % (channel + 2) == 0
                np.testing.assert_array_equal(maps[name] > 0, expected)
            flips.add(float(cols[0, 1] - cols[0, 0]))
            firsts.add((float(rows[0, 0]), float(cols.min())))
    assert flips == {1.0, -1.0}
    assert len(firsts) > 20
    assert max(row for row, _ in firsts) <= WINDOW_PX[0] - 64
    assert max(col for _, col in firsts) <= WINDOW_PX[1] - 96


def test_only_allowed_samples_are_drawn_and_real_ones_come_last(drawer):
    scales = np.stack([drawer(np.random.default_rng(seed)).scale.numpy() for seed in range(20)])
    assert set(scales[:, :3].ravel().tolist()) == {21.0, 24.0}
    assert set(scales[:, 3:].ravel().tolist()) == {30.0, 33.0}


@pytest.mark.parametrize(("fraction", "real"), [(0.0, 0), (0.5, 4), (0.25, 2), (1.0, 8)])
def test_as_many_real_overlaps_as_wanted(fraction, real):
    drawing = Drawing(size=8, crop_px=(16, 16), real_fraction=fraction)
    draw = Drawer(
        closed=physical_pool(2),
        closed_at=np.arange(2),
        real=pool_of(2, known=False),
        real_at=np.arange(2),
        drawing=drawing,
    )
    known = draw(np.random.default_rng(0)).known
    assert known.tolist() == [1.0] * (8 - real) + [0.0] * real
    without = replace(draw, real_at=np.array([], int))
    assert without(np.random.default_rng(0)).known.tolist() == [1.0] * 8


def test_a_batch_depends_on_its_generator_alone(drawer):
    one, two, other = (drawer(np.random.default_rng([0, step])) for step in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one.absorbance, other.absorbance)


def test_known_bones_change_their_density_and_nothing_else():
    """Soft tissue, edges and masks stay; the layers still add up to what is observed."""
    pool = physical_pool(1)
    draw = Drawer(
        closed=pool,
        closed_at=np.arange(1),
        real=pool,
        real_at=np.array([], int),
        drawing=Drawing(size=4, crop_px=WINDOW_PX),
    )
    batch = draw(np.random.default_rng(0))
    for sample in range(4):
        flips = [
            flip
            for flip in (1, -1)
            if np.array_equal(
                batch.true_soft[sample], pool.maps[0, 5][:, ::flip].astype(np.float32)
            )
        ]
        assert len(flips) == 1
        maps = pool.maps[0, ..., :: flips[0]].astype(np.float32)
        lower = batch.absorbance - batch.true_soft - batch.true_upper
        gains = [
            batch.true_upper[sample].numpy() / maps[6],
            lower[sample].numpy() / (maps[0] - maps[5] - maps[6]),
        ]
        assert all(0.4 < gain.min() < gain.max() < 2.6 for gain in gains)
        assert np.abs(gains[0] - 1).max() > 0.01
        np.testing.assert_array_equal(
            torch.stack([getattr(batch, name)[sample] for name in HAND]),
            pool.masks[0, ..., :: flips[0]],
        )


def test_blank_joints_for_the_equations():
    """J from the absorbance, true layer images with their soft tissue inside the masks."""
    pool = physical_pool(2)
    batch = whole_batch(pool, np.array([1, 0]))
    joint = batch.joints()
    maps = pool.maps[[1, 0]].astype(np.float32)
    np.testing.assert_allclose(joint.joint, 1 - np.exp(-maps[:, 0]), atol=1e-6)
    lower = maps[:, 0] - maps[:, 5] - maps[:, 6]
    for bone, true, mask in zip((maps[:, 6], lower), joint.truth, (0, 1), strict=True):
        inside = pool.masks[[1, 0], mask]
        np.testing.assert_array_equal(joint.masks[mask], inside)
        np.testing.assert_allclose(true, (1 - np.exp(-(maps[:, 5] + bone))) * inside, atol=1e-6)
    assert torch.equal(joint.known, torch.ones(2))


def test_the_share_network_gets_the_same_maps():
    batch = whole_batch(physical_pool(2), np.arange(2))
    shares = batch.shares()
    assert isinstance(shares, SharesBatch)
    for name in SharesBatch._fields:
        assert getattr(shares, name) is getattr(batch, name)


def test_maps_keep_their_names_in_whole_windows():
    pool = pool_of(3, known=True)
    batch = whole_batch(pool, np.array([2, 0]))
    assert isinstance(batch, OverlapBatch)
    for channel, name in enumerate(MAPS):
        expected = pool.maps[[2, 0], channel].astype(np.float32)
        np.testing.assert_array_equal(getattr(batch, name), expected)
    for channel, name in enumerate(MASKS):
        np.testing.assert_array_equal(getattr(batch, name), pool.masks[[2, 0], channel])
    assert batch.scale.tolist() == [12.0, 10.0]
    assert batch.known.tolist() == [1.0, 1.0]
    assert all(part.dtype == torch.float32 for part in batch)


def test_samples_that_cannot_be_stacked_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        as_batch(np.zeros((1, 3, 4, 4)), np.zeros((1, 3, 4, 4)), np.ones(1), np.ones(1))
