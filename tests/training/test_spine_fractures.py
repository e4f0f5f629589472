"""Pieces of slices for the classifier: what they show is what they are said to show."""

import numpy as np
import pytest

from lamella.methods.healthivert.channels import Plane
from lamella.records import LamellaError
from lamella.training.spine_batches import Look, exposed
from lamella.training.spine_crops import FRACTURED, TARGET, grey_of
from lamella.training.spine_fractures import (
    SHOWN_PX,
    FractureDrawer,
    fractured_part,
    own_rows,
    piece_rows,
    shows,
    whole_slice,
)
from lamella.training.spine_pool import SpinePool


def middle(crop) -> int:
    return round(sum(crop.facts.span(Plane.SAGITTAL)) / 2)


@pytest.fixture(scope="module")
def broken(spine_pool):
    return next(crop for crop in spine_pool.crops if crop.facts.grade > 0)


def test_half_of_a_batch_shows_a_fracture_and_can_be_drawn_again(spine_pool):
    drawer = FractureDrawer(pool=spine_pool, size=6)
    batch = drawer(np.random.default_rng(3))
    assert batch.fractured.tolist() == [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    assert batch.slices.shape[:2] == (6, 1)
    assert batch.slices.shape[2] % 8 == 0
    assert (batch.slices == drawer(np.random.default_rng(3)).slices).all()
    assert float(batch.slices.abs().max()) <= 1.0


def test_pieces_are_of_one_vertebra_up_to_the_whole_box():
    rng = np.random.default_rng(0)
    rows = np.array([piece_rows(rng) for _ in range(600)])
    assert (rows.min(), rows.max()) == (40, 160)
    assert (rows % 8 == 0).all()
    assert (rows <= 72).mean() > 0.5


def test_a_piece_shows_what_lies_in_its_rows(broken):
    left = middle(broken)
    own = own_rows(broken)
    assert shows(broken, left, own) is True
    rows = np.flatnonzero((broken.parts[left] == TARGET).any(axis=1))
    one_row = slice(rows[0], rows[0] + 1)
    assert 0 < (broken.parts[left][one_row] == TARGET).sum() < SHOWN_PX
    assert shows(broken, left, one_row) is None


def test_a_sound_vertebra_alone_shows_none_and_air_shows_nothing(spine_pool):
    crop = next(c for c in spine_pool.crops if c.facts.grade == 0)
    left, own = middle(crop), own_rows(crop)
    inside = slice(own.start + 8, own.stop - 8)
    assert shows(crop, left, inside) is False
    empty = np.flatnonzero((crop.grey[left] <= 32).all(axis=1))
    if len(empty):
        assert shows(crop, left, slice(empty[0], empty[0] + 1)) is None


def test_fractured_bodies_are_the_own_and_the_neighbours(broken, spine_pool):
    left = middle(broken)
    parts = broken.parts[left]
    expected = np.isin(parts, (TARGET, FRACTURED))
    np.testing.assert_array_equal(fractured_part(broken, left), expected)
    sound = next(c for c in spine_pool.crops if c.facts.grade == 0)
    np.testing.assert_array_equal(
        fractured_part(sound, middle(sound)), sound.parts[middle(sound)] == FRACTURED
    )


def test_own_rows_hold_the_vertebra_and_its_discs(broken):
    own = own_rows(broken)
    rows = np.flatnonzero((broken.parts == TARGET).any(axis=(0, 2)))
    assert (own.stop - own.start) % 8 == 0
    assert own.start < rows[0]
    assert own.stop > rows[-1] + 1
    assert own.stop - own.start < rows[-1] - rows[0] + 28


def test_a_whole_slice_is_the_crops_grey(broken):
    left = middle(broken)
    np.testing.assert_array_equal(whole_slice(broken, left), grey_of(broken.grey[left]))
    own = own_rows(broken)
    cut = whole_slice(broken, left, own)
    np.testing.assert_array_equal(cut, exposed(grey_of(broken.grey[left][own]), Look(index=left)))


def test_one_kind_alone_cannot_teach(spine_pool):
    sound = [c for c in spine_pool.crops if c.facts.grade == 0 and not (c.parts == FRACTURED).any()]
    whole = [c for c in spine_pool.crops if c.facts.grade == 0]
    pool = SpinePool(crops=tuple(sound or [_without_fractures(whole[0])]))
    with pytest.raises(LamellaError, match="got one kind"):
        FractureDrawer(pool=pool, size=2)(np.random.default_rng(0))


def _without_fractures(crop):
    parts = np.where(crop.parts == FRACTURED, 0, crop.parts)
    return type(crop)(grey=crop.grey, parts=parts, facts=crop.facts)
