"""Which results a panel finds, and what it refuses of them."""

import json

import pytest

from lamella.cli.panel import PanelOptions
from lamella.cli.panel_draw import drawn, result_folders
from lamella.records import LamellaError


def test_results_are_found_once_at_any_depth(tmp_path):
    for name in ("a", "deep/b", ".partial-c"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "result.json").write_text("{}")
    found = result_folders([tmp_path, tmp_path / "deep", tmp_path / "deep" / "b"])
    assert found == [(tmp_path / name).resolve() for name in ("a", "deep/b")]


def test_a_folder_without_results_is_said(tmp_path):
    with pytest.raises(LamellaError, match="found none: separate radiographs first"):
        result_folders([tmp_path])


@pytest.mark.parametrize(
    "record", [{"origin": {}}, {"origin": []}, {"origin": {"input_sha256": "0"}, "files": {}}]
)
def test_a_damaged_result_is_named(tmp_path, record):
    (tmp_path / "joint").mkdir()
    (tmp_path / "joint" / "result.json").write_text(json.dumps(record))
    with pytest.raises(LamellaError, match="the result joint is damaged: make it again"):
        drawn([tmp_path], PanelOptions(out=tmp_path / "panel"))
