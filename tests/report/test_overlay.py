"""The overlay: contours and rungs where they were measured."""

import numpy as np

import joints
from lamella.report.overlay import LOWER_COLOUR, UPPER_COLOUR, WIDTH_COLOUR, joint_space_picture
from lamella.tasks.joint_width import measure_joint_space


def coloured(picture, colour):
    rows, cols = np.nonzero((picture == colour).all(axis=2))
    return rows, cols


def densely(arc):
    """Places along the straight lines between the points of an arc."""
    parts = np.linspace(0.0, 1.0, 8, endpoint=False)[:, None, None]
    return ((1.0 - parts) * arc[:-1] + parts * arc[1:]).reshape(-1, 2)


def test_contours_lie_at_their_places():
    phantom = joints.coarse_phantom(jsw_mm=1.5)
    space = measure_joint_space(phantom.masks, phantom.spec.pixel_spacing_mm)
    picture = joint_space_picture(phantom.intensity, space)
    assert picture.shape == (512, 512, 3)
    for name, colour in (("upper", UPPER_COLOUR), ("lower", LOWER_COLOUR)):
        rows, cols = coloured(picture, colour)
        arc = densely(space.ends[name].arc_px)
        drawn = (np.stack([rows, cols], axis=1) + 0.5) / 4 - 0.5
        distance = np.hypot(*(drawn[:, None] - arc).transpose(2, 0, 1))
        assert rows.size > 200
        assert distance.min(axis=1).max() < 1.0
        assert distance.min(axis=0).max() < 1.0
    rows, _ = coloured(picture, WIDTH_COLOUR)
    upper, lower = (space.ends[name].arc_px[:, 0] for name in ("upper", "lower"))
    assert upper.min() * 4 - 8 < rows.min() <= rows.max() < lower.max() * 4 + 8


def test_an_image_large_enough_is_not_enlarged():
    phantom = joints.coarse_phantom(jsw_mm=1.5)
    space = measure_joint_space(phantom.masks, phantom.spec.pixel_spacing_mm)
    large = np.kron(phantom.intensity, np.ones((8, 8), np.float32))
    assert joint_space_picture(large, space).shape == (1024, 1024, 3)
