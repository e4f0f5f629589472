"""Stored pixel values of a DICOM file: every bound is checked before anything is allocated.

No message quotes the header or an exception of a decoder, which may quote it.
"""

from __future__ import annotations

import io
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from lamella.io.boundary import MAX_FILE_BYTES, quiet_native_code, refuse_dimensions
from lamella.io.dicom_header import code, number
from lamella.records import LamellaError

PREAMBLE_BYTES = 128
FIRST_GROUPS = (b"\x02\x00\x00\x00", b"\x08\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00")
SEVERAL_PRECISION_JPEG = (
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.53",
    "1.2.840.10008.1.2.4.55",
)
TRUNCATED = "the file is truncated or damaged: copy or export it again"
END_OF_CODESTREAM = b"\xff\xd9"
JPEG_START, JPEG2000_START = b"\xff\xd8", b"\xff\x4f\xff\x51"
NOT_FRAME_HEADERS = (0xC4, 0xC8, 0xCC)
YBR_422_SAMPLES = 2


def is_dicom(data: bytes) -> bool:
    """True for a DICOM file, with its preamble or (as some archives write) without."""
    return data[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] == b"DICM" or data[:4] in FIRST_GROUPS


def open_dicom(data: bytes) -> Dataset:
    """The data set of a whole file in memory, without decoding its pixels.

    Raises:
        LamellaError: truncated or damaged, or a deflated file that expands beyond reason.
    """
    try:
        _refuse_deflate_bomb(data)
        with warnings.catch_warnings(record=True) as noticed:
            warnings.simplefilter("always")
            header = pydicom.dcmread(io.BytesIO(data), force=True)
            list(header.keys())
    except LamellaError:
        raise
    except Exception:  # noqa: BLE001 -- damaged files fail with any exception
        raise LamellaError(TRUNCATED) from None
    if any("End of file reached" in str(notice.message) for notice in noticed):
        raise LamellaError(TRUNCATED)
    return header


def stored_values(header: Dataset, data: bytes, path: Path) -> NDArray[np.generic]:
    """Stored pixel values, (row, col), or (row, col, 3) for colour, before any LUT.

    Args:
        header: from :func:`open_dicom`.
        data: the whole file.
        path: the same file on disk, for the decoder that reads it itself.

    Raises:
        LamellaError: no pixel data, several frames, a palette, hostile or contradictory
            dimensions, truncated, or a transfer syntax that cannot be decoded.
    """
    if "PixelData" not in header:
        raise LamellaError("the file has no pixel data: export the image, not its report or header")
    rows, cols = _dimensions(header)
    syntax = _transfer_syntax(header)
    if syntax.is_encapsulated:
        _refuse_damaged_codestream(header, syntax, (rows, cols))
    else:
        _refuse_short_pixel_data(header, rows * cols)
    values = _decoded(header, syntax, path)
    if values.shape[:2] != (rows, cols) or values.shape[2:] not in ((), (3,)):
        raise LamellaError("the decoded image has another size than its header claims: export it again")
    return _without_overlay_bits(header, values)


def _dimensions(header: Dataset) -> tuple[int, int]:
    """Rows and columns, once frames, samples, palette and size are checked."""
    rows, cols = (int(number(header, keyword) or 0) for keyword in ("Rows", "Columns"))
    frames = int(number(header, "NumberOfFrames") or 1)
    samples = int(number(header, "SamplesPerPixel") or 1)
    if frames > 1:
        raise LamellaError(f"expected one frame, got {frames}: export the frame you want alone")
    if code(header, "PhotometricInterpretation") == "PALETTE COLOR":
        raise LamellaError("expected a grey radiograph, got a colour palette: export it as grey")
    refuse_dimensions(rows, cols, samples)
    return rows, cols


def _transfer_syntax(header: Dataset) -> UID:
    """The transfer syntax of the file; guessed from its encoding where the header has none."""
    stated = getattr(header, "file_meta", {}).get("TransferSyntaxUID")
    if stated:
        return UID(str(stated))
    implicit, little = header.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    guessed = ImplicitVRLittleEndian if implicit else explicit
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = guessed
    return guessed


def _refuse_short_pixel_data(header: Dataset, pixels: int) -> None:
    samples = int(number(header, "SamplesPerPixel") or 1)
    if code(header, "PhotometricInterpretation") == "YBR_FULL_422":
        samples = YBR_422_SAMPLES
    bits = int(number(header, "BitsAllocated") or 0)
    expected = -(-pixels * samples * bits // 8)
    if bits < 1 or len(header.PixelData) < expected:
        raise LamellaError(TRUNCATED)


def _refuse_damaged_codestream(header: Dataset, syntax: UID, shape: tuple[int, int]) -> None:
    """Check the first compressed frame: complete, and of the size the header claims."""
    try:
        frame = next(generate_frames(header.PixelData, number_of_frames=1))
    except Exception:  # noqa: BLE001 -- damaged encapsulation fails with any exception
        raise LamellaError(TRUNCATED) from None
    if syntax == RLELossless:
        return
    if not frame[-4096:].rstrip(b"\0\xff").endswith(END_OF_CODESTREAM):
        raise LamellaError(TRUNCATED)
    claimed = codestream_shape(frame)
    if claimed is not None and claimed != shape:
        raise LamellaError("the compressed image has another size than its header: export it again")


def codestream_shape(frame: bytes) -> tuple[int, int] | None:
    """Rows and columns a JPEG, JPEG-LS or JPEG 2000 codestream claims; None when unreadable."""
    start = frame[:4096].find(JPEG2000_START)
    if start >= 0:
        size = [int.from_bytes(frame[start + at : start + at + 4], "big") for at in (8, 12, 16, 20)]
        return size[1] - size[3], size[0] - size[2]
    at = 2 if frame[:2] == JPEG_START else len(frame)
    while at + 9 <= len(frame):
        kind = frame[at + 1]
        if kind == 0xF7 or (0xC0 <= kind <= 0xCF and kind not in NOT_FRAME_HEADERS):
            rows, cols = frame[at + 5 : at + 7], frame[at + 7 : at + 9]
            return int.from_bytes(rows, "big"), int.from_bytes(cols, "big")
        at += 1 if kind == 0xFF else 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None


def _decoded(header: Dataset, syntax: UID, path: Path) -> NDArray[np.generic]:
    try:
        with quiet_native_code():
            if syntax in SEVERAL_PRECISION_JPEG and number(header, "SamplesPerPixel") == 1:
                return _decoded_by_gdcm(path)
            return np.asarray(header.pixel_array)
    except Exception:  # noqa: BLE001 -- decoders fail on damaged files with any exception
        known = not syntax.is_private and syntax.name != syntax
        shown = syntax.name if known else "an unknown transfer syntax"
        raise LamellaError(
            f"the pixels ({shown}) cannot be decoded: export them uncompressed (explicit VR)"
        ) from None


def _decoded_by_gdcm(path: Path) -> NDArray[np.generic]:
    """One grey frame of sequential or progressive JPEG at 8 or 12 bits."""
    import gdcm  # noqa: PLC0415 -- a large library that few files need

    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    if not reader.Read():
        raise ValueError("not decoded")
    image: Any = reader.GetImage()
    pixel = image.GetPixelFormat()
    kind = "i" if pixel.GetPixelRepresentation() else "u"
    buffer = image.GetBuffer().encode("utf-8", "surrogateescape")
    values = np.frombuffer(buffer, dtype=f"<{kind}{pixel.GetBitsAllocated() // 8}")
    return values.reshape(image.GetDimension(1), image.GetDimension(0)).copy()


def _without_overlay_bits(header: Dataset, values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Unsigned values with bits above BitsStored (old overlays) cleared, native byte order."""
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    bits = int(number(header, "BitsStored") or 0)
    if native.dtype.kind != "u" or not 1 <= bits < 8 * native.dtype.itemsize:
        return native
    return native & native.dtype.type(2**bits - 1)


def _refuse_deflate_bomb(data: bytes) -> None:
    """Check that a deflated data set expands to no more than ``MAX_FILE_BYTES``."""
    if data[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] != b"DICM":
        return
    meta = pydicom.filereader.read_file_meta_info(io.BytesIO(data))
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    start = PREAMBLE_BYTES + 4 + 12 + int(meta.FileMetaInformationGroupLength)
    expander, total, pending = zlib.decompressobj(-zlib.MAX_WBITS), 0, data[start:]
    while pending and not expander.eof:
        total += len(expander.decompress(pending, 1 << 20))
        pending = expander.unconsumed_tail
        if total > MAX_FILE_BYTES:
            raise LamellaError("the deflated file expands beyond any image: export it again")
