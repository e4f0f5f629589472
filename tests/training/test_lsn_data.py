"""Batches for LSN: context, motions, true layers, and what the share network gets."""

from functools import partial

import numpy as np
import pytest
import torch

from lamella.methods.lsn.shift import CORRECTED, PUBLISHED
from lamella.training.bls_gan_data import OverlapBatch
from lamella.training.lsn_data import LsnBatch, Moving, moving_batches, with_context
from lamella.training.processes import slice_of

SIZE, ROWS, COLS = 3, 48, 64


def overlaps(rng: np.random.Generator | None = None) -> OverlapBatch:
    """Two crossed blocks in a finger with air on the right."""
    rng = rng or np.random.default_rng(0)
    soft = 0.3 + 0.05 * rng.random((SIZE, ROWS, COLS))
    soft[..., 54:] = 0.01
    masks = np.zeros((2, SIZE, ROWS, COLS))
    masks[0, :, :28, 10:40], masks[1, :, 22:, 10:40] = 1, 1
    upper, lower = 0.5 * masks
    mattes = 0.9 * masks
    maps = {
        "absorbance": soft + upper + lower,
        "soft": soft,
        "upper_matte": mattes[0],
        "lower_matte": mattes[1],
        "window": masks[0] * masks[1],
        "true_soft": soft,
        "true_upper": upper,
        "upper_mask": masks[0],
        "lower_mask": masks[1],
        "overlap": masks[0] * masks[1],
    }
    tensors = {name: torch.from_numpy(np.asarray(each, np.float32)) for name, each in maps.items()}
    return OverlapBatch(**tensors, scale=torch.full((SIZE,), 0.5), known=torch.ones(SIZE))


def test_context_is_the_finger_without_the_air_beside_it():
    context = with_context(overlaps()).context
    assert context.shape == (SIZE, ROWS, COLS)
    assert (context[..., :52] == 1).all()
    assert (context[..., 56:] == 0).all()


def test_the_soft_tissue_may_be_corrected_under_all_of_both_bones():
    batch = with_context(overlaps())
    window = batch.shares().window
    either = torch.maximum(batch.overlaps.upper_mask, batch.overlaps.lower_mask)
    torch.testing.assert_close(window, 0.9 * either)
    assert (batch.overlaps.shares().window > 0).sum() < (window > 0).sum()


def test_layers_are_true_and_named():
    batch = with_context(overlaps()).layers()
    total = batch.truth.soft + batch.truth.upper + batch.truth.lower
    torch.testing.assert_close(1 - torch.exp(-total), batch.joint)
    assert torch.equal(batch.truth.lower > 0.25, batch.masks.lower > 0)
    assert torch.equal(batch.truth.upper > 0.25, batch.masks.upper > 0)
    assert batch.draws == ()
    seen = batch.seen()
    assert seen.shape == (SIZE, 4, ROWS, COLS)
    for channel, expected in enumerate((batch.joint, *batch.masks)):
        assert torch.equal(seen[:, channel], expected)


@pytest.mark.parametrize("draws", [0, 1, 3])
def test_motions_are_drawn_from_the_steps_own_numbers(draws):
    maker = moving_batches(overlaps, Moving(draws=draws, reach=CORRECTED))
    batches = [maker(np.random.default_rng(seed)) for seed in (4, 4, 5)]
    assert [len(batch.draws) for batch in batches] == [draws] * 3
    for one, same, other in zip(*(batch.draws for batch in batches), strict=True):
        assert torch.equal(one.upper.down_px, same.upper.down_px)
        assert not torch.equal(one.upper.down_px, other.upper.down_px)
        assert one.upper.down_px.shape == (SIZE,)
        assert len(one.upper.down_px.unique()) == SIZE


def test_batches_are_the_same_with_and_without_motions():
    """An ablation without shift sees the joints that the others see."""
    makers = [moving_batches(overlaps, Moving(draws=n, reach=PUBLISHED)) for n in (0, 2)]
    one, other = (maker(np.random.default_rng(7)) for maker in makers)
    assert torch.equal(one.overlaps.absorbance, other.overlaps.absorbance)


def test_a_batch_can_be_shared_out_to_processes_with_its_motions():
    batch = moving_batches(overlaps, Moving(draws=2))(np.random.default_rng(0))
    part = slice_of(batch, 1, 2)
    assert part.samples == SIZE
    assert isinstance(part.batch, LsnBatch)
    assert torch.equal(part.batch.context, batch.context[1::2])
    for mine, whole in zip(part.batch.draws, batch.draws, strict=True):
        assert torch.equal(mine.lower.rotation_deg, whole.lower.rotation_deg[1::2])


def test_a_crop_that_shows_bone_alone_is_all_context():
    seen = partial(torch.ones, SIZE, ROWS, COLS)
    bone = overlaps()._replace(upper_mask=seen(), lower_mask=seen())
    assert (with_context(bone).context == 1).all()
