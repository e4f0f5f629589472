"""What every reader and writer does at the rim: bound the size, name the file, stay quiet."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from lamella.records import LamellaError

MAX_PIXELS = 100_000_000
MAX_FILE_BYTES = 1 << 30
TOO_LARGE = {
    "image": "more than an image: export it again",
    "volume": "more than a volume: crop it",
}
LIBRARY_LOGGERS = ("PIL", "tifffile", "pydicom", "pylibjpeg", "openjpeg")
_ALONE = threading.RLock()  # filters, loggers and streams belong to the process, not to a thread


def printable_name(path: Path) -> str:
    """Base name of a file on one line, whatever bytes it holds."""
    return "".join(char if char.isprintable() else "?" for char in path.name)


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put the name of the file before the sentence of any :class:`LamellaError` inside."""
    try:
        yield
    except LamellaError as error:
        raise LamellaError(f"{name}: {error}") from None


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep warnings and log lines of decoding libraries off the console and out of logs.

    They can quote header text; what a reader must know becomes a warning of the record instead.
    Threads take turns: what one of them restores must be what was there before all of them.
    """
    with _ALONE:
        yield from _quietly()


def _quietly() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in LIBRARY_LOGGERS]
    propagated = [logger.propagate for logger in loggers]
    null = logging.NullHandler()
    for logger in loggers:
        logger.addHandler(null)
        logger.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, propagate in zip(loggers, propagated, strict=True):
            logger.removeHandler(null)
            logger.propagate = propagate


@contextmanager
def quiet_native_code() -> Iterator[None]:
    """Discard what compiled codecs print on the standard error stream, for the whole process.

    Threads take turns, as in :func:`quiet_libraries`.
    """
    with _ALONE:
        yield from _without_standard_error()


def _without_standard_error() -> Iterator[None]:
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def refuse_unusable_file(
    path: Path, kind: Literal["image", "volume"] = "image", largest_bytes: int = MAX_FILE_BYTES
) -> None:
    """Check that there is a file of a size worth opening.

    Args:
        path: the file.
        kind: what it should hold, for the message.
        largest_bytes: size above which it cannot hold that.

    Raises:
        LamellaError: no file, a folder, an empty file, or one above ``largest_bytes``.
    """
    if path.is_dir():
        raise LamellaError(f"expected a file, got a folder: name one {kind} in it")
    try:
        size = path.stat().st_size
    except OSError:
        raise LamellaError("found no such file: check the path") from None
    if size == 0:
        raise LamellaError("the file is empty: copy or export it again")
    if size > largest_bytes:
        raise LamellaError(f"the file holds {size} bytes, {TOO_LARGE[kind]}")


def refuse_dimensions(rows: int, cols: int, layers: int = 1) -> None:
    """Check the dimensions a header claims, before anything of that size is allocated.

    Args:
        rows: claimed number of rows.
        cols: claimed number of columns.
        layers: frames times samples per pixel.

    Raises:
        LamellaError: a side below 1, or more than ``MAX_PIXELS`` values.
    """
    if min(rows, cols, layers) < 1:
        raise LamellaError(f"the header claims {rows} x {cols} pixels: the file is damaged")
    if rows * cols * layers > MAX_PIXELS:
        raise LamellaError(
            f"the header claims {rows} x {cols} pixels, more than {MAX_PIXELS // 10**6} million "
            "values: crop the image or export one frame"
        )


def checked_spacing(spacing_mm: Any) -> float | None:
    """The spacing a user gave, in mm, or None.

    Raises:
        LamellaError: not a finite number above 0.
    """
    if spacing_mm is None:
        return None
    try:
        value = float(spacing_mm)
    except (TypeError, ValueError):
        value = float("nan")
    if not 0.0 < value < float("inf"):
        raise LamellaError(
            f"expected a pixel spacing above 0 mm, got {spacing_mm!r}: give millimetres per pixel"
        )
    return value
