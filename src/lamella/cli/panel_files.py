"""The files of a reading panel: pictures that say nothing, a sealed key, sheets of answers.

The key is packed (zlib, base64) so that nobody reads it by accident; this is no encryption. What
binds it is its SHA-256 in ``panel.json``: with a random salt inside the key it gives nothing away,
and a key changed afterwards no longer fits it.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import re
import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from lamella.cli.outputs import PARTIAL_PREFIX, refuse_unwritable, writable, write_text
from lamella.io.boundary import printable_name
from lamella.io.write import write_json
from lamella.records import LamellaError
from lamella.tasks.reading import Kind

PANEL_FILE = "panel.json"
KEY_FILE = "key.sealed"
SHEET_FILE = "reader_sheet.csv"
SCORES = ("scores.json", "scores.md")
SHEET_COLUMNS = ("image", "answer", "confidence")
OWN_FILE = re.compile(r"panel\.json|key\.sealed|reader_sheet\.csv|(upper|lower|joint)/\d{3,}\.png")
SAME_TIME_S = 946_684_800
LONGEST_LINE = 76
MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Written:
    """A panel about to be written.

    Args:
        pictures: name such as ``upper/001.png`` -> 8-bit grey (row, col).
        key: what is sealed.
        panel: what anybody may know; the commitment to the key is added.
    """

    pictures: Mapping[str, np.ndarray]
    key: Mapping[str, Any]
    panel: Mapping[str, Any]


def refuse_in_the_way(out: Path, force: bool) -> None:
    """Check, before any work, that a panel can be written and nothing but a blank one replaced.

    Raises:
        LamellaError: not writable, something is there, or with ``force`` something that is not
            a blank panel: answers and scores are never deleted.
    """
    refuse_unwritable(out)
    if not out.exists() or not any(out.iterdir()):
        return
    name = printable_name(out)
    if not force:
        raise LamellaError(f"{name} holds files already: choose another folder or use --force")
    if not _is_blank_panel(out):
        raise LamellaError(
            f"{name} holds files that are no blank panel, perhaps answers: "
            "move them away or choose another folder"
        )


def write_panel(out: Path, written: Written) -> str:
    """Write a panel as a folder that appears whole or not at all; returns the commitment.

    Pictures carry no metadata, have one size in bytes and, like every file, one time stamp.

    Raises:
        LamellaError: not writable.
    """
    target = out.resolve()
    partial = target.with_name(f"{PARTIAL_PREFIX}{target.name}")
    sealed, commitment = seal(written.key)
    with writable(out):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            for name, picture in written.pictures.items():
                (partial / name).parent.mkdir(exist_ok=True)
                PillowImage.fromarray(picture).save(partial / name, format="PNG", compress_level=0)
            write_text(partial / SHEET_FILE, blank_sheet(list(written.pictures)))
            write_text(partial / KEY_FILE, sealed)
            write_json(partial / PANEL_FILE, {**written.panel, "key_sha256": commitment})
            _same_times(partial)
            _move(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return commitment


def seal(key: Mapping[str, Any]) -> tuple[str, str]:
    """A key packed out of sight, and the SHA-256 of its content."""
    content = json.dumps(key, sort_keys=True).encode()
    packed = base64.b64encode(zlib.compress(content, 9)).decode()
    lines = [packed[i : i + LONGEST_LINE] for i in range(0, len(packed), LONGEST_LINE)]
    return "\n".join(lines) + "\n", hashlib.sha256(content).hexdigest()


def unseal(path: Path, commitment: str) -> dict[str, Any]:
    """The content of a sealed key, checked against the panel's commitment.

    Raises:
        LamellaError: missing, damaged, or not the key the panel was made with.
    """
    name = printable_name(path)
    try:
        content = zlib.decompress(base64.b64decode(path.read_bytes()))
    except OSError:
        raise LamellaError(f"{name}: cannot be read: name the key with --key") from None
    except (ValueError, zlib.error):
        raise LamellaError(f"{name}: the key is damaged: use the one written with it") from None
    if hashlib.sha256(content).hexdigest() != commitment:
        raise LamellaError(
            f"{name}: not the key this panel was made with (its SHA-256 differs from "
            f"{PANEL_FILE}): use the original key"
        )
    return dict(json.loads(content))


def read_panel(folder: Path) -> dict[str, Any]:
    """The content of ``panel.json``.

    Raises:
        LamellaError: there is none, or it is not a panel's.
    """
    try:
        panel = json.loads((folder / PANEL_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        panel = None
    if not isinstance(panel, dict) or "key_sha256" not in panel:
        raise LamellaError(
            f"expected a panel with {PANEL_FILE} in {printable_name(folder)}, found none: "
            "name the panel's folder with --out"
        )
    return panel


def blank_sheet(images: Sequence[str]) -> str:
    """The sheet a reader fills: one line per image."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SHEET_COLUMNS)
    writer.writerows((image, "", "") for image in images)
    return text.getvalue()


def read_sheet(path: Path, images: Sequence[str]) -> dict[str, Kind]:
    """A reader's answers, one for every image of the panel.

    Separators may be commas, semicolons or tabs, as spreadsheets write them.

    Raises:
        LamellaError: no such sheet, or answers that are missing, doubled, unknown or about
            images the panel does not hold; the first few are named.
    """
    name, rows = printable_name(path), _sheet_rows(path)
    given: dict[str, str] = {}
    for row in rows:
        image = (row.get("image") or "").strip()
        if image in given:
            raise LamellaError(f"{name}: {image} is answered twice: keep one line per image")
        given[image] = (row.get("answer") or "").strip().lower()
    _refuse(name, "images this panel does not hold", [one for one in given if one not in images])
    _refuse(name, "no answer for", [one for one in images if not given.get(one)])
    wrong = [one for one in images if given[one] not in set(Kind)]
    _refuse(name, "answers other than real or generated for", wrong)
    return {image: Kind(given[image]) for image in images}


def _sheet_rows(path: Path) -> list[dict[str, str]]:
    name = printable_name(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError:
        raise LamellaError(f"{name}: the sheet of answers cannot be read") from None
    except UnicodeDecodeError:
        raise LamellaError(f"{name}: expected a CSV sheet, got no text: export it as CSV") from None
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
    except csv.Error:
        rows = []
    if not rows or not {"image", "answer"} <= rows[0].keys():
        raise LamellaError(
            f"{name}: expected columns image and answer with a line per image: "
            f"fill a copy of {SHEET_FILE}"
        )
    return rows


def _refuse(name: str, what: str, images: Sequence[str]) -> None:
    if images:
        named = ", ".join(images[:MOST_NAMED]) + (", …" if len(images) > MOST_NAMED else "")
        raise LamellaError(f"{name}: {what} ({len(images)}): {named}")


def _move(partial: Path, target: Path) -> None:
    """Give a finished panel its name; an earlier one gives way whole."""
    old = target.with_name(f"{PARTIAL_PREFIX}old-{target.name}")
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _is_blank_panel(folder: Path) -> bool:
    if folder.is_symlink() or not (folder / PANEL_FILE).is_file():
        return False
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    names = [path.relative_to(folder).as_posix() for path in files]
    if not all(OWN_FILE.fullmatch(name) for name in names):
        return False
    sheet = folder / SHEET_FILE
    blank = blank_sheet(sorted(name for name in names if name.endswith(".png")))
    return not sheet.exists() or _sorted_lines(sheet.read_bytes()) == _sorted_lines(blank.encode())


def _sorted_lines(text: bytes) -> list[bytes]:
    return sorted(text.splitlines())


def _same_times(folder: Path) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (SAME_TIME_S, SAME_TIME_S))
