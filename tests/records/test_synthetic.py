"""What a synthetic joint knows about itself."""

import numpy as np
import pytest

import joints
from lamella.records import Pose, SyntheticJoint
from lamella.tasks.joint_width import EXACT
from lamella.tasks.separation import separate_joint
from lamella.tasks.synthesis import AdjustableJoint


@pytest.fixture(scope="module")
def made() -> SyntheticJoint:
    phantom = joints.coarse_phantom(jsw_mm=1.0)
    layers = separate_joint(
        joints.radiograph_of(phantom), phantom.masks, joints.estimate_saying(), "test"
    )
    return AdjustableJoint.of(layers, EXACT).at(Pose(along_px=3.0))


def test_widths_are_those_of_its_joint_space(made):
    assert made.jsw_mm == made.joint_space.jsw_mm
    assert made.jsw_sd_mm == made.joint_space.jsw_sd_mm == 0.0
    assert made.image is made.radiograph.pixels


def test_landmarks_lie_on_the_contours(made):
    assert len(made.landmarks) == 7
    for name, end in made.joint_space.ends.items():
        for place, at in (("left", 0), ("right", -1)):
            np.testing.assert_array_equal(made.landmarks[f"{name}_{place}"], end.arc_px[at])
        left, right = (made.landmarks[f"{name}_{side}"][1] for side in ("left", "right"))
        assert left < made.landmarks[f"{name}_middle"][1] < right
    upper, lower = (made.landmarks[f"{name}_middle"][0] for name in ("upper", "lower"))
    assert upper < made.landmarks["origin"][0] < lower
