"""Rigid motion of points and directions."""

import numpy as np
import pytest

from lamella.records import LamellaError, RigidMotion


def test_a_quarter_turn_counter_clockwise_on_the_screen():
    motion = RigidMotion(rotation_deg=90.0, centre_px=(10.0, 10.0))
    right_of_centre = np.array([[10.0, 15.0]])
    np.testing.assert_allclose(motion.of_points(right_of_centre), [[5.0, 10.0]], atol=1e-12)
    assert motion.of_direction((-1.0, 0.0)) == pytest.approx((0.0, -1.0))


def test_a_translation_moves_points_and_no_direction():
    motion = RigidMotion(down_px=2.5, right_px=-1.0)
    np.testing.assert_allclose(motion.of_points(np.zeros((1, 2))), [[2.5, -1.0]])
    assert motion.of_direction((-0.6, 0.8)) == pytest.approx((-0.6, 0.8))


def test_the_inverse_takes_every_point_back():
    motion = RigidMotion(down_px=3.0, right_px=4.0, rotation_deg=7.0, centre_px=(20.0, 30.0))
    points = np.array([[0.0, 0.0], [11.0, -5.0], [64.0, 12.5]])
    matrix, offset = motion.inverse_affine()
    np.testing.assert_allclose(motion.of_points(points) @ matrix.T + offset, points, atol=1e-9)


def test_turning_about_nothing_is_refused():
    with pytest.raises(LamellaError, match="centre of rotation"):
        RigidMotion(rotation_deg=1.0).of_points(np.zeros((1, 2)))


def test_stillness_and_whole_pixels():
    assert RigidMotion().is_still
    assert RigidMotion(down_px=3.0).is_by_whole_pixels
    assert not RigidMotion(down_px=3.5).is_by_whole_pixels
    assert not RigidMotion(rotation_deg=1.0).is_by_whole_pixels
