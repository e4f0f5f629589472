"""Cases with a known width."""

import numpy as np
import pytest

import joints
from lamella.evaluation import width_cases
from lamella.evaluation.width_cases import (
    COMMANDED_MM,
    PHANTOM_JSW_MM,
    Refusal,
    WidthCase,
    commanded_widths,
    drawn_widths,
    geometric_width_mm,
    outcome,
    phantom_widths,
    visit_widths,
    wide_phantom,
)
from lamella.records import LamellaError
from lamella.tasks.joint_width import measure_joint_space


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    made = {
        "00001_R_2": [joints.phantom(jsw_mm=0.6, seed=1), joints.phantom(jsw_mm=0.9, seed=1)],
        "00002_R_2": [joints.phantom(jsw_mm=0.6, seed=2)],
    }
    return joints.write_manifest(tmp_path_factory.mktemp("widths") / "dev.json", made)


def test_phantoms_keep_to_their_ranges():
    made = [wide_phantom(np.random.default_rng(seed)) for seed in range(4)]
    for phantom in made:
        assert PHANTOM_JSW_MM[0] <= phantom.jsw_mm <= PHANTOM_JSW_MM[1]
        assert 0.08 <= phantom.spec.pixel_spacing_mm <= 0.2
    assert len({phantom.spec.pixel_spacing_mm for phantom in made}) == 4


def test_the_geometric_width_is_nearly_the_one_along_the_metacarpal():
    upright = joints.phantom(jsw_mm=1.2, tilt_deg=0.0)
    assert geometric_width_mm(upright) == pytest.approx(1.2, abs=0.04)


def test_phantoms_with_their_own_masks_are_nearly_right():
    pairs = list(phantom_widths(4))
    for from_pixels, with_masks in pairs:
        assert isinstance(with_masks, WidthCase)
        assert abs(with_masks.error_mm) < 0.05
        assert from_pixels.known_mm == with_masks.known_mm
        assert from_pixels.measured_mm != with_masks.measured_mm


def test_widths_are_commanded_and_measured_from_pixels(manifest, monkeypatch):
    monkeypatch.setattr(width_cases, "COMMANDS_PER_JOINT", 2)
    cases = list(commanded_widths(manifest, drawn_baseline=True))
    found = [case for case in cases if isinstance(case, WidthCase)]
    assert len(found) >= 4
    assert all(COMMANDED_MM[0] <= case.known_mm <= COMMANDED_MM[1] for case in found)
    assert np.corrcoef(*np.array([(c.known_mm, c.measured_mm) for c in found]).T)[0, 1] > 0.95
    assert len({case.error_mm for case in found}) == len(found)


def test_only_joints_with_several_visits_have_a_spread(manifest):
    visits = visit_widths(manifest, segmented=False)
    assert set(visits) == {"00001_R_2"}
    assert np.ptp(visits["00001_R_2"]) == pytest.approx(0.3, abs=0.06)


def test_drawn_masks_are_the_known_side(manifest):
    cases = list(drawn_widths(manifest))
    assert len(cases) == 3
    masks = joints.phantom(jsw_mm=0.6, seed=1).masks
    truth = measure_joint_space(masks, width_cases.PUBLISHED_SPACING_MM).jsw_mm
    assert cases[0].known_mm == pytest.approx(truth)


def test_what_cannot_be_measured_is_refused_with_its_reason():
    def fails():
        raise LamellaError("no joint here")

    assert outcome("a", 1.0, fails) == Refusal(joint="a", why="no joint here")
