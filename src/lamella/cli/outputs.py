"""What is written for one image: a folder that appears whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lamella import __version__
from lamella.cli.inputs import RESULT_FILE
from lamella.io.boundary import printable_name
from lamella.io.write import write_json, write_mask_png, write_png16, write_tiff_float
from lamella.records import LamellaError, Layers
from lamella.types import Image

NOTICE = "Synthetic images, research use only, not for diagnosis"
LAYERS_FILE = "layers.tif"
INPUT_FILE = "input.tif"
PARTIAL_PREFIX = ".partial-"
OWN_FILE = re.compile(
    r"result\.json|layers\.tif|input\.tif|recomposed\.png|\.lamella-[0-9a-f]+\.part"
    r"|(true_|mask_)?(soft|upper|lower)\.png"
)
PAGE_CHARACTERS = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What one result was made from; the same origin gives the same result.

    Args:
        name: folder of the result, safe to show.
        input_sha256: of the radiograph's file.
        mask_sha256: bone -> SHA-256 of a given mask's file.
        given_spacing_mm: pixel spacing the user gave, or None.
        weights_sha256: network -> SHA-256.
        method: how it was separated.
    """

    name: str
    input_sha256: str
    mask_sha256: Mapping[str, str] = field(default_factory=dict)
    given_spacing_mm: float | None = None
    weights_sha256: Mapping[str, str] = field(default_factory=dict)
    method: str = "exact"

    def record(self) -> dict[str, Any]:
        """The origin as ``result.json`` keeps it, and as ``--resume`` compares it."""
        return {
            "input_sha256": self.input_sha256,
            "mask_sha256": dict(self.mask_sha256),
            "given_spacing_mm": self.given_spacing_mm,
            "weights_sha256": dict(self.weights_sha256),
            "method": self.method,
        }


def described(layers: Layers, origin: Origin, timings_ms: Mapping[str, float]) -> dict[str, Any]:
    """The content of ``result.json``: what was measured on the layers and where they came from."""
    radiograph, masks = layers.radiograph, layers.masks
    overlap = masks.overlap
    largest = float(np.abs(layers.residual()).max())
    return {
        "name": origin.name,
        "notice": NOTICE,
        "lamella": __version__,
        "method": layers.method,
        "origin": origin.record(),
        "source": radiograph.source,
        "shape": list(radiograph.shape),
        "pixel_spacing_mm": radiograph.pixel_spacing_mm,
        "pixel_spacing_source": str(radiograph.spacing_source),
        "intensity_scale": str(radiograph.intensity_scale),
        "grey_level": radiograph.grey_level,
        "masks": {
            "origin": masks.origin,
            "confidence": masks.confidence,
            "flags": list(masks.flags),
        },
        "overlap_px": int(overlap.sum()),
        "saturated_px": int(layers.saturated.sum()),
        "max_residual": {
            "intensity": largest,
            "grey_levels": largest / radiograph.grey_level,
        },
        "mean_share_sd_in_overlap": (
            float(layers.share_sd[overlap].mean()) if overlap.any() else None
        ),
        "warnings": list(radiograph.warnings),
        "timings_ms": {step: round(value, 1) for step, value in timings_ms.items()},
        "files": _file_descriptions(layers),
    }


def write_result(
    out: Path, layers: Layers, result: Mapping[str, Any], truth: Mapping[str, Image] | None = None
) -> Path:
    """Write one result as the folder ``out / result["name"]``, replacing what is there.

    Everything goes into a hidden folder that is renamed at the end.

    Args:
        out: folder of the run; made when missing.
        layers: the separation.
        result: from :func:`described`.
        truth: layer -> its true image (row, col), for phantoms.

    Raises:
        LamellaError: not writable, or the disk is full; then nothing is left behind.
    """
    target = out / result["name"]
    partial = out / f"{PARTIAL_PREFIX}{result['name']}"
    with writable(target), _made(out):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            _fill(partial, layers, truth or {})
            write_json(partial / RESULT_FILE, result)
            _move(partial, target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return target


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, a part at a time so that a long page is not copied whole."""
    temporary = path.parent / f".lamella-{secrets.token_hex(8)}.part"
    with writable(path):
        try:
            with temporary.open("x", encoding="utf-8", newline="\n") as file:
                for start in range(0, len(text), PAGE_CHARACTERS):
                    file.write(text[start : start + PAGE_CHARACTERS])
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def refuse_unwritable(out: Path) -> None:
    """Check the output folder before any work: a folder, or a place where one can be made.

    Raises:
        LamellaError: a file stands there, or the user may not write there.
    """
    with writable(out):
        existing = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not existing.is_dir():
        raise LamellaError(f"{printable_name(existing)} is a file: choose another output folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise LamellaError(
            f"the output folder {printable_name(out)} cannot be written: choose another"
        )


def refuse_foreign(folder: Path) -> None:
    """Check that replacing a result folder would delete Lamella's own files only.

    Raises:
        LamellaError: it is no folder, or holds a file that Lamella does not write.
    """
    if not _is_own(folder):
        raise LamellaError(
            f"{printable_name(folder)} in the output folder holds files that are not Lamella's: "
            "move them away or choose another output folder"
        )


def remove_stale(out: Path) -> None:
    """Remove what a killed run left half written."""
    for partial in out.glob(f"{PARTIAL_PREFIX}*"):
        if _is_own(partial):
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn an error of the file system into one sentence.

    Raises:
        LamellaError: the path cannot be written.
    """
    try:
        yield
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise LamellaError(f"{printable_name(path)}: cannot be written ({reason})") from None


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """A folder to write into; one made here is not left behind empty when that fails."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            if is_new:
                folder.rmdir()
        raise


def _fill(folder: Path, layers: Layers, truth: Mapping[str, Image]) -> None:
    images = {name: layers.bone_image(name) for name in layers.bone_absorbance}
    images |= {"soft": layers.soft_image(), "recomposed": layers.recompose()}
    images |= {f"true_{name}": image for name, image in truth.items()}
    for name, image in images.items():
        write_png16(folder / f"{name}.png", np.clip(image, 0.0, 1.0))
    for name, mask in layers.masks.items():
        write_mask_png(folder / f"mask_{name}.png", mask)
    pages = [layers.soft_absorbance, *layers.bone_absorbance.values(), layers.share_sd]
    write_tiff_float(folder / LAYERS_FILE, np.stack(pages), NOTICE)
    write_tiff_float(folder / INPUT_FILE, layers.radiograph.pixels)


def _file_descriptions(layers: Layers) -> dict[str, Any]:
    bones = list(layers.bone_absorbance)
    return {
        LAYERS_FILE: {
            "pages": ["soft", *bones, "share_sd"],
            "soft": "absorbance -ln(1 - I) of the soft tissue, float32",
            **{bone: f"absorbance of the {bone} bone, float32" for bone in bones},
            "share_sd": "standard deviation of each bone's share of the bone absorbance",
        },
        INPUT_FILE: "intensity as read, bone bright, float32",
        **{f"{bone}.png": f"{bone} bone with its soft tissue, 65535 I" for bone in bones},
        "soft.png": "soft tissue alone, 65535 I",
        "recomposed.png": "all layers together, 65535 I",
        **{f"mask_{bone}.png": f"{bone} bone, 255 inside" for bone in bones},
    }


def _move(partial: Path, target: Path) -> None:
    """Rename a folder to its final name; a result in its place gives way whole."""
    if not target.exists():
        partial.rename(target)
        return
    refuse_foreign(target)
    old = target.with_name(f"{PARTIAL_PREFIX}old-{target.name}")
    shutil.rmtree(old, ignore_errors=True)
    target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _is_own(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    return all(OWN_FILE.fullmatch(entry.name) for entry in folder.iterdir())
