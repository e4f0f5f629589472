"""Engines are compared on the same layers, by errors that are known."""

import json

import pytest

import comparing
from lamella.evaluation import narrowing_engines
from lamella.evaluation.narrowing_engines import NAME, evaluate
from lamella.prepare.grid import NETWORK_SPACING_MM


def test_every_engine_is_scored_and_timed(tmp_path, monkeypatch):
    made = comparing.pairs(3)
    monkeypatch.setattr(narrowing_engines, "phantom_pairs", comparing.pairs)
    engines = {
        "right": comparing.answering(comparing.truth_of(made)),
        "biased": comparing.answering(comparing.truth_of(made, -2.0)),
    }
    monkeypatch.setattr(narrowing_engines, "ENGINES", engines)
    table = evaluate(None, tmp_path, count=3)
    result = json.loads((tmp_path / f"{NAME}.json").read_text())
    biases = {name: score["bias_mm"]["mean"] for name, score in result["scores"].items()}
    assert biases == pytest.approx({"right": 0.0, "biased": -2.0 * NETWORK_SPACING_MM}, abs=1e-6)
    assert all(pace > 0.0 for pace in result["seconds_per_pair"].values())
    assert "| biased | 3 |" in table


def test_engines_without_answers_are_left_out():
    assert "nobody" not in narrowing_engines.engine_table({"nobody": None}, {})
