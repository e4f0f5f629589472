"""What a cohort's folder holds, and what may be replaced there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lamella.cli.cohort_work import SAMPLES_FOLDER
from lamella.cli.outputs import writable
from lamella.cli.runs import PAGE_FILE, RUN_FILE
from lamella.io.boundary import printable_name
from lamella.records import LamellaError

SOURCES_FOLDER = "sources"
MANIFEST_FILE = "manifest.csv"
PARQUET_FILE = "manifest.parquet"
COCO_FILE = "coco.json"
LISTS = (MANIFEST_FILE, PARQUET_FILE, COCO_FILE, RUN_FILE, PAGE_FILE)
OWN_SAMPLE = re.compile(
    r".+_w\d{3,}_\d{4,}(_mask_(upper|lower)\.png|\.(png|dcm|json))|\.lamella-[0-9a-f]+\.part"
)


def refuse_other(out: Path, identity: Mapping[str, Any], force: bool) -> None:
    """Check that a cohort's folder is empty, or holds the same cohort, whole or in part.

    Args:
        out: the folder.
        identity: of the request and its inputs.
        force: replace another cohort.

    Raises:
        LamellaError: something else is in the way, or files that are not Lamella's.
    """
    there = [out / name for name in (SAMPLES_FOLDER, *LISTS) if (out / name).exists()]
    if force:
        for foreign in _foreign(out / SAMPLES_FOLDER):
            raise LamellaError(
                f"{SAMPLES_FOLDER} in the output folder holds files that are not Lamella's "
                f"({printable_name(foreign)}): move them away or choose another output folder"
            )
    elif there and _identity_of(out) != json.loads(json.dumps(identity)):
        raise LamellaError(
            f"{there[0].name} is in the output folder already, made by another request: replace "
            "it with --force, or choose another folder"
        )


def remove_samples(out: Path) -> None:
    """Remove an earlier cohort's samples and lists.

    Raises:
        LamellaError: something cannot be removed.
    """
    samples = out / SAMPLES_FOLDER
    with writable(samples):
        for file in list(_files(samples)):
            if OWN_SAMPLE.fullmatch(file.name):
                file.unlink()
        for folder in sorted(samples.glob("*")) if samples.is_dir() else ():
            with suppress(OSError):
                folder.rmdir()
        for name in LISTS:
            (out / name).unlink(missing_ok=True)


def _identity_of(out: Path) -> Any:
    """The request of the cohort that lies there, or None."""
    try:
        run = json.loads((out / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return run.get("request") if isinstance(run, dict) else None


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if not path.is_dir())


def _foreign(samples: Path) -> Iterator[Path]:
    return (path for path in _files(samples) if not OWN_SAMPLE.fullmatch(path.name))
