"""Restored vertebrae back on the CT's grid: near ones move, far ones stay, nothing tears."""

from collections.abc import Set
from dataclasses import replace

import numpy as np
import pytest

from lamella.prepare.spine.straight import StraightSpine, straighten
from lamella.records import VERSE_IDS, HealthyHeights, LamellaError, SpineLabels
from lamella.tasks.pseudo_healthy import Restored, on_the_ct, pushed_out, restored_spine
from spines import alike, spine, told

GROWN = 6


@pytest.fixture(scope="module")
def phantom():
    return spine(cropped=False)


@pytest.fixture(scope="module")
def straight(phantom) -> StraightSpine:
    return straighten(phantom.ct, phantom.labels, phantom.bodies)


def grown(straight: StraightSpine, level: str, healthy: HealthyHeights, done: Set[str]) -> Restored:
    """The body stretched by ``GROWN`` rows about its middle: a generator that needs no network."""
    inside = np.flatnonzero((straight.bodies == VERSE_IDS[level]).any(axis=(0, 2)))
    first, last = int(inside[0]), int(inside[-1])
    rows = np.arange(straight.ids.shape[1], dtype=float)
    half = GROWN / 2
    came_from = np.interp(
        rows,
        [0, first - half, last + half, rows[-1]],
        [half, first, last, rows[-1] - half],
    )
    taken = np.rint(came_from).astype(int)
    assert straight.hu is not None
    made = replace(
        straight,
        hu=straight.hu[:, taken],
        ids=straight.ids[:, taken],
        bodies=straight.bodies[:, taken],
    )
    shift_mm = (rows - came_from) * straight.spacing_mm
    return Restored(straight=made, shift_down_mm=shift_mm, healthy=healthy)


def height_rows(bodies: np.ndarray, level: str) -> int:
    return int((bodies == VERSE_IDS[level]).any(axis=(0, 2)).sum())


def test_the_vertebra_grows_and_its_neighbours_keep_their_heights(phantom, straight):
    restored = restored_spine(straight, {"L2": told(alike(25.0))}, grown)
    for level, more in (("L1", 0), ("L2", GROWN), ("L3", 0)):
        before = height_rows(straight.bodies, level)
        assert height_rows(restored.straight.bodies, level) == pytest.approx(before + more, abs=1)


def test_movements_of_several_vertebrae_add_up(straight):
    both = restored_spine(straight, dict.fromkeys(("L1", "L3"), told(alike(25.0))), grown)
    middle = int(np.argwhere(both.straight.bodies == VERSE_IDS["L2"])[:, 1].mean())
    assert both.moved_mm[middle] == pytest.approx(0.0, abs=0.6)
    lower = int(np.argwhere(both.straight.bodies == VERSE_IDS["L3"])[:, 1].max()) + 6
    assert both.moved_mm[lower] == pytest.approx(GROWN, abs=0.6)


def test_on_the_ct_s_grid_the_vertebra_is_higher_and_the_far_body_untouched(phantom, straight):
    restored = restored_spine(straight, {"L2": told(alike(25.0))}, grown)
    ct, labels = on_the_ct(restored, phantom.ct, phantom.labels)
    assert ct.hu.shape == phantom.ct.hu.shape
    assert ct.hu.dtype == phantom.ct.hu.dtype
    voxel = np.prod(phantom.ct.spacing_mm)
    number = VERSE_IDS["L2"]
    more = voxel * ((labels.ids == number).sum() - (phantom.labels.ids == number).sum())
    assert more > 0.1 * voxel * (phantom.labels.ids == number).sum()
    for level in ("L1", "L3"):
        counts = [(ids.ids == VERSE_IDS[level]).sum() for ids in (labels, phantom.labels)]
        assert counts[0] == pytest.approx(counts[1], rel=0.06)
    place = np.argwhere(phantom.labels.ids > 0)
    outside = np.ones(ct.hu.shape, bool)
    low, high = place.min(axis=0) - 30, place.max(axis=0) + 30
    outside[tuple(slice(max(0, a), b) for a, b in zip(low, high, strict=True))] = False
    np.testing.assert_array_equal(ct.hu[outside], phantom.ct.hu[outside])


def test_a_vertebra_that_does_not_grow_leaves_the_ct_as_it_was(phantom, straight):
    def same(spine: StraightSpine, level: str, healthy: HealthyHeights, done: Set[str]) -> Restored:
        still = np.zeros(spine.ids.shape[1])
        return Restored(straight=spine, shift_down_mm=still, healthy=healthy)

    restored = restored_spine(straight, {"L2": told(alike(25.0))}, same)
    ct, labels = on_the_ct(restored, phantom.ct, phantom.labels)
    np.testing.assert_array_equal(ct.hu, phantom.ct.hu)
    np.testing.assert_array_equal(labels.ids, phantom.labels.ids)


def test_what_cannot_be_drawn_stays_and_the_next_is_told_what_is_done(straight):
    seen = {}

    def some(spine: StraightSpine, level: str, healthy: HealthyHeights, done: Set[str]) -> Restored:
        seen[level] = set(done)
        if level == "L2":
            raise LamellaError("nothing is drawn")
        return grown(spine, level, healthy, done)

    wanted = dict.fromkeys(("L1", "L2", "L3"), told(alike(25.0)))
    restored = restored_spine(straight, wanted, some)
    assert seen == {"L1": set(), "L2": {"L1"}, "L3": {"L1"}}
    assert restored.failed == {"L2": "nothing is drawn"}
    assert set(restored.healthy) == {"L1", "L3"}
    before, now = (height_rows(s.bodies, "L2") for s in (straight, restored.straight))
    assert now == pytest.approx(before, abs=1)


def test_vertebrae_that_come_to_touch_the_border_or_leave_are_named():
    ids = np.zeros((5, 5, 12), np.uint8)
    for level, lowest in (("L3", 1), ("L2", 4), ("L1", 7)):
        ids[1:4, 1:4, lowest : lowest + 2] = VERSE_IDS[level]
    before = SpineLabels(ids=ids, affine=np.eye(4))
    moved = np.zeros_like(ids)
    moved[..., :-1] = ids[..., 1:]
    assert pushed_out(before, replace(before, ids=moved)) == ("L3",)
    assert pushed_out(before, replace(before, ids=np.roll(ids, 1, axis=2))) == ()
    gone = np.where(ids == VERSE_IDS["L1"], 0, ids).astype(np.uint8)
    assert pushed_out(before, replace(before, ids=gone)) == ("L1",)
