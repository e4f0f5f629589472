"""The table of a spine: every number of the records, and blanks where there is none."""

import csv
import json

import pytest

from assessed_spines import assessed
from lamella.cli.spine_table import COLUMNS, JSON_FILE, TABLE_FILE, vertebra_row, write_tables
from lamella.records import GRADES, ZONES


def test_a_row_holds_the_records_numbers():
    vertebra = assessed()["L1"]
    row = vertebra_row(vertebra)
    assert tuple(row) == COLUMNS
    for zone in (*ZONES, "whole"):
        assert row[f"{zone}_mm"] == vertebra.heights_mm.of(zone)
        assert row[f"healthy_{zone}_mm"] == vertebra.healthy_heights_mm.of(zone)
        loss = 1 - row[f"{zone}_mm"] / row[f"healthy_{zone}_mm"]
        assert row[f"rhlv_{zone}"] == pytest.approx(loss)
        assert row[f"rhlv_{zone}_sd"] == vertebra.rhlv_sd.of(zone)
    assert (row["grade"], row["kind"], row["generated"]) == (2, "wedge", True)
    assert sum(row[f"p_grade_{grade}"] for grade in GRADES) == pytest.approx(1.0)
    assert (row["reference"], row["neighbours"]) == ("phantom truth", ["T12", "L2"])


def test_a_refused_vertebra_has_its_reason_and_nothing_else():
    row = vertebra_row(assessed()["L2"])
    known = {name: value for name, value in row.items() if value not in (None, [])}
    reason = "cut off by the border of the volume"
    assert known == {"level": "L2", "refused": reason, "generated": False}


def test_csv_and_json_hold_the_same(tmp_path):
    spine = assessed()
    write_tables(tmp_path, spine)
    table = list(csv.DictReader((tmp_path / TABLE_FILE).read_text("utf-8").splitlines()))
    stored = json.loads((tmp_path / JSON_FILE).read_text("utf-8"))
    assert (stored["method"], len(table)) == (spine.method, 3)
    assert "not for diagnosis" in stored["notice"]
    for line, row in zip(table, stored["vertebrae"], strict=True):
        assert list(line) == list(row) == list(COLUMNS)
        for name, value in row.items():
            if isinstance(value, float):
                assert float(line[name]) == value
            elif value is None:
                assert line[name] == ""
    assert table[1]["neighbours"] == "T12 L2"
