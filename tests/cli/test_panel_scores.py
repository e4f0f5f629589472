"""The table of scores: who is in it, in which order, and that the numbers are the key's."""

import json

import numpy as np
import pytest

from lamella.cli.panel import PanelOptions
from lamella.cli.panel_files import Written, write_panel
from lamella.cli.panel_scores import scored
from lamella.records import LamellaError

KINDS = {"upper/001.png": "real", "upper/002.png": "generated"}


def make(tmp_path, kinds):
    pictures = {image: np.zeros((4, 4), np.uint8) for image in kinds}
    key = {"images": [{"image": image, "kind": kind} for image, kind in kinds.items()]}
    write_panel(tmp_path / "panel", Written(pictures=pictures, key=key, panel={}))
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("image,answer\n" + "".join(f"{image},generated\n" for image in kinds))
    return PanelOptions(out=tmp_path / "panel", score=[sheet])


def test_one_set_has_one_block_and_no_total(tmp_path):
    table = scored(make(tmp_path, KINDS))
    lines = table.splitlines()
    expected = "| 2 | 1.00 (0.03 to 1.00) | 0.00 (0.00 to 0.97) | 0.50 (0.01 to 0.99) |  |"
    assert lines[2:4] == [f"| upper | {reader} {expected}" for reader in ("reader 1", "pooled")]
    assert lines[4] == ""


def test_several_sets_end_with_all_images(tmp_path):
    options = make(tmp_path, KINDS | {"lower/001.png": "generated", "lower/002.png": "real"})
    scored(options)
    rows = json.loads((options.out / "scores.json").read_text())["rows"]
    assert [row["set"] for row in rows] == ["upper", "upper", "lower", "lower", "all", "all"]
    assert rows[-1]["sensitivity"]["trials"] == 2


def test_a_folder_that_is_no_panel_is_left_alone(tmp_path):
    options = PanelOptions(out=tmp_path / "none", score=[tmp_path / "sheet.csv"])
    with pytest.raises(LamellaError, match="found none"):
        scored(options)
    assert list(tmp_path.iterdir()) == []
