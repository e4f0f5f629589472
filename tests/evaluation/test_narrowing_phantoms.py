"""Phantoms, measured by registrations whose error is known."""

import json

import pytest

import comparing
from lamella.evaluation import narrowing_phantoms
from lamella.evaluation.narrowing_phantoms import NAME, evaluate, phantom_cases
from lamella.prepare.grid import NETWORK_SPACING_MM

pytestmark = pytest.mark.slow


@pytest.fixture
def made(monkeypatch):
    every = comparing.pairs(3) + comparing.pairs(3, tilt=True)
    monkeypatch.setattr(narrowing_phantoms, "phantom_pairs", comparing.pairs)
    comparing.use(
        monkeypatch,
        exact=comparing.answering(comparing.truth_of(every)),
        biased=comparing.answering(comparing.truth_of(every, 1.0)),
        zero=comparing.answering(lambda *_: 0.0, along_sd_px=float("nan")),
    )
    return every


def test_every_method_is_scored_by_its_error(made, tmp_path):
    table = evaluate(None, tmp_path, count=3)
    result = json.loads((tmp_path / f"{NAME}.json").read_text())
    flat = result["in_plane"]
    assert flat["exact"]["rms_mm"]["mean"] == pytest.approx(0.0, abs=1e-6)
    assert flat["exact"]["slope"]["mean"] == pytest.approx(1.0)
    assert flat["biased"]["bias_mm"]["mean"] == pytest.approx(NETWORK_SPACING_MM)
    assert flat["biased"]["sd_mm"]["mean"] == pytest.approx(0.0, abs=1e-6)
    assert flat["zero"]["slope"]["mean"] == pytest.approx(0.0, abs=1e-9)
    assert flat["zero"]["covered"] is None
    assert result["tilted"]["exact"]["cases"] == 3
    tilts = [each["cases"] for each in result["by_tilt_deg"]["exact"].values() if each]
    assert sum(tilts) <= 3
    for part in ("in the plane", "tilted too", "by tilt", "| biased |"):
        assert part in table
    for ending in ("true.png", "true.pdf", "tilt.png", "tilt.pdf"):
        assert (tmp_path / f"{NAME}_{ending}").exists()


def test_a_subset_of_methods_and_pairs_can_be_run(made):
    cases = phantom_cases(2, ["biased"])
    assert list(cases) == ["biased"]
    assert len(cases["biased"]) == 2
