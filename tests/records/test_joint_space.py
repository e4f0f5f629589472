"""The frame of a joint and the record of its width."""

from dataclasses import replace

import numpy as np
import pytest

from lamella.records import BoneEnd, JointFrame, JointSpace, SpacingSource

FRAME = JointFrame(origin_px=(100.0, 50.0), axis=(-np.cos(0.1), np.sin(0.1)))


@pytest.fixture
def space() -> JointSpace:
    end = BoneEnd(
        arc_px=np.array([[1.0, 2.0], [1.0, 8.0]]),
        extent_px=np.array([[2.0, 1.0], [2.0, 9.0]]),
        direction=(-1.0, 0.0),
    )
    return JointSpace(
        jsw_px=10.0,
        minimum_px=8.0,
        area_px2=400.0,
        contact_px=5.0,
        jsw_sd_px=1.0,
        minimum_sd_px=2.0,
        area_sd_px2=40.0,
        contact_sd_px=2.5,
        across_px=np.linspace(-40, 40, 9),
        width_px=np.full(9, 10.0),
        central=np.ones(9, bool),
        frame=FRAME,
        ends={"upper": end, "lower": end},
        pixel_spacing_mm=0.1,
        spacing_source=SpacingSource.GIVEN,
    )


def test_a_frame_and_back_again():
    points = np.array([[90.0, 40.0], [100.0, 50.0], [120.5, 33.25]])
    np.testing.assert_allclose(FRAME.points(*FRAME.coordinates(points)), points)


def test_across_is_to_the_right_and_at_right_angles_to_the_axis():
    across, axis = np.asarray(FRAME.across), np.asarray(FRAME.axis)
    assert across @ axis == pytest.approx(0)
    assert across[1] > 0.9
    up_right, _ = JointFrame(origin_px=(0.0, 0.0), axis=(-1.0, 0.0)).coordinates(
        np.array([[-3.0, 7.0]])
    )
    assert up_right[0] == pytest.approx(7.0)


def test_millimetres_and_square_millimetres(space):
    assert space.figures() == pytest.approx(
        {
            "jsw_mm": 1.0,
            "jsw_sd_mm": 0.1,
            "minimum_mm": 0.8,
            "minimum_sd_mm": 0.2,
            "contact_mm": 0.5,
            "contact_sd_mm": 0.25,
            "area_mm2": 4.0,
            "area_sd_mm2": 0.4,
        }
    )


def test_without_spacing_there_are_none(space):
    figures = replace(space, pixel_spacing_mm=None).figures()
    assert set(figures.values()) == {None}


def test_ends_cannot_be_changed(space):
    with pytest.raises(TypeError):
        space.ends["upper"] = None
