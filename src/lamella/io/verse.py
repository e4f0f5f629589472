"""Reader of VerSe's layouts: CT series, vertebra masks, centroids, and published grades.

Two layouts are found anywhere below a folder, also mixed:

* as published: ``sub-verseNNN[...]_ct.nii.gz`` with ``sub-verseNNN[...]_seg-vert_msk.nii.gz``
  and ``sub-verseNNN[...]_seg-subreg_ctd.json``, the mask often in another branch;
* as HealthiVert-GAN keeps it: ``raw/ID/ID.nii.gz`` with ``ID_seg.nii.gz`` or ``ID_msk.nii.gz``
  and ``ID.json`` beside it.

Grades and split come from one file, ``{"train"|"test"|"val": {"SERIES_LABEL": grade}}`` with
labels in VerSe's scheme. Nothing but paths, names and small JSON files is read here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamella.records import LamellaError
from lamella.records.spine import LEVEL_OF
from lamella.records.vertebra import GRADES

VOLUME = ".nii.gz"
PUBLISHED = ("_ct", "_seg-vert_msk", "_seg-subreg_ctd")
BESIDE = ("_seg", "_msk")
GRADES_FILES = ("healthivert_split_and_grades.json", "vertebra_data.json")
SPLITS = ("train", "test", "val")
SERIES_MARK = "_series"


@dataclass(frozen=True, kw_only=True)
class VerseSeries:
    """One CT series on disk.

    Args:
        name: file name without what all of them share, for instance ``"sub-verse004"``.
        ct: path of the volume.
        labels: path of the vertebra mask.
        centroids: path of the centroids, or None.
    """

    name: str
    ct: Path
    labels: Path
    centroids: Path | None = None

    @property
    def subject(self) -> str:
        """Name of the patient: the series' name up to its first underscore."""
        return self.name.partition("_")[0]


Grades = Mapping[str, Mapping[str, int]]
"""Series -> level -> Genant grade 0 to 3."""


@dataclass(frozen=True, kw_only=True)
class VerseCohort:
    """Series of a folder with the grades of their vertebrae.

    Args:
        series: by name, sorted.
        grades: split -> grades of those of its series that are there.
    """

    series: Mapping[str, VerseSeries]
    grades: Mapping[str, Grades]


def verse_series(folder: Path) -> tuple[VerseSeries, ...]:
    """Every series with a vertebra mask below a folder, by name; empty where there is none.

    Raises:
        LamellaError: two series of one name.
    """
    volumes = {path.name: path for path in sorted(folder.rglob(f"*{VOLUME}"))}
    found = [*_as_published(folder, volumes), *_side_by_side(folder)]
    names = [series.name for series in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LamellaError(
            f"expected each series once, got {', '.join(twice[:5])} twice: remove one layout"
        )
    return tuple(sorted(found, key=lambda series: series.name))


def verse_cohort(folder: Path) -> VerseCohort:
    """Series of a folder, and the grades that its grades file gives them.

    Raises:
        LamellaError: no series, no grades file, or grades for none of the series.
    """
    found = {series.name: series for series in verse_series(folder)}
    if not found:
        raise LamellaError(
            f"expected VerSe's layout in {folder.name}, found no CT with a vertebra mask: give "
            "the folder that holds rawdata and derivatives, or raw"
        )
    file = next((folder / name for name in GRADES_FILES if (folder / name).is_file()), None)
    if file is None:
        raise LamellaError(
            f"expected split and grades in {folder.name}, found no file: put "
            f"{GRADES_FILES[0]} there"
        )
    matched = {split: _matched(grades, found) for split, grades in read_grades(file).items()}
    if not any(matched.values()):
        raise LamellaError(f"{file.name} names none of the {len(found)} series in {folder.name}")
    return VerseCohort(series=found, grades=matched)


def read_grades(path: Path) -> dict[str, dict[str, dict[str, int]]]:
    """Split -> series -> level -> grade, from the published file.

    Raises:
        LamellaError: not such a file.
    """
    entries = _json_of(path)
    if not isinstance(entries, dict) or not all(isinstance(v, dict) for v in entries.values()):
        raise LamellaError(f"expected splits with graded vertebrae in {path.name}, got a list")
    splits: dict[str, dict[str, dict[str, int]]] = {}
    for split, graded in entries.items():
        series: dict[str, dict[str, int]] = splits.setdefault(split, {})
        for key, grade in graded.items():
            name, level = _vertebra(key, path)
            series.setdefault(name, {})[level] = _grade(grade, key, path)
    return splits


def read_centroids(path: Path) -> dict[str, tuple[float, float, float]]:
    """Level -> voxel of its centroid, axes as in the mask; an entry with a direction is passed.

    Vertebrae that the field of view cuts off have none.

    Raises:
        LamellaError: not such a file.
    """
    entries: Any = _json_of(path)
    try:
        return {
            LEVEL_OF[int(entry["label"])]: (float(entry["X"]), float(entry["Y"]), float(entry["Z"]))
            for entry in entries
            if "label" in entry
        }
    except (KeyError, TypeError, ValueError):
        raise LamellaError(
            f"expected label, X, Y and Z of each centroid in {path.name}, got another form"
        ) from None


def _as_published(folder: Path, volumes: Mapping[str, Path]) -> Iterator[VerseSeries]:
    image, mask, centroids = PUBLISHED
    points = {path.name: path for path in folder.rglob(f"*{centroids}.json")}
    for file, path in volumes.items():
        name = file.removesuffix(VOLUME).removesuffix(image)
        labels = volumes.get(f"{name}{mask}{VOLUME}")
        if file == f"{name}{image}{VOLUME}" and labels is not None:
            yield VerseSeries(
                name=name, ct=path, labels=labels, centroids=points.get(f"{name}{centroids}.json")
            )


def _side_by_side(folder: Path) -> Iterator[VerseSeries]:
    for path in folder.rglob(f"*{VOLUME}"):
        name = path.name.removesuffix(VOLUME)
        masks = [path.with_name(f"{name}{ending}{VOLUME}") for ending in BESIDE]
        labels = next((mask for mask in masks if mask.is_file()), None)
        if labels is not None:
            points = path.with_name(f"{name}.json")
            yield VerseSeries(
                name=name, ct=path, labels=labels, centroids=points if points.is_file() else None
            )


def _matched(grades: Grades, found: Mapping[str, VerseSeries]) -> dict[str, dict[str, int]]:
    """Grades by the names of the series that are there."""
    named = ((_series_called(name, found), levels) for name, levels in grades.items())
    return {name: dict(levels) for name, levels in named if name is not None}


def _series_called(name: str, found: Mapping[str, VerseSeries]) -> str | None:
    """The series that the grades file means, or None.

    ``sub-verse414_series1`` is the second series of that patient, in the order of their names,
    where no series is called just so; a patient's name alone is that of an only series.
    """
    if name in found:
        return name
    subject, _, number = name.partition(SERIES_MARK)
    own = sorted(series.name for series in found.values() if series.subject == subject)
    if not number:
        return own[0] if len(own) == 1 else None
    return own[int(number)] if number.isdigit() and int(number) < len(own) else None


def _vertebra(key: str, path: Path) -> tuple[str, str]:
    name, _, label = key.rpartition("_")
    if not name or not label.isdigit() or int(label) not in LEVEL_OF:
        raise LamellaError(f"expected SERIES_LABEL in {path.name}, got {key!r}")
    return name, LEVEL_OF[int(label)]


def _grade(grade: Any, key: str, path: Path) -> int:
    if grade not in GRADES:
        raise LamellaError(f"expected a grade 0 to 3 of {key} in {path.name}, got {grade!r}")
    return int(grade)


def _json_of(path: Path) -> dict[str, Any] | Sequence[Any]:
    try:
        read: dict[str, Any] | Sequence[Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise LamellaError(f"{path.name} is not JSON that can be read: {error}") from error
    return read
