"""The pace of comparing visits is that of real runs."""

from pathlib import Path

import pytest

from lamella.evaluation import narrowing_pace


@pytest.mark.slow
def test_one_more_pair_takes_time_and_every_pair_is_answered(tmp_path: Path) -> None:
    folder = tmp_path / "pace"
    assert 1.0 < narrowing_pace.milliseconds_per_pair(folder, (2, 6)) < 60_000.0
    rows = (folder / "out-6" / "narrowing.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 7
    assert sum(",done," in row for row in rows) >= 5


def test_a_failed_run_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrowing_pace, "SPACING_MM", -1.0)
    monkeypatch.setattr(narrowing_pace, "_write_visits", lambda _: None)
    with pytest.raises(narrowing_pace.LamellaError, match="a timed command failed"):
        narrowing_pace.milliseconds_per_pair(tmp_path / "pace", (2, 3))
