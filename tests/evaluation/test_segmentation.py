"""Segmentation quality: the formulas by hand, and a whole evaluation with a known finder."""

import math

import numpy as np
import pytest

import joints
from lamella.evaluation import segmentation
from lamella.evaluation.results import load
from lamella.evaluation.segmentation import contour_distance_px, dice, score, summary
from lamella.io.datasets import PUBLISHED_SPACING_MM
from lamella.records import BoneMasks

NOTHING = np.zeros((40, 40), bool)


def box(rows: slice, cols: slice) -> np.ndarray:
    mask = NOTHING.copy()
    mask[rows, cols] = True
    return mask


BONE = box(slice(10, 20), slice(5, 25))


def test_dice_by_hand():
    moved = box(slice(10, 20), slice(15, 35))
    assert dice(BONE, BONE) == 1.0
    assert dice(BONE, moved) == pytest.approx(2 * 100 / 400)
    assert dice(BONE, NOTHING) == dice(NOTHING, NOTHING) == 0.0


def test_outlines_a_pixel_apart_are_a_pixel_apart():
    """Grown by one row at its lower edge: 20 outline pixels of 56 and 58 moved by one."""
    grown = box(slice(10, 21), slice(5, 25))
    assert contour_distance_px(BONE, BONE) == 0.0
    assert 0 < contour_distance_px(BONE, grown) < 1
    assert contour_distance_px(BONE, grown) == contour_distance_px(grown, BONE)


def test_distance_of_straight_edges_by_hand():
    """Two half planes three rows apart: every outline pixel is 3 px from the other outline."""
    upper, lower = box(slice(0, 20), slice(None)), box(slice(0, 23), slice(None))
    assert contour_distance_px(upper, lower) == pytest.approx(3.0)


def test_the_image_border_is_no_outline():
    """A bone that leaves the crop has no outline where it leaves."""
    first, second = box(slice(0, 20), slice(None)), box(slice(0, 20), slice(0, 39))
    assert contour_distance_px(first, first) == 0.0
    assert np.isfinite(contour_distance_px(first, second))
    assert contour_distance_px(first, NOTHING) == float("inf")


def found(**changes):
    joint = joints.loaded(joints.phantom(), changes.pop("name", "00001_R_2"))
    masks = {"upper": joint.upper, "lower": joint.lower}
    return joint, BoneMasks(masks=changes.pop("masks", masks), **({"confidence": 0.9} | changes))


def test_the_truth_scores_perfectly():
    row = score(*found())
    assert row == {
        "refused": 0.0,
        "confidence": 0.9,
        "dice_upper": 1.0,
        "dice_lower": 1.0,
        "contour_px_upper": 0.0,
        "contour_px_lower": 0.0,
        "overlap_iou": 1.0,
        "thumb_right": 1.0,
    }


def test_the_overlap_is_compared_as_a_region_of_its_own():
    """Bones found almost whole can have an overlap that was missed."""
    joint, _ = found()
    masks = BoneMasks(masks={"upper": joint.upper & ~joint.lower, "lower": joint.lower})
    row = score(joint, masks)
    assert row["overlap_iou"] == 0.0
    assert row["dice_upper"] > 0.9


def test_joints_without_overlap_have_no_overlap_score():
    joint = joints.loaded(joints.phantom(jsw_mm=1.2, seed=1))
    row = score(joint, BoneMasks(masks={"upper": joint.upper, "lower": joint.lower}))
    assert "overlap_iou" not in row


@pytest.mark.parametrize(
    ("name", "flags", "right"),
    [("1_R_13", ("thumb",), 1), ("1_R_13", (), 0), ("1_R_2", (), 1), ("1_R_2", ("thumb",), 0)],
)
def test_a_flag_is_right_on_a_thumb(name, flags, right):
    assert score(*found(name=name, flags=flags))["thumb_right"] == right


def test_a_refusal_is_all_that_is_known_of_a_refused_joint():
    row = score(*found(refused="no joint"))
    assert row == {"refused": 1.0, "confidence": 0.9}


def row_of(dice_upper: float, **changes: float) -> dict[str, float]:
    row = {"refused": 0.0, "confidence": 1.0, "dice_upper": dice_upper, "dice_lower": 0.5}
    return row | {"contour_px_upper": 2.0, "contour_px_lower": 1.0, "thumb_right": 1.0} | changes


def test_summary_by_hand():
    rows = [
        row_of(1.0),
        row_of(0.8, overlap_iou=0.6, thumb_right=0.0),
        {"refused": 1.0, "confidence": 0.1},
    ]
    result = summary(rows)
    assert (result["joints"], result["refused"], result["overlap_joints"]) == (3.0, 1.0, 1.0)
    assert result["dice_upper"] == pytest.approx(0.9)
    assert result["dice_upper_5th_percentile"] == pytest.approx(0.81)
    assert result["contour_px_upper"] == 2.0
    assert result["contour_mm_upper"] == pytest.approx(2.0 * PUBLISHED_SPACING_MM)
    assert result["overlap_iou"] == pytest.approx(0.6)
    assert result["thumb_accuracy"] == pytest.approx(0.5)


def test_summary_without_any_accepted_joint_says_so_and_does_not_fail():
    result = summary([{"refused": 1.0, "confidence": 0.1}])
    assert (result["joints"], result["refused"]) == (1.0, 1.0)
    assert math.isnan(result["dice_upper"])


def test_the_evaluation_of_a_perfect_finder_is_perfect(manifest, tmp_path, monkeypatch):
    joints_by_pixels = {}
    for row in segmentation.joint_rows(manifest):
        joint = segmentation.load_joint(row)
        joints_by_pixels[joint.pixels.tobytes()] = joint

    def segment(radiograph):
        joint = joints_by_pixels[radiograph.pixels.tobytes()]
        flags = ("thumb",) if joint.row.is_thumb else ()
        return BoneMasks(masks={"upper": joint.upper, "lower": joint.lower}, flags=flags)

    monkeypatch.setattr(segmentation, "segment", segment)
    printed = segmentation.evaluate(manifest, tmp_path)
    result = load(tmp_path / "segmentation.json")
    assert result["sound masks"]["joints"] == 3
    assert result["all rows"]["joints"] == 4
    assert result["sound masks"]["dice_upper"] == result["sound masks"]["overlap_iou"] == 1.0
    (flagged,) = result["flagged_rows"]
    assert flagged["joint"] == "00004_L_3"
    assert flagged["why"] == ["the upper mask lies below the lower one"]
    assert "| dice_upper | 1 | 1 |" in printed
