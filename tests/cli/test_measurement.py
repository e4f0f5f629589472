"""The table of a run: every radiograph has its row, also when Ctrl-C stops it."""

import json

import pytest

from lamella.cli import measurement
from lamella.cli.console import ExitCode
from lamella.cli.measurement import COLUMNS

REAL = measurement.joint_space


@pytest.fixture
def folder(joint, tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        joint(f"in/{name}")
    return tmp_path / "in"


def joints_of(out):
    return json.loads((out / "joint_space.json").read_text())["joints"]


def test_every_row_has_every_column(lamella, folder, tmp_path):
    lamella("measure", folder, "-o", tmp_path / "out")
    rows = joints_of(tmp_path / "out")
    assert [row["name"] for row in rows] == ["a", "b", "c"]
    assert all(tuple(row) == COLUMNS for row in rows)


def test_ctrl_c_keeps_what_is_measured(lamella, folder, tmp_path, monkeypatch):
    calls = []

    def interrupted(radiograph, masks):
        calls.append(radiograph.source)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return REAL(radiograph, masks)

    monkeypatch.setattr(measurement, "joint_space", interrupted)
    ran = lamella("measure", folder, "-o", tmp_path / "out")
    assert ran.code == ExitCode.INTERRUPTED
    assert [row["status"] for row in joints_of(tmp_path / "out")] == ["done", "not run", "not run"]


def test_ctrl_c_before_the_first_row_writes_nothing(lamella, folder, tmp_path, monkeypatch):
    def interrupted(radiograph, masks):
        raise KeyboardInterrupt

    monkeypatch.setattr(measurement, "joint_space", interrupted)
    assert lamella("measure", folder, "-o", tmp_path / "out").code == ExitCode.INTERRUPTED
    assert not (tmp_path / "out").exists()
