"""Write results: lossless, atomic, and never over an existing file unless told to.

Every writer fills a temporary file in the target's folder and moves it into place, so that an
interrupted run leaves either the whole file or none.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import ArrayLike, NDArray
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo

from lamella.io.boundary import named, printable_name, quiet_libraries, refuse_unusable_file
from lamella.io.tiff import refuse_missing_segments
from lamella.records import LamellaError

WHITE_16 = 65535
PAGE_NUMBER_TAG = 297
BIG_TIFF_BYTES = 2**32 - 2**25


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file in hexadecimal.

    Raises:
        LamellaError: the file cannot be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        raise LamellaError(f"{printable_name(path)}: the file cannot be read") from None


def write_png16(path: str | Path, image: ArrayLike) -> None:
    """Write intensity in [0, 1], (row, col), as 16-bit grey PNG: value = round(65535 I).

    An sBIT chunk states that all 16 bits count, so that a dark image is read back as it was.

    Raises:
        LamellaError: not two-dimensional, not finite, outside [0, 1], or not writable.
    """
    values = np.asarray(image, dtype=np.float64)
    path = Path(path)
    with named(printable_name(path)):
        _refuse_non_image(values)
        if values.min() < 0.0 or values.max() > 1.0:
            raise LamellaError("expected intensity in [0, 1] to write as PNG: rescale it")
    info = PngInfo()
    info.add(b"sBIT", b"\x10")
    picture = PillowImage.fromarray(np.rint(values * WHITE_16).astype(np.uint16))
    atomically(path, lambda file: picture.save(file, format="PNG", pnginfo=info))


def write_mask_png(path: str | Path, mask: ArrayLike) -> None:
    """Write a mask, bool (row, col), as 8-bit PNG: 255 inside, 0 outside.

    Raises:
        LamellaError: not two-dimensional, or not writable.
    """
    values = np.asarray(mask, dtype=bool)
    path = Path(path)
    with named(printable_name(path)):
        _refuse_non_image(values)
    picture = PillowImage.fromarray(values.astype(np.uint8) * np.uint8(255))
    atomically(path, lambda file: picture.save(file, format="PNG"))


def write_tiff_float(
    path: str | Path, stack_or_image: ArrayLike, description: str | None = None
) -> None:
    """Write float32 values, (row, col) or (layer, row, col), as TIFF, one page per layer.

    Args:
        path: the file.
        stack_or_image: any finite or NaN values; converted to float32, otherwise lossless.
        description: stored with the first page.

    Raises:
        LamellaError: another number of dimensions, no pixels, or not writable.
    """
    values = np.ascontiguousarray(stack_or_image, dtype=np.float32)
    path = Path(path)
    if values.ndim not in (2, 3) or values.size == 0:
        raise LamellaError(
            f"{printable_name(path)}: expected (row, col) or (layer, row, col), got {values.shape}"
        )
    atomically(path, lambda file: _write_pages(file, values, description))


def read_tiff_float(path: str | Path) -> NDArray[np.float32]:
    """Read what :func:`write_tiff_float` wrote: float32, (row, col) or (layer, row, col).

    Raises:
        LamellaError: not such a file, or a truncated one.
    """
    path = Path(path)
    with named(printable_name(path)), quiet_libraries():
        refuse_unusable_file(path)
        try:
            with tifffile.TiffFile(path) as tiff:
                return _read_pages(tiff, path.stat().st_size)
        except LamellaError:
            raise
        except Exception:  # noqa: BLE001 -- damaged files fail with any exception
            raise LamellaError("expected a float32 TIFF, got another or damaged file") from None


def write_json(path: str | Path, mapping: Mapping[str, object]) -> None:
    """Write a mapping as UTF-8 JSON in its own order, with a trailing newline.

    NumPy scalars and arrays, paths, tuples and nested mappings are accepted; NaN and infinite
    numbers, which JSON lacks, become null.

    Raises:
        LamellaError: a value that JSON cannot hold, or not writable.
    """
    path = Path(path)
    with named(printable_name(path)):
        text = json.dumps(_plain(mapping), indent=2, ensure_ascii=False, allow_nan=False)
    atomically(path, lambda file: file.write(f"{text}\n".encode()))


def guard_output(paths: Iterable[Path], force: bool) -> None:
    """Check that nothing would be overwritten.

    Args:
        paths: every file a run is about to write.
        force: True allows overwriting.

    Raises:
        LamellaError: names the first file that exists, unless ``force``.
    """
    existing = [path for path in map(Path, paths) if path.exists()]
    if existing and not force:
        raise LamellaError(
            f"{printable_name(existing[0])} exists already: choose another folder or use --force"
        )


def atomically(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Fill a temporary file beside ``path``, then move it there; nothing is left when it fails.

    Args:
        path: the file; one that exists is replaced.
        fill: writes the content into the open binary file.

    Raises:
        LamellaError: not writable.
    """
    temporary = path.parent / f".lamella-{secrets.token_hex(8)}.part"
    try:
        with temporary.open("xb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise LamellaError(f"{printable_name(path)}: cannot be written ({reason})") from None
    finally:
        temporary.unlink(missing_ok=True)


def _refuse_non_image(values: NDArray[Any]) -> None:
    if values.ndim != 2 or values.size == 0:
        raise LamellaError(f"expected one image (row, col), got shape {values.shape}")
    if not np.isfinite(values).all():
        raise LamellaError("the image holds NaN or infinite values: fill them before writing")


def _write_pages(file: BinaryIO, values: NDArray[np.float32], description: str | None) -> None:
    """One page per layer; PageNumber marks a stack, so that a stack of one stays a stack."""
    pages = values if values.ndim == 3 else values[np.newaxis]
    text = None if description is None else description.encode("utf-8")
    with tifffile.TiffWriter(file, bigtiff=values.nbytes > BIG_TIFF_BYTES) as tiff:
        for index, page in enumerate(pages):
            number = (PAGE_NUMBER_TAG, "H", 2, (index % 2**16, len(pages) % 2**16), False)
            tiff.write(
                page,
                photometric="minisblack",
                description=text if index == 0 else None,
                extratags=[number] if values.ndim == 3 else [],
                software="lamella",
                metadata=None,
                contiguous=False,
            )


def _read_pages(tiff: tifffile.TiffFile, size_bytes: int) -> NDArray[np.float32]:
    for page in tiff.pages:
        refuse_missing_segments(page, size_bytes)
        if page.dtype != np.float32:
            raise LamellaError(f"expected a float32 TIFF, got {page.dtype}")
    pages = [np.asarray(page.asarray(), dtype=np.float32) for page in tiff.pages]
    is_stack = PAGE_NUMBER_TAG in tiff.pages[0].aspage().tags
    return np.stack(pages) if is_stack or len(pages) > 1 else pages[0]


def _plain(value: object) -> object:
    """The same value in types JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Path):
        return str(value)
    raise LamellaError(f"expected values JSON can hold, got {type(value).__name__}")
