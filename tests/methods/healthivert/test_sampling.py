"""Volumes read between their samples."""

import numpy as np
import pytest

from lamella.methods.healthivert.sampling import along, surfaces


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_linear_values_are_read_exactly_between_samples(axis):
    grid = np.indices((6, 7, 8)).astype(np.float32)[axis]
    places = np.array([0.0, 1.25, 3.5])
    read = np.moveaxis(along(grid, places, axis, 0.0), axis, 0)
    assert read == pytest.approx(np.broadcast_to(places[:, None, None], read.shape))


def test_labels_are_taken_from_the_nearest_sample():
    ids = np.arange(5, dtype=np.uint8)[None, :, None]
    read = along(ids, np.array([0.4, 0.6, 3.49]), 1, 0.0)
    assert read.dtype == np.uint8
    assert read.ravel().tolist() == [0, 1, 3]


def test_beyond_the_ends_is_filled():
    read = along(np.ones((1, 4, 1), np.float32), np.array([-0.6, -0.4, 3.4, 3.6]), 1, -1000.0)
    assert read.ravel().tolist() == [-1000.0, 1.0, 1.0, -1000.0]


def test_surfaces_pass_one_half_between_rows():
    rows = np.arange(20.0)[None, :, None]
    upper, lower = np.array([[4.3, 6.5]]), np.array([[11.9, 12.25]])
    above, below = ((rows - upper[:, None]) / 2, (lower[:, None] - rows) / 2)
    soft = np.clip(above + 0.5, 0, 1) * np.clip(below + 0.5, 0, 1)
    first, last = surfaces(soft)
    assert first == pytest.approx(upper)
    assert last == pytest.approx(lower)


def test_an_empty_column_has_no_surface_and_a_whole_mask_lies_between_samples():
    mask = np.zeros((1, 10, 2), np.float32)
    mask[0, 3:7, 0] = 1.0
    upper, lower = surfaces(mask)
    assert (upper[0, 0], lower[0, 0]) == (2.5, 6.5)
    assert np.isnan([upper[0, 1], lower[0, 1]]).all()
