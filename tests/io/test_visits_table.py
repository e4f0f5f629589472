"""Tables of visits: what is read, and what a bad row or table says."""

from datetime import date
from pathlib import Path

import pytest

from lamella.io.visits_table import read_visits
from lamella.records import LamellaError


def table(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "visits.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_row_holds_what_it_says(tmp_path):
    text = (
        "Joint,VISIT,image,mask_upper,mask_lower,pixel_spacing_mm,note\n"
        "MCP 2,2024-05-31,sub/a.png,u.png,l.png,0.1,x\n\nMCP 2,3,b.png,,,\n"
    )
    first, second = read_visits(table(tmp_path, text))
    assert (first.line, first.joint, first.day, first.order) == (
        2,
        "MCP 2",
        date(2024, 5, 31),
        None,
    )
    assert first.image == tmp_path / "sub" / "a.png"
    assert first.masks == {"upper": tmp_path / "u.png", "lower": tmp_path / "l.png"}
    assert (first.pixel_spacing_mm, first.problem) == (0.1, None)
    assert (second.line, second.order, second.masks, second.pixel_spacing_mm) == (4, 3.0, {}, None)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_tables_as_spreadsheets_write_them(tmp_path, delimiter):
    text = "joint,visit,image\r\nMCP,1,a.png\r\n".replace(",", delimiter)
    row = read_visits(table(tmp_path, text, "utf-8-sig"))[0]
    assert (row.joint, row.order) == ("MCP", 1.0)


BAD_ROWS = [
    ("MCP,,a.png,,,", "expected a visit, got an empty cell"),
    ("MCP,1,,,,", "expected an image, got an empty cell"),
    (",1,a.png,,,", "expected a joint, got an empty cell"),
    ("MCP,1", "expected an image"),
    ("MCP,later,a.png,,,", "as order number or date"),
    ("MCP,1,a.png,u.png,,", "expected both masks or none"),
    ("MCP,1,a.png,,,-0.1", "expected a pixel_spacing_mm above 0"),
    ('MCP,1,a.png,,,"0,082"', "with a decimal point"),
    ("MCP,1,a.png,,,1,082", "expected a cell per column, got more"),
]


@pytest.mark.parametrize(("row", "words"), BAD_ROWS)
def test_a_bad_row_says_why_and_leaves_the_others(tmp_path, row, words):
    header = "joint,visit,image,mask_upper,mask_lower,pixel_spacing_mm"
    bad, good = read_visits(table(tmp_path, f"{header}\n{row}\nMCP,2,b.png,,,\n"))
    assert bad.problem.startswith("line 2: ")
    assert words in bad.problem
    assert good.problem is None


def test_a_bad_row_keeps_its_place(tmp_path):
    row = read_visits(table(tmp_path, "joint,visit,image\nMCP,1,\n"))[0]
    assert (row.order, row.is_placed, row.problem is None) == (1.0, True, False)


def test_no_cell_is_repeated_in_a_message(tmp_path):
    row = read_visits(table(tmp_path, "joint,visit,image\nDoe,Doe Jane,Doe.png\n"))[0]
    assert "Doe" not in row.problem


BAD_TABLES = [
    ("", "expected the columns joint, visit and image, found no joint"),
    ("joint,image\nMCP,a.png\n", "found no visit"),
    ("joint,visit,image\n\n", "expected 1 to 1000000 visits below the header"),
]


@pytest.mark.parametrize(("text", "words"), BAD_TABLES)
def test_a_table_that_is_none(tmp_path, text, words):
    path = table(tmp_path, text or "\n")
    with pytest.raises(LamellaError, match=words):
        read_visits(path)


def test_a_folder_is_no_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LamellaError, match=f"^{tmp_path.name}: expected a CSV table, got a folder"):
        read_visits(Path())


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "visits.csv"
    path.write_bytes(b"\xff\xfe\x00joint")
    with pytest.raises(LamellaError, match=r"visits\.csv: expected a CSV table in UTF-8"):
        read_visits(path)
    with pytest.raises(LamellaError, match="no such file"):
        read_visits(tmp_path / "none.csv")
