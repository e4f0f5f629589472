"""Rigid motion of layers, and millimetres."""

import numpy as np
import pytest

from lamella.physics.geometry import RigidMotion, mm_to_px, move, move_mask, px_to_mm
from lamella.records import LamellaError


def blob(side: int = 96) -> np.ndarray:
    rows, cols = np.indices((side, side)) - side / 2
    return np.exp(-(rows**2 / 200 + cols**2 / 90)).astype(np.float32)


@pytest.mark.parametrize(
    "motion",
    [
        RigidMotion(down_px=3.37, right_px=-2.21),
        RigidMotion(rotation_deg=7.0),
        RigidMotion(down_px=-4.5, rotation_deg=-3.0, centre_px=(40.0, 50.0)),
    ],
)
def test_no_absorbance_is_lost(motion: RigidMotion) -> None:
    assert move(blob(), motion).sum() == pytest.approx(blob().sum(), rel=1e-3)


def test_whole_pixels_are_exact() -> None:
    layer = np.random.default_rng(0).random((40, 50)).astype(np.float32)
    moved = move(layer, RigidMotion(down_px=5.0, right_px=-3.0))
    assert moved[5:, :-3] == pytest.approx(layer[:-5, 3:], abs=1e-6)
    assert (moved[:5] == 0).all()


def test_centroid_moves_by_the_translation() -> None:
    moved = move(blob(), RigidMotion(down_px=2.6, right_px=1.3)).astype(float)
    rows, cols = np.indices(moved.shape)
    assert (moved * rows).sum() / moved.sum() - 48 == pytest.approx(2.6, abs=1e-3)
    assert (moved * cols).sum() / moved.sum() - 48 == pytest.approx(1.3, abs=1e-3)


def test_rotation_is_counter_clockwise_about_the_given_centre() -> None:
    point = np.zeros((61, 61), np.float32)
    point[30, 50] = 1.0
    moved = move(point, RigidMotion(rotation_deg=90.0, centre_px=(30.0, 30.0)))
    assert np.unravel_index(moved.argmax(), moved.shape) == (10, 30)


def test_there_and_back_again() -> None:
    forth = move(blob(), RigidMotion(down_px=3.3, right_px=1.7))
    back = move(forth, RigidMotion(down_px=-3.3, right_px=-1.7))
    assert np.abs(back - blob()).max() < 1e-3


def test_masks_stay_masks() -> None:
    mask = blob() > 0.5
    moved = move_mask(mask, RigidMotion(down_px=4.0))
    assert moved.dtype == bool
    assert np.array_equal(moved[4:], mask[:-4])


def test_millimetres_need_a_spacing() -> None:
    assert px_to_mm(10.0, 0.1) == pytest.approx(1.0)
    assert mm_to_px(px_to_mm(7.0, 0.082), 0.082) == pytest.approx(7.0)
    with pytest.raises(LamellaError, match="spacing is unknown"):
        px_to_mm(10.0, None)
