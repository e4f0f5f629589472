"""Readers of finger-joint data sets: the published BLS-GAN layout and the ``mcp`` layout.

Both give :class:`JointRow` records; images are opened one at a time. Some published masks
cannot be right (``reference`` in the BLS-GAN data: upper and lower mask on the same bone);
:func:`mask_faults` says which and why.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from lamella.records import LamellaError, Radiograph
from lamella.types import Image, Mask

GREY_LEVEL = 1.0 / 255.0
OVERLAPPING_PX = 20
SAME_BONE_IOU = 0.5
IMPLAUSIBLE_OVERLAP_FRACTION = 0.137
NEAR_BORDER_FRACTION = 0.1
PUBLISHED_SPACING_MM = 0.15 * 140 / 256


@dataclass(frozen=True, kw_only=True)
class JointRow:
    """One radiograph of one joint on disk.

    Args:
        joint: folder name: id, side and joint index; visits of one joint share it.
        image: path of the radiograph.
        upper: path of the upper bone's mask.
        lower: path of the lower bone's mask.
        background: path of the published soft-tissue estimate, where there is one.
    """

    joint: str
    image: Path
    upper: Path
    lower: Path
    background: Path | None = None

    @property
    def is_thumb(self) -> bool:
        """Joint index 13 is the thumb's metacarpophalangeal joint."""
        return self.joint.rsplit("_", 1)[-1] == "13"

    @property
    def laterality(self) -> Literal["R", "L"] | None:
        """Side of the body, from the folder's name."""
        parts = self.joint.split("_")
        return "R" if "R" in parts[1:-1] else "L" if "L" in parts[1:-1] else None


@dataclass(frozen=True, kw_only=True)
class LoadedJoint:
    """Pixels of one row: intensity in [0, 1] (row, col) and the two masks."""

    row: JointRow
    pixels: Image
    upper: Mask
    lower: Mask

    @property
    def radiograph(self) -> Radiograph:
        """The image as a radiograph of 8-bit grey levels, its spacing unknown."""
        return Radiograph(pixels=self.pixels, grey_level=GREY_LEVEL, laterality=self.row.laterality)

    @property
    def masks(self) -> dict[str, Mask]:
        """Both masks by the bone's name, (row, col) each, the upper one first."""
        return {"upper": self.upper, "lower": self.lower}

    @property
    def overlap_px(self) -> int:
        """Number of pixels in both masks; at least ``OVERLAPPING_PX`` counts as overlapping."""
        return int((self.upper & self.lower).sum())

    @property
    def is_overlapping(self) -> bool:
        """True when the two bones overlap (BLS-GAN: at least 20 pixels)."""
        return self.overlap_px >= OVERLAPPING_PX


def joint_rows(manifest: Path | str) -> list[JointRow]:
    """Rows of a manifest in either layout.

    * ``mcp``: ``train.json`` / ``dev.json`` beside ``images/``.
    * published: ``LS_K1_*`` (no extension) beside ``Dataset_cases_anonymization/``.

    Args:
        manifest: path of the manifest.

    Raises:
        LamellaError: no such manifest, not a list of rows, or files it names are missing
            (all of them are listed at once).
    """
    path = Path(manifest)
    if not path.is_file():
        raise LamellaError(
            f"expected a manifest, found no file {path.name!r}: give train.json or LS_K1_*"
        )
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise LamellaError(f"the manifest {path.name!r} is not JSON: {error}") from error
    if not isinstance(entries, list) or not all(_is_row(entry) for entry in entries):
        raise LamellaError(f"expected a list of rows with image, upper, lower in {path.name!r}")
    rows = [_row(path.parent, entry) for entry in entries]
    _refuse_missing(path, rows)
    return rows


def load_joint(row: JointRow) -> LoadedJoint:
    """Open one row; masks are bool, intensity is float32.

    Raises:
        LamellaError: a file that is no image, or a mask of another size than its image.
    """
    pixels = _grey(row.image).astype(np.float32) / np.float32(255.0)
    masks = [_grey(path) > 127 for path in (row.upper, row.lower)]
    for path, mask in zip((row.upper, row.lower), masks, strict=True):
        if mask.shape != pixels.shape:
            raise LamellaError(f"{path.name}: mask of shape {mask.shape}, image {pixels.shape}")
    return LoadedJoint(row=row, pixels=pixels, upper=masks[0], lower=masks[1])


def mask_faults(upper: Mask, lower: Mask) -> tuple[str, ...]:
    """Reasons why two masks cannot be the upper and the lower bone of a joint, or ().

    Checks: both on the same bone (intersection over union above 0.5), an overlap larger than
    0.137 of the image (9,000 pixels of 256 x 256), upper below lower, a mask that is empty or
    stays more than a tenth of the crop away from every border (a bone has to leave the crop
    somewhere; many published masks end a few pixels short of it, which is no fault).
    """
    if not upper.any() or not lower.any():
        return ("empty mask",)
    faults = []
    overlap, union = (upper & lower).sum(), (upper | lower).sum()
    if overlap / union > SAME_BONE_IOU:
        faults.append("both masks are on the same bone")
    elif overlap > IMPLAUSIBLE_OVERLAP_FRACTION * upper.size:
        faults.append("implausibly large overlap")
    if _mean_row(upper) >= _mean_row(lower):
        faults.append("the upper mask lies below the lower one")
    if not _reaches_border(upper) or not _reaches_border(lower):
        faults.append("a mask reaches no border of the crop")
    return tuple(faults)


def joint_grouped_fold(
    rows: Sequence[JointRow], fold: int = 0, folds: int = 5
) -> tuple[list[JointRow], list[JointRow]]:
    """Split rows by joint, never through one: (the rest, fold number ``fold`` of ``folds``).

    Joints are dealt out in sorted order, so the split depends on nothing but the names.
    """
    joints = sorted({row.joint for row in rows})
    held_out = set(joints[fold::folds])
    return (
        [row for row in rows if row.joint not in held_out],
        [row for row in rows if row.joint in held_out],
    )


def _grey(path: Path) -> NDArray[np.uint8]:
    try:
        with PillowImage.open(path) as image:
            return np.asarray(image.convert("L"))
    except (OSError, ValueError, SyntaxError):
        raise LamellaError(f"{path.name}: not an image, or truncated: copy it again") from None


def _is_row(entry: object) -> bool:
    return isinstance(entry, dict) and {"image", "upper", "lower"} <= entry.keys()


def _row(root: Path, entry: dict[str, str]) -> JointRow:
    paths = {key: _resolve(root, str(entry[key])) for key in ("image", "upper", "lower")}
    background = entry.get("background")
    return JointRow(
        joint=str(entry.get("joint") or paths["image"].parent.name),
        background=_resolve(root, str(background)) if background else None,
        **paths,
    )


def _resolve(root: Path, name: str) -> Path:
    """Published manifests name files from elsewhere: keep the last folders that exist here."""
    parts = Path(name).parts
    for first in range(len(parts)):
        candidate = root.joinpath(*parts[first:])
        if candidate.is_file():
            return candidate
    for folder in ("Dataset_cases_anonymization", "Dataset_cases"):
        candidate = root.joinpath(folder, *parts[-2:])
        if candidate.is_file():
            return candidate
    return root / name


def _refuse_missing(manifest: Path, rows: Iterable[JointRow]) -> None:
    missing = [
        os.path.relpath(path, manifest.parent)
        for row in rows
        for path in (row.image, row.upper, row.lower)
        if not path.is_file()
    ]
    if missing:
        raise LamellaError(
            f"{manifest.name} names {len(missing)} missing files: {', '.join(missing)}"
        )


def _mean_row(mask: Mask) -> float:
    return float(np.flatnonzero(mask.any(axis=1)).mean())


def _reaches_border(mask: Mask) -> bool:
    near = [max(1, round(NEAR_BORDER_FRACTION * length)) for length in mask.shape]
    edges = (mask[: near[0]], mask[-near[0] :], mask[:, : near[1]], mask[:, -near[1] :])
    return any(bool(edge.any()) for edge in edges)
