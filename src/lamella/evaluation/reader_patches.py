"""Patches for a machine reader: pairs of a generated and a real bone end, alike but for pixels.

A pair shows the same bone (upper or lower), at the same place of its articular end, through one
mask: what both bones cover, ``RIM_PX`` inside their outlines, because outlines are drawn less
surely where bones overlap. The overlap of the generated patch is drawn on the real one too, and
grey values are levelled on the surroundings, which nothing generated. So neither the shapes of
bone and overlap nor the other bone beside it tell real from generated; only the grey values
inside the overlap, seen against the same bone's, can.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from lamella.io.datasets import LoadedJoint, joint_rows, load_joint, mask_faults
from lamella.prepare.masks import reaching_border
from lamella.records import LamellaError
from lamella.tasks.reading import BoneEnd, cut, pixel_of, place_of, within_overlap
from lamella.types import Image

SIDE_PX = 48
RIM_PX = 2
VIEWS = (0.2, 0.5, 0.8)
FEWEST_OVERLAP_PX = 12
FEWEST_SURROUNDING_PX = 20
REACH_PX = 6
FOLDS = 5
GREY_LEVELS = 255

Patch = Float[np.ndarray, "side side"]
"""Levelled grey values, (row, col)."""

PatchMask = Bool[np.ndarray, "side side"]
"""Pixels of a patch, (row, col)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """A generated bone end and the real one it is compared with, seen through one mask.

    Args:
        generated: bone with an overlap.
        real: the same bone of a joint without.
        at: (row, col) of the patch's centre on the generated bone.
        real_at: the same on the real bone.
        seen: pixels shown in both, (side, side).
        overlap: those of them that are generated in one, (side, side).
        fold: of the cross-validation, shared by both joints.
    """

    generated: BoneEnd
    real: BoneEnd
    at: tuple[int, int]
    real_at: tuple[int, int]
    seen: PatchMask
    overlap: PatchMask
    fold: int

    @property
    def surroundings(self) -> PatchMask:
        """Pixels ``REACH_PX`` from the overlap, beyond the soft edge of the other bone."""
        away = self.seen & ~ndimage.binary_dilation(self.overlap, iterations=REACH_PX)
        return away if away.sum() >= FEWEST_SURROUNDING_PX else self.seen & ~self.overlap


def bones_of(manifest: Path) -> tuple[list[BoneEnd], list[BoneEnd]]:
    """Bones of a manifest: those of overlapping joints, and those that nothing overlaps.

    Joints with masks that cannot be right are left out.
    """
    crossed: list[BoneEnd] = []
    free: list[BoneEnd] = []
    for number, row in enumerate(joint_rows(manifest)):
        joint = load_joint(row)
        if mask_faults(joint.upper, joint.lower):
            continue
        if joint.is_overlapping:
            crossed.extend(_bones(number, joint))
        elif joint.overlap_px == 0:
            free.extend(_bones(number, joint))
    return crossed, free


def matched_pairs(
    crossed: Sequence[BoneEnd], free: Sequence[BoneEnd], seed: int, folds: int = FOLDS
) -> list[Pair]:
    """Every overlap with the real bone of its fold that fits it best, real bones used evenly.

    Joints are dealt out to folds at random; a pair never leaves its fold, so the mask it shares
    is in training or in test, never in both.

    Raises:
        LamellaError: a fold has overlaps but no bone to compare them with, or no overlap is
            large enough.
    """
    fold = _folds({bone.joint for bone in crossed}, {bone.joint for bone in free}, seed, folds)
    used: Counter[tuple[str, str]] = Counter()
    pairs: list[Pair] = []
    for bone in crossed:
        wanted = (bone.name, fold[bone.joint])
        there = [one for one in free if (one.name, fold[one.joint]) == wanted]
        fewest = min((used[one.source, one.name] for one in there), default=0)
        fresh = [one for one in there if used[one.source, one.name] == fewest]
        real = max(fresh, key=lambda one: _fit(bone, one), default=None)
        if real is None:
            raise LamellaError("expected joints without overlap in every fold: use more joints")
        used[real.source, real.name] += 1
        pairs.extend(_views(bone, real, fold[bone.joint]))
    if {pair.fold for pair in pairs} != set(range(folds)):
        raise LamellaError(f"expected overlapping joints in each of {folds} folds: use more joints")
    return pairs


def generated_patch(pair: Pair, layer: Image) -> Patch:
    """The pair's generated patch out of a layer image, rounded to 8 bit like its radiograph."""
    rounded = np.round(np.clip(layer, 0.0, 1.0) * GREY_LEVELS) / GREY_LEVELS
    return levelled(pair, cut(rounded.astype(np.float32), pair.at, SIDE_PX))


def real_patch(pair: Pair) -> Patch:
    """The pair's real patch: pixels of a radiograph, never overlapped."""
    return levelled(pair, cut(pair.real.pixels, pair.real_at, SIDE_PX))


def levelled(pair: Pair, patch: Patch) -> Patch:
    """Grey values with mean 0 and standard deviation 1 in the surroundings, 0 where unseen."""
    values = patch[pair.surroundings]
    spread = max(float(values.std()), 1.0 / GREY_LEVELS)
    return np.where(pair.seen, (patch - values.mean()) / spread, 0.0).astype(np.float32)


def _bones(number: int, joint: LoadedJoint) -> Iterator[BoneEnd]:
    masks = reaching_border(joint.masks)
    for name, other in (("upper", "lower"), ("lower", "upper")):
        yield BoneEnd(
            joint=joint.row.joint,
            source=str(number),
            name=name,
            mask=masks[name],
            other=masks[other],
            pixels=joint.pixels,
        )


def _folds(crossed: set[str], free: set[str], seed: int, folds: int) -> dict[str, int]:
    """Joint -> fold; joints with an overlap are dealt out first, so that every fold has some."""
    rng = np.random.default_rng(seed)
    order = [*rng.permutation(sorted(crossed)), *rng.permutation(sorted(free - crossed))]
    return {str(joint): number % folds for number, joint in enumerate(order)}


def _views(bone: BoneEnd, real: BoneEnd, fold: int) -> Iterator[Pair]:
    for quantile in VIEWS:
        at = within_overlap(bone, quantile)
        real_at = pixel_of(real, place_of(bone, at))
        seen = _inside(bone, at) & _inside(real, real_at)
        overlap = seen & cut(bone.overlap, at, SIDE_PX)
        left = int((seen & ~overlap).sum())
        if overlap.sum() >= FEWEST_OVERLAP_PX and left >= FEWEST_SURROUNDING_PX:
            yield Pair(
                generated=bone,
                real=real,
                at=at,
                real_at=real_at,
                seen=seen,
                overlap=overlap,
                fold=fold,
            )


def _fit(bone: BoneEnd, other: BoneEnd) -> float:
    """Intersection over union of two bones around the middle of the overlap."""
    at = within_overlap(bone)
    one, two = _inside(bone, at), _inside(other, pixel_of(other, place_of(bone, at)))
    return float((one & two).sum() / max((one | two).sum(), 1))


def _inside(bone: BoneEnd, at: tuple[int, int]) -> PatchMask:
    wide = cut(bone.mask, at, SIDE_PX + 2 * RIM_PX)
    eroded = ndimage.binary_erosion(wide, iterations=RIM_PX)
    return np.asarray(eroded[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX])
