"""DICOM files of a folder or of a zip archive, one at a time and within bounds."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lamella.io.boundary import MAX_FILE_BYTES, named, printable_name
from lamella.io.dicom_decode import META_START, is_dicom
from lamella.io.raw_volume import DAMAGED, MAX_VOLUME_BYTES
from lamella.records import LamellaError

MAX_FILES = 20_000
INDEX_NAME = "DICOMDIR"


@dataclass(frozen=True, kw_only=True)
class DicomFile:
    """One file: its base name, and a function that gives its bytes."""

    name: str
    contents: Callable[[], bytes]


@contextmanager
def dicom_files(path: Path) -> Iterator[tuple[DicomFile, ...]]:
    """Files of a folder (with its subfolders) or of a zip that look like DICOM, by name.

    The archive is open inside the context only. Errors name the folder or the archive.

    Raises:
        LamellaError: neither folder nor zip, no DICOM inside, a damaged or encrypted archive,
            more than ``MAX_FILES`` files or ``MAX_VOLUME_BYTES``.
    """
    name = printable_name(path.resolve())
    with ExitStack() as stack:
        with named(name):
            if path.is_dir():
                found = _in_folder(path)
            else:
                found = _in_archive(stack.enter_context(_archive(path)))
            _refuse_none(found)
        yield tuple(found)


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile):
        raise LamellaError(DAMAGED) from None


def _in_folder(folder: Path) -> list[DicomFile]:
    found: list[DicomFile] = []
    for place, _, names in os.walk(folder):
        paths = [Path(place) / name for name in names if name.upper() != INDEX_NAME]
        found += [
            DicomFile(name=printable_name(file), contents=partial(_read, file))
            for file in paths
            if _starts_as_dicom(file)
        ]
        _refuse_count(len(found))
    return sorted(found, key=lambda file: file.name)


def _starts_as_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return is_dicom(file.read(META_START))
    except OSError:
        return False


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise LamellaError("a file of the series is larger than an image: export it again")
        return path.read_bytes()
    except OSError:
        raise LamellaError("a file of the series cannot be read: check its permissions") from None


def _in_archive(archive: zipfile.ZipFile) -> list[DicomFile]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    _refuse_count(len(entries))
    if sum(entry.file_size for entry in entries) > MAX_VOLUME_BYTES:
        raise LamellaError("the archive expands to more than 4 GiB: give one series alone")
    if any(entry.flag_bits & 1 for entry in entries):
        raise LamellaError("expected an open archive, got an encrypted one: unpack it first")
    files = [
        DicomFile(
            name=printable_name(Path(entry.filename)), contents=partial(_unpacked, archive, entry)
        )
        for entry in entries
        if Path(entry.filename).name.upper() != INDEX_NAME and _entry_is_dicom(archive, entry)
    ]
    return sorted(files, key=lambda file: file.name)


def _entry_is_dicom(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    return is_dicom(_unpacked(archive, entry, META_START))


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int = -1) -> bytes:
    try:
        with archive.open(entry) as file:
            return file.read(limit)
    except Exception:  # noqa: BLE001 -- damaged archives fail with any exception
        raise LamellaError(DAMAGED) from None


def _refuse_count(count: int) -> None:
    if count > MAX_FILES:
        raise LamellaError(f"expected one series, got over {MAX_FILES} files: give its folder")


def _refuse_none(files: list[DicomFile]) -> None:
    if not files:
        raise LamellaError(
            "expected DICOM files, got none: give the folder or zip of one CT series"
        )
