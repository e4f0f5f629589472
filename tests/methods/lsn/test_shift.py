"""f_s against the package's own rigid motion, and what a draw may be."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from lamella.methods.lsn.networks import JointLayers, Masks
from lamella.methods.lsn.shift import (
    CORRECTED,
    PUBLISHED,
    BoneMotions,
    Motion,
    ShiftRange,
    drawn,
    holds_data,
    image_centre_px,
    joint_midpoint_px,
    moved,
    opening,
    shifted,
    source_px,
)
from lamella.physics.geometry import RigidMotion, move

ROWS, COLS = 40, 56


def blobs(size: int = 2) -> Tensor:
    """Smooth maps far from the border, another one for each sample."""
    noise = np.random.default_rng(0).random((size, ROWS, COLS))
    smooth = ndimage.gaussian_filter(noise, (0, 2.0, 2.0))
    window = np.outer(np.hanning(ROWS), np.hanning(COLS)) ** 2
    return torch.from_numpy((smooth * window).astype(np.float32))


def motion(down_px: list[float], right_px: list[float], rotation_deg: list[float]) -> Motion:
    return Motion(*(torch.tensor(each) for each in (down_px, right_px, rotation_deg)))


def masks() -> Masks:
    upper, lower = torch.zeros(2, 2, ROWS, COLS)
    upper[:, :23, 10:40], lower[:, 18:, 20:50] = 1.0, 1.0
    return Masks(upper, lower, torch.ones(2, ROWS, COLS))


def test_a_motion_is_the_rigid_motion_of_the_package():
    """Every sample by its own draw, in absorbance, linearly, about a centre that is not whole."""
    maps = blobs()
    draws = ([3.25, -2.0], [-1.5, 4.75], [6.0, -9.0])
    centre = torch.tensor([[18.5, 30.25], [22.0, 25.0]])
    source = source_px(maps.shape[1:], motion(*draws), centre)
    found = moved(maps[:, None], source)[:, 0]
    for sample, (down, right, turn) in enumerate(zip(*draws, strict=True)):
        rigid = RigidMotion(
            down_px=down,
            right_px=right,
            rotation_deg=turn,
            centre_px=tuple(centre[sample].tolist()),
        )
        expected = move(maps[sample].numpy(), rigid, order=1)
        np.testing.assert_allclose(found[sample].numpy(), expected, atol=2e-5)


def test_published_motions_are_of_whole_pixels_and_leave_zeros():
    maps = torch.rand(1, ROWS, COLS)
    source = source_px(maps.shape[1:], motion([5.0], [-3.0], [0.0]), image_centre_px(maps))
    found = moved(maps[:, None], source, as_published=True)[0, 0].numpy()
    np.testing.assert_array_equal(found[5:, :-3], maps[0, :-5, 3:].numpy())
    assert (found[:5] == 0).all()
    assert (found[:, -3:] == 0).all()
    corrected = moved(maps[:, None], source)[0, 0]
    assert corrected.min() >= maps.min() > 0


def test_where_data_comes_from():
    source = source_px(torch.Size((ROWS, COLS)), motion([5.0], [-3.0], [0.0]), torch.zeros(1, 2))
    inside = holds_data(source, torch.Size((ROWS, COLS)))[0]
    expected = np.zeros((ROWS, COLS))
    expected[5:, :-3] = 1
    np.testing.assert_array_equal(inside.numpy(), expected)


def test_bones_move_and_the_soft_tissue_stays():
    seen = masks()
    layers = JointLayers(blobs(), blobs() * seen.upper, blobs() * seen.lower)
    motions = BoneMotions(
        motion([4.0, 0.0], [0.0, 0.0], [0.0, 0.0]), motion([0.0, -3.0], [0.0, 2.0], [0.0, 0.0])
    )
    after = shifted(layers, seen, motions)
    assert torch.equal(after.layers.soft, layers.soft)
    torch.testing.assert_close(after.layers.upper[0, 4:], layers.upper[0, :-4])
    torch.testing.assert_close(after.layers.upper[1], layers.upper[1])
    torch.testing.assert_close(after.masks.lower[1, :-3, 2:], seen.lower[1, 3:, :-2])
    assert (after.inside[0, :4] == 0).all()
    assert (after.inside[0, 4:] == 1).all()


def test_published_bones_are_cut_at_the_context_and_corrected_ones_widen_it():
    seen = masks()._replace(context=masks().bone)
    layers = JointLayers(blobs(), seen.upper, seen.lower)
    down = motion([0.0, 0.0], [8.0, 8.0], [0.0, 0.0])
    motions = BoneMotions(down, motion([0.0] * 2, [0.0] * 2, [0.0] * 2))
    published = shifted(layers, seen, motions, as_published=True)
    assert (published.layers.upper * (1 - seen.context)).max() == 0
    assert torch.equal(published.masks.context, seen.context)
    corrected = shifted(layers, seen, motions)
    assert (corrected.masks.context >= corrected.masks.bone).all()
    assert corrected.masks.upper.sum() > published.masks.upper.sum()


def test_gradients_reach_the_layers():
    layers = JointLayers(*(blobs().requires_grad_() for _ in range(3)))
    after = shifted(layers, masks(), drawn(CORRECTED, 2, np.random.default_rng(0)))
    (after.layers.upper.sum() + 2 * after.layers.lower.sum()).backward()
    assert layers.soft.grad is None
    assert float(layers.upper.grad[:, 18:22, 26:30].mean()) == pytest.approx(1.0, abs=0.01)
    assert float(layers.lower.grad[:, 18:22, 26:30].mean()) == pytest.approx(2.0, abs=0.02)


def test_the_midpoint_lies_between_the_bones_whether_they_overlap_or_not():
    crossed = joint_midpoint_px(masks())
    np.testing.assert_allclose(crossed.numpy(), [[20.0, 29.5]] * 2, atol=1.5)
    upper, lower = torch.zeros(2, 1, 96, 144)
    upper[:, :30, 40:80], lower[:, 50:, 44:84] = 1.0, 1.0
    apart = joint_midpoint_px(Masks(upper, lower, torch.ones_like(upper)))
    np.testing.assert_allclose(apart.numpy(), [[39.5, 61.5]], atol=1.5)
    nothing = torch.zeros(1, 96, 144)
    centre = joint_midpoint_px(Masks(upper, nothing, nothing))
    np.testing.assert_array_equal(centre.numpy(), [[47.5, 71.5]])


def test_opening_leaves_the_gap():
    seen = masks()
    layers = JointLayers(blobs(), seen.upper, seen.lower)
    after = shifted(layers, seen, opening(seen, 7.0)).masks
    upper, lower = after.upper[0, :, 30] > 0.5, after.lower[0, :, 30] > 0.5
    assert int(lower.nonzero()[0]) - int(upper.nonzero()[-1]) - 1 == 7


@pytest.mark.parametrize("reach", [CORRECTED, replace(CORRECTED, down_px=3.0)])
def test_corrected_draws_differ_between_samples_and_bones_within_their_reach(reach: ShiftRange):
    motions = drawn(reach, 4000, np.random.default_rng(0))
    for bone in motions:
        bounds = (reach.down_px, reach.right_px, reach.rotation_deg)
        for values, bound in zip(bone, bounds, strict=True):
            assert len(values.unique()) > 3900
            assert 0.98 * bound < values.abs().max() <= bound
            assert float(values.mean()) == pytest.approx(0.0, abs=0.05 * bound)
    assert not torch.equal(motions.upper.down_px, motions.lower.down_px)


def test_a_published_draw_is_whole_and_one_for_the_batch():
    rng = np.random.default_rng(0)
    many = [drawn(PUBLISHED, 3, rng) for _ in range(500)]
    for motions in many:
        for values in (*motions.upper, *motions.lower):
            assert len(values.unique()) == 1
            assert float(values[0]).is_integer()
    reach = [max(abs(float(m.upper[k][0])) for m in many) for k in range(3)]
    assert reach == [30.0, 20.0, 10.0]
