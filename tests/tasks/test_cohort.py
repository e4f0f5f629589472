"""Plans are balanced whatever can be reached; a sample depends on its own place alone."""

import numpy as np
import pytest

import joints
from lamella.records import LamellaError
from lamella.tasks.cohort import (
    CohortRequest,
    Draw,
    grain_seed,
    planned,
    reachable_widths,
    remade,
    sampled,
)
from lamella.tasks.separation import separate_joint
from lamella.tasks.synthesis import AdjustableJoint

WIDTHS = tuple(round(0.25 * step, 2) for step in range(13))
SHA = "5f" * 32


@pytest.fixture(scope="module")
def joint():
    phantom = joints.coarse_phantom(jsw_mm=1.0)
    radiograph = joints.radiograph_of(phantom)
    layers = separate_joint(radiograph, phantom.masks, joints.estimate_saying(), "test")
    return AdjustableJoint.of(layers)


def request(**changes):
    fields = {"widths_mm": WIDTHS, "shift_mm": (-0.5, 0.5), "rotation_deg": (-2.0, 2.0)}
    return CohortRequest(**(fields | changes))


def everywhere(*names):
    return {name: np.ones(len(WIDTHS), bool) for name in names}


@pytest.mark.parametrize("count", [1, 7, 13, 100, 1001])
def test_widths_and_joints_come_equally_often(count):
    plan = planned(request(count=count), everywhere("a", "b", "c"))
    assert plan.total == count
    for axis in (0, 1):
        totals = plan.counts.sum(axis=axis)
        assert totals.max() - totals.min() <= 1
    assert np.ptp(plan.counts, axis=0).max() <= 1


def test_a_joint_that_cannot_reach_a_width_is_replaced_there():
    reachable = everywhere("a", "b", "c")
    reachable["a"][5:] = False
    reachable["c"][-1] = False
    reachable["b"][-1] = False
    plan = planned(request(count=240), reachable)
    assert plan.unreachable == (12,)
    assert plan.counts.sum(axis=0).tolist() == [20] * 12 + [0]
    assert plan.counts[0, 5:].sum() == 0
    assert plan.counts[1:, 5:12].sum(axis=0).tolist() == [20] * 7
    assert np.ptp(plan.counts[1:, 5:12]) <= 1 or plan.counts[1:, 5:12].min() == 10


def test_odd_samples_go_to_joints_that_have_fewest():
    reachable = everywhere("a", "b")
    reachable["a"][:12] = False
    plan = planned(request(count=13), reachable)
    assert plan.counts.sum(axis=1).tolist() == [1, 12]


def test_without_a_count_each_joint_comes_once_at_each_width():
    reachable = everywhere("a", "b")
    reachable["b"][3] = False
    plan = planned(request(), reachable)
    assert plan.total == 25
    names = [draw.name for draw in plan.draws("b")]
    assert len(names) == 12
    assert names[:4] == ["b_w000_0000", "b_w001_0000", "b_w002_0000", "b_w004_0000"]


def test_the_plan_follows_from_the_seed():
    plans = [planned(request(count=20, seed=seed), everywhere("a", "b", "c")) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(plans[0].counts, plans[1].counts)
    assert (plans[0].counts != plans[2].counts).any()


def test_nothing_reachable_is_an_error():
    with pytest.raises(LamellaError, match="ask for widths nearer to theirs"):
        planned(request(count=5), {"a": np.zeros(len(WIDTHS), bool)})


def test_copies_are_refused():
    still = request(count=27, shift_mm=(0.1, 0.1), rotation_deg=(0.0, 0.0))
    with pytest.raises(LamellaError, match="expected at most 26 samples"):
        planned(still, everywhere("a", "b"))


def test_reachable_widths_are_those_that_can_be_made(joint):
    widths = tuple(float(width) for width in np.arange(-12.0, 13.0))
    wanted = request(widths_mm=widths, shift_mm=(0.0, 0.0), rotation_deg=(0.0, 0.0))

    def can(width):
        try:
            joint.at(joint.posed(width))
        except LamellaError:
            return False
        return True

    expected = [can(width) for width in widths]
    assert 3 < sum(expected) < 24
    assert reachable_widths(joint, wanted).tolist() == expected


def test_a_joint_far_from_all_widths_reaches_none(joint):
    far = request(widths_mm=(18.0, 19.0))
    assert reachable_widths(joint, far).tolist() == [False, False]


def test_a_sample_has_the_width_asked_for_and_a_pose_in_range(joint):
    for repeat in range(4):
        draw = Draw(joint="a", width_index=6, repeat=repeat)
        sample = sampled(joint, request(), draw, SHA)
        assert sample.joint.jsw_mm == pytest.approx(1.5, abs=1e-4)
        assert -0.5 <= sample.shift_mm <= 0.5
        assert sample.joint.pose.rotation_deg == sample.rotation_deg
        assert -2.0 <= sample.rotation_deg <= 2.0


def test_a_sample_depends_on_seed_source_and_place_alone(joint):
    draw = Draw(joint="a", width_index=6, repeat=3)
    poses = [
        sampled(joint, wanted, place, sha).joint.pose
        for wanted, place, sha in (
            (request(), draw, SHA),
            (request(count=999), Draw(joint="renamed", width_index=6, repeat=3), SHA),
            (request(seed=1), draw, SHA),
            (request(), Draw(joint="a", width_index=6, repeat=4), SHA),
            (request(), draw, "60" * 32),
        )
    ]
    assert poses[0] == poses[1]
    assert len(set(poses)) == 4


def test_where_no_drawn_pose_can_be_taken_the_calmest_is(joint):
    wild = request(shift_mm=(-0.0, 500.0), rotation_deg=(0.0, 0.0))
    sample = sampled(joint, wild, Draw(joint="a", width_index=4, repeat=0), SHA)
    assert sample.shift_mm == 0.0
    wild = request(shift_mm=(100.0, 500.0), rotation_deg=(0.0, 0.0))
    with pytest.raises(LamellaError):
        sampled(joint, wild, Draw(joint="a", width_index=4, repeat=0), SHA)


def test_a_row_gives_the_sample_again(joint):
    sample = sampled(joint, request(), Draw(joint="a", width_index=2, repeat=0), SHA)
    pose = sample.joint.pose
    row = {name: repr(getattr(pose, name)) for name in ("along_px", "across_px", "rotation_deg")}
    np.testing.assert_array_equal(remade(joint, row).image, sample.joint.image)
    with pytest.raises(LamellaError, match="pose is missing or damaged"):
        remade(joint, row | {"along_px": "wide"})


def test_each_joint_has_a_grain_of_its_own():
    seeds = {grain_seed(seed, sha) for seed in (0, 1) for sha in (SHA, "60" * 32)}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**32 for seed in seeds)
