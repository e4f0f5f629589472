"""What a comparison of two visits says, and that it says nothing when refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

import narrowings
from lamella.records import RegisteredBone, Similarity
from lamella.records.narrowing import WIDE_90

KEYS = (
    "jsn_mm",
    "jsn_sd_mm",
    "jsn_low_mm",
    "jsn_high_mm",
    "lateral_mm",
    "lateral_sd_mm",
    "angle_deg",
    "angle_sd_deg",
)


def test_a_visit_names_its_bones_from_the_top():
    visit = narrowings.visit()
    assert visit.names == ("upper", "lower")
    assert visit.ends is visit.space.ends
    assert visit.frame is visit.space.frame
    top, bottom = (visit.ends[name].arc_px[:, 0].mean() for name in visit.names)
    assert top < bottom


def test_pixels_become_millimetres():
    found = replace(narrowings.compared(0.5, 0.05), lateral_px=2.0, lateral_sd_px=0.25)
    spacing_mm = narrowings.SPACING_MM
    assert found.pixel_spacing_mm == spacing_mm
    assert found.jsn_mm == pytest.approx(found.jsn_px * spacing_mm)
    assert found.jsn_mm == pytest.approx(0.5, abs=1e-3)
    assert found.jsn_sd_mm == pytest.approx(0.05)
    assert found.lateral_mm == pytest.approx(2.0 * spacing_mm)
    assert found.lateral_sd_mm == pytest.approx(0.25 * spacing_mm)


def test_the_interval_holds_nine_of_ten():
    found = replace(narrowings.compared(0.5, 0.05), jsn_px=-3.0)
    low, high = found.interval_mm
    assert 0.5 * (low + high) == pytest.approx(-3.0 * narrowings.SPACING_MM)
    assert high - low == pytest.approx(2.0 * 1.6449 * 0.05, rel=1e-3)
    drawn = np.random.default_rng(0).standard_normal(200_000)
    assert np.mean(np.abs(drawn) < WIDE_90) == pytest.approx(0.9, abs=0.003)


def test_figures_are_named_and_ordered_and_plain():
    figures = narrowings.compared(0.5, 0.05).figures()
    assert tuple(figures) == KEYS
    assert all(isinstance(value, float) for value in figures.values())
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert figures["jsn_low_mm"] < figures["jsn_mm"] < figures["jsn_high_mm"]


def test_a_refused_comparison_says_no_figure_but_keeps_its_pixels():
    found = narrowings.compared(0.5, 0.05, refused="another joint")
    assert found.figures() == dict.fromkeys(KEYS)
    for name in ("jsn_mm", "jsn_sd_mm", "lateral_mm", "lateral_sd_mm", "interval_mm"):
        assert getattr(found, name) is None
    assert found.jsn_px == pytest.approx(0.5 / narrowings.SPACING_MM, rel=1e-3)


def test_an_unknown_spacing_gives_no_millimetres():
    figures = narrowings.compared(0.5, 0.05, spacing_mm=None).figures()
    assert {name for name, value in figures.items() if value is not None} == {
        "angle_deg",
        "angle_sd_deg",
    }


def test_a_method_without_deviation_has_no_interval():
    found = narrowings.compared(0.5, None)
    figures = found.figures()
    assert found.interval_mm is None
    assert figures["jsn_mm"] == pytest.approx(0.5, abs=1e-3)
    assert [figures[name] for name in ("jsn_sd_mm", "jsn_low_mm", "jsn_high_mm")] == [None] * 3
    assert "NaN" not in json.dumps(figures)


def test_bones_cannot_be_exchanged_afterwards():
    bones = dict(narrowings.compared().bones)
    found = replace(narrowings.compared(), bones=bones)
    bones["upper"] = RegisteredBone(motion=Similarity())
    assert found.bones["upper"].ncc == 0.97
    with pytest.raises(TypeError):
        found.bones["upper"] = bones["upper"]


def test_what_a_method_does_not_say_is_unknown():
    bone = RegisteredBone(motion=Similarity())
    unknown = (bone.ncc, bone.along_sd_px, bone.across_sd_px, bone.angle_sd_deg)
    assert np.isnan([*unknown, bone.disagreement_px]).all()
    assert bone.residual is None
