"""Patches for a machine reader: pairs of a generated and a real bone end, alike but for the pixels.

A pair shows the same bone (upper or lower), at the same place of its articular end, under one
mask: what both bones cover, ``RIM_PX`` inside their outlines, because outlines are drawn less
surely where bones overlap. The overlap of the generated patch is drawn on the real one too. So
neither the shape of the bone, nor that of the overlap, nor the other bone beside it can tell
real from generated; only grey values inside this bone can.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from lamella.io.datasets import LoadedJoint, joint_rows, load_joint, mask_faults
from lamella.prepare.masks import reaching_border
from lamella.records import LamellaError
from lamella.types import Image, Mask

SIDE_PX = 48
RIM_PX = 2
END_PX = 32
VIEWS = (0.2, 0.5, 0.8)
FEWEST_OVERLAP_PX = 12
FOLDS = 5
GREY_LEVELS = 255

Patch = Float[np.ndarray, "side side"]
PatchMask = Bool[np.ndarray, "side side"]


@dataclass(frozen=True, kw_only=True)
class Bone:
    """One bone of one radiograph.

    Args:
        joint: group of the radiograph: visits of one joint share it.
        number: of the radiograph in its manifest.
        name: ``upper`` or ``lower``.
        mask: (row, col).
        overlap: of both bones, (row, col).
        pixels: the radiograph, (row, col).
    """

    joint: str
    number: int
    name: str
    mask: Mask
    overlap: Mask
    pixels: Image


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place on a bone's articular end, comparable between bones.

    Args:
        across: 0 at the left side of the bone's end, 1 at the right.
        depth_px: rows from the articular rim into the bone.
    """

    across: float
    depth_px: float


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A generated bone end and the real one it is compared with, seen through one mask.

    Args:
        generated: bone with an overlap.
        real: the same bone of a joint without.
        at: (row, col) of the patch's centre on the generated bone.
        real_at: the same on the real bone.
        seen: pixels shown in both, (side, side).
        overlap: those of them that are generated in one, (side, side).
        fold: number of the cross-validation fold both joints belong to.
    """

    generated: Bone
    real: Bone
    at: tuple[int, int]
    real_at: tuple[int, int]
    seen: PatchMask
    overlap: PatchMask
    fold: int


def bones_of(manifest: Path) -> tuple[list[Bone], list[Bone]]:
    """Bones of a manifest: those of overlapping joints, and those that nothing overlaps.

    Joints with masks that cannot be right are left out.
    """
    crossed: list[Bone] = []
    free: list[Bone] = []
    for number, row in enumerate(joint_rows(manifest)):
        joint = load_joint(row)
        if mask_faults(joint.upper, joint.lower):
            continue
        if joint.is_overlapping:
            crossed.extend(_bones(number, joint))
        elif joint.overlap_px == 0:
            free.extend(_bones(number, joint))
    return crossed, free


def matched_pairs(crossed: Sequence[Bone], free: Sequence[Bone], seed: int) -> list[Pair]:
    """Every overlap with the real bone of its fold that fits it best, each real bone used evenly.

    Folds are joints dealt out at random; a pair never leaves its fold.

    Raises:
        LamellaError: a fold has overlaps but no bone to compare them with.
    """
    fold = _folds({bone.joint for bone in (*crossed, *free)}, seed)
    used: dict[tuple[int, str], int] = {}
    pairs: list[Pair] = []
    for bone in crossed:
        candidates = [
            other
            for other in free
            if other.name == bone.name and fold[other.joint] == fold[bone.joint]
        ]
        if not candidates:
            raise LamellaError(
                "expected joints with and without overlap in every fold: use a larger manifest"
            )
        fewest = min(used.get((other.number, other.name), 0) for other in candidates)
        fresh = [o for o in candidates if used.get((o.number, o.name), 0) == fewest]
        real = max(fresh, key=lambda other: _fit(bone, other))
        used[(real.number, real.name)] = fewest + 1
        pairs.extend(_views(bone, real, fold[bone.joint]))
    return pairs


def generated_patch(pair: Pair, layer: Image) -> Patch:
    """The pair's generated patch out of a layer image, rounded to 8 bit like its radiograph."""
    rounded = np.round(np.clip(layer, 0.0, 1.0) * GREY_LEVELS) / GREY_LEVELS
    return levelled(cut(rounded.astype(np.float32), pair.at), pair.seen)


def real_patch(pair: Pair) -> Patch:
    """The pair's real patch: pixels of a radiograph, never overlapped."""
    return levelled(cut(pair.real.pixels, pair.real_at), pair.seen)


def levelled(patch: Patch, seen: PatchMask) -> Patch:
    """Grey values with mean 0 and standard deviation 1 where seen, 0 elsewhere."""
    values = patch[seen]
    spread = max(float(values.std()), 1.0 / GREY_LEVELS)
    return np.where(seen, (patch - values.mean()) / spread, 0.0).astype(np.float32)


def cut(image: np.ndarray, at: tuple[int, int], side: int = SIDE_PX) -> np.ndarray:
    """A square around a pixel; what lies beyond the image is 0 (False)."""
    half = side // 2
    padded = np.pad(image, side)
    row, col = at[0] + side - half, at[1] + side - half
    return padded[row : row + side, col : col + side]


def place_of(bone: Bone, at: tuple[int, int]) -> Place:
    """Where on its bone's end a pixel lies."""
    left, right = _end_columns(bone)
    depth = (_rim(bone, at[1]) - at[0]) * _outwards(bone)
    return Place(across=(at[1] - left) / max(right - left, 1), depth_px=depth)


def pixel_of(bone: Bone, place: Place) -> tuple[int, int]:
    """The pixel of another bone at the same place, (row, col)."""
    left, right = _end_columns(bone)
    col = round(left + min(max(place.across, 0.0), 1.0) * (right - left))
    return round(_rim(bone, col) - place.depth_px * _outwards(bone)), col


def _bones(number: int, joint: LoadedJoint) -> Iterator[Bone]:
    masks: Mapping[str, Mask] = reaching_border({"upper": joint.upper, "lower": joint.lower})
    overlap = masks["upper"] & masks["lower"]
    for name, mask in masks.items():
        yield Bone(
            joint=joint.row.joint,
            number=number,
            name=name,
            mask=mask,
            overlap=overlap,
            pixels=joint.pixels,
        )


def _folds(joints: set[str], seed: int) -> dict[str, int]:
    order = np.random.default_rng(seed).permutation(sorted(joints))
    return {str(joint): number % FOLDS for number, joint in enumerate(order)}


def _views(bone: Bone, real: Bone, fold: int) -> Iterator[Pair]:
    for quantile in VIEWS:
        at = _in_overlap(bone, quantile)
        real_at = pixel_of(real, place_of(bone, at))
        seen = _inside(bone, at) & _inside(real, real_at)
        overlap = seen & cut(bone.overlap, at)
        if overlap.sum() >= FEWEST_OVERLAP_PX:
            yield Pair(
                generated=bone,
                real=real,
                at=at,
                real_at=real_at,
                seen=seen,
                overlap=overlap,
                fold=fold,
            )


def _fit(bone: Bone, other: Bone) -> float:
    """Intersection over union of two bones' masks around the middle of the overlap."""
    at = _in_overlap(bone, 0.5)
    one, two = _inside(bone, at), _inside(other, pixel_of(other, place_of(bone, at)))
    return float((one & two).sum() / max((one | two).sum(), 1))


def _inside(bone: Bone, at: tuple[int, int]) -> PatchMask:
    wide = cut(bone.mask, at, SIDE_PX + 4 * RIM_PX)
    eroded = ndimage.binary_erosion(wide, iterations=RIM_PX)
    return np.asarray(eroded[2 * RIM_PX : -2 * RIM_PX, 2 * RIM_PX : -2 * RIM_PX])


def _in_overlap(bone: Bone, quantile: float) -> tuple[int, int]:
    rows, cols = np.nonzero(bone.overlap)
    col = int(np.quantile(cols, quantile, method="nearest"))
    return int(np.median(rows[np.abs(cols - col) <= 2])), col


def _outwards(bone: Bone) -> int:
    """Direction along the rows from inside the bone to its articular rim."""
    return 1 if bone.name == "upper" else -1


def _rim(bone: Bone, col: int) -> float:
    """Row of the articular rim around a column."""
    rows, cols = np.nonzero(bone.mask[:, max(col - 4, 0) : col + 5])
    if rows.size == 0:
        rows = np.flatnonzero(bone.mask.any(axis=1))
        return float(rows.max() if bone.name == "upper" else rows.min())
    at = np.unique(cols)
    ends = [
        rows[cols == one].max() if bone.name == "upper" else rows[cols == one].min() for one in at
    ]
    return float(np.mean(ends))


def _end_columns(bone: Bone) -> tuple[int, int]:
    """First and last column of the bone within ``END_PX`` of its articular extreme."""
    rows = np.flatnonzero(bone.mask.any(axis=1))
    near = (
        slice(rows[-1] - END_PX, rows[-1] + 1)
        if bone.name == "upper"
        else slice(rows[0], rows[0] + END_PX)
    )
    near = slice(max(near.start, 0), near.stop)
    cols = np.flatnonzero(bone.mask[near].any(axis=0))
    return int(cols[0]), int(cols[-1])
