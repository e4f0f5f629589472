"""What the networks see."""

import numpy as np
import pytest

from lamella.methods.healthivert.channels import (
    FIRST_GAP_ROW,
    GAP_ROWS,
    LAST_GAP_ROW,
    MIDDLE_ROW,
    SHAPE,
    Channel,
    Plane,
    gap_mask,
    inputs,
    offsets,
    slices_of,
    unwindowed,
    volume_of,
    windowed,
)

RNG = np.random.default_rng(0)


def test_the_window_is_the_published_one_and_returns():
    grey = windowed(np.array([-1000.0, -300.0, 250.0, 800.0, 3000.0]))
    assert grey.tolist() == [-1.0, -1.0, 0.0, 1.0, 1.0]
    assert unwindowed(windowed(np.array([-120.0, 700.0]))) == pytest.approx(
        [-120.0, 700.0], abs=1e-3
    )


def test_the_window_scales_a_volume_that_already_lies_within_it_and_leaves_the_input():
    hu = np.array([0.0, 100.0], np.float32)
    assert windowed(hu) == pytest.approx([-5 / 11, -3 / 11])
    assert hu.tolist() == [0.0, 100.0]


def test_the_gap_is_centred_and_forty_rows_tall():
    assert LAST_GAP_ROW - FIRST_GAP_ROW + 1 == GAP_ROWS
    assert (FIRST_GAP_ROW + LAST_GAP_ROW) / 2 == MIDDLE_ROW
    mask = gap_mask((SHAPE[1], 5))
    assert mask.sum() == GAP_ROWS * 5
    assert np.flatnonzero(mask[:, 0])[[0, -1]].tolist() == [FIRST_GAP_ROW, LAST_GAP_ROW]


@pytest.mark.parametrize("plane", Plane)
def test_slices_run_across_the_plane_and_return(plane):
    volume = RNG.normal(size=(4, 6, 5))
    slices = slices_of(volume, plane)
    assert np.array_equal(volume_of(slices, plane), volume)
    chosen = slices[2]
    expected = volume[2] if plane is Plane.SAGITTAL else volume[:, :, 2].T
    assert np.array_equal(chosen, expected)


def test_offsets_tell_the_side_and_stop_at_the_bodys_ends():
    told = offsets(11, (3.0, 7.0))
    assert told.tolist() == [-1, -1, -1, -1, -0.5, 0, 0.5, 1, 1, 1, 1]


def test_a_slice_comes_with_its_neighbours_the_gap_and_the_prior():
    hu = RNG.uniform(-300, 800, SHAPE).astype(np.float32)
    attention = RNG.uniform(0, 1, SHAPE).astype(np.float32)
    seen = inputs(hu, attention, 26.0, (10.0, 50.0), Plane.CORONAL)
    assert seen.shape == (SHAPE[2], len(Channel), SHAPE[1], SHAPE[0])
    assert np.array_equal(seen[5, Channel.CT], windowed(hu[:, :, 5]).T)
    assert np.array_equal(seen[5, Channel.CT_BEFORE], seen[4, Channel.CT])
    assert np.array_equal(seen[5, Channel.CT_AFTER], seen[6, Channel.CT])
    assert np.array_equal(seen[0, Channel.CT_BEFORE], seen[0, Channel.CT])
    assert np.array_equal(seen[9, Channel.HEALTHY], 1 - attention[:, :, 9].T)
    assert seen[:, Channel.PRIOR] == pytest.approx(26.0 / 40.0)
    assert seen[30, Channel.OFFSET] == pytest.approx(0.0)
    assert np.array_equal(seen[7, Channel.GAP], gap_mask((SHAPE[1], SHAPE[0])))
