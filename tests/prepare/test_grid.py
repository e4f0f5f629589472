"""The networks' grid and the way back."""

import numpy as np
import pytest

from lamella.prepare.grid import FIELD_MM, NETWORK_SIDE_PX, NETWORK_SPACING_MM, JointGrid
from lamella.records import LamellaError, Radiograph


def radiograph(rows: int, cols: int, spacing_mm: float | None = None) -> Radiograph:
    pixels = np.linspace(0, 0.9, rows * cols, dtype=np.float32).reshape(rows, cols)
    return Radiograph(pixels=pixels, pixel_spacing_mm=spacing_mm)


def waves(rows: int, cols: int) -> np.ndarray:
    """A smooth image of the unit square, whatever its grid."""
    row, col = (np.arange(rows) + 0.5) / rows, (np.arange(cols) + 0.5) / cols
    return (0.5 + 0.3 * np.outer(np.sin(3 * row), np.cos(4 * col))).astype(np.float32)


@pytest.mark.parametrize("spacing_mm", [0.041, 0.1, 0.164])
def test_a_known_spacing_gives_the_networks_spacing(spacing_mm):
    grid = JointGrid.of(radiograph(200, 240, spacing_mm))
    assert np.array(grid.shape) * NETWORK_SPACING_MM == pytest.approx(
        np.array([200, 240]) * spacing_mm, abs=NETWORK_SPACING_MM / 2
    )
    assert grid.spacing_mm == NETWORK_SPACING_MM
    assert grid.native_spacing_mm == pytest.approx(spacing_mm)


@pytest.mark.parametrize("shape", [(512, 300), (300, 512), (100, 100)])
def test_an_unknown_spacing_makes_the_longer_side_the_networks(shape):
    grid = JointGrid.of(radiograph(*shape))
    assert max(grid.shape) == NETWORK_SIDE_PX
    assert grid.shape[0] / grid.shape[1] == pytest.approx(shape[0] / shape[1], rel=0.01)


@pytest.mark.parametrize(("longest_mm", "accepted"), [(7.9, 0), (8.1, 1), (44.9, 1), (45.1, 0)])
def test_a_field_that_is_no_single_joints_is_refused(longest_mm, accepted):
    image = radiograph(50, 100, longest_mm / 100)
    if accepted:
        assert JointGrid.of(image).native == (50, 100)
        return
    match = rf"one finger joint \({FIELD_MM[0]:g} to {FIELD_MM[1]:g} mm\), got .* crop to the joint"
    with pytest.raises(LamellaError, match=match):
        JointGrid.of(image)


@pytest.mark.parametrize("spacing_mm", [NETWORK_SPACING_MM, 0.082, 0.08, 0.085])
def test_about_the_networks_spacing_nothing_is_resampled(spacing_mm):
    grid, image = JointGrid.of(radiograph(200, 220, spacing_mm)), waves(200, 220)
    assert grid.shape == grid.native == (200, 220)
    np.testing.assert_array_equal(grid.to_network(image), image)
    np.testing.assert_array_equal(grid.to_native(image), image)


@pytest.mark.parametrize("spacing_mm", [0.05, 0.13, 0.164])
def test_a_smooth_image_survives_the_way_there_and_back(spacing_mm):
    grid, image = JointGrid.of(radiograph(180, 190, spacing_mm)), waves(180, 190)
    there = grid.to_network(image)
    assert there.shape == grid.shape
    np.testing.assert_allclose(there, waves(*grid.shape), atol=0.01)
    back = grid.to_native(there)
    assert back.shape == grid.native
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, image, atol=0.01)


@pytest.mark.parametrize("spacing_mm", [0.041, 0.164])
def test_resampling_moves_nothing_aside(spacing_mm):
    """A centred disc stays centred: pixel centres, not corners, are matched."""
    grid = JointGrid.of(radiograph(200, 200, spacing_mm))
    rows, cols = np.indices((200, 200)) - 99.5
    moved = grid.mask_to_network(np.hypot(rows, cols) < 60)
    np.testing.assert_array_equal(moved, moved[::-1, ::-1])
    assert moved.mean() == pytest.approx(np.pi * 60**2 / 200**2, rel=0.02)


def test_shrinking_filters_out_what_the_coarse_grid_cannot_show():
    """A chequerboard of single pixels becomes grey; every third pixel of it is one again."""
    grid = JointGrid.of(radiograph(600, 600, NETWORK_SPACING_MM / 3))
    board = (np.indices((600, 600)).sum(axis=0) % 2).astype(np.float32)
    assert np.ptp(board[1::3, 1::3]) == 1
    inside = grid.to_network(board)[5:-5, 5:-5]
    assert np.abs(inside - 0.5).max() < 0.1


def test_a_narrow_strip_keeps_at_least_sixteen_pixels():
    assert min(JointGrid.of(radiograph(32, 1000, 0.02)).shape) == 16
