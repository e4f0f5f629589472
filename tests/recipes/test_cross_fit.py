"""``lamella train cross-fit`` is the comparison's cross-fit."""

from pathlib import Path

from lamella.recipes import comparison, cross_fit


def test_the_command_starts_the_cross_fit(monkeypatch, tmp_path):
    asked = []

    def fit(data: Path, out: Path, steps: int | None) -> Path:
        asked.append((data, out, steps))
        return out

    monkeypatch.setattr(comparison, "cross_fit", fit)
    assert cross_fit.train(tmp_path / "data", tmp_path / "out", 7) == tmp_path / "out"
    assert asked == [(tmp_path / "data", tmp_path / "out", 7)]
