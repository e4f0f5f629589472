"""The difference of two widths, written as motions, is read back exactly."""

import numpy as np
import pytest

from joints import SPACING_MM, phantom, radiograph_of
from lamella.methods.contour_difference.infer import (
    aligned_dice,
    register_by_contours,
)
from lamella.physics.geometry import RigidMotion, move_mask
from lamella.records import BoneMasks, JointVisit, Similarity
from lamella.tasks.joint_narrowing import measure_narrowing
from lamella.tasks.joint_width import DRAWN, EXACT, OutlineError, measure_joint_space


def visit(
    motion: RigidMotion | None = None, error: OutlineError = DRAWN, **spec: float
) -> JointVisit:
    """A phantom; ``motion`` turns and shifts its outlines as a whole."""
    joint = phantom(**({"jsw_mm": 1.5, "seed": 3} | spec))
    moved = {name: move_mask(mask, motion or RigidMotion()) for name, mask in joint.masks.items()}
    space = measure_joint_space(moved, SPACING_MM, error)
    return JointVisit(radiograph=radiograph_of(joint), masks=BoneMasks(masks=moved), space=space)


WHOLE = RigidMotion(down_px=4.3, right_px=-3.1, rotation_deg=6.0, centre_px=(127.5, 127.5))


@pytest.mark.parametrize("whole", [None, WHOLE])
def test_narrowing_is_the_difference_of_the_widths(whole):
    baseline, followup = visit(), visit(whole, jsw_mm=1.1)
    found = measure_narrowing(baseline, followup, register_by_contours, "contours")
    assert found.jsn_px == pytest.approx(baseline.space.jsw_px - followup.space.jsw_px, abs=1e-9)
    assert found.jsn_px * SPACING_MM == pytest.approx(0.4, abs=0.03)
    assert found.angle_deg == 0.0


def test_both_bones_follow_the_whole_joint():
    """Turned and shifted as one, nothing narrows and the motions are the one made."""
    baseline = visit()
    found = measure_narrowing(baseline, visit(WHOLE), register_by_contours, "contours")
    for name, bone in found.bones.items():
        arc = baseline.ends[name].arc_px
        points = arc[len(arc) // 4 : -len(arc) // 4]
        apart = bone.motion.of_points(points) - WHOLE.of_points(points)
        assert np.abs(apart).max() < 1.0
        assert bone.ncc > 0.98
    assert found.jsn_px == pytest.approx(0.0, abs=0.25)
    assert found.lateral_px == pytest.approx(0.0, abs=1.0)


def test_lateral_shift_is_read_across_the_axis():
    baseline, followup = visit(), visit(lateral_shift_mm=0.5)
    found = measure_narrowing(baseline, followup, register_by_contours, "contours")
    assert found.lateral_px * SPACING_MM == pytest.approx(0.5, abs=0.12)


def test_deviation_is_that_of_both_widths():
    baseline, followup = visit(), visit(error=OutlineError(offset_mm=0.03, ripple_mm=0.0))
    bones = register_by_contours(baseline, followup)
    both = np.hypot(baseline.space.jsw_sd_px, followup.space.jsw_sd_px)
    assert bones["upper"].along_sd_px == pytest.approx(both)
    assert bones["lower"].along_sd_px == 0.0
    exact = register_by_contours(visit(error=EXACT), visit(error=EXACT))
    assert exact["upper"].along_sd_px == 0.0


def test_a_visit_against_itself_is_still():
    found = measure_narrowing(visit(), visit(), register_by_contours, "contours")
    assert (found.jsn_px, found.lateral_px, found.angle_deg) == pytest.approx((0.0, 0.0, 0.0))
    assert all(bone.ncc == 1.0 for bone in found.bones.values())


def test_dice_of_boxes():
    baseline, followup = np.zeros((40, 40), bool), np.zeros((60, 50), bool)
    baseline[10:20, 10:20] = True
    followup[14:24, 17:27] = True
    assert aligned_dice(baseline, followup, Similarity(down_px=4.0, right_px=7.0)) == 1.0
    assert aligned_dice(baseline, followup, Similarity(down_px=9.0, right_px=7.0)) == 0.5
    assert aligned_dice(baseline, followup, Similarity(down_px=30.0, right_px=7.0)) == 0.0


def test_dice_counts_only_what_both_images_show():
    mask = np.zeros((40, 40), bool)
    mask[:20, 5:35] = True
    cut = mask[10:]
    assert aligned_dice(mask, cut, Similarity(down_px=-10.0)) == 1.0
    assert aligned_dice(mask, cut, Similarity(down_px=-100.0)) == 0.0
