"""Stored pixel values of a DICOM file: every bound is checked before anything is allocated.

No message quotes the header or an exception of a decoder, which may quote it.
"""

from __future__ import annotations

import io
import warnings
import zlib
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
META_START = PREAMBLE_BYTES + 4
FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")
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
    bare = data[:2] in FIRST_GROUPS and data[3:4] == b"\0"
    return bare or data[PREAMBLE_BYTES:META_START] == b"DICM"


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


def stored_values(header: Dataset) -> NDArray[Any]:
    """Stored pixel values, (row, col), or (row, col, 3) for colour, before any LUT.

    Args:
        header: from :func:`open_dicom`.

    Raises:
        LamellaError: no pixel data, several frames, a palette, hostile or contradictory
            dimensions, truncated, or a transfer syntax that cannot be decoded.
    """
    if "PixelData" not in header:
        raise LamellaError("the file has no pixel data: export the image, not its report or header")
    rows, cols = _dimensions(header)
    syntax = _transfer_syntax(header)
    if syntax.is_encapsulated:
        _refuse_damaged_codestream(_first_frame(header), syntax, (rows, cols))
    else:
        _refuse_short_pixel_data(header, rows * cols)
    values = _decoded(header, syntax)
    if values.shape[:2] != (rows, cols) or values.shape[2:] not in ((), (3,)):
        raise LamellaError("the decoded image has another size than its header: export it again")
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
    if stated and UID(str(stated)).is_transfer_syntax:
        return UID(str(stated))
    if stated:
        raise LamellaError(_undecodable("an unknown transfer syntax"))
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
    if bits < 1 or len(_pixel_bytes(header)) < expected:
        raise LamellaError(TRUNCATED)


def _pixel_bytes(header: Dataset) -> bytes:
    try:
        return bytes(header["PixelData"].value or b"")
    except Exception:  # noqa: BLE001 -- malformed elements fail with any exception
        raise LamellaError(TRUNCATED) from None


def _first_frame(header: Dataset) -> bytes:
    try:
        return next(generate_frames(_pixel_bytes(header), number_of_frames=1))
    except LamellaError:
        raise
    except Exception:  # noqa: BLE001 -- damaged encapsulation fails with any exception
        raise LamellaError(TRUNCATED) from None


def _refuse_damaged_codestream(frame: bytes, syntax: UID, shape: tuple[int, int]) -> None:
    """Check a compressed frame: complete, and of the size the header claims."""
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
    if start >= 0 and frame[:2] != JPEG_START:
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


def _decoded(header: Dataset, syntax: UID) -> NDArray[Any]:
    try:
        with quiet_native_code():
            if syntax in SEVERAL_PRECISION_JPEG and number(header, "SamplesPerPixel") == 1:
                return _decoded_by_gdcm(header, syntax)
            return np.asarray(header.pixel_array)
    except Exception:  # noqa: BLE001 -- decoders fail on damaged files with any exception
        known = not syntax.is_private and syntax.name != syntax
        shown = syntax.name if known else "an unknown transfer syntax"
        raise LamellaError(_undecodable(shown)) from None


def _undecodable(syntax: str) -> str:
    return f"the pixels ({syntax}) cannot be decoded: export them uncompressed (explicit VR)"


def _decoded_by_gdcm(header: Dataset, syntax: UID) -> NDArray[Any]:
    """One grey frame of sequential or progressive JPEG at 8 or 12 bits.

    GDCM is given the checked codestream and dimensions, never the file.
    """
    import gdcm  # a large library that few files need

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(_first_frame(header))
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    bits = 8 if header.BitsAllocated == 8 else 16
    signed = int(header.PixelRepresentation)
    grey = gdcm.PhotometricInterpretation.MONOCHROME2
    image: Any = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((int(header.Columns), int(header.Rows), 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    stored = int(header.BitsStored)
    image.SetPixelFormat(gdcm.PixelFormat(1, bits, stored, stored - 1, signed))
    buffer = image.GetBuffer().encode("utf-8", "surrogateescape")
    values = np.frombuffer(buffer, dtype=f"<{'i' if signed else 'u'}{bits // 8}")
    return np.array(values.reshape(int(header.Rows), int(header.Columns)))


def _without_overlay_bits(header: Dataset, values: NDArray[Any]) -> NDArray[Any]:
    """Unsigned values with bits above BitsStored (old overlays) cleared, native byte order."""
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    bits = int(number(header, "BitsStored") or 0)
    if native.dtype.kind != "u" or native.ndim > 2 or not 1 <= bits < 8 * native.dtype.itemsize:
        return native
    return native & native.dtype.type(2**bits - 1)


def _refuse_deflate_bomb(data: bytes) -> None:
    """Check that a deflated data set expands to no more than ``MAX_FILE_BYTES``."""
    if data[PREAMBLE_BYTES:META_START] != b"DICM":
        return
    end = META_START + 12 + int.from_bytes(data[META_START + 8 : META_START + 12], "little")
    if str(DeflatedExplicitVRLittleEndian).encode() not in data[META_START:end]:
        return
    expander, total, pending = zlib.decompressobj(-zlib.MAX_WBITS), 0, data[end:]
    while pending and not expander.eof:
        total += len(expander.decompress(pending, 1 << 20))
        pending = expander.unconsumed_tail
        if total > MAX_FILE_BYTES:
            raise LamellaError("the deflated file expands beyond any image: export it again")
