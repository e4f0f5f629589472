"""Rigid motions and similarities of points and directions."""

import numpy as np
import pytest

from lamella.records import LamellaError, RigidMotion, Similarity


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


TURNED = Similarity(
    down_px=3.0, right_px=-4.0, rotation_deg=7.0, scale=1.02, centre_px=(20.0, 30.0)
)
POINTS = np.array([[0.0, 0.0], [11.0, -5.0], [64.0, 12.5]])


def test_a_similarity_turns_magnifies_and_shifts_in_that_order():
    motion = Similarity(
        down_px=1.0, right_px=2.0, rotation_deg=90.0, scale=3.0, centre_px=(10.0, 10.0)
    )
    right_of_centre = np.array([[10.0, 15.0], [10.0, 10.0]])
    np.testing.assert_allclose(
        motion.of_points(right_of_centre), [[-4.0, 12.0], [11.0, 12.0]], atol=1e-12
    )
    assert motion.of_direction((-1.0, 0.0)) == pytest.approx((0.0, -1.0))


def test_a_similarity_without_magnification_is_the_rigid_motion():
    rigid = RigidMotion(down_px=3.0, right_px=-4.0, rotation_deg=7.0, centre_px=(20.0, 30.0))
    same = Similarity(down_px=3.0, right_px=-4.0, rotation_deg=7.0, centre_px=(20.0, 30.0))
    np.testing.assert_allclose(same.of_points(POINTS), rigid.of_points(POINTS), atol=1e-12)
    assert same.of_direction((-0.6, 0.8)) == pytest.approx(rigid.of_direction((-0.6, 0.8)))


def test_the_inverse_similarity_takes_points_and_directions_back():
    back = TURNED.inverse()
    np.testing.assert_allclose(back.of_points(TURNED.of_points(POINTS)), POINTS, atol=1e-12)
    np.testing.assert_allclose(TURNED.of_points(back.of_points(POINTS)), POINTS, atol=1e-12)
    assert back.of_direction(TURNED.of_direction((-0.6, 0.8))) == pytest.approx((-0.6, 0.8))
    assert (back.rotation_deg, back.scale) == pytest.approx((-7.0, 1.0 / 1.02))
    np.testing.assert_allclose(back.inverse().of_points(POINTS), TURNED.of_points(POINTS))


def test_another_centre_is_the_same_motion():
    other = TURNED.about((-100.0, 250.0))
    assert other.centre_px == (-100.0, 250.0)
    assert (other.down_px, other.right_px) != pytest.approx((TURNED.down_px, TURNED.right_px))
    np.testing.assert_allclose(other.of_points(POINTS), TURNED.of_points(POINTS), atol=1e-12)
    again = other.about(TURNED.centre_px)
    assert (again.down_px, again.right_px) == pytest.approx((3.0, -4.0), abs=1e-12)


@pytest.mark.parametrize("scale", [0.97, 1.0, 1.5])
def test_a_direction_stays_a_unit_vector_and_lengths_grow_by_the_scale(scale):
    motion = Similarity(rotation_deg=33.0, scale=scale, down_px=5.0)
    assert np.hypot(*motion.of_direction((-0.6, 0.8))) == pytest.approx(1.0)
    lengths = [np.hypot(*(points[1] - points[0])) for points in (motion.of_points(POINTS), POINTS)]
    assert lengths[0] == pytest.approx(scale * lengths[1])
