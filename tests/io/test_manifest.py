"""Manifests: one row per sample, numbers with all their digits."""

import csv

import pytest

from lamella.io.annotation import annotation_of
from lamella.io.manifest import (
    COLUMNS,
    ManifestFile,
    has_parquet,
    read_row,
    row_of,
    write_parquet,
)
from lamella.records import LamellaError


@pytest.fixture
def record(synthetic):
    return {
        "id": "a_w001_0000",
        "lamella": "0.1.0",
        "format": "png16",
        "source": {
            "name": "a",
            "input_sha256": "5f",
            "mask_sha256": {"upper": "11", "lower": "22"},
            "given_spacing_mm": None,
        },
        "layers": {
            "method": "shares 12",
            "separation": "exact",
            "separator_sha256": "33",
            "segmenter_sha256": None,
            "grain_seed": 7,
        },
        "drawn": {
            "asked_jsw_mm": 1.3,
            "asked_shift_mm": 0.2,
            "width_index": 1,
            "repeat": 0,
            "seed": 5,
        },
        **annotation_of(synthetic),
        "files": {
            "a_w001_0000.png": "44",
            "a_w001_0000_mask_upper.png": "55",
            "a_w001_0000_mask_lower.png": "66",
        },
    }


def written(path, rows):
    with ManifestFile(path) as manifest:
        manifest.add(rows)
        manifest.finish()
    return path


def test_a_row_holds_every_column(record):
    row = row_of(record, "samples/a")
    assert tuple(row) == tuple(COLUMNS)
    missing = {column for column, value in row.items() if value is None}
    assert missing == {"segmenter_sha256", "given_spacing_mm"}
    assert row["image"] == "samples/a/a_w001_0000.png"
    assert (row["image_sha256"], row["mask_lower_sha256"]) == ("44", "22")
    for column, kind in COLUMNS.items():
        assert row[column] is None or isinstance(row[column], kind)


def test_numbers_come_back_digit_by_digit(tmp_path, record, synthetic):
    path = written(tmp_path / "manifest.csv", [row_of(record, "samples/a")])
    row = read_row(path, "a_w001_0000")
    assert float(row["along_px"]) == synthetic.pose.along_px
    assert float(row["jsw_mm"]) == synthetic.jsw_mm
    assert row["segmenter_sha256"] == ""
    assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.csv"]


def test_nothing_is_left_of_an_unfinished_manifest(tmp_path):
    with pytest.raises(RuntimeError), ManifestFile(tmp_path / "manifest.csv"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "manifest.csv: the manifest cannot be read"),
        ("name,jsw\na,1\n", "expected a manifest.csv"),
        ("id,jsw\nb,1\n", "expected the id of one of its samples"),
    ],
)
def test_a_row_that_is_not_there_is_one_sentence(tmp_path, text, said):
    path = tmp_path / "manifest.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(LamellaError, match=said):
        read_row(path, "a")


def test_parquet_holds_the_same(tmp_path, record):
    if not has_parquet():
        pytest.skip("pyarrow is not installed")
    import pyarrow.parquet

    rows = [row_of(record, "samples/a") | {"repeat": number} for number in range(5)]
    path = written(tmp_path / "manifest.csv", rows)
    write_parquet(path, tmp_path / "manifest.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "manifest.parquet")
    assert table.to_pylist() == [
        {name: None if value == "" else value for name, value in row.items()} for row in rows
    ]
    with path.open(newline="") as file:
        assert table.column_names == next(csv.reader(file))
