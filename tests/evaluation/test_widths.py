"""Figures of the width experiments, on cases whose answers are worked out by hand."""

import json

import numpy as np
import pytest

import joints
from lamella.evaluation import widths
from lamella.evaluation.width_cases import Refusal, WidthCase
from lamella.evaluation.widths import Agreement, evaluate, within_joint_sd_mm


def cases(slope: float, offset_mm: float, sd_mm: float = 0.05) -> list[WidthCase]:
    rng = np.random.default_rng(0)
    known = rng.uniform(0, 3, 120)
    wobble = rng.normal(0, 0.05, 120)
    return [
        WidthCase(
            joint=f"{number // 2}",
            known_mm=width,
            measured_mm=slope * width + offset_mm + error,
            sd_mm=sd_mm,
        )
        for number, (width, error) in enumerate(zip(known, wobble, strict=True))
    ]


def test_a_line_is_found_with_an_interval_around_it():
    found = Agreement.of(cases(0.9, 0.2))
    assert found.slope[0] == pytest.approx(0.9, abs=0.02)
    assert found.offset_mm[0] == pytest.approx(0.2, abs=0.03)
    for middle, low, high in (found.slope, found.offset_mm):
        assert low < middle < high < low + 0.1


def test_slope_and_offset_are_those_of_least_squares():
    made = cases(1.1, -0.1)
    found = Agreement.of(made)
    line = np.polyfit([c.known_mm for c in made], [c.measured_mm for c in made], 1)
    assert (found.slope[0], found.offset_mm[0]) == pytest.approx(tuple(line))


def test_errors_and_their_stated_spread():
    found = Agreement.of([*cases(1.0, 0.0), Refusal(joint="x", why="refused")])
    assert (found.cases, found.refused) == (120, 1)
    assert found.mean_mm == pytest.approx(0.0, abs=0.015)
    assert found.sd_mm == pytest.approx(0.05, rel=0.2)
    assert found.coverage == pytest.approx(0.9, abs=0.08)
    assert Agreement.of(cases(1.0, 0.0, sd_mm=0.005)).coverage < 0.3


def test_too_few_cases_have_no_figures():
    with pytest.raises(ValueError, match="three measured widths"):
        Agreement.of(cases(1.0, 0.0)[:2])


def test_spread_within_joints_is_pooled():
    visits = {"a": [1.0, 1.2], "b": [3.0, 3.0, 3.3]}
    squares = 0.02 + 0.06
    assert within_joint_sd_mm(visits) == pytest.approx(np.sqrt(squares / 3))
    assert np.isnan(within_joint_sd_mm({}))


def test_the_evaluation_writes_every_experiment(tmp_path, monkeypatch):
    made = {f"0000{k}_R_2": [joints.phantom(jsw_mm=0.4 * k, seed=k)] * 2 for k in (1, 2)}
    manifest = joints.write_manifest(tmp_path / "dev.json", made)
    made = cases(1.0, 0.0)
    monkeypatch.setattr(widths, "commanded_widths", lambda *_, **__: iter(made))
    monkeypatch.setattr(widths, "phantom_widths", lambda: zip(made, made, strict=True))
    table = evaluate(manifest, tmp_path / "out")
    result = json.loads((tmp_path / "out" / "widths.json").read_text())
    assert len(result["agreement"]) == 5
    assert all(name in table for name in result["agreement"])
    assert result["visits_sd_mm"]["drawn"] == pytest.approx(0.0, abs=1e-9)
    assert result["visited_joints"] == {"segmented": 2, "drawn": 2}
