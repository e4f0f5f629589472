"""The fracture map: rigid tilts, neighbours moved rigidly, nothing folded, far away still."""

from functools import lru_cache

import numpy as np
import pytest

from fracturable import fracturable
from lamella.physics.fracture_fit import fracture_map
from lamella.physics.fracture_map import RIGID_MM, RigidTilt, steps
from lamella.physics.virtual_fracture import FractureSpec

KINDS = ("wedge", "biconcave", "crush")


@lru_cache(maxsize=8)
def made(kind, loss=0.6):
    spine = fracturable()
    losses = FractureSpec(kind=kind, loss=loss).zone_losses
    return fracture_map(
        spine.phantom.bodies, spine.phantom.ct.affine, "T12", spine.height_map, losses
    )


def scattered(number):
    rng = np.random.default_rng(0)
    ct = fracturable().phantom.ct
    index = rng.uniform(0.0, 1.0, (number, 3)) * np.array(ct.shape)
    return index @ ct.affine[:3, :3].T + ct.affine[:3, 3]


def test_a_rigid_tilt_keeps_distances_and_is_undone():
    tilt = RigidTilt(angle=0.3, pivot_mm=np.array([2.0, 0.0, 9.0]), shift_mm=-4.0)
    rng = np.random.default_rng(0)
    places = rng.normal(0.0, 20.0, (5, 3))
    moved = tilt(places)
    np.testing.assert_allclose(tilt.back(moved), places, atol=1e-12)
    assert np.linalg.norm(moved[0] - moved[1]) == pytest.approx(
        np.linalg.norm(places[0] - places[1])
    )
    behind = tilt(np.array([12.0, 0.0, 9.0]))
    assert behind[2] == pytest.approx(9.0 - 4.0 + 10.0 * np.sin(0.3))
    up = tilt.back(np.array([0.0, 0.0, 1.0])) - tilt.back(np.zeros(3))
    np.testing.assert_allclose(tilt.turned(np.array([0.0, 0.0, 1.0])), up, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_folded(kind):
    fracture, places, step = made(kind), scattered(20_000), 0.02
    columns = [
        (fracture.pulled_back(places + step * axis) - fracture.pulled_back(places - step * axis))
        / (2 * step)
        for axis in np.eye(3)
    ]
    assert np.linalg.det(np.stack(columns, axis=-1)).min() > 0.1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", ["T11", "L1"])
def test_a_neighbours_body_moves_rigidly(kind, level):
    """Inside its box after the fracture, distances are those of before."""
    fracture = made(kind)
    frame = fracturable().phantom.frames[level]
    rng = np.random.default_rng(1)
    inside = frame.to_world(rng.uniform(-1.0, 1.0, (40, 3)) * np.array([10.0, 14.0, 7.0]))
    local = fracture.frame.from_world(inside)
    carried = fracture.above(local) if level == "T11" else fracture.below(local)
    now = fracture.frame.to_world(fracture.below.back(carried))
    np.testing.assert_allclose(fracture.pulled_back(now), inside, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_below_stays(kind):
    below = fracturable().phantom.frames["L1"].centre_mm[None]
    np.testing.assert_allclose(made(kind).pulled_back(below), below, atol=1e-9)


def test_far_from_the_spine_nothing_moves():
    fracture = made("wedge")
    far = np.array([[RIGID_MM + fracture.fade_mm + 5.0, 0.0, 10.0]])
    np.testing.assert_array_equal(fracture.pulled_back(far), far)


def test_endplates_come_nearer_by_what_is_lost():
    """The body's own columns after the fracture end at both old endplates."""
    fracture = made("crush", 0.4)
    healthy, lost = fracture.healthy, fracture.lost_mm
    row, column = lost.shape[0] // 2, lost.shape[1] // 2
    for edge, side in ((healthy.upper_mm, -0.5), (healthy.lower_mm, 0.5)):
        local = np.array([healthy.posterior_mm[row], healthy.left_mm[column], edge[row, column]])
        now = local + np.array([0.0, 0.0, side * lost[row, column]])
        was = fracture.pulled_back(fracture.fractured_frame.to_world(now)[None])[0]
        np.testing.assert_allclose(fracture.frame.from_world(was), local, atol=1e-6)


def test_places_as_indices():
    np.testing.assert_allclose(steps(np.array([2.0, 4.0, 6.0]), np.array([5.0])), [1.5])
