"""Material for the share network: true layers around the overlap, drawn from a generator alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from joints import loaded
from lamella.physics.formation import absorbance
from lamella.prepare.overlap import SMALLEST_OVERLAP_PX
from lamella.training import shares_data
from lamella.training.shares_data import (
    CROP_PX,
    FIELDS,
    WINDOW_PX,
    SharesPool,
    as_batch,
    closed_samples,
    other_density,
    phantom_layers,
    phantom_sample,
    random_motions,
    sample_of,
    shares_batch,
)

HALF = 2e-3
"""Error of float16 near 1, with a margin."""


@pytest.fixture(scope="module")
def samples(apart):
    return closed_samples(loaded(apart), 4, np.random.default_rng(0))


@pytest.fixture(scope="module")
def pool(samples) -> SharesPool:
    return SharesPool.of(samples)


def maps_of(sample) -> dict[str, np.ndarray]:
    return dict(zip(FIELDS, sample[0].astype(np.float32), strict=True))


def test_closed_joints_overlap_and_have_the_windows_size(samples):
    assert 1 <= len(samples) <= 4
    for maps, overlap, scale in samples:
        assert maps.shape == (len(FIELDS), *WINDOW_PX)
        assert maps.dtype == np.float16
        assert overlap.shape == WINDOW_PX
        assert overlap.sum() >= SMALLEST_OVERLAP_PX
        assert scale > 0


def test_true_layers_are_physical_and_fit_the_observation(samples):
    for sample in samples:
        maps = maps_of(sample)
        lower = maps["absorbance"] - maps["true_soft"] - maps["true_upper"]
        assert maps["true_soft"].min() >= 0
        assert maps["true_upper"].min() >= 0
        assert lower.min() >= -2 * HALF
        both = sample[1]
        assert maps["true_upper"][both].mean() > 0.05
        assert lower[both].mean() > 0.05


def test_the_networks_view_is_physical(samples):
    for sample in samples:
        maps = maps_of(sample)
        assert (maps["soft"] <= maps["absorbance"] + HALF).all()
        for name in ("upper_matte", "lower_matte", "window"):
            assert 0 <= maps[name].min() <= maps[name].max() <= 1


def test_a_sample_repeats_from_its_generator(apart, samples):
    again = closed_samples(loaded(apart), 4, np.random.default_rng(0))
    assert len(again) == len(samples)
    for one, two in zip(again, samples, strict=True):
        np.testing.assert_array_equal(one[0], two[0])
        assert one[2] == two[2]


def test_motions_close_the_joint_and_are_sometimes_sideways_or_turned():
    drawn = [random_motions(np.random.default_rng(seed)) for seed in range(60)]
    closings = [motion["upper"].down_px - motion["lower"].down_px for motion in drawn]
    assert min(closings) >= 2
    assert max(closings) <= 30
    for still in ("right_px", "rotation_deg"):
        moved = np.mean([getattr(motion["upper"], still) != 0 for motion in drawn])
        assert 0.1 < moved < 0.9
        assert all(getattr(motion["lower"], still) == 0 for motion in drawn)


def test_phantom_layers_are_the_phantoms_own(overlapping):
    known = phantom_layers(overlapping)
    observed = -np.log1p(-overlapping.clean_intensity)
    assert np.abs(known.absorbance - observed).max() < 1e-5
    np.testing.assert_array_equal(
        known.overlap, overlapping.masks["upper"] & overlapping.masks["lower"]
    )


def test_a_phantoms_sample_holds_its_true_layers_around_the_overlap(overlapping):
    known = phantom_layers(overlapping)
    observed = np.asarray(absorbance(overlapping.intensity, 1 / 255))
    maps = maps_of(sample_of(known, observed, np.random.default_rng(0)))
    rows, cols = np.nonzero(known.overlap)
    first = (
        int(np.clip((rows.min() + rows.max()) // 2 - 64, 0, 128)),
        int(np.clip((cols.min() + cols.max()) // 2 - 112, 0, 32)),
    )
    box = tuple(slice(at, at + size) for at, size in zip(first, WINDOW_PX, strict=True))
    np.testing.assert_allclose(maps["true_soft"], known.soft[box], atol=HALF)
    np.testing.assert_allclose(maps["true_upper"], known.bones["upper"][box], atol=HALF)
    np.testing.assert_allclose(maps["absorbance"], observed[box], atol=HALF)


def test_phantom_samples_repeat_and_are_left_out_when_apart(monkeypatch, apart, overlapping):
    monkeypatch.setattr(shares_data, "random_joint_phantom", lambda *_, **__: apart)
    assert phantom_sample((0, 7, 1)) is None
    monkeypatch.setattr(shares_data, "random_joint_phantom", lambda *_, **__: overlapping)
    one, two = phantom_sample((0, 7, 1)), phantom_sample((0, 7, 1))
    np.testing.assert_array_equal(one[0], two[0])


def test_a_batch_depends_on_its_generator_alone(pool):
    first, again, other = (
        shares_batch(pool, np.random.default_rng([0, step]), size=3) for step in (5, 5, 6)
    )
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first.absorbance, other.absorbance)


SOFT, MATTE = FIELDS.index("true_soft"), FIELDS.index("upper_matte")


def test_batches_are_crops_of_one_sample_each_mirrored_or_not(pool):
    batch = shares_batch(pool, np.random.default_rng(2), size=8)
    assert batch.absorbance.shape == (8, *CROP_PX)
    kinds = set()
    for crop in range(8):
        corner = batch.true_soft[crop].numpy()
        where = [
            (index, flip, box)
            for index, maps in enumerate(pool.maps)
            for flip in (1, -1)
            for box in boxes_of(maps[SOFT].astype(np.float32), corner[:, ::flip])
            if np.array_equal(maps[MATTE][box][:, ::flip], batch.upper_matte[crop].numpy())
        ]
        assert len(where) == 1
        index, flip, box = where[0]
        kinds.add(flip)
        assert batch.scale[crop] == pytest.approx(pool.scale[index])
        cut = pool.overlap[index][box][:, ::flip]
        np.testing.assert_array_equal(batch.overlap[crop].numpy() > 0, cut)
        other = pool.maps[index, MATTE + 1][box][:, ::flip]
        np.testing.assert_array_equal(batch.lower_matte[crop].numpy(), other.astype(np.float32))
    assert kinds == {1, -1}


def boxes_of(image: np.ndarray, crop: np.ndarray) -> list[tuple[slice, slice]]:
    """Where in an image a crop was cut out."""
    rows, cols = crop.shape
    starts = np.argwhere(image[: len(image) - rows + 1, : image.shape[1] - cols + 1] == crop[0, 0])
    boxes = [(slice(row, row + rows), slice(col, col + cols)) for row, col in starts]
    return [box for box in boxes if np.array_equal(image[box], crop)]


def test_fields_keep_their_names_in_a_batch(pool):
    batch = as_batch(pool.maps, pool.overlap, pool.scale)
    for number, name in enumerate(FIELDS):
        stored = torch.from_numpy(pool.maps[:, number].astype(np.float32))
        assert torch.equal(getattr(batch, name), stored)
    assert torch.equal(batch.overlap.bool(), torch.from_numpy(pool.overlap))
    assert all(part.dtype == torch.float32 for part in batch)


def test_masks_drawn_by_hand_are_the_true_ones_up_to_a_pixel(overlapping, monkeypatch):
    """Training sees masks a pixel too large, too small or aside, and true overlaps all the same."""
    seen = []

    def watched(observed, masks, spacing_mm):
        seen.append(masks)
        return real(observed, masks, spacing_mm)

    real = shares_data.scene
    monkeypatch.setattr(shares_data, "scene", watched)
    known = phantom_layers(overlapping)
    small = replace(
        known,
        soft=known.soft[40:216],
        bones={name: bone[40:216] for name, bone in known.bones.items()},
        masks={name: mask[40:216] for name, mask in known.masks.items()},
    )
    for seed in range(6):
        sample_of(small, small.absorbance, np.random.default_rng(seed))
    changes = [
        (mask ^ small.masks[name]).sum() / small.masks[name].sum()
        for masks in seen
        for name, mask in zip(small.masks, masks, strict=True)
    ]
    assert max(changes) < 0.1
    assert any(change == 0 for change in changes)
    assert any(change > 0 for change in changes)


def test_other_density_keeps_the_soft_tissue_and_the_sum_of_layers():
    rng = np.random.default_rng(0)
    soft, upper, lower = rng.uniform(0.2, 0.4, (3, 96, 160)).astype(np.float32)
    matte = np.ones((96, 160), np.float32)
    maps = np.stack([soft + upper + lower, soft, matte, matte, matte, soft, upper])
    made = dict(zip(FIELDS, other_density(maps, rng), strict=True))
    np.testing.assert_array_equal(made["true_soft"], soft)
    gains = [made["true_upper"] / upper, (made["absorbance"] - soft - made["true_upper"]) / lower]
    for gain in gains:
        assert 0.4 < gain.min() < gain.max() < 2.5
        assert np.abs(np.diff(gain, axis=1)).max() < 0.05
    assert np.abs(gains[0] - gains[1]).max() > 0.01
    assert (made["soft"] <= made["absorbance"]).all()
