"""Speed and size: what is measured, and that failures are not taken for speed."""

import shutil
from collections.abc import Callable

import pytest

from lamella.evaluation import speed
from lamella.evaluation.results import load
from lamella.evaluation.speed import fastest
from lamella.records import LamellaError


def test_the_shortest_of_several_times_counts(monkeypatch):
    """A clock that says each run lasted 5, 2 and 9 seconds."""
    ticks = iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0])
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(ticks))
    runs = []
    assert fastest(lambda: runs.append(1), repeats=3) == 2.0
    assert len(runs) == 3


def once(action: Callable[[], object], repeats: int = 1) -> float:
    return fastest(action, 1)


@pytest.fixture
def small(monkeypatch):
    """Each figure measured once, on as few joints as there can be."""
    monkeypatch.setattr(speed, "fastest", once)
    for name, number in {"LOADED_JOINTS": 1, "BATCH_JOINTS": 3, "DISTINCT_JOINTS": 2}.items():
        monkeypatch.setattr(speed, name, number)


@pytest.mark.slow
def test_every_figure_is_measured_and_stands_beside_its_target(small, tmp_path):
    printed = speed.evaluate(None, tmp_path)
    figures = load(tmp_path / "speed.json")["figures"]
    for what, figure in figures.items():
        assert figure["value"] > 0 or what == "import lamella"
        assert what in printed
        assert f"<= {figure['target']:g} {figure['unit']}" in printed
    assert {"s", "ms", "MB"} == {figure["unit"] for figure in figures.values()}


def test_a_command_that_fails_is_no_fast_command(small, tmp_path, monkeypatch):
    monkeypatch.setattr(speed.sys, "executable", shutil.which("false"))
    with pytest.raises(LamellaError, match="a timed command failed"):
        speed.evaluate(None, tmp_path)


def test_a_batch_that_fails_is_no_fast_batch(tmp_path):
    with pytest.raises(LamellaError, match="a timed command failed"):
        speed._batch(tmp_path / "nothing")
