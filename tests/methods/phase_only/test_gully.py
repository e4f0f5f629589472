"""The gully lies where a phantom's joint space is, at any pixel spacing, and nowhere else."""

import numpy as np
import pytest

from joints import SPACING_MM, coarse_phantom, phantom
from lamella.methods.phase_only.gully import (
    above_gully,
    box_height_px,
    gully_depth,
    gully_path,
)
from lamella.records import LamellaError


def banded(dark_rows: np.ndarray) -> np.ndarray:
    """Bright, but for 5 dark rows about one row a column."""
    rows = np.arange(60)[:, None]
    return np.where(np.abs(rows - dark_rows[None, :]) <= 2, 0.2, 0.8).astype(np.float32)


def test_depth_is_what_a_band_lacks_against_both_sides():
    depth = gully_depth(banded(np.full(40, 30)), 0.15)
    assert depth[30].min() == pytest.approx(0.6, abs=1e-6)
    assert gully_depth(banded(np.full(40, 30))[:33], 0.15)[30].max() == 0.0


def test_a_step_has_no_depth():
    step = np.repeat(np.linspace(0.2, 0.8, 2, dtype=np.float32), 30)[:, None].repeat(40, axis=1)
    assert gully_depth(step, 0.15).max() == pytest.approx(0.0, abs=1e-6)


def test_path_follows_a_slanting_band():
    course = np.round(20 + 0.5 * np.arange(40))
    path = gully_path(gully_depth(banded(course), 0.15))
    assert np.abs(path - course).max() <= 1.0


def test_path_never_jumps():
    depth = np.random.default_rng(1).random((50, 80), dtype=np.float32)
    assert np.abs(np.diff(gully_path(depth))).max() <= 1.0 + 1e-12


def test_path_is_the_best_of_all():
    """Against every path through a small field."""
    depth = np.random.default_rng(2).random((4, 5), dtype=np.float32)
    paths = [[row] for row in range(4)]
    for _ in range(4):
        paths = [[*path, row] for path in paths for row in range(4) if abs(row - path[-1]) <= 1]
    best = max(paths, key=lambda path: sum(depth[row, col] for col, row in enumerate(path)))
    padded = np.array([best[0], *best, best[-1]])
    assert gully_path(depth) == pytest.approx(np.convolve(padded, np.ones(3) / 3, "valid"))


@pytest.mark.parametrize("joint", [phantom(jsw_mm=1.2), coarse_phantom(jsw_mm=1.2)])
def test_parts_the_bones_of_a_phantom(joint):
    above = above_gully(joint.intensity, joint.spec.pixel_spacing_mm)
    middle = slice(joint.spec.cols * 3 // 8, joint.spec.cols * 5 // 8)
    assert above[joint.masks["upper"]][:].mean() > 0.99
    assert above[:, middle][joint.masks["upper"][:, middle]].all()
    assert not above[:, middle][joint.masks["lower"][:, middle]].any()


def test_boxes_keep_their_size_in_millimetres():
    assert [box_height_px(height, 0.15) for height in (0.45, 0.75, 1.05)] == [3, 5, 7]
    assert [box_height_px(height, SPACING_MM) for height in (0.45, 0.75, 1.05)] == [5, 9, 13]
    assert box_height_px(0.45, 1.0) == 3


def test_refuses_too_few_rows():
    with pytest.raises(LamellaError, match="at least 21 rows"):
        gully_depth(np.zeros((20, 40), np.float32), 0.15)
