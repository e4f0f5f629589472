"""Starts: images brought onto one grid, and a translation found without outlines."""

import numpy as np
import pytest

from exact_visits import layered
from lamella.methods.registration.start import brought_back, correlated_motion
from lamella.methods.registration.views import Level, bone_view
from lamella.records import Similarity

ROWS, COLS = np.indices((120, 100), dtype=np.float64)


def wave(rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """A smooth pattern, far slower than the pixels."""
    return np.sin(rows / 9.0) * np.cos(cols / 11.0 + 0.4)


def level(image: np.ndarray) -> Level:
    image = np.asarray(image, np.float32)
    return Level(smooth_px=3.0, image=image, spline=image, slopes=(image, image))


def test_whole_pixels_are_brought_back_exactly():
    here = np.random.default_rng(0).random((120, 100)).astype(np.float32)
    there = np.roll(here, (4, -3), axis=(0, 1))
    back = brought_back(level(there), Similarity(down_px=4.0, right_px=-3.0))
    np.testing.assert_allclose(back[:-4, 3:], here[:-4, 3:], atol=1e-6)
    assert not back[-4:].any()
    assert not back[:, :3].any()


def test_what_a_motion_did_is_undone():
    motion = Similarity(
        down_px=3.3, right_px=-2.6, rotation_deg=8.0, scale=1.03, centre_px=(60.0, 40.0)
    )
    places = np.column_stack([ROWS.ravel(), COLS.ravel()])
    before = motion.inverse().of_points(places)
    there = wave(*before.T).reshape(ROWS.shape)
    back = brought_back(level(there), motion)
    inside = np.s_[20:-20, 20:-20]
    np.testing.assert_allclose(back[inside], wave(ROWS, COLS)[inside], atol=5e-3)


@pytest.mark.parametrize("name", ["upper", "lower"])
@pytest.mark.parametrize("turn_deg", [0.0, 30.0])
def test_phase_correlation_finds_what_the_outlines_miss(name, turn_deg):
    """The outlines lie 15 px off along the bone and 9 px across it; an image found against
    itself turned by a known angle comes back to within a pixel."""
    view = bone_view(layered(), name)
    here = view.level(0.3)
    truth = Similarity(rotation_deg=turn_deg, centre_px=view.centre_px)
    there = here
    if turn_deg:
        there = level(brought_back(here, truth.inverse()))
    missed = Similarity(
        down_px=15.0, right_px=-9.0, rotation_deg=turn_deg, centre_px=view.centre_px
    )
    found = correlated_motion(view, (here, there), missed)
    assert found.rotation_deg == turn_deg
    points = np.array([view.centre_px, (128.0, 128.0)])
    assert np.abs(found.of_points(points) - truth.of_points(points)).max() < 1.0
