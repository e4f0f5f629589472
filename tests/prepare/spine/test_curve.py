"""The curve: through what it is given, with frames that return every place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamella.prepare.spine.centroids import Centroid
from lamella.prepare.spine.curve import (
    SpineCurve,
    curve_of,
    curve_through,
    from_world,
    stretch,
    to_world,
)
from lamella.records.images import LamellaError
from lamella.records.spine import SpineLabels

NAMES = ("T9", "T10", "T11", "T12", "T13", "L1", "L2", "L3", "L4", "L5")


def bodies(places, volume_mm3=3e4):
    return {
        name: Centroid(place_mm=place, volume_mm3=volume_mm3)
        for name, place in zip(NAMES, places, strict=False)
    }


def arc(radius_mm=120.0, degrees=100.0, count=10):
    """A kyphotic spine: part of a circle in the sagittal plane, hollow in front."""
    angle = np.radians(np.linspace(-degrees / 2, degrees / 2, count))
    return np.stack([0 * angle, -radius_mm * np.cos(angle), -radius_mm * np.sin(angle)], axis=1)


def bent(scoliosis_mm: float) -> SpineCurve:
    places = arc()
    places[:, 0] = scoliosis_mm * np.sin(np.linspace(0, np.pi, len(places)))
    return curve_through(bodies(places))


@settings(max_examples=15, deadline=None)
@given(
    scoliosis=st.floats(-25.0, 25.0),
    left=st.floats(-48.0, 48.0),
    down=st.floats(-60.0, 260.0),
    back=st.floats(-40.0, 56.0),
)
def test_to_world_and_back(scoliosis: float, left: float, down: float, back: float) -> None:
    curve = bent(scoliosis)
    told = np.array([[left, down, back]])
    if stretch(curve, told)[0] > 0.3:
        assert from_world(curve, to_world(curve, told)) == pytest.approx(told, abs=1e-6)


def test_a_circle_keeps_its_curvature_and_its_length() -> None:
    curve = bent(0.0)
    middle = np.array([[0.0, 105.0, 0.0], [0.0, 105.0, -40.0], [0.0, 105.0, 40.0]])
    # Fibres towards the centre of curvature, in front, are shorter by offset / radius.
    assert stretch(curve, middle) == pytest.approx([1.0, 1 - 40 / 120, 1 + 40 / 120], abs=0.04)
    assert curve.levels_mm["L5"] == pytest.approx(120 * np.radians(100), rel=0.01)


def test_frames_are_patient_directions_without_scoliosis() -> None:
    frame = bent(0.0).at(np.linspace(-30.0, 240.0, 7))
    assert frame.left == pytest.approx(np.tile([-1.0, 0.0, 0.0], (7, 1)), abs=1e-9)
    assert (frame.down[:, 2] < 0).all()
    assert (frame.back[:, 1] < 0).all()
    assert np.cross(frame.down, frame.back) == pytest.approx(frame.left)


def test_frames_of_a_bent_spine_do_not_twist() -> None:
    curve = bent(25.0)
    turning = np.diff(curve.backs, axis=0) / 0.5
    sideways = (turning * np.cross(curve.downs, curve.backs)[:-1]).sum(axis=1)
    assert np.abs(sideways).max() < 1e-4  # radians per mm about the curve itself


def test_back_follows_the_arches_of_a_rotated_spine() -> None:
    places = arc()
    turn = np.radians(25.0)
    aside = np.array([np.sin(turn), -np.cos(turn), 0.0])
    whole = {
        name: Centroid(place_mm=body.place_mm + 18 * aside, volume_mm3=5e4)
        for name, body in bodies(places).items()
    }
    curve = curve_through(bodies(places), whole)
    frame = curve.at(np.array(curve.levels_mm["T13"]))
    assert frame.back @ aside > np.cos(np.radians(6.0))


def test_one_vertebra_gives_the_patients_axis_and_says_so() -> None:
    curve = curve_through(bodies([np.array([5.0, -3.0, 40.0])]))
    assert "one vertebra" in curve.flags[0]
    assert to_world(curve, np.array([[2.0, 10.0, 7.0]])) == pytest.approx(
        np.array([[3.0, -10.0, 30.0]])
    )


@pytest.mark.parametrize("count", [2, 3, 4])
def test_few_vertebrae_are_joined_exactly(count: int) -> None:
    places = arc(count=count, degrees=25.0)
    curve = curve_through(bodies(places))
    assert from_world(curve, places)[:, [0, 2]] == pytest.approx(0.0, abs=1e-2)
    assert bool(curve.flags) == (count == 2)


def test_one_displaced_body_hardly_bends_the_curve() -> None:
    places = arc()
    moved = places.copy()
    moved[5, 0] += 4.0
    shift = from_world(curve_through(bodies(moved)), places)[5, 0]
    assert abs(shift) < 3.0


def test_a_fragment_is_placed_but_not_heeded() -> None:
    places = arc()
    found = dict(bodies(places))
    found["T9"] = Centroid(place_mm=places[0] + [30.0, 0.0, 0.0], volume_mm3=2e3)
    curve = curve_through(found)
    assert curve.at(np.array(curve.range_mm[0])).place_mm[0] == pytest.approx(0.0, abs=1e-9)
    assert "T9" in curve.levels_mm
    cut = Centroid(place_mm=places[0] + [30.0, 0.0, 0.0], volume_mm3=1.2e4, cut=True)
    line = curve_through({**found, "T9": cut})
    assert line.places_mm == pytest.approx(curve.places_mm)


def test_the_curve_of_a_phantom_meets_its_bodies(spine) -> None:
    curve = curve_of(spine.labels, spine.bodies)
    for level, frame in spine.frames.items():
        told = from_world(curve, frame.centre_mm[None])[0]
        assert np.hypot(told[0], told[2]) < 1.5
        here = curve.at(told[1])
        assert here.back @ frame.posterior > np.cos(np.radians(12.0))
        assert -here.down @ frame.cranial > np.cos(np.radians(20.0)), level


def test_no_body_is_refused(spine) -> None:
    labels = SpineLabels(ids=spine.labels.ids, affine=spine.labels.affine)
    with pytest.raises(LamellaError, match="at least one vertebral body"):
        curve_of(labels, np.zeros_like(spine.bodies))
