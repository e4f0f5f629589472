"""Moved joints, measured by registrations whose error is known."""

import json

import pytest

import comparing
import joints
from lamella.evaluation import narrowing_known
from lamella.evaluation.narrowing_known import NAME, evaluate, known_cases
from lamella.evaluation.narrowing_moved import known_pairs


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    phantom = joints.phantom(jsw_mm=1.0, seed=3)
    made = {f"0000{k}_R_2": [phantom] for k in range(5)}
    return joints.write_manifest(tmp_path_factory.mktemp("known") / "dev.json", made)


@pytest.fixture(scope="module")
def moved(manifest):
    return list(known_pairs(manifest, 5, drawn=True))


def test_the_evaluation_scores_both_kinds_of_masks(manifest, moved, tmp_path, monkeypatch):
    asked = []

    def made(*_, drawn, **__):
        asked.append(drawn)
        return moved

    monkeypatch.setattr(narrowing_known, "known_pairs", made)
    comparing.use(monkeypatch, exact=comparing.answering(comparing.truth_of(moved, 0.5)))
    table = evaluate(manifest, tmp_path)
    result = json.loads((tmp_path / f"{NAME}.json").read_text())
    assert sorted(asked) == [False, True]
    assert result["joints"] == 5
    for masks in ("segmented", "drawn"):
        found = result[masks]["exact"]
        assert found["cases"] == 5
        assert found["bias_mm"]["mean"] == pytest.approx(0.5 * 0.15 * 140 / 256, rel=1e-4)
        assert found["slope"]["mean"] == pytest.approx(1.0)
    assert "of 5 joints, 5 had sound masks" in table
    assert (tmp_path / f"{NAME}.png").exists()


def test_outlines_alone_follow_the_motion(manifest, moved, monkeypatch):
    monkeypatch.setattr(narrowing_known, "known_pairs", lambda *_, **__: moved)
    comparing.use(monkeypatch, widths=comparing.answering(comparing.width_lost()))
    (cases,) = known_cases(manifest, ["widths"], 5, drawn=True).values()
    assert len(cases) == 5
    assert all(abs(case.error_mm) < 0.5 for case in cases)
    assert max(abs(case.known_mm) for case in cases) > 0.5
