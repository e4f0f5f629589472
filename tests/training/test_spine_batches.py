"""Batches of slices: the same that inference shows its networks, mirrored and exposed anew."""

import numpy as np
import pytest
import torch

from lamella.methods.healthivert.channels import GAP_ROWS, Channel, Plane, gap_mask, inputs
from lamella.methods.healthivert.gap import pushed_apart
from lamella.records import LamellaError
from lamella.training.spine_batches import (
    Look,
    SliceDrawer,
    chosen,
    exposed,
    gap_slice,
    look_at,
    stacked,
)
from lamella.training.spine_crops import HEALTHY, TARGET, grey_of
from lamella.training.spine_pool import SpinePool


@pytest.fixture(scope="module")
def crop(spine_pool):
    return next(crop for crop in spine_pool.crops if crop.facts.grade == 0)


@pytest.fixture(scope="module")
def hot(crop):
    return np.random.default_rng(0).integers(0, 256, crop.grey.shape, np.uint8)


@pytest.mark.parametrize("plane", Plane)
def test_a_slice_is_what_inference_would_show(crop, hot, plane):
    """Every channel equals :func:`inputs` on the whole box in the gap's frame."""
    site = crop.facts.site
    hu = (pushed_apart(grey_of(crop.grey), site, -1.0) + 1.0) * 550.0 - 300.0
    attention = pushed_apart(hot.astype(np.float32) / 255.0, site)
    whole = inputs(hu, attention, crop.facts.prior_rows, crop.facts.span(plane), plane)
    for index in (0, 20, 47, crop.grey.shape[plane.value] - 1):
        seen = gap_slice(crop, hot, plane, Look(index=index))[0]
        np.testing.assert_allclose(seen, whole[index], atol=1e-5)


@pytest.mark.parametrize("plane", Plane)
def test_the_truth_is_the_vertebra_in_its_place(crop, plane):
    index = round(sum(crop.facts.span(plane)) / 2)
    _, ct, target, neighbours, extent = gap_slice(crop, None, plane, Look(index=index))
    box = crop.parts[index] if plane is Plane.SAGITTAL else crop.parts[:, :, index].T
    np.testing.assert_array_equal(target, box == TARGET)
    grey = crop.grey[index] if plane is Plane.SAGITTAL else crop.grey[:, :, index].T
    np.testing.assert_allclose(ct, grey_of(grey))
    assert extent == pytest.approx(crop.facts.extent_rows)
    assert not neighbours[gap_mask(neighbours.shape) > 0].any()
    assert abs(int(neighbours.sum()) - int((box == HEALTHY).sum())) < 0.5 * (
        (box == HEALTHY).sum() + 1
    )


@pytest.mark.parametrize("plane", Plane)
def test_the_mirror_changes_left_and_right_alone(crop, hot, plane):
    index = round(crop.facts.span(plane)[0] + 4)
    plain, mirrored = (
        gap_slice(crop, hot, plane, Look(index=index, mirrored=m)) for m in (False, True)
    )
    if plane is Plane.SAGITTAL:
        order = [Channel.CT_AFTER, Channel.CT, Channel.CT_BEFORE]
        np.testing.assert_array_equal(mirrored[0][: len(order)], plain[0][order])
        np.testing.assert_array_equal(mirrored[0][Channel.OFFSET], -plain[0][Channel.OFFSET])
        np.testing.assert_array_equal(mirrored[1], plain[1])
    else:
        np.testing.assert_array_equal(mirrored[0], plain[0][:, :, ::-1])
        np.testing.assert_array_equal(mirrored[2], plain[2][:, ::-1])


def test_exposure_turns_about_water(crop):
    index = round(sum(crop.facts.span(Plane.SAGITTAL)) / 2)
    plain = grey_of(crop.grey[index])
    brighter = exposed(plain, Look(index=index, gain=1.1, shift=0.05))
    assert exposed(plain, Look(index=index)) is plain
    water = 600.0 / 1100.0 - 1.0
    expected = np.clip(1.1 * (plain - water) + water + 0.05, -1.0, 1.0)
    np.testing.assert_allclose(brighter, expected, atol=1e-6)


def test_a_batch_for_the_generator_holds_healthy_vertebrae(spine_pool):
    drawer = SliceDrawer(pool=spine_pool, attention=None, plane=Plane.CORONAL, size=5)
    batch = drawer(np.random.default_rng(1))
    assert batch.seen.shape == (5, len(Channel), 160, 64)
    assert batch.ct.shape == batch.target.shape == batch.neighbours.shape == (5, 160, 64)
    healthy = spine_pool.grades == 0
    extents = [c.facts.extent_rows for c, ok in zip(spine_pool.crops, healthy, strict=True) if ok]
    assert all(min(abs(each - e) for e in extents) < 1e-4 for each in batch.height.tolist())
    assert torch.equal(batch.seen[:, Channel.HEALTHY], torch.ones(5, 160, 64))
    again = drawer(np.random.default_rng(1))
    assert torch.equal(batch.seen, again.seen)
    assert not torch.equal(batch.seen, drawer(np.random.default_rng(2)).seen)
    priors = GAP_ROWS * batch.seen[:, Channel.PRIOR, 0, 0]
    assert ((priors > 8.0) & (priors < 40.0)).all()


def test_slices_reach_a_little_beyond_the_body_or_stay_inside(crop):
    rng = np.random.default_rng(0)
    first, last = crop.facts.span(Plane.SAGITTAL)
    beyond, inside = (
        [look_at(crop, Plane.SAGITTAL, rng, reach).index for _ in range(300)]
        for reach in (-2.0, 5.0)
    )
    assert first - 2.5 <= min(beyond) < first
    assert last < max(beyond) <= last + 2.5
    assert first + 4.5 <= min(inside)
    assert max(inside) <= last - 4.5


def test_a_pool_without_healthy_vertebrae_cannot_teach(spine_pool):
    broken = SpinePool(crops=tuple(c for c in spine_pool.crops if c.facts.grade > 0))
    drawer = SliceDrawer(pool=broken, attention=None, plane=Plane.SAGITTAL, size=2)
    with pytest.raises(LamellaError, match="got one kind"):
        drawer(np.random.default_rng(0))


def test_real_vertebrae_have_their_share(spine_pool):
    pool = SpinePool(crops=spine_pool.crops)
    pool.__dict__["real"] = np.arange(len(pool)) == 0
    rng, wanted = np.random.default_rng(0), np.ones(len(pool), bool)
    drawn = [chosen(pool, wanted, 0.3, rng) for _ in range(1000)]
    assert np.mean(np.equal(drawn, 0)) == pytest.approx(0.3, abs=0.05)
    assert chosen(pool, ~pool.real, 1.0, rng) != 0


def test_samples_stack_channels_last(crop):
    batch = stacked([gap_slice(crop, None, Plane.SAGITTAL, Look(index=30))] * 2)
    assert batch.seen.is_contiguous(memory_format=torch.channels_last)
    assert batch.height.dtype == torch.float32
