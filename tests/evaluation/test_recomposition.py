"""Recomposition over a manifest."""

from pathlib import Path

import pytest

from joints import phantom, write_manifest
from lamella.evaluation import recomposition
from lamella.evaluation.results import load
from lamella.records import LamellaError


def test_every_joint_of_a_manifest_adds_up(tmp_path: Path) -> None:
    joints = {"00001_R_2": [phantom()], "00002_L_5": [phantom(jsw_mm=1.0)]}
    manifest = write_manifest(tmp_path / "dev.json", joints)
    table = recomposition.evaluate(manifest, tmp_path / "out")
    result = load(tmp_path / "out" / "recomposition.json")
    assert result["images"] == 2
    assert 0 <= result["largest_residual"] < 1e-6
    assert result["above_bound"] == 0
    assert "| images separated | 2 |" in table


def test_refused_joints_are_named_with_their_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def declines(*_: object) -> None:
        raise LamellaError("no soft tissue is visible")

    monkeypatch.setattr(recomposition, "separate", declines)
    manifest = write_manifest(tmp_path / "dev.json", {"00001_R_2": [phantom()]})
    recomposition.evaluate(manifest, tmp_path / "out")
    result = load(tmp_path / "out" / "recomposition.json")
    assert result["images"] == 0
    assert "no soft tissue" in result["refused"]["00001_R_2/visit0_image"]
