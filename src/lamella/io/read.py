"""Read a radiograph or a mask; the kind of file is recognised by its content.

Nothing here trusts a file: size, dimensions and completeness are checked before decoding, and
every failure is one :class:`LamellaError` that names the file and a remedy.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamella.io.boundary import (
    checked_spacing,
    named,
    printable_name,
    quiet_libraries,
    refuse_unusable_file,
)
from lamella.io.dicom import read_dicom
from lamella.io.dicom_decode import is_dicom, open_dicom, stored_values
from lamella.io.dicom_header import safe_source
from lamella.io.raster import decode_raster, read_raster
from lamella.records import LamellaError, Radiograph
from lamella.types import Mask

BETWEEN_LEVELS_FRACTION = 0.02
NEAR_LEVEL = 0.25
MEAN_RIPPLE = 0.05


def read(path: str | Path, pixel_spacing_mm: float | None = None) -> Radiograph:
    """Read one radiograph, bone bright, from PNG, JPEG, BMP, TIFF or DICOM.

    Args:
        path: the file; its extension does not matter.
        pixel_spacing_mm: edge of a pixel in mm. It wins over a DICOM header, with a warning
            when they disagree; resolution tags of other files are never used.

    Returns:
        The radiograph with its spacing and the spacing's source, the scale and grey level of
        its values, a name that is safe to print, and warnings a reader should see.

    Raises:
        LamellaError: one line with what was expected, got, and a remedy.

    Example:
        >>> import tempfile
        >>> from lamella.io.write import write_png16
        >>> path = Path(tempfile.mkdtemp()) / "ramp.png"
        >>> write_png16(path, np.tile(np.linspace(0.1, 0.9, 64, dtype=np.float32), (64, 1)))
        >>> read(path, pixel_spacing_mm=0.1).size_mm
        (6.4, 6.4)
    """
    path = Path(path)
    name = printable_name(path)
    with quiet_libraries():
        with named(name):
            spacing_mm = checked_spacing(pixel_spacing_mm)
            data = _contents(path)
        if is_dicom(data):
            return read_dicom(data, path, hashlib.sha256(data).hexdigest(), spacing_mm)
        with named(name):
            return read_raster(data, name, spacing_mm)


def read_mask(path: str | Path, shape: tuple[int, int] | None = None) -> Mask:
    """Read where one bone is, bool (row, col), from a two-valued image of any mode.

    The higher of two values is the bone; the ripple of JPEG around them is accepted. Fully
    transparent pixels count as outside.

    Args:
        path: a raster or a DICOM file.
        shape: rows and columns of the image the mask belongs to, when known.

    Raises:
        LamellaError: not an image, grey levels between the two values, another shape, or empty.
    """
    path = Path(path)
    with quiet_libraries():
        with named(printable_name(path)):
            data = _contents(path)
        name, values = _mask_values(data, path)
    with named(name):
        mask = two_valued(values)
        if shape is not None and mask.shape != tuple(shape):
            rows, cols = mask.shape
            raise LamellaError(
                f"expected a mask of {shape[0]} x {shape[1]} pixels like its image, got "
                f"{rows} x {cols}: give the mask drawn on this image"
            )
        if not mask.any():
            raise LamellaError("the mask is empty: mark the bone's pixels with a non-zero value")
    return mask


def two_valued(values: NDArray[Any]) -> Mask:
    """Threshold an image halfway between its two values, bool (row, col).

    One value alone is all bone when it is not 0. More than two are accepted when at most 2 % of
    the pixels lie in the middle half of the range and the others scatter little around two.

    Raises:
        LamellaError: the image is not two-valued.
    """
    grey = np.asarray(values, dtype=np.float64)
    if not np.isfinite(grey).all():
        raise LamellaError("the mask holds NaN or infinite values: save it as two grey values")
    low, high = float(grey.min()), float(grey.max())
    if low == high:
        return np.full(grey.shape, low != 0.0)
    position = (grey - low) / (high - low)
    mask = position > 0.5
    if not _is_two_valued(position, mask):
        levels = len(np.unique(grey))
        raise LamellaError(f"expected a two-valued mask, got {levels} grey levels: threshold it")
    return mask


def _is_two_valued(position: NDArray[np.float64], mask: Mask) -> bool:
    between = np.abs(position - 0.5) < 0.5 - NEAR_LEVEL
    if float(between.mean()) > BETWEEN_LEVELS_FRACTION:
        return False
    groups = (position[mask], position[~mask])
    return all(float(np.abs(group - np.median(group)).mean()) <= MEAN_RIPPLE for group in groups)


def _mask_values(data: bytes, path: Path) -> tuple[str, NDArray[Any]]:
    """A name safe to print, and one value per pixel: channels summed, transparent pixels 0."""
    name = printable_name(path)
    if is_dicom(data):
        with named(name):
            header = open_dicom(data)
        name = safe_source(header, name, hashlib.sha256(data).hexdigest())
        with named(name):
            values, alpha = stored_values(header), None
    else:
        with named(name):
            samples = decode_raster(data)
            values, alpha = samples.values, samples.alpha
    if values.ndim == 3:
        values = values.sum(axis=2, dtype=np.float64)
    if alpha is not None and alpha.min() != alpha.max():
        values = values * (alpha > 0)
    return name, values


def _contents(path: Path) -> bytes:
    refuse_unusable_file(path)
    try:
        return path.read_bytes()
    except OSError:
        raise LamellaError("the file cannot be read: check its permissions") from None
