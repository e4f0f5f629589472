"""Phantoms at two visits: is the truth true, and are the images what they should be?"""

from dataclasses import replace

import numpy as np
import pytest

import comparing
from lamella.evaluation import narrowing_pairs
from lamella.evaluation.narrowing_pairs import (
    EXPOSURE,
    LATERAL_PX,
    PROJECTION_DEG,
    ROTATION_DEG,
    STEP_MM,
    STEPS,
    STRIDE,
    exact_visit,
    phalanx_motion,
    phantom_pair,
    phantom_pairs,
    rounded,
    true_displacement,
)
from lamella.physics.phantoms import JointPhantomSpec, placement
from lamella.prepare.grid import NETWORK_SIDE_PX, NETWORK_SPACING_MM
from lamella.zoo.verbs import joint_space

pytestmark = pytest.mark.slow

BEFORE = JointPhantomSpec(jsw_mm=1.5, tilt_deg=2.0, seed=5)


def centroid(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask).mean(axis=0)


def test_the_motion_takes_one_silhouette_to_the_other():
    after = replace(BEFORE, jsw_mm=0.4, lateral_shift_mm=0.25, tilt_deg=7.0)
    motion = phalanx_motion(BEFORE, after)
    first, last = (exact_visit(spec).masks["upper"] for spec in (BEFORE, after))
    below = slice(100, None)
    moved = motion.inverse().of_points(np.indices(last.shape).reshape(2, -1).T.astype(float))
    rows, cols = np.clip(np.round(moved).astype(int), 0, 255).T
    brought = first[rows, cols].reshape(last.shape)
    wrong = (brought != last)[below].sum() / last[below].sum()
    still = (first != last)[below].sum() / last[below].sum()
    assert wrong < 0.02 < 5 * 0.02 < still
    assert centroid(brought[below]) == pytest.approx(centroid(last[below]), abs=0.15)


def test_a_lift_along_the_axis_is_the_narrowing():
    after = replace(BEFORE, jsw_mm=0.5)
    along_mm, across_mm, angle_deg = true_displacement(BEFORE, after)
    rise_mm = placement(after).rise_mm - placement(BEFORE).rise_mm
    assert rise_mm == pytest.approx(-1.0, abs=1e-6)
    assert np.hypot(along_mm, across_mm) == pytest.approx(1.0, abs=1e-6)
    axis = np.asarray(exact_visit(BEFORE).frame.axis)
    assert along_mm == pytest.approx(rise_mm * -axis[0], abs=0.005)
    assert angle_deg == 0.0


def test_a_rotation_about_the_midpoint_narrows_nothing():
    turned = replace(BEFORE, tilt_deg=BEFORE.tilt_deg + 5.0)
    along_mm, _, angle_deg = true_displacement(BEFORE, turned)
    rise_mm = placement(turned).rise_mm - placement(BEFORE).rise_mm
    assert angle_deg == pytest.approx(5.0)
    assert along_mm == pytest.approx(rise_mm, abs=0.1)


def test_forward_and_backward_are_opposite():
    after = replace(BEFORE, jsw_mm=0.6, lateral_shift_mm=-0.2, tilt_deg=6.0)
    there, back = true_displacement(BEFORE, after), true_displacement(after, BEFORE)
    assert there[0] + back[0] == pytest.approx(0.0, abs=0.01)
    assert there[2] + back[2] == pytest.approx(0.0)


def test_pairs_keep_to_their_ranges_and_steps():
    made = comparing.pairs(3)
    for number, pair in enumerate(made):
        step_mm = STEP_MM * (STRIDE * number % STEPS)
        assert pair.known_mm == pytest.approx(step_mm, abs=0.005)
        assert abs(pair.angle_deg) <= ROTATION_DEG
        assert abs(pair.lateral_mm) < (LATERAL_PX + 5.0) * NETWORK_SPACING_MM
        assert EXPOSURE[0] <= pair.exposure <= EXPOSURE[1]
        assert pair.projection_deg == 0.0
        for radiograph in (pair.baseline, pair.followup):
            assert radiograph.shape == (NETWORK_SIDE_PX, NETWORK_SIDE_PX)
            assert radiograph.pixel_spacing_mm == NETWORK_SPACING_MM
            levels = radiograph.pixels * 255
            assert np.abs(levels - np.round(levels)).max() < 1e-3
    assert len({STRIDE * number % STEPS for number in range(STEPS)}) == STEPS


def test_tilt_is_out_of_the_plane():
    tilted = comparing.pair(0, tilt=True)
    assert 0.0 < abs(tilted.projection_deg) <= PROJECTION_DEG
    assert tilted.known_mm == pytest.approx(0.0, abs=0.005)


def test_the_images_narrow_as_they_should():
    lost = []
    for pair in comparing.pairs(3):
        first, last = (joint_space(each).jsw_mm or 0.0 for each in (pair.baseline, pair.followup))
        lost.append(first - last)
    known = [pair.known_mm for pair in comparing.pairs(3)]
    assert lost == pytest.approx(known, abs=0.3)
    assert np.corrcoef(lost, known)[0, 1] > 0.95


def test_exposure_multiplies_absorbance(monkeypatch):
    monkeypatch.setattr(narrowing_pairs, "detector_noise", lambda *_: np.float32(0.0))
    for name in ("LATERAL_PX", "ROTATION_DEG", "WHOLE_PX", "WHOLE_DEG"):
        monkeypatch.setattr(narrowing_pairs, name, 0.0)
    pair = phantom_pair(0)
    first, last = (-np.log(1 - each.pixels) for each in (pair.baseline, pair.followup))
    assert np.median(last / first) == pytest.approx(pair.exposure, abs=0.01)


def test_a_pair_can_be_made_again():
    again = next(phantom_pairs(1))
    assert np.array_equal(again.followup.pixels, comparing.pair(0).followup.pixels)
    assert next(phantom_pairs(1, seed=7)).exposure != again.exposure


def test_rounding_is_to_eight_bit_and_never_white():
    image = rounded(np.linspace(-0.1, 1.2, 500)[None])
    assert np.unique(image).size <= 256
    assert image.min() == 0.0
    assert np.abs(image[0, 100] * 255 - np.round(image[0, 100] * 255)) < 1e-4
