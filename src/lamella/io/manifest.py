"""The manifest of a cohort: one row per sample, as CSV and, where pyarrow is, as Parquet.

A row names the sample's files, its measures, and everything the sample is made from: the source's
SHA-256, the networks', the seed of the grain and the pose. Numbers are written with all their
digits, so a sample can be made again from its row, bit for bit.
"""

from __future__ import annotations

import csv
import secrets
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from lamella.io.boundary import printable_name
from lamella.records import LamellaError

COLUMNS: Mapping[str, type] = {
    "id": str,
    "source": str,
    "image": str,
    "mask_upper": str,
    "mask_lower": str,
    "annotation": str,
    "jsw_mm": float,
    "jsw_sd_mm": float,
    "minimum_mm": float,
    "minimum_sd_mm": float,
    "contact_mm": float,
    "contact_sd_mm": float,
    "area_mm2": float,
    "area_sd_mm2": float,
    "asked_jsw_mm": float,
    "asked_shift_mm": float,
    "rotation_deg": float,
    "along_px": float,
    "across_px": float,
    "pixel_spacing_mm": float,
    "pixel_spacing_source": str,
    "flags": str,
    "width_index": int,
    "repeat": int,
    "seed": int,
    "grain_seed": int,
    "format": str,
    "method": str,
    "separation": str,
    "separator_sha256": str,
    "segmenter_sha256": str,
    "source_sha256": str,
    "mask_upper_sha256": str,
    "mask_lower_sha256": str,
    "given_spacing_mm": float,
    "image_sha256": str,
    "lamella": str,
}
"""Column -> type of its values; an empty text is a missing value."""

PARQUET_BLOCK_BYTES = 1 << 20
FLAG_BETWEEN = " · "


def row_of(record: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """The row of a sample.

    Args:
        record: of the sample, as its JSON file holds it.
        folder: of its files, relative to the manifest, with ``/``.
    """
    name, source, drawn, layers = (record[key] for key in ("id", "source", "drawn", "layers"))
    files = {"mask_upper": f"{name}_mask_upper.png", "mask_lower": f"{name}_mask_lower.png"}
    image = next(file for file in record["files"] if file not in files.values())
    files |= {"image": image, "annotation": f"{name}.json"}
    known = {
        **record["measures"],
        **record["pose"],
        **drawn,
        **layers,
        **{column: f"{folder}/{file}" for column, file in files.items()},
        **{f"mask_{bone}_sha256": sha for bone, sha in source["mask_sha256"].items()},
        **{key: record[key] for key in ("id", "format", "lamella", "pixel_spacing_mm")},
        "pixel_spacing_source": record["pixel_spacing_source"],
        "source": source["name"],
        "source_sha256": source["input_sha256"],
        "given_spacing_mm": source["given_spacing_mm"],
        "flags": FLAG_BETWEEN.join(record["flags"]),
        "image_sha256": record["files"][image],
    }
    return {column: known.get(column) for column in COLUMNS}


class ManifestFile:
    """``manifest.csv`` while it grows: add rows, then :meth:`finish`; else nothing is left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.parent / f".lamella-{secrets.token_hex(8)}.part"
        self._file: IO[str] | None = None

    def __enter__(self) -> ManifestFile:
        self._file = self._part.open("x", encoding="utf-8", newline="")
        csv.writer(self._file).writerow(COLUMNS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
        self._part.unlink(missing_ok=True)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows."""
        writer = csv.writer(self._file)  # type: ignore[arg-type]
        writer.writerows(
            ["" if row[column] is None else row[column] for column in COLUMNS] for row in rows
        )

    def finish(self) -> None:
        """Move the file into place."""
        if self._file is not None:
            self._file.close()
        self._part.replace(self._path)


def read_row(manifest: Path, name: str) -> dict[str, str]:
    """The row of one sample: column -> text.

    Raises:
        LamellaError: no such manifest, not one of Lamella's, or no such sample in it.
    """
    shown = printable_name(manifest)
    try:
        with manifest.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if "id" not in (reader.fieldnames or ()):
                raise LamellaError(
                    f"{shown}: expected a manifest.csv that lamella synthesize wrote"
                )
            found = next((row for row in reader if row["id"] == name), None)
    except (OSError, ValueError, csv.Error) as error:
        if isinstance(error, LamellaError):
            raise
        raise LamellaError(f"{shown}: the manifest cannot be read: name a manifest.csv") from None
    if found is None:
        raise LamellaError(f"{shown}: expected the id of one of its samples, got another")
    return {column: text or "" for column, text in found.items() if isinstance(text, str)}


def has_parquet() -> bool:
    """Whether pyarrow is installed."""
    return find_spec("pyarrow") is not None


def write_parquet(manifest: Path, path: Path, columns: Mapping[str, type] = COLUMNS) -> None:
    """Write a CSV manifest, or another table, as Parquet, block by block.

    Args:
        manifest: the CSV.
        path: the Parquet file.
        columns: of the table, with the type of their values.
    """
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet

    kinds = {str: pyarrow.string(), float: pyarrow.float64(), int: pyarrow.int64()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    part = path.parent / f".lamella-{secrets.token_hex(8)}.part"
    reading = pyarrow.csv.open_csv(
        manifest,
        read_options=pyarrow.csv.ReadOptions(block_size=PARQUET_BLOCK_BYTES, use_threads=False),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=schema, null_values=[""], strings_can_be_null=True
        ),
    )
    try:
        with reading, pyarrow.parquet.ParquetWriter(part, schema) as writer:
            for batch in reading:
                writer.write_batch(batch)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
