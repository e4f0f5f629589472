"""Consistency of real visits, by registrations whose error is known."""

import json

import numpy as np
import pytest

import comparing
import joints
from lamella.evaluation import narrowing_visit_cases
from lamella.evaluation.narrowing_cases import NarrowingCase
from lamella.evaluation.narrowing_visit_cases import RepeatedPair, VisitCase
from lamella.evaluation.narrowing_visits import NAME, closure, evaluate, ordered, repeatability
from lamella.prepare.grid import NETWORK_SPACING_MM


def test_the_evaluation_finds_a_known_inconsistency(tmp_path, monkeypatch):
    widths = (1.2, 0.7, 0.2)
    three = [joints.phantom(jsw_mm=width, seed=6) for width in widths]
    manifest = joints.write_manifest(tmp_path / "dev.json", {"00001_R_2": three})
    monkeypatch.setattr(narrowing_visit_cases, "REPEATS", 4)
    comparing.use(
        monkeypatch,
        exact=comparing.answering(comparing.width_lost()),
        no_separation=comparing.answering(comparing.width_lost(0.5)),
    )
    table = evaluate(manifest, tmp_path, pairs=1)
    result = json.loads((tmp_path / f"{NAME}.json").read_text())
    off_mm = 0.5 * NETWORK_SPACING_MM
    closed = result["closure"]
    assert closed["exact"]["rms_mm"]["mean"] == pytest.approx(0.0, abs=1e-6)
    assert closed["no-separation"]["rms_mm"]["mean"] == pytest.approx(off_mm)
    assert closed["no-separation"]["sigma_mm"]["mean"] == pytest.approx(off_mm / np.sqrt(2))
    both_ways = closed["no-separation"]["forward_backward"]
    assert both_ways["bias_mm"]["mean"] == pytest.approx(2 * off_mm)
    repeats = result["repeats"]
    sigmas_mm = [repeats[name]["sigma_mm"]["mean"] for name in ("exact", "no-separation")]
    assert sigmas_mm[0] == pytest.approx(sigmas_mm[1])
    assert 0.0 < sigmas_mm[0] < 0.2
    assert result["registered_bones"]["bones"]["all"] == 6
    for part in ("MSE of registered bones", "sigma' mm", "0.0661", "0.48 %"):
        assert part in table


def test_repeats_are_judged_by_their_answers():
    steady = RepeatedPair(
        joint="a", measured_mm=np.array([0.1, 0.3] * 5), accepted=np.ones(10, bool)
    )
    doubtful = RepeatedPair(
        joint="b",
        measured_mm=np.array([0.1, 0.3] * 4 + [8.0, np.nan]),
        accepted=np.array([True] * 8 + [False, False]),
    )
    found = repeatability([steady, doubtful])
    spread = [np.std(each.answered_mm, ddof=1) for each in (steady, doubtful)]
    assert found.sigma_mm.mean == pytest.approx(np.mean(spread))
    assert found.sigma_all_mm.mean > 5 * found.sigma_mm.mean
    assert found.detectable_mm.mean == pytest.approx(1.96 * np.sqrt(np.mean(np.square(spread))))
    assert (found.refused.hits, found.refused.trials) == (2, 20)
    assert found.mismatch.repeats.hits == 0
    assert found.mismatch_all.repeats.hits == 1


def test_refused_comparisons_take_no_part_in_closure():
    values = {(0, 1): 0.1, (1, 2): 0.2, (0, 2): 9.0}
    cases = [
        VisitCase(
            joint="a",
            first=first,
            last=last,
            overlap_px=0,
            case=NarrowingCase(
                joint="a", measured_mm=value, refused="poor match" if value > 1 else None
            ),
        )
        for (first, last), value in values.items()
    ]
    assert ordered(cases) == {"a": {(0, 1): 0.1, (1, 2): 0.2}}
    found = closure(cases)
    assert found.pairs == 0
    assert found.refused.hits == 1
    assert np.isnan(found.rms_mm.mean)
    assert found.forward_backward is None
