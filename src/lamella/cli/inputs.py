"""Which radiographs a command line means: files and folders found, named safely, identified.

A name that goes into a folder, a report or a message comes from
:func:`lamella.io.dicom_header.safe_source`: where a DICOM file's name holds a part of its
patient's identifiers, or its header cannot be read to tell, ``dicom-`` and digits of its SHA-256
stand instead.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lamella.cli.console import UsageError
from lamella.cli.separate import SeparateOptions
from lamella.io.boundary import printable_name, quiet_libraries, refuse_unusable_file
from lamella.io.dicom_decode import is_dicom, open_dicom
from lamella.io.dicom_header import safe_source
from lamella.io.write import sha256_of
from lamella.records import LamellaError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm", ".dicom")
SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*")
SNIFFED_BYTES = 132
SKIPPED_FOLDERS = ("background",)
SKIPPED_FILES = ("DICOMDIR",)
RESULT_FILE = "result.json"
RESERVED_NAMES = ("report.html", "run.json")
MASK_NAME = re.compile(r"(?P<image>.+)_mask_(?P<bone>upper|lower)(\.[^.]+)?", re.IGNORECASE)
BONES = ("upper", "lower")
LONGEST_NAME = 80

MaskKey = tuple[str, str]
"""Name of the image a mask belongs to, and the bone."""

Track = Callable[[Sequence[Path]], Iterable[Path]]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One radiograph to separate.

    Args:
        name: unique in its run and safe to show: the folder of its results.
        path: the file; never shown.
        source: the file's name where that is safe, else what stands for it.
        sha256: of the file, or None when it cannot be read.
        masks: bone -> mask file; empty to segment.
        mask_sha256: bone -> SHA-256 of the mask file.
        problem: why it cannot be separated, when that is known beforehand.
    """

    name: str
    path: Path
    source: str
    sha256: str | None = None
    masks: Mapping[str, Path] = field(default_factory=dict)
    mask_sha256: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None


def find_jobs(paths: Sequence[Path], options: SeparateOptions, track: Track = iter) -> list[Job]:
    """Every radiograph the paths mean, in order, each once.

    Args:
        paths: files and folders; folders are searched all the way down.
        options: output folder (never searched) and given masks.
        track: shows progress over the files.

    Raises:
        LamellaError: no radiograph at all.
        UsageError: masks given for more than one image.
    """
    files = image_files(paths, options.out)
    if not files:
        raise LamellaError(
            "found no radiograph: name PNG, JPEG, BMP, TIFF or DICOM files, or folders of them"
        )
    given: dict[str, Path] = {}
    if options.upper is not None and options.lower is not None:
        given = {"upper": options.upper, "lower": options.lower}
        if len(files) > 1:
            raise UsageError(
                f"--upper and --lower belong to one image, got {len(files)}: name masks "
                "IMAGE_mask_upper.png and IMAGE_mask_lower.png beside each image instead"
            )
    taken, masks_in = set(RESERVED_NAMES), cache(_masks_in)
    jobs = []
    for path in track(files):
        jobs.append(_job(path, given or masks_beside(path, masks_in(path.parent)), taken))
    return jobs


def image_files(paths: Sequence[Path], out: Path) -> list[Path]:
    """Files that are radiographs by content or extension; masks and own results left out."""
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _images_in(path, out) if _is_folder(path) else [path]:
            if not MASK_NAME.fullmatch(file.name):
                found.setdefault(file.resolve(), file)
    return list(found.values())


def masks_beside(path: Path, masks: Mapping[MaskKey, Path]) -> dict[str, Path]:
    """Bone -> mask named after an image, of the masks beside it; either may be missing."""
    found = {bone: masks.get((path.stem, bone)) or masks.get((path.name, bone)) for bone in BONES}
    return {bone: mask for bone, mask in found.items() if mask is not None}


def safe_name(source: str, taken: set[str]) -> str:
    """A folder name of letters, digits and ``._-``; numbered when taken, and then taken.

    Example:
        >>> taken = set()
        >>> safe_name("Joint 1.png", taken), safe_name("joint 1.tif", taken)
        ('Joint-1', 'joint-1-2')
    """
    stem = source[: -len(Path(source).suffix)] if _has_known_extension(source) else source
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode("ascii")
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip(".-_")[:LONGEST_NAME] or "image"
    name, number = base, 1
    while name.casefold() in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name.casefold())
    return name


def _job(path: Path, masks: Mapping[str, Path], taken: set[str]) -> Job:
    source = printable_name(path)
    try:
        sha256, source = _identified(path)
        problem = None
    except LamellaError as error:
        sha256, problem = None, str(error)
    digests: dict[str, str] = {}
    if problem is None:
        digests, problem = _mask_digests(masks)
    return Job(
        name=safe_name(source, taken),
        path=path,
        source=source,
        sha256=sha256,
        masks=masks,
        mask_sha256=digests,
        problem=problem,
    )


def _identified(path: Path) -> tuple[str, str]:
    """SHA-256 and a name that is safe to show."""
    try:
        refuse_unusable_file(path)
        data = path.read_bytes()
    except OSError:
        raise LamellaError("the file cannot be read: check its permissions") from None
    sha256 = hashlib.sha256(data).hexdigest()
    name = printable_name(path)
    if not is_dicom(data):
        return sha256, name
    try:
        with quiet_libraries():
            return sha256, safe_source(open_dicom(data), name, sha256)
    except LamellaError:
        return sha256, f"dicom-{sha256[:8]}"


def _mask_digests(masks: Mapping[str, Path]) -> tuple[dict[str, str], str | None]:
    if len(masks) == 1:
        there = next(iter(masks))
        missing = next(bone for bone in BONES if bone != there)
        return {}, f"found a mask of the {there} bone but none of the {missing} bone beside it"
    digests = {}
    for bone, path in masks.items():
        try:
            refuse_unusable_file(path)
            digests[bone] = sha256_of(path)
        except LamellaError as error:
            return {}, mask_problem(bone, path, error)
    return digests, None


def mask_problem(bone: str, path: Path, error: LamellaError) -> str:
    """A mask's error as a sentence that names the bone instead of the file."""
    return f"mask of the {bone} bone: {str(error).removeprefix(f'{printable_name(path)}: ')}"


def _images_in(folder: Path, out: Path) -> Iterator[Path]:
    results = out.resolve()
    for parent, folders, files in os.walk(folder, onerror=_refuse_unreadable):
        here = Path(parent)
        folders[:] = sorted(name for name in folders if _is_searched(here / name, results))
        if RESULT_FILE not in files:
            yield from (here / name for name in sorted(files) if _is_image(here / name))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _refuse_unreadable(error: OSError) -> None:
    raise LamellaError("a folder among the inputs cannot be read: check its permissions") from error


def _is_searched(folder: Path, results: Path) -> bool:
    skipped = folder.name.startswith(".") or folder.name.lower() in SKIPPED_FOLDERS
    return not skipped and folder.resolve() != results


def _is_image(path: Path) -> bool:
    if path.name.startswith(".") or path.name.upper() in SKIPPED_FILES:
        return False
    return _has_known_extension(path.name) or _looks_like_image(path)


def _has_known_extension(name: str) -> bool:
    return Path(name).suffix.lower() in EXTENSIONS


def _looks_like_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(SNIFFED_BYTES)
    except OSError:
        return False
    return head.startswith(SIGNATURES) or is_dicom(head)


def _masks_in(folder: Path) -> dict[MaskKey, Path]:
    try:
        files = sorted(folder.iterdir())
    except OSError:
        return {}
    matches = ((MASK_NAME.fullmatch(file.name), file) for file in files)
    found: dict[MaskKey, Path] = {}
    for match, file in matches:
        if match is not None:
            found.setdefault((match["image"], match["bone"].lower()), file)
    return found
