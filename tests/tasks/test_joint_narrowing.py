"""From registered bones to narrowing: exact algebra, trust, and every reason to refuse."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import exact_visits
import narrowings
from lamella.records import JointFrame, JointVisit, LamellaError, RegisteredBone, Similarity
from lamella.tasks.joint_narrowing import (
    NCC_LIMIT,
    UNTRIED,
    Register,
    Trust,
    common_frame,
    displacement,
    fisher_z,
    measure_narrowing,
    narrowing_of,
)

CENTRE = (120.0, 130.0)
UPRIGHT = JointFrame(origin_px=CENTRE, axis=(-1.0, 0.0))
OBLIQUE = JointFrame(origin_px=CENTRE, axis=(-0.8, 0.6))
UPPER = Similarity(down_px=6.1, right_px=-2.3, rotation_deg=4.0, centre_px=(60.0, 120.0))
LOWER = Similarity(down_px=-1.2, right_px=3.4, rotation_deg=-2.5, centre_px=(200.0, 140.0))
WHOLE = Similarity(
    down_px=9.0, right_px=-7.0, rotation_deg=7.0, scale=1.01, centre_px=(128.0, 128.0)
)
STILL = Similarity()


def bones(
    upper: Similarity = STILL, lower: Similarity = STILL, **fields: Any
) -> dict[str, RegisteredBone]:
    said = {"ncc": 0.95, "along_sd_px": 0.3, "across_sd_px": 0.4, "angle_sd_deg": 0.1} | fields
    return {
        name: RegisteredBone(motion=motion, **said)
        for name, motion in (("upper", upper), ("lower", lower))
    }


def says(**fields: Any) -> Register:
    return lambda *_: bones(**fields)


def axis_shift(length_px: float, visit: JointVisit, along: bool = True) -> Similarity:
    """So far along the visit's axis, or across it."""
    direction = visit.frame.axis if along else visit.frame.across
    down, right = length_px * np.asarray(direction)
    return Similarity(down_px=float(down), right_px=float(right))


@pytest.mark.parametrize("frame", [UPRIGHT, OBLIQUE])
def test_a_shift_along_the_axis_is_that_shift(frame):
    for length_px in (-5.0, 0.25, 3.0):
        down, right = length_px * np.asarray(frame.axis)
        upper = Similarity(down_px=float(down), right_px=float(right))
        assert displacement(upper, STILL, frame) == pytest.approx((length_px, 0.0, 0.0), abs=1e-12)
        assert displacement(STILL, upper, frame) == pytest.approx((-length_px, 0.0, 0.0), abs=1e-12)


def test_a_shift_to_the_right_is_lateral():
    right = Similarity(right_px=2.0)
    assert displacement(right, STILL, UPRIGHT) == pytest.approx((0.0, 2.0, 0.0), abs=1e-12)


def test_turning_about_the_midpoint_moves_nothing():
    turned = Similarity(rotation_deg=11.0, centre_px=CENTRE)
    assert displacement(turned, STILL, OBLIQUE) == pytest.approx((0.0, 0.0, 11.0), abs=1e-12)


def test_turning_about_another_place_counts_where_the_joint_is():
    """60 px above the midpoint, 10 degrees counter-clockwise: down the bone swings right."""
    turned = Similarity(rotation_deg=10.0, centre_px=(CENTRE[0] - 60.0, CENTRE[1]))
    along, across, angle = displacement(turned, STILL, UPRIGHT)
    chord = 2.0 * 60.0 * np.sin(np.deg2rad(5.0))
    assert (along, across, angle) == pytest.approx((0.0, chord, 10.0), abs=1e-9)


def test_the_whole_joint_moving_is_no_displacement():
    assert displacement(WHOLE, WHOLE, OBLIQUE) == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def test_the_lower_bone_is_taken_as_still():
    """Whatever happens to the whole joint, only what the upper bone did against it counts."""
    whole = replace(WHOLE, scale=1.0)
    down, right = whole.of_direction((2.0, -1.0))
    upper = replace(whole, down_px=whole.down_px + down, right_px=whole.right_px + right)
    alone = displacement(Similarity(down_px=2.0, right_px=-1.0), STILL, UPRIGHT)
    assert displacement(upper, whole, UPRIGHT) == pytest.approx(alone, abs=1e-9)


def test_the_frame_is_the_mean_of_what_both_visits_show():
    visit = narrowings.visit()
    frame = common_frame(visit, visit, bones())
    middles = [end.arc_px[len(end.arc_px) // 2] for end in visit.ends.values()]
    assert frame.origin_px == pytest.approx(tuple(np.mean(middles, axis=0)))
    assert frame.axis == pytest.approx(visit.frame.axis)
    turned = replace(visit.space.frame, axis=Similarity(rotation_deg=6.0).of_direction(frame.axis))
    other = replace(visit, space=replace(visit.space, frame=turned))
    halfway = Similarity(rotation_deg=3.0).of_direction(frame.axis)
    assert common_frame(visit, other, bones()).axis == pytest.approx(halfway)


def test_the_frame_stands_midway_between_the_visits():
    """The upper bone 8 px nearer at the follow-up: seen from it, the lower one is 8 px higher."""
    visit = narrowings.visit()
    upper = axis_shift(-8.0, visit)
    later = exact_visits.moved(visit, upper=upper, lower=STILL)
    frame = common_frame(visit, later, bones(upper))
    shifted = np.asarray(frame.origin_px) - common_frame(visit, visit, bones()).origin_px
    assert shifted == pytest.approx(2.0 * np.asarray(visit.frame.axis), abs=1e-9)


@pytest.mark.parametrize("narrowed_px", [-4.0, 0.0, 0.3, 12.0])
def test_narrowing_is_positive_when_the_bones_approach(narrowed_px):
    visit = narrowings.visit()
    upper = axis_shift(-narrowed_px, visit)
    later = exact_visits.moved(visit, upper=upper, lower=STILL)
    found = narrowing_of(visit, later, bones(upper), "made")
    assert (found.jsn_px, found.lateral_px, found.angle_deg) == pytest.approx(
        (narrowed_px, 0.0, 0.0), abs=1e-9
    )


def test_the_whole_joint_moving_is_no_narrowing():
    visit = narrowings.visit()
    later = exact_visits.moved(visit, upper=WHOLE, lower=WHOLE)
    found = narrowing_of(visit, later, bones(WHOLE, WHOLE), "made")
    assert (found.jsn_px, found.lateral_px, found.angle_deg) == pytest.approx(
        (0.0, 0.0, 0.0), abs=1e-9
    )


def test_narrowing_does_not_see_how_the_joint_lies_on_the_film():
    visit = narrowings.visit()
    whole = replace(WHOLE, scale=1.0)
    upper = axis_shift(-5.0, visit)
    alone = narrowing_of(
        visit, exact_visits.moved(visit, upper=upper, lower=STILL), bones(upper), "made"
    )
    points = np.array([[0.0, 0.0]])
    down, right = (whole.of_points(upper.of_points(points)) - whole.of_points(points))[0]
    both = replace(whole, down_px=whole.down_px + down, right_px=whole.right_px + right)
    later = exact_visits.moved(visit, upper=both, lower=whole)
    found = narrowing_of(visit, later, bones(both, whole), "made")
    assert found.jsn_px == pytest.approx(alone.jsn_px, abs=1e-9)
    assert found.lateral_px == pytest.approx(alone.lateral_px, abs=1e-9)


def test_turning_about_the_joint_line_is_no_narrowing():
    """About the joint line's midpoint the bones do not approach."""
    visit = narrowings.visit()
    middle = common_frame(visit, visit, bones()).origin_px
    turned = Similarity(rotation_deg=4.0, centre_px=middle)
    later = exact_visits.moved(visit, upper=turned, lower=STILL)
    found = narrowing_of(visit, later, bones(turned), "made")
    assert found.jsn_px == pytest.approx(0.0, abs=0.05)
    assert found.lateral_px == pytest.approx(0.0, abs=0.5)
    assert found.angle_deg == 4.0


@pytest.mark.parametrize("outlined", [True, False])
def test_backwards_is_exactly_the_opposite(outlined):
    """Whether or not the outlines agree with the motions."""
    visit = narrowings.visit()
    followup = narrowings.visit(**narrowings.FOLLOWUP)
    if outlined:
        followup = exact_visits.moved(visit, upper=UPPER, lower=LOWER)
    there = narrowing_of(visit, followup, bones(UPPER, LOWER), "made")
    back = narrowing_of(followup, visit, bones(UPPER.inverse(), LOWER.inverse()), "made")
    assert abs(there.jsn_px) > 1.0
    assert abs(there.lateral_px) > 1.0
    assert back.jsn_px == pytest.approx(-there.jsn_px, abs=1e-9)
    assert back.lateral_px == pytest.approx(-there.lateral_px, abs=1e-9)
    assert back.angle_deg == pytest.approx(-there.angle_deg, abs=1e-9)
    carried = UPPER.of_points(np.array([there.frame.origin_px]))[0]
    assert back.frame.origin_px == pytest.approx(tuple(carried), abs=1e-9)


def test_deviations_of_both_bones_add_in_squares_and_are_widened():
    trust = replace(UNTRIED, spread=2.0)
    found = narrowing_of(*narrowings.pair(), bones(UPPER, LOWER), "made", trust)
    both = 2.0 * np.sqrt(2.0)
    assert found.jsn_sd_px == pytest.approx(both * 0.3)
    assert found.lateral_sd_px == pytest.approx(both * 0.4)
    assert found.angle_sd_deg == pytest.approx(both * 0.1)
    silent = bones(UPPER, LOWER, along_sd_px=float("nan"))
    assert np.isnan(narrowing_of(*narrowings.pair(), silent, "made").jsn_sd_px)


TRUST = Trust(upper=2.0, lower=3.0, constant=-4.0, least=0.5, spread=1.0)


def test_agreement_is_logistic_in_fishers_z():
    expected = 1.0 / (1.0 + np.exp(-(2.0 * np.arctanh(0.9) + 3.0 * np.arctanh(0.6) - 4.0)))
    assert TRUST.agreement(0.9, 0.6) == pytest.approx(expected)
    assert TRUST.agreement(0.6, 0.9) != pytest.approx(expected)


@pytest.mark.parametrize("pair", [(float("nan"), 0.9), (0.9, float("nan"))])
def test_nothing_compared_is_no_agreement(pair):
    assert TRUST.agreement(*pair) == 0.0


def test_agreement_rises_with_either_bone_and_stays_within_bounds():
    steps = np.linspace(-1.0, 1.0, 41).tolist()
    for values in (
        [TRUST.agreement(ncc, 0.5) for ncc in steps],
        [TRUST.agreement(0.5, ncc) for ncc in steps],
    ):
        assert (np.diff(values) >= 0.0).all()
        assert values[0] < values[-1]
        assert 0.0 <= min(values) <= max(values) <= 1.0


def test_perfect_correlation_is_finite():
    assert np.isfinite(fisher_z(np.array([-1.0, 1.0]))).all()
    assert fisher_z(np.array([1.0]))[0] == np.arctanh(NCC_LIMIT)
    assert fisher_z(np.array([0.3]))[0] == pytest.approx(np.arctanh(0.3))


def with_radiograph(visit: JointVisit, **fields: Any) -> JointVisit:
    return replace(visit, radiograph=replace(visit.radiograph, **fields))


def never(*_: JointVisit) -> Mapping[str, RegisteredBone]:
    raise AssertionError("visits that cannot be compared were registered")


def is_refused(found: Any, why: str) -> None:
    assert found.refused is not None
    assert why in found.refused
    assert "\n" not in found.refused
    assert found.jsn_mm is None
    assert found.interval_mm is None
    assert set(found.figures().values()) == {None}


def test_right_and_left_are_not_compared():
    first, last = narrowings.pair()
    right, left = (
        with_radiograph(visit, laterality=side) for visit, side in ((first, "R"), (last, "L"))
    )
    found = measure_narrowing(right, left, never, "made")
    is_refused(found, "right hand")
    assert found.agreement == 0.0
    assert np.isfinite(found.jsn_px)
    assert measure_narrowing(right, last, says(), "made").refused is None
    same = with_radiograph(last, laterality="R")
    assert measure_narrowing(right, same, says(), "made").refused is None


@pytest.mark.parametrize(("other_mm", "apart"), [(0.1, True), (0.0845, True), (0.0832, False)])
def test_spacings_that_differ_are_not_compared(other_mm, apart):
    first, last = narrowings.pair()
    changed = with_radiograph(last, pixel_spacing_mm=other_mm)
    if apart:
        is_refused(measure_narrowing(first, changed, never, "made"), "pixel spacings differ")
    else:
        assert measure_narrowing(first, changed, says(), "made").refused is None


@pytest.mark.parametrize("unknown", [(0,), (1,), (0, 1)])
def test_an_unknown_spacing_is_refused_but_measured_in_pixels(unknown):
    visits = [
        narrowings.visit(None if at in unknown else narrowings.SPACING_MM, **spec)
        for at, spec in enumerate(({}, narrowings.FOLLOWUP))
    ]
    found = measure_narrowing(*visits, says(upper=axis_shift(-3.0, visits[0])), "made")
    is_refused(found, "pixel spacing is unknown")
    assert found.jsn_px == pytest.approx(3.0, abs=0.01)
    assert found.agreement > 0.9


def named(visit: JointVisit, names: tuple[str, str]) -> JointVisit:
    """The same visit with its bones named anew, top one first."""
    ends = dict(zip(names, visit.ends.values(), strict=True))
    return replace(visit, space=replace(visit.space, ends=ends))


def test_an_upside_down_visit_is_not_compared():
    first, last = narrowings.pair()
    is_refused(
        measure_narrowing(first, named(last, ("lower", "upper")), never, "made"), "upside down"
    )


def test_bones_of_other_names_are_the_callers_mistake():
    first, last = narrowings.pair()
    with pytest.raises(LamellaError, match=r"expected bones named 'upper' and 'lower'.*'head'"):
        measure_narrowing(first, named(last, ("base", "head")), never, "made")


def test_a_poor_match_is_refused():
    trust = replace(TRUST, least=0.9)
    found = measure_narrowing(*narrowings.pair(), says(ncc=0.5), "made", trust)
    assert found.agreement < 0.9
    is_refused(found, f"do not match (agreement {found.agreement:.2f}, at least 0.90 needed)")
    assert measure_narrowing(*narrowings.pair(), says(ncc=0.99), "made", trust).refused is None
    unfitted = measure_narrowing(*narrowings.pair(), says(ncc=-1.0), "made")
    assert unfitted.refused is None


def test_agreement_at_the_threshold_is_enough():
    trust = replace(TRUST, least=TRUST.agreement(0.8, 0.8))
    assert measure_narrowing(*narrowings.pair(), says(ncc=0.8), "made", trust).refused is None


def test_a_weak_match_is_answered_and_flagged():
    trust = Trust(upper=1.0, lower=1.0, constant=0.0, least=0.2, spread=1.0)
    weak = measure_narrowing(*narrowings.pair(), says(ncc=0.2), "made", trust)
    assert trust.least < weak.agreement < 0.8
    assert weak.refused is None
    assert weak.flags[0].startswith(f"the bones match poorly (agreement {weak.agreement:.2f})")
    assert measure_narrowing(*narrowings.pair(), says(ncc=0.9), "made", trust).flags == ()


@pytest.mark.parametrize("name", ["upper", "lower"])
def test_a_bone_out_of_view_is_refused(name):
    def half_seen(*_: JointVisit) -> Mapping[str, RegisteredBone]:
        found = bones()
        return found | {name: replace(found[name], coverage=0.49)}

    found = measure_narrowing(*narrowings.pair(), half_seen, "made")
    is_refused(found, f"too little of the {name} bone is in view")


@pytest.mark.parametrize(("angle_deg", "refused"), [(19.9, False), (20.1, True), (-21.0, True)])
def test_a_bent_joint_is_refused(angle_deg, refused):
    turned = Similarity(rotation_deg=angle_deg + 2.0, centre_px=CENTRE)
    along = Similarity(rotation_deg=2.0, centre_px=CENTRE)
    found = measure_narrowing(*narrowings.pair(), says(upper=turned, lower=along), "made")
    assert found.angle_deg == pytest.approx(angle_deg)
    if refused:
        is_refused(found, f"bent by {abs(angle_deg):.0f} degrees")
    else:
        assert found.refused is None


def test_the_match_is_questioned_before_the_bend():
    turned = Similarity(rotation_deg=40.0, centre_px=CENTRE)
    found = measure_narrowing(*narrowings.pair(), says(upper=turned, ncc=0.1), "made", TRUST)
    is_refused(found, "do not match")


@pytest.mark.parametrize(("scale", "words"), [(1.03, "3.0% larger"), (0.97, "3.0% smaller")])
def test_a_magnified_bone_is_flagged_not_refused(scale, words):
    grown = Similarity(scale=scale, centre_px=CENTRE)
    found = measure_narrowing(*narrowings.pair(), says(lower=grown), "made")
    assert found.refused is None
    assert len(found.flags) == 1
    assert found.flags[0].startswith(f"the lower bone looks {words}")
    slightly = Similarity(scale=1.01, centre_px=CENTRE)
    assert measure_narrowing(*narrowings.pair(), says(lower=slightly), "made").flags == ()


def test_an_answer_names_its_method_and_keeps_its_visits():
    first, last = narrowings.pair()
    found = measure_narrowing(first, last, says(upper=axis_shift(-2.0, first)), "made")
    assert found.method == "made"
    assert (found.baseline, found.followup) == (first, last)
    assert list(found.bones) == ["upper", "lower"]
    assert found.jsn_mm == pytest.approx(2.0 * narrowings.SPACING_MM, rel=0.01)


def test_what_a_method_cannot_do_it_says():
    with pytest.raises(LamellaError, match="cannot be found"):
        measure_narrowing(*narrowings.pair(), narrowings.unregistrable, "made")
