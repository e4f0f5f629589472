"""What is known about a synthetic joint survives JSON digit by digit."""

import json

import numpy as np
import pytest

from lamella.io.annotation import annotation_of


@pytest.fixture
def record(synthetic):
    return json.loads(json.dumps(annotation_of(synthetic), allow_nan=False))


def test_written_then_read_equals_what_was_synthesised(record, synthetic):
    space = synthetic.joint_space
    for name, end in space.ends.items():
        np.testing.assert_array_equal(record["contours"][name], end.arc_px)
        np.testing.assert_array_equal(record["extents"][name], end.extent_px)
    assert {name: tuple(at) for name, at in record["landmarks"].items()} == synthetic.landmarks
    assert record["measures"] == space.figures()
    assert record["pose"]["along_px"] == synthetic.pose.along_px
    motion = synthetic.motions["upper"]
    assert record["motions"]["upper"]["down_px"] == motion.down_px
    assert tuple(record["motions"]["upper"]["centre_px"]) == motion.centre_px


def test_the_profile_gives_the_width_again(record, synthetic):
    profile, space = record["profile"], synthetic.joint_space
    ends = (profile["first_across_px"], profile["last_across_px"])
    across = np.linspace(*ends, profile["places"])
    np.testing.assert_allclose(across, space.across_px, atol=1e-9)
    first, last = profile["central_places"]
    width = np.asarray(profile["width_mm"])[first : last + 1]
    mean = np.trapezoid(width, across[first : last + 1]) / np.ptp(across[first : last + 1])
    assert mean == pytest.approx(space.jsw_mm, abs=1e-9)
    assert min(width) == pytest.approx(record["measures"]["minimum_mm"], abs=1e-12)
