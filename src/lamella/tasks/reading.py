"""Reading studies: real and generated bone ends, chosen and levelled so that only texture differs.

A generated bone end is a separated layer around the overlap; a real one is a radiograph of the
same bone where nothing overlaps. Each real crop takes the place of a generated one: as far from
the articular rim and as far across the bone. All crops of a set are rounded to the coarsest grey
level among their sources, brought to one mean and one standard deviation inside the bone (a
linear map keeps the texture; matching whole histograms would bend it), and are black outside it.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, UInt8

from lamella.records import LamellaError
from lamella.types import Image, Mask

END_MM = 2.6
RIM_HALF_WIDTH_PX = 4
SPACING_MM = 0.15 * 140 / 256
FINEST_GREY_LEVEL = 1.0 / 255.0
SMALLEST_SPREAD = 1e-6

Item = TypeVar("Item")

CropImage = Float[np.ndarray, "side side"]
"""Intensity of a crop, (row, col)."""


class Kind(StrEnum):
    """What a crop is, and what a reader may answer."""

    REAL = "real"
    GENERATED = "generated"


@dataclass(frozen=True, kw_only=True, eq=False)
class BoneEnd:
    """One bone of one joint, at 0.082 mm per pixel.

    Args:
        source: identifies the radiograph.
        name: ``upper`` or ``lower``: the upper bone's articular end is its lowest row.
        mask: (row, col).
        other: mask of the other bone, (row, col).
        pixels: intensity of the radiograph, or of this bone's layer, (row, col).
        grey_level: step between grey levels of the radiograph.
        joint: shared by all visits of one joint, where that is known.
    """

    source: str
    name: str
    mask: Mask
    other: Mask
    pixels: Image
    grey_level: float = FINEST_GREY_LEVEL
    joint: str = ""

    @property
    def overlap(self) -> Mask:
        """Pixels of both bones, (row, col)."""
        return self.mask & self.other

    @property
    def overlap_px(self) -> int:
        """Number of pixels of both bones."""
        return int(self.overlap.sum())

    @property
    def outwards(self) -> int:
        """Direction along the rows from inside the bone to its articular rim, 1 or -1."""
        return 1 if self.name == "upper" else -1


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place on a bone's articular end, comparable between bones.

    Args:
        across: 0 at the left side of the bone's end, 1 at its right.
        depth_px: rows from the articular rim into the bone.
    """

    across: float
    depth_px: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Crop:
    """A square cut out for reading, before its grey levels are matched.

    Args:
        kind: real or generated.
        source: identifies the radiograph.
        pixels: (row, col).
        shown: what is not blackened, (row, col).
        overlap_px: size of the joint's overlap.
        grey_level: step between grey levels of the radiograph.
    """

    kind: Kind
    source: str
    pixels: CropImage
    shown: Mask
    overlap_px: int = 0
    grey_level: float = FINEST_GREY_LEVEL


def place_of(bone: BoneEnd, at: tuple[int, int]) -> Place:
    """Where on its bone's articular end a pixel (row, col) lies."""
    left, right = _end_columns(bone)
    depth_px = (_rim_row(bone, at[1]) - at[0]) * bone.outwards
    return Place(across=(at[1] - left) / max(right - left, 1), depth_px=depth_px)


def pixel_of(bone: BoneEnd, place: Place) -> tuple[int, int]:
    """The pixel (row, col) at a place; places beside the bone's end are brought to its side."""
    left, right = _end_columns(bone)
    col = round(left + min(max(place.across, 0.0), 1.0) * (right - left))
    return round(_rim_row(bone, col) - place.depth_px * bone.outwards), col


def within_overlap(bone: BoneEnd, quantile: float = 0.5) -> tuple[int, int]:
    """A pixel (row, col) of the overlap: at a quantile of its columns, midway along the rows."""
    rows, cols = np.nonzero(bone.overlap)
    if rows.size == 0:
        raise LamellaError("expected overlapping bones, got none: choose a joint with an overlap")
    col = int(np.quantile(cols, quantile, method="nearest"))
    return int(np.median(rows[np.abs(cols - col) <= 2])), col


def cut(image: np.ndarray, at: tuple[int, int], side_px: int) -> np.ndarray:
    """A square of ``side_px`` around a pixel, (side, side); 0 (False) beyond the image."""
    half = side_px // 2
    rows, cols = (
        np.clip([centre - half, centre - half + side_px], 0, length)
        for centre, length in zip(at, image.shape, strict=True)
    )
    square = np.zeros((side_px, side_px), image.dtype)
    top, left = rows[0] - at[0] + half, cols[0] - at[1] + half
    part = image[rows[0] : rows[1], cols[0] : cols[1]]
    square[top : top + part.shape[0], left : left + part.shape[1]] = part
    return square


def paired_crops(
    generated: Sequence[BoneEnd], real: Sequence[BoneEnd], side_px: int
) -> Iterator[Crop]:
    """Crops of separated layers at their overlaps, and of real bones at the same places.

    The middle of the overlap lies a quarter of the side from the crop's middle towards the
    joint, so that more bone is shown than black.
    """
    for layer, bone in zip(generated, real, strict=True):
        place = place_of(layer, within_overlap(layer))
        deeper = replace(place, depth_px=place.depth_px + side_px // 4)
        yield _crop(layer, Kind.GENERATED, pixel_of(layer, deeper), side_px)
        yield _crop(bone, Kind.REAL, pixel_of(bone, deeper), side_px)


def central_crop(pixels: Image, side_px: int, **about: Any) -> Crop:
    """The middle of a joint image; ``about`` are the other fields of :class:`Crop`."""
    rows, cols = pixels.shape
    square = cut(pixels, (rows // 2, cols // 2), side_px)
    return Crop(pixels=square, shown=np.ones(square.shape, bool), **about)


def chosen(
    items: Sequence[Item],
    count: int,
    rng: np.random.Generator,
    key: Callable[[Item], Hashable] = id,
) -> list[Item]:
    """``count`` items in random order, no two with the same key; all there are if fewer."""
    different: dict[Hashable, Item] = {}
    for place in rng.permutation(len(items)):
        different.setdefault(key(items[place]), items[place])
    return list(different.values())[:count]


def refuse_too_few(name: str, available: tuple[int, int], needed: int) -> None:
    """Check that a balanced set can be made.

    Args:
        name: of the set.
        available: generated and real crops there are.
        needed: of each.

    Raises:
        LamellaError: fewer of one kind.
    """
    if min(available) < needed:
        raise LamellaError(
            f"expected {needed} generated and {needed} real images for the set {name!r}, "
            f"got {available[0]} and {available[1]}: lower --images or name more results"
        )


def matched_levels(crops: Sequence[Crop]) -> list[UInt8[np.ndarray, "side side"]]:
    """Crops as 8-bit pictures of one grey-level statistic, 0 outside what is shown.

    Rounded to the coarsest grey level g of the set, ``J = g round(I / g)``, then
    ``255 (m + s (J - mean J) / sd J)`` clipped to [0, 255], with m and s the medians over the set
    of mean and standard deviation inside what is shown.

    Args:
        crops: of one set, generated and real.
    """
    step = max(crop.grey_level for crop in crops)
    rounded = [np.round(crop.pixels / step) * step for crop in crops]
    inside = [pixels[crop.shown] for pixels, crop in zip(rounded, crops, strict=True)]
    if any(values.size == 0 for values in inside):
        raise LamellaError("a crop shows no bone: use a larger --side, or other masks")
    mean = float(np.median([values.mean() for values in inside]))
    spread = float(np.median([values.std() for values in inside]))
    pictures = []
    for pixels, values, crop in zip(rounded, inside, crops, strict=True):
        gain = spread / max(float(values.std()), SMALLEST_SPREAD)
        levelled = np.clip(mean + gain * (pixels - values.mean()), 0.0, 1.0)
        pictures.append(np.round(255.0 * np.where(crop.shown, levelled, 0.0)).astype(np.uint8))
    return pictures


def _crop(bone: BoneEnd, kind: Kind, at: tuple[int, int], side_px: int) -> Crop:
    return Crop(
        kind=kind,
        source=bone.source,
        pixels=cut(bone.pixels, at, side_px),
        shown=cut(bone.mask, at, side_px),
        overlap_px=bone.overlap_px,
        grey_level=bone.grey_level,
    )


def _rim_row(bone: BoneEnd, col: int) -> float:
    """Row of the articular rim around a column; of the whole bone where the columns are empty."""
    near = bone.mask[:, max(col - RIM_HALF_WIDTH_PX, 0) : col + RIM_HALF_WIDTH_PX + 1]
    near = near[:, near.any(axis=0)]
    if near.size == 0:
        near = np.asarray(bone.mask.any(axis=1))[:, np.newaxis]
    last = near.shape[0] - 1
    ends = last - near[::-1].argmax(axis=0) if bone.outwards > 0 else near.argmax(axis=0)
    return float(ends.mean())


def _end_columns(bone: BoneEnd) -> tuple[int, int]:
    """First and last column of the bone within ``END_MM`` of its articular extreme."""
    rows = np.flatnonzero(bone.mask.any(axis=1))
    reach = round(END_MM / SPACING_MM)
    first = max(rows[-1] - reach, 0) if bone.outwards > 0 else rows[0]
    cols = np.flatnonzero(bone.mask[first : first + reach + 1].any(axis=0))
    return int(cols[0]), int(cols[-1])
