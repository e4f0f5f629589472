"""Vertebra labels from whatever a segmentation program wrote.

One volume with a number per vertebra (:mod:`lamella.io.label_schemes` says which number means
which), one binary volume per vertebra with the level in its name, or a DICOM segmentation. A
volume that also holds organs keeps its vertebrae only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamella.io.body_masks import with_bodies
from lamella.io.boundary import named, printable_name, quiet_libraries
from lamella.io.dicom_decode import open_dicom
from lamella.io.dicom_header import safe_source
from lamella.io.dicom_segments import Segments, is_segmentation, read_segments
from lamella.io.label_grid import Grid, is_same_grid
from lamella.io.label_schemes import (
    LabelScheme,
    descends,
    level_in,
    parts_of,
    recognised_scheme,
    scheme_named,
    verse_numbers,
)
from lamella.io.metaimage import SUFFIXES as ITK_SUFFIXES
from lamella.io.nifti import SUFFIXES as NIFTI_SUFFIXES
from lamella.io.raw_volume import RawVolume
from lamella.io.volume_file import read_raw, starts_as_dicom
from lamella.records import LEVEL_OF, LEVELS, VERSE_IDS, LamellaError, SpineLabels
from lamella.types import Affine, LevelVolume

LARGEST_NUMBER = 65535
PER_VERTEBRA = "one file per vertebra"
RANKS = np.array([LEVELS.index(LEVEL_OF[n]) if n in LEVEL_OF else len(LEVELS) for n in range(256)])
"""Place along the spine of each number; 0 lies below all."""

Paths = str | Path | Sequence[str | Path]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Numbers:
    """Label numbers of one file, and the levels that its own header names."""

    volume: RawVolume
    source: str
    segments: Segments | None = None


def read_labels(
    paths: Paths, scheme: str | None = None, bodies: str | Path | None = None
) -> SpineLabels:
    """Labelled vertebrae in VerSe's numbers.

    Args:
        paths: a label volume, a DICOM segmentation, a folder with one binary file per vertebra,
            or several such files. Levels of binary files are read from their names.
        scheme: of :data:`lamella.io.label_schemes.SCHEMES`; None recognises VerSe and
            TotalSegmentator by their numbers and the order along the spine.
        bodies: a mask of the vertebral bodies, or a sub-region map, or None.

    Raises:
        LamellaError: one line with what was expected, got, and a remedy.
    """
    chosen = None if scheme is None else scheme_named(scheme)
    files = _label_files(paths)
    with quiet_libraries():
        labels = _of_file(files[0], chosen) if len(files) == 1 else _of_files(files)
    if bodies is None:
        return labels
    mask = Path(bodies)
    with named(printable_name(mask)):
        return with_bodies(labels, read_raw(mask))


def _label_files(paths: Paths) -> list[Path]:
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if len(files) == 1 and files[0].is_dir():
        files = _in_folder(files[0])
    if not files:
        raise LamellaError("expected label files, got none: name the segmentation")
    return files


def _in_folder(folder: Path) -> list[Path]:
    """Files of a folder whose names hold a level, or its only file."""
    suffixes = (*NIFTI_SUFFIXES, *ITK_SUFFIXES)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    volumes = [path for path in files if path.name.lower().endswith(suffixes)]
    named_levels = [path for path in volumes if level_in(path.name)]
    found = named_levels or volumes or files
    if len(found) > 1 and not named_levels:
        raise LamellaError(
            f"{printable_name(folder.resolve())}: expected one label file or files like "
            f"vertebrae_T12.nii.gz, got {len(found)} files: name one"
        )
    return found


def _of_file(path: Path, scheme: LabelScheme | None) -> SpineLabels:
    read = _numbers_of(path)
    with named(read.source):
        if read.segments is not None and read.segments.levels and scheme is None:
            return _of_segments(read, read.segments)
        numbers = _whole_numbers(read.volume.values)
        if not numbers.any():
            raise LamellaError("the labels are empty: give a segmentation of the spine")
        level = level_in(path.name)
        if level is not None and scheme is None and numbers.max() == 1:
            return _of_one(level, read)
        return _of_numbers(read, numbers, scheme)


def _of_numbers(
    read: _Numbers, numbers: NDArray[np.unsignedinteger], scheme: LabelScheme | None
) -> SpineLabels:
    parts = parts_of(numbers, read.volume.affine)
    used = scheme or recognised_scheme(parts)
    placed = {used.levels[number]: part for number, part in parts.items() if number in used.levels}
    warnings = read.volume.warnings
    if placed and not descends(placed):
        warnings = (
            *warnings,
            f"in the scheme {used.title} the vertebrae are not in order along the spine: check "
            "scheme and orientation",
        )
    return SpineLabels(
        ids=verse_numbers(numbers, used),
        affine=read.volume.affine,
        scheme=used.title,
        source=read.source,
        warnings=warnings,
    )


def _of_segments(read: _Numbers, segments: Segments) -> SpineLabels:
    numbers = _whole_numbers(read.volume.values)
    table = np.zeros(int(numbers.max()) + 1, np.uint8)
    for number, level in segments.levels.items():
        if number < len(table):
            table[number] = VERSE_IDS[level]
    return SpineLabels(
        ids=table[numbers],
        affine=read.volume.affine,
        scheme="DICOM segments",
        source=read.source,
        warnings=read.volume.warnings,
    )


def _of_files(paths: Sequence[Path]) -> SpineLabels:
    """One binary file per vertebra, all on one grid; read, laid in and forgotten one by one."""
    levels = _levels_of(sorted(paths))
    joined: _Joined | None = None
    for level, path in levels.items():
        read = _numbers_of(path)
        joined = joined or _Joined.on_grid_of(read)
        joined.lay_in(level, read)
    assert joined is not None
    return joined.labels()


def _of_one(level: str, read: _Numbers) -> SpineLabels:
    joined = _Joined.on_grid_of(read)
    joined.lay_in(level, read)
    return joined.labels()


def _levels_of(paths: Sequence[Path]) -> dict[str, Path]:
    levels: dict[str, Path] = {}
    for path in paths:
        level = level_in(path.name)
        with named(printable_name(path)):
            if level is None:
                raise LamellaError("expected a level in the name, as in vertebrae_T12.nii.gz")
            if level in levels:
                raise LamellaError(f"expected one file per vertebra, got two of {level}")
        levels[level] = path
    return levels


@dataclass(kw_only=True, eq=False)
class _Joined:
    """Vertebrae of a file each in one volume; where two overlap, the upper one has the voxel."""

    ids: LevelVolume
    affine: Affine
    source: str
    warnings: tuple[str, ...]
    overlapping: int = 0

    @classmethod
    def on_grid_of(cls, first: _Numbers) -> _Joined:
        """Nothing yet, on the grid of a first file."""
        volume = first.volume
        return cls(
            ids=np.zeros(volume.values.shape, np.uint8, order="F"),
            affine=volume.affine,
            source=first.source,
            warnings=volume.warnings,
        )

    def lay_in(self, level: str, read: _Numbers) -> None:
        """Add one vertebra, in any order."""
        inside = _binary(read, Grid.of(self.ids, self.affine))
        there = self.ids[inside]
        self.overlapping += int(np.count_nonzero(there))
        yields = RANKS[there] > LEVELS.index(level)
        self.ids[inside] = np.where(yields, np.uint8(VERSE_IDS[level]), there)

    def labels(self) -> SpineLabels:
        """What was laid in.

        Raises:
            LamellaError: all files were empty.
        """
        if not self.ids.any():
            raise LamellaError("the labels are empty: give a segmentation of the spine")
        note = f"vertebrae overlap in {self.overlapping} voxels: the upper one keeps them"
        return SpineLabels(
            ids=self.ids,
            affine=self.affine,
            scheme=PER_VERTEBRA,
            source=self.source,
            warnings=(*self.warnings, *((note,) if self.overlapping else ())),
        )


def _binary(read: _Numbers, grid: Grid) -> NDArray[np.bool_]:
    with named(read.source):
        if not is_same_grid(Grid.of(read.volume.values, read.volume.affine), grid):
            raise LamellaError("expected all vertebrae on one grid, got another: resample this one")
        numbers = _whole_numbers(read.volume.values)
        if len(np.unique(numbers)) > 2:
            raise LamellaError(
                "expected one vertebra in the file, got several numbers: give it alone"
            )
        return numbers > 0


def _numbers_of(path: Path) -> _Numbers:
    name = printable_name(path)
    with named(name):
        if not starts_as_dicom(path):
            return _Numbers(volume=read_raw(path), source=name)
        data = path.read_bytes()
        header = open_dicom(data)
    source = safe_source(header, name, hashlib.sha256(data).hexdigest())
    with named(source):
        if not is_segmentation(header):
            raise LamellaError("expected a DICOM segmentation, got another object: give the labels")
        segments = read_segments(header)
    return _Numbers(volume=segments.volume, source=source, segments=segments)


def _whole_numbers(values: NDArray[Any]) -> NDArray[np.unsignedinteger]:
    """The values as label numbers.

    Raises:
        LamellaError: negative, fractional or too large: a CT rather than labels.
    """
    low, high = float(values.min()), float(values.max())
    fractional = values.dtype.kind == "f" and not np.array_equal(values, np.rint(values))
    if not np.isfinite([low, high]).all() or low < 0 or high > LARGEST_NUMBER or fractional:
        raise LamellaError(
            f"expected whole label numbers, got values from {low:.4g} to {high:.4g}, as in a CT: "
            "give the labels as the labels"
        )
    return values.astype(np.uint8 if high < 256 else np.uint16, copy=False)
