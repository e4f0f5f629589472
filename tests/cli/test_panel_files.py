"""A sealed key that cannot be changed, and sheets as readers and spreadsheets leave them."""

import json

import numpy as np
import pytest

from lamella.cli.panel_files import (
    Written,
    blank_sheet,
    read_panel,
    read_sheet,
    refuse_in_the_way,
    seal,
    unseal,
    write_panel,
)
from lamella.records import LamellaError
from lamella.tasks.reading import Kind

KEY = {"salt": "00", "seed": 3, "images": [{"image": "upper/001.png", "kind": "real"}]}
IMAGES = ("upper/001.png", "upper/002.png")


@pytest.fixture
def sheet(tmp_path):
    """``sheet("text")`` writes a sheet of answers."""

    def write(text, encoding="utf-8"):
        path = tmp_path / "sheet.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_a_sealed_key_comes_back(tmp_path):
    sealed, commitment = seal(KEY)
    (tmp_path / "key").write_text(sealed)
    assert unseal(tmp_path / "key", commitment) == KEY
    assert "real" not in sealed


def test_another_key_is_not_accepted(tmp_path):
    _, commitment = seal(KEY)
    changed, other = seal({**KEY, "salt": "01"})
    (tmp_path / "key").write_text(changed)
    assert other != commitment
    with pytest.raises(LamellaError, match="not the key this panel was made with"):
        unseal(tmp_path / "key", commitment)


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", "Zm9v"])
def test_a_damaged_key_is_one_sentence(tmp_path, text):
    (tmp_path / "key").write_text(text)
    with pytest.raises(LamellaError, match="damaged"):
        unseal(tmp_path / "key", "00")
    with pytest.raises(LamellaError, match="--key"):
        unseal(tmp_path / "none", "00")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("image,answer,confidence\nupper/002.png,Generated,5\nupper/001.png, real ,\n", "utf-8"),
        ("image;answer\r\nupper/001.png;REAL\r\nupper/002.png;generated\r\n", "utf-8-sig"),
        ("answer\timage\nreal\tupper/001.png\ngenerated\tupper/002.png\n", "utf-8"),
    ],
)
def test_sheets_are_read_as_spreadsheets_write_them(sheet, text, encoding):
    answers = read_sheet(sheet(text, encoding), IMAGES)
    assert answers == {"upper/001.png": Kind.REAL, "upper/002.png": Kind.GENERATED}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected columns image and answer"),
        ("picture,verdict\na,b\n", "expected columns image and answer"),
        ("image,answer\nupper/001.png,real\n", r"no answer for \(1\): upper/002.png"),
        (blank_sheet(IMAGES), r"no answer for \(2\)"),
        (
            "image,answer\nupper/001.png,real\nupper/002.png,fake\n",
            r"other than real or generated for \(1\): upper/002",
        ),
        ("image,answer\nupper/001.png,real\nupper/001.png,real\n", "answered twice"),
        ("image,answer\nupper/009.png,real\n", "does not hold"),
    ],
)
def test_faulty_sheets_are_one_sentence(sheet, text, says):
    with pytest.raises(LamellaError, match=says) as caught:
        read_sheet(sheet(text), IMAGES)
    assert "\n" not in str(caught.value)


def test_a_sheet_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "sheet.xlsx").write_bytes(b"PK\x03\x04\xff\xfe\x00")
    with pytest.raises(LamellaError, match="export it as CSV"):
        read_sheet(tmp_path / "sheet.xlsx", IMAGES)
    with pytest.raises(LamellaError, match="cannot be read"):
        read_sheet(tmp_path / "none.csv", IMAGES)


def test_a_failed_write_leaves_nothing(tmp_path):
    pictures = {"upper/001.png": np.zeros((4, 4), np.uint8), "lower/001.png": np.zeros((2, 2, 7))}
    with pytest.raises(TypeError):
        write_panel(tmp_path / "panel", Written(pictures=pictures, key=KEY, panel={}))
    assert list(tmp_path.iterdir()) == []


def test_a_panel_holds_the_commitment_to_its_key(tmp_path):
    pictures = {"upper/001.png": np.zeros((4, 4), np.uint8)}
    written = Written(pictures=pictures, key=KEY, panel={"side_px": 4})
    commitment = write_panel(tmp_path / "panel", written)
    assert read_panel(tmp_path / "panel") == {"side_px": 4, "key_sha256": commitment}
    refuse_in_the_way(tmp_path / "panel", force=True)
    (tmp_path / "panel" / "notes.txt").write_text("mine")
    with pytest.raises(LamellaError, match="no blank panel"):
        refuse_in_the_way(tmp_path / "panel", force=True)


@pytest.mark.parametrize("text", [None, "", "[]", json.dumps({"a": 1})])
def test_a_folder_without_a_panel_is_said(tmp_path, text):
    if text is not None:
        (tmp_path / "panel.json").write_text(text)
    with pytest.raises(LamellaError, match="name the panel's folder with --out"):
        read_panel(tmp_path)
