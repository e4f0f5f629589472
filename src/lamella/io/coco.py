"""COCO JSON of synthetic joints: one annotation per bone, exact masks as run lengths.

Two lists grow side by side on disk and are joined at the end, so memory does not depend on the
number of images. Beside COCO's own fields an image carries ``jsw_mm``, ``jsw_sd_mm``,
``pixel_spacing_mm`` and ``sample``. Keypoints are (x, y, v) with (0, 0) at the first pixel's
centre; those outside the image are (0, 0, 0).
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from lamella.types import Mask

CATEGORIES = {"upper": 1, "lower": 2}
KEYPOINTS = ("left", "middle", "right")
"""Of each bone's articular arc."""

LABELLED = 2
COMPACT = (",", ":")


def run_lengths(mask: Mask) -> list[int]:
    """Lengths of runs of 0 and 1 in turn, column by column, starting with 0: COCO's plain RLE."""
    flat = mask.T.ravel()
    bounds = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff(np.concatenate([[0], bounds, [flat.size]])).tolist()
    return [0, *lengths] if flat[0] else lengths


def mask_of_runs(lengths: Iterable[int], shape: tuple[int, int]) -> Mask:
    """The way back: run lengths to bool (row, col)."""
    runs = np.fromiter(lengths, int)
    flat = np.repeat(np.arange(runs.size) % 2 == 1, runs)
    return flat.reshape(shape[::-1]).T


def image_entry(record: Mapping[str, Any], file_name: str, image_id: int) -> str:
    """One of COCO's ``images``, as JSON."""
    rows, cols = record["shape"]
    measures = record["measures"]
    entry = {
        "id": image_id,
        "file_name": file_name,
        "width": cols,
        "height": rows,
        "sample": record["id"],
        "jsw_mm": measures["jsw_mm"],
        "jsw_sd_mm": measures["jsw_sd_mm"],
        "pixel_spacing_mm": record["pixel_spacing_mm"],
    }
    return json.dumps(entry, separators=COMPACT, allow_nan=False)


def bone_entries(record: Mapping[str, Any], masks: Mapping[str, Mask], image_id: int) -> list[str]:
    """COCO's ``annotations`` of one image, one per bone, as JSON."""
    return [
        json.dumps(_bone_entry(record, name, mask, image_id), separators=COMPACT, allow_nan=False)
        for name, mask in masks.items()
    ]


class CocoFile:
    """``coco.json`` while it grows: add entries, then :meth:`finish`; else nothing is left.

    Args:
        path: the file.
        notice: what it says about itself.
    """

    def __init__(self, path: Path, notice: str) -> None:
        self._path, self._notice = path, notice
        self._parts = {
            kind: path.parent / f".lamella-{secrets.token_hex(8)}.part"
            for kind in ("images", "annotations")
        }
        self._open: dict[str, IO[str]] = {}
        self._between = dict.fromkeys(self._parts, "")

    def __enter__(self) -> CocoFile:
        self._open = {kind: part.open("x", encoding="utf-8") for kind, part in self._parts.items()}
        head = {"info": {"description": self._notice}, "categories": _categories()}
        self._open["images"].write(f'{json.dumps(head)[:-1]},\n"images":[')
        self._open["annotations"].write('],\n"annotations":[')
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._open.values():
            file.close()
        for part in self._parts.values():
            part.unlink(missing_ok=True)

    def add(self, kind: str, entries: Iterable[str]) -> None:
        """Append JSON objects to ``images`` or ``annotations``."""
        for entry in entries:
            self._open[kind].write(f"{self._between[kind]}\n{entry}")
            self._between[kind] = ","

    def finish(self) -> None:
        """Join both lists and move the file into place."""
        self._open["annotations"].write("]}\n")
        for file in self._open.values():
            file.close()
        with (
            self._parts["images"].open("a", encoding="utf-8") as whole,
            self._parts["annotations"].open(encoding="utf-8") as rest,
        ):
            shutil.copyfileobj(rest, whole)
        self._parts["images"].replace(self._path)


def _bone_entry(record: Mapping[str, Any], name: str, mask: Mask, image_id: int) -> dict[str, Any]:
    rows, cols = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    size = [0, 0, 0, 0]
    if rows.size:
        size = [int(cols[0]), int(rows[0]), int(np.ptp(cols)) + 1, int(np.ptp(rows)) + 1]
    points = [_keypoint(record["landmarks"][f"{name}_{place}"], mask) for place in KEYPOINTS]
    return {
        "id": len(CATEGORIES) * (image_id - 1) + CATEGORIES[name],
        "image_id": image_id,
        "category_id": CATEGORIES[name],
        "segmentation": {"size": list(mask.shape), "counts": run_lengths(mask)},
        "area": int(mask.sum()),
        "bbox": size,
        "iscrowd": 0,
        "keypoints": [number for point in points for number in point],
        "num_keypoints": sum(point[2] > 0 for point in points),
        "jsw_mm": record["measures"]["jsw_mm"],
    }


def _keypoint(place: Iterable[float], mask: Mask) -> tuple[float, float, int]:
    row, col = place
    rows, cols = mask.shape
    if not (-0.5 <= row <= rows - 0.5 and -0.5 <= col <= cols - 0.5):
        return (0.0, 0.0, 0)
    return (round(col, 3), round(row, 3), LABELLED)


def _categories() -> list[dict[str, Any]]:
    joined = [[number, number + 1] for number in range(1, len(KEYPOINTS))]
    return [
        {
            "id": number,
            "name": name,
            "supercategory": "bone",
            "keypoints": list(KEYPOINTS),
            "skeleton": joined,
        }
        for name, number in CATEGORIES.items()
    ]
