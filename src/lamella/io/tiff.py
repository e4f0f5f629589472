"""TIFF with more than 8 bits per sample: 16-bit and floating-point pages, grey or colour."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from lamella.io.boundary import refuse_dimensions
from lamella.records import LamellaError

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WHITE_IS_ZERO, BLACK_IS_ZERO, COLOUR = 0, 1, 2
SEPARATE_PLANES = 2


@dataclass(frozen=True, kw_only=True)
class DeepTiff:
    """Samples of one page: ``values`` (row, col) or (row, col, channel), ``alpha`` (row, col)."""

    values: NDArray[Any]
    alpha: NDArray[Any] | None
    low_is_bright: bool


def is_tiff(data: bytes) -> bool:
    """True for the first bytes of a TIFF or a BigTIFF file."""
    return data[:4] in MAGIC


def deep_tiff_samples(data: bytes) -> DeepTiff | None:
    """Samples of a one-page TIFF above 8 bits per sample; None leaves the file to Pillow.

    None is returned for 8 bits or fewer, for palettes and for 16-bit grey in a compression
    that needs Pillow's libtiff.

    Raises:
        LamellaError: several pages, hostile dimensions, truncated, or an unknown compression.
    """
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        if len(tiff.pages) > 1:
            raise LamellaError("expected one image, got several pages: save one page alone")
        page: Any = tiff.pages[0]
        layers = int(page.samplesperpixel) * int(page.imagedepth)
        refuse_dimensions(int(page.imagelength), int(page.imagewidth), layers)
        refuse_missing_segments(page, len(data))
        if _is_for_pillow(page):
            return None
        try:
            values = np.asarray(page.asarray())
        except (ValueError, ImportError, KeyError) as error:
            if not _lacks_codec(error):
                raise
            _refuse_unless_plain_grey(page)
            return None
    if values.dtype.kind not in "uif":
        raise LamellaError(
            f"expected integer or real values, got {values.dtype}: export it as grey"
        )
    return _split(page, values)


def refuse_missing_segments(page: Any, size_bytes: int) -> None:
    """Check that every strip or tile of a page lies inside the file.

    Raises:
        LamellaError: a segment ends after the file does.
    """
    counts, offsets = page.databytecounts, page.dataoffsets
    ends = [offset + count for offset, count in zip(offsets, counts, strict=False)]
    if not ends or max(ends) > size_bytes or min(counts) <= 0:
        raise LamellaError("the file is truncated: copy or export it again")


def _is_for_pillow(page: Any) -> bool:
    known = int(page.photometric) in (WHITE_IS_ZERO, BLACK_IS_ZERO, COLOUR)
    return not known or int(page.bitspersample) <= 8 or page.dtype is None


def _lacks_codec(error: Exception) -> bool:
    return "imagecodecs" in str(error) or "requires" in str(error)


def _refuse_unless_plain_grey(page: Any) -> None:
    """Pillow keeps all bits of one grey sample with black at 0, and of nothing else."""
    if int(page.samplesperpixel) != 1 or int(page.photometric) != BLACK_IS_ZERO:
        raise LamellaError("this TIFF compression is not supported: save it uncompressed or as PNG")


def _split(page: Any, values: NDArray[Any]) -> DeepTiff:
    """Separate colour from opacity; channels last."""
    low_is_bright = int(page.photometric) == WHITE_IS_ZERO
    samples = int(page.samplesperpixel)
    if samples == 1:
        image = values.reshape(int(page.imagelength), int(page.imagewidth))
        return DeepTiff(values=image, alpha=None, low_is_bright=low_is_bright)
    if int(page.planarconfig) == SEPARATE_PLANES:
        values = np.moveaxis(values, 0, -1)
    colours = 3 if int(page.photometric) == COLOUR else 1
    alpha = values[..., colours] if samples > colours else None
    colour = values[..., :colours]
    grey = colour[..., 0] if colours == 1 else colour
    return DeepTiff(values=grey, alpha=alpha, low_is_bright=low_is_bright)
