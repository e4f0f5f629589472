"""Bones of phantoms registered from their pixels, against the motions that were made."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

import exact_visits
from exact_visits import layered
from joints import SPACING_MM, phantom
from lamella.evaluation.narrowing_pairs import phalanx_motion
from lamella.methods.registration.fit import Fit
from lamella.methods.registration.infer import mean_motion, register_bones, spread
from lamella.physics.phantoms import JointPhantomSpec
from lamella.records import JointFrame, JointVisit, Narrowing, RegisteredBone, Similarity
from lamella.tasks.joint_narrowing import common_frame, displacement, measure_narrowing

NAMES = ("upper", "lower")
WIDE = {"jsw_mm": 1.5, "noise_seed": 1}
NARROW = {"jsw_mm": 1.0, "noise_seed": 2, "lateral_shift_mm": 0.2, "tilt_deg": 3.0}
SHALLOW = {"jsw_mm": -0.5, "noise_seed": 1}
DEEP = {"jsw_mm": -1.1, "noise_seed": 2, "tilt_deg": -2.0}


def truth(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, Similarity]:
    specs = [phantom(**({"seed": 3} | spec)).spec for spec in (before, after)]
    return {"upper": phalanx_motion(*specs), "lower": Similarity()}


@lru_cache(maxsize=16)
def registered(first: JointVisit, last: JointVisit) -> Mapping[str, RegisteredBone]:
    return register_bones(first, last)


def error_px(found: Similarity, made: Similarity, visit: JointVisit, name: str) -> float:
    """Largest distance at the middle and at both quarters of the articular arc."""
    arc = visit.ends[name].arc_px
    points = arc[[len(arc) // 4, len(arc) // 2, 3 * len(arc) // 4]]
    return float(np.hypot(*(found.of_points(points) - made.of_points(points)).T).max())


def narrowing(first: JointVisit, last: JointVisit) -> Narrowing:
    return measure_narrowing(first, last, registered, "registration")


@pytest.mark.parametrize(("before", "after"), [(WIDE, NARROW), (SHALLOW, DEEP)])
def test_each_bone_is_found_to_a_tenth_of_a_pixel(before, after):
    first, last = layered(**before), layered(**after)
    made = truth(before, after)
    for name, bone in registered(first, last).items():
        assert error_px(bone.motion, made[name], first, name) < 0.1
        assert bone.ncc > 0.98
        assert bone.coverage > 0.8
        assert bone.disagreement_px < 0.2
    found = narrowing(first, last)
    frame = common_frame(first, last, {name: RegisteredBone(motion=made[name]) for name in NAMES})
    along_px, across_px, angle_deg = displacement(made["upper"], made["lower"], frame)
    assert found.jsn_px * SPACING_MM == pytest.approx(-along_px * SPACING_MM, abs=0.005)
    assert found.lateral_px * SPACING_MM == pytest.approx(across_px * SPACING_MM, abs=0.02)
    assert found.angle_deg == pytest.approx(angle_deg, abs=0.1)


@pytest.mark.parametrize("jsw_mm", [1.49, 0.4])
def test_narrowing_without_layers_is_right_to_three_hundredths_of_a_millimetre(jsw_mm):
    first = exact_visits.plain(layered(**WIDE))
    last = exact_visits.plain(layered(jsw_mm=jsw_mm, noise_seed=4))
    found = narrowing(first, last)
    assert found.jsn_px * SPACING_MM == pytest.approx(1.5 - jsw_mm, abs=0.02)
    assert found.lateral_px * SPACING_MM == pytest.approx(0.0, abs=0.02)
    assert abs(found.jsn_px * SPACING_MM - (1.5 - jsw_mm)) < 4.0 * found.jsn_sd_px * SPACING_MM


def test_layers_reach_into_the_overlap():
    """The same bones under a deep overlap: with layers more of each bone is compared."""
    first, last = layered(**SHALLOW), layered(**DEEP)
    with_layers = registered(first, last)
    without = registered(exact_visits.plain(first), exact_visits.plain(last))
    made = truth(SHALLOW, DEEP)
    for name in NAMES:
        assert with_layers[name].along_sd_px < without[name].along_sd_px
        assert error_px(without[name].motion, made[name], first, name) < 0.3
        compared = [np.isfinite(bones[name].residual).sum() for bones in (with_layers, without)]
        assert compared[0] > compared[1]


@pytest.mark.parametrize("spec", [WIDE, DEEP], ids=["open", "crossed"])
@pytest.mark.parametrize("layers", [True, False])
def test_a_visit_against_itself_is_still(spec, layers):
    visit = layered(**spec) if layers else exact_visits.plain(layered(**spec))
    found = narrowing(visit, visit)
    assert abs(found.jsn_px) < 1e-3
    assert abs(found.lateral_px) < 1e-3
    assert abs(found.angle_deg) < 1e-3
    assert found.agreement > 0.99
    for bone in found.bones.values():
        assert bone.ncc > 0.9999
        assert np.nanmax(np.abs(bone.residual)) < 1e-3


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_exposure_does_not_count(factor):
    first, last = exact_visits.plain(layered(**WIDE)), exact_visits.plain(layered(**NARROW))
    plain, changed = narrowing(first, last), narrowing(first, exact_visits.exposed(last, factor))
    assert changed.jsn_px == pytest.approx(plain.jsn_px, abs=2e-3)
    assert changed.agreement == pytest.approx(plain.agreement, abs=1e-4)
    assert changed.jsn_sd_px == pytest.approx(plain.jsn_sd_px, rel=0.02)


def test_backwards_is_the_opposite():
    first, last = layered(**WIDE), layered(**NARROW)
    there, back = narrowing(first, last), narrowing(last, first)
    assert there.jsn_px == pytest.approx(-back.jsn_px, abs=0.03)
    assert there.lateral_px == pytest.approx(-back.lateral_px, abs=0.03)
    assert there.angle_deg == pytest.approx(-back.angle_deg, abs=0.03)
    for name in NAMES:
        both = there.bones[name].motion, back.bones[name].motion.inverse()
        assert error_px(*both, first, name) < 0.03


@pytest.mark.parametrize("astray_px", [(-15.0, -15.0), (0.0, 30.0)])
def test_a_start_that_outlines_miss_is_found_by_phase_correlation(astray_px):
    """Outlines of the follow-up lie so far off that least squares alone loses the upper bone, or
    the lower one; the pixels know better.
    """
    first, last = layered(**WIDE), layered(**NARROW)
    astray = Similarity(down_px=astray_px[0], right_px=astray_px[1])
    misled = exact_visits.moved(last, upper=astray, lower=astray)
    for name, bone in registered(first, misled).items():
        assert bone.ncc > 0.98
        right = registered(first, last)[name].motion
        assert error_px(bone.motion, right, first, name) < 0.05


@pytest.mark.parametrize("layers", [True, False])
def test_noise_widens_the_error_bar(layers):
    sds = []
    for noise in ({}, {"noise": 3.0 * JointPhantomSpec().noise}):
        pair = [layered(**(spec | noise)) for spec in (WIDE, NARROW)]
        visits = pair if layers else [exact_visits.plain(visit) for visit in pair]
        bones = registered(*visits)
        sds.append([bones[name].along_sd_px for name in NAMES])
    ratio = np.divide(*reversed(sds))
    assert (ratio > 1.7).all(), ratio
    assert (ratio < 4.0).all(), ratio


def test_another_joint_correlates_less():
    first, same = layered(**WIDE), layered(**NARROW)
    other = layered(**(NARROW | {"seed": 4}))
    found = [registered(first, last) for last in (same, other)]
    for name in NAMES:
        assert found[0][name].ncc > 0.98
        assert found[1][name].ncc < 0.9


def test_the_residual_is_the_noise_on_the_compared_pixels():
    first, last = layered(**WIDE), layered(**NARROW)
    for name, bone in registered(first, last).items():
        assert bone.residual.shape == first.radiograph.shape
        seen = np.isfinite(bone.residual)
        near = first.masks[name] & seen
        assert near.sum() > 0.6 * first.masks[name].sum()
        assert not seen[first.masks[_other(name)] & ~first.masks[name]].any()
        assert 0.0 < bone.residual[seen].std() < 0.02


def _other(name: str) -> str:
    return NAMES[1 - NAMES.index(name)]


def test_the_mean_of_motions_does_not_depend_on_how_they_are_written():
    a = Similarity(down_px=2.0, right_px=1.0, rotation_deg=1.0, centre_px=(50.0, 60.0))
    b = Similarity(down_px=4.0, right_px=0.0, rotation_deg=1.4, scale=1.002, centre_px=(50.0, 60.0))
    found = mean_motion(a, b.about((-70.0, 200.0)))
    values = (found.down_px, found.right_px, found.rotation_deg, found.scale)
    assert values == pytest.approx((3.0, 0.5, 1.2, 1.001), abs=1e-9)
    assert found.centre_px == a.centre_px
    points = np.array([[0.0, 0.0], [100.0, 120.0]])
    middle = 0.5 * (a.of_points(points) + b.of_points(points))
    np.testing.assert_allclose(found.of_points(points), middle, atol=2e-3)


def test_deviations_are_taken_to_the_joint_line_along_its_axis():
    """A turn of SD 0.01 about a centre 30 px above and 40 px left of the joint line."""
    variances = np.diag([0.09, 0.04, 1e-4, 0.0])
    fit = Fit(
        motion=Similarity(centre_px=(70.0, 80.0)), covariance=variances, ncc=1.0, coverage=1.0
    )
    upright = JointFrame(origin_px=(100.0, 120.0), axis=(-1.0, 0.0))
    along, across, angle = spread(fit, upright)
    assert along == pytest.approx(np.sqrt(0.09 + 0.4**2))
    assert across == pytest.approx(np.sqrt(0.04 + 0.3**2))
    assert angle == pytest.approx(np.rad2deg(0.01))
    lying = JointFrame(origin_px=(100.0, 120.0), axis=(0.0, 1.0))
    assert spread(fit, lying)[:2] == pytest.approx((across, along))
    grown = replace(fit, covariance=np.diag([0.0, 0.0, 0.0, 1e-4]))
    assert spread(grown, upright)[:2] == pytest.approx((0.3, 0.4))
