"""Rows of the table: what is known, and nothing where nothing is."""

import csv
import json

import pytest

from lamella.cli.narrowing_table import COLUMNS, found_row, write_tables
from lamella.records import RegisteredBone, Similarity
from narrowings import compared

WEIGHTS = {"shares": "ab" * 32, "bones": "cd" * 32}


def test_an_answer_with_its_interval():
    row = found_row(compared(0.5, 0.05), WEIGHTS)
    assert row["status"] == "done"
    assert row["reason"] is None
    assert row["jsn_mm"] == pytest.approx(0.5, abs=1e-3)
    assert row["jsn_high_mm"] - row["jsn_low_mm"] == pytest.approx(2 * 1.6449 * 0.05)
    assert (row["upper_ncc"], row["lower_coverage"]) == (0.97, 0.8)
    assert set(row) <= set(COLUMNS)


def test_flags_are_shown():
    row = found_row(compared(flags=("tilted", "bright")), WEIGHTS)
    assert (row["status"], row["flags"]) == ("flagged", "tilted · bright")


@pytest.mark.parametrize("found", [compared(refused="other\njoint"), compared(spacing_mm=None)])
def test_without_an_answer_there_is_no_figure(found):
    row = found_row(found, WEIGHTS)
    assert row["status"] == "refused"
    assert row["reason"] in ("other joint", "the pixel spacing is unknown: give --pixel-spacing")
    lengths = [name for name in COLUMNS if name.startswith(("jsn", "lateral"))]
    assert [row[name] for name in lengths] == [None] * 6


def test_what_is_not_stated_is_missing():
    row = found_row(compared(sd_mm=None), WEIGHTS)
    assert (row["jsn_sd_mm"], row["jsn_low_mm"]) == (None, None)


def test_what_was_not_compared_has_no_agreement():
    bones = {name: RegisteredBone(motion=Similarity()) for name in ("upper", "lower")}
    row = found_row(compared(refused="the other hand", bones=bones, agreement=0.0), WEIGHTS)
    names = ("agreement", "upper_ncc", "upper_coverage", "lower_coverage")
    assert [row[name] for name in names] == [None] * 4


def test_the_files_tell_the_same(tmp_path):
    rows = [dict.fromkeys(COLUMNS) | {"joint": "J"} | found_row(compared(), WEIGHTS)]
    write_tables(tmp_path, rows, parquet=False)
    text = (tmp_path / "narrowing.csv").read_text(encoding="utf-8")
    (line,) = csv.DictReader(text.splitlines())
    stored = json.loads((tmp_path / "narrowing.json").read_text(encoding="utf-8"))
    assert float(line["jsn_mm"]) == stored["intervals"][0]["jsn_mm"]
    assert stored["notice"] == "research use only, not for diagnosis"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["narrowing.csv", "narrowing.json"]
