"""The files of one synthetic joint: image, two masks and a JSON record, which is written last.

The record holds the SHA-256 of the other files: a sample counts as complete when they agree, so
an interrupted run is continued safely without waiting for the disk after every file.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo

from lamella.io.boundary import printable_name
from lamella.io.dicom_write import Derivation, synthetic_dicom
from lamella.records import LamellaError, SyntheticJoint
from lamella.types import Image, Mask

SUFFIXES = {"png16": ".png", "png8": ".png", "dicom": ".dcm"}
"""Format -> how a file's name ends."""

WHITE_8 = 255
WHITE_16 = 65535
FAST = {"compress_level": 1, "compress_type": 3}
"""Run lengths and Huffman codes: as small as the default for noise, and twice as fast."""


def png16(image: Image) -> bytes:
    """Intensity in [0, 1] as 16-bit grey PNG, value = round(65535 I), all 16 bits significant."""
    info = PngInfo()
    info.add(b"sBIT", b"\x10")
    return _png(np.rint(image.astype(np.float64) * WHITE_16).astype(np.uint16), pnginfo=info)


def png8(image: Image) -> bytes:
    """Intensity in [0, 1] as 8-bit grey PNG, value = round(255 I)."""
    return _png(np.rint(image.astype(np.float64) * WHITE_8).astype(np.uint8))


def mask_png(mask: Mask) -> bytes:
    """A mask as 8-bit PNG: 255 inside, 0 outside."""
    return _png(mask.astype(np.uint8) * np.uint8(WHITE_8))


def sample_files(
    name: str, joint: SyntheticJoint, image_format: str, derivation: Derivation
) -> dict[str, bytes]:
    """File name -> content of a sample's image and masks; masks are named as Lamella finds them.

    Args:
        name: of the sample.
        joint: the sample.
        image_format: one of ``SUFFIXES``.
        derivation: what a DICOM image states about itself.
    """
    if image_format == "dicom":
        content = synthetic_dicom(joint.radiograph, derivation)
    else:
        content = (png8 if image_format == "png8" else png16)(joint.image)
    masks = {f"{name}_mask_{bone}.png": mask_png(mask) for bone, mask in joint.masks.items()}
    return {f"{name}{SUFFIXES[image_format]}": content, **masks}


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """File name -> SHA-256."""
    return {name: sha256(content).hexdigest() for name, content in files.items()}


def write_sample(folder: Path, record: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Write a sample's files, then its record as ``ID.json``, each whole or not at all.

    Args:
        folder: of the sample; made when missing.
        record: plain values, with ``id`` and ``files``.
        files: from :func:`sample_files`.

    Raises:
        LamellaError: not writable, or the disk is full.
    """
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            _put(folder / name, content)
        _put(folder / f"{record['id']}.json", f"{text}\n".encode())
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise LamellaError(f"{printable_name(folder)}: cannot be written ({reason})") from None


def complete_record(folder: Path, name: str) -> dict[str, Any] | None:
    """The record of a sample whose files are all there and undamaged, else None."""
    try:
        record = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        expected = dict(record["files"])
        found = digests({file: (folder / file).read_bytes() for file in expected})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(record) if found == expected else None


def _png(values: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(values).save(buffer, format="PNG", **FAST, **options)
    return buffer.getvalue()


def _put(path: Path, content: bytes) -> None:
    temporary = path.parent / f".lamella-{secrets.token_hex(8)}.part"
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
