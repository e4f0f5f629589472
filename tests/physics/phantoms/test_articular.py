"""Contours and the joint space width between them."""

from __future__ import annotations

import numpy as np
import pytest

from lamella.physics.phantoms.anatomy import AnatomySpec, metacarpal, phalanx
from lamella.physics.phantoms.articular import (
    Contour,
    Placement,
    joint_space_width,
    lower_contour,
    upper_contour,
)


def _flat(up_mm: float, extent_mm: tuple[float, float] = (-6.0, 6.0)) -> Contour:
    right = np.linspace(*extent_mm, 50)
    return Contour(right_mm=right, up_mm=np.full(50, up_mm), extent_mm=extent_mm)


def test_width_of_flat_contours_is_their_distance_with_its_sign():
    assert joint_space_width(_flat(1.25), _flat(0.0)) == pytest.approx(1.25)
    assert joint_space_width(_flat(-0.5), _flat(0.0)) == pytest.approx(-0.5)


def test_width_uses_the_central_half_of_shared_columns():
    """A parabola over [-4, 4]: the mean of x^2 over [-2, 2] is 4/3."""
    right = np.linspace(-6, 6, 4001)
    bowl = Contour(right_mm=right, up_mm=right**2, extent_mm=(-6.0, 4.0))
    assert joint_space_width(bowl, _flat(0.0, (-4.0, 7.0))) == pytest.approx(4 / 3, abs=1e-5)


def test_bones_that_do_not_face_each_other_are_refused():
    with pytest.raises(ValueError, match="lateral_shift_mm"):
        joint_space_width(_flat(1.0, (-9.0, -3.0)), _flat(0.0, (-2.5, 9.0)))


def test_placement_goes_there_and_back():
    placement = Placement(rise_mm=1.5, lateral_shift_mm=-0.7, tilt_deg=9.0)
    across, along = np.array([-3.0, 0.0, 4.0]), np.array([1.0, 2.0, -1.0])
    back = placement.to_bone(*placement.to_joint(across, along))
    np.testing.assert_allclose(back, (across, along), atol=1e-12)


@pytest.mark.parametrize("tilt_deg", [-6.0, 0.0, 6.0])
def test_rise_changes_the_width_by_as_much(tilt_deg):
    spec = AnatomySpec(seed=4, flexion_deg=7.0)
    bone, below = phalanx(spec), lower_contour(metacarpal(spec))
    low, high = (
        joint_space_width(upper_contour(bone, Placement(rise_mm=rise, tilt_deg=tilt_deg)), below)
        for rise in (0.2, 1.9)
    )
    assert high - low == pytest.approx(1.7, abs=1e-12)


def test_contours_are_the_edges_of_the_silhouettes():
    spec = AnatomySpec(seed=2, flexion_deg=6.0)
    bone, head = phalanx(spec), metacarpal(spec)
    above, below = upper_contour(bone, Placement()), lower_contour(head)
    for x_mm in (-3.0, 0.1, 2.7):
        edge = np.interp(x_mm, above.right_mm, above.up_mm)
        inside = bone.chords(np.full((1, 2), x_mm), edge + np.array([[0.01, -0.01]])).inside
        assert inside.tolist() == [[True, False]]
        edge = -np.interp(x_mm, below.right_mm, below.up_mm)
        inside = head.chords(np.full((1, 2), x_mm), edge + np.array([[0.02, -0.02]])).inside
        assert inside.tolist() == [[True, False]]
