"""Joints closed on purpose: synthetic overlaps whose layers are known.

A joint without overlap is taken apart (each pixel has one bone at most), its bones are moved
in absorbance while the soft tissue stays, and the layers are superposed again: BLS-GAN's
synthetic overlaps (arXiv 2409.07304, pre-training) without its scalar soft tissue.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from lamella.physics.formation import (
    absorbance,
    intensity,
    shares_of_present,
    split_by_shares,
    superpose,
)
from lamella.physics.geometry import RigidMotion, move, move_mask
from lamella.physics.soft_tissue import NOMINAL_SPACING_MM, matte, soft_tissue_under
from lamella.prepare.masks import by_height, reaching_border
from lamella.records import LamellaError, Radiograph
from lamella.types import Absorbance, Image, Mask

SMALLEST_OVERLAP_PX = 20
NEARNESS_MM = 0.08
FARTHEST_EXCHANGE_PX = 12
EXCHANGE_GAIN = (0.5, 2.0)
END_ROWS_PX = 40


@dataclass(frozen=True, kw_only=True)
class KnownLayers:
    """A joint whose layers are known.

    Args:
        soft: absorbance of the soft tissue, (row, col).
        bones: name -> absorbance, (row, col), top bone first.
        masks: name -> (row, col).
        grey_level: step between grey levels of the image it comes from.
    """

    soft: Absorbance
    bones: Mapping[str, Absorbance]
    masks: Mapping[str, Mask]
    grey_level: float = 1.0 / 255.0

    @property
    def absorbance(self) -> Absorbance:
        """All layers superposed, (row, col)."""
        return np.asarray(superpose(self.soft, np.stack(list(self.bones.values()))))

    @property
    def overlap(self) -> Mask:
        """Pixels in two masks or more, (row, col)."""
        return np.sum([mask.astype(np.uint8) for mask in self.masks.values()], axis=0) > 1

    def bone_image(self, name: str) -> Image:
        """True layer image of one bone with its soft tissue, (row, col)."""
        return np.asarray(intensity(self.soft + self.bones[name]), np.float32)

    def radiograph(self, pixel_spacing_mm: float | None = NOMINAL_SPACING_MM) -> Radiograph:
        """The joint as a radiograph, rounded to the source's grey levels."""
        levels = np.round(np.asarray(intensity(self.absorbance)) / self.grey_level)
        pixels = np.clip(levels * self.grey_level, 0.0, 1.0)
        return Radiograph(
            pixels=pixels, pixel_spacing_mm=pixel_spacing_mm, grey_level=self.grey_level
        )


def layers_without_overlap(radiograph: Radiograph, masks: Mapping[str, Mask]) -> KnownLayers:
    """Layers of a joint whose bones do not overlap.

    Soft tissue is continued under the bones (:func:`soft_tissue_under`); the rest belongs to
    the one bone that is there. Where two soft edges meet, the nearer bone gets more:
    ``share_i ~ p_i exp(-d_i / NEARNESS_MM)`` with ``d_i`` the distance from mask i.

    Raises:
        LamellaError: the masks overlap by 20 pixels or more, or no soft tissue is visible.
    """
    reaching = reaching_border(masks)
    names = by_height(reaching)
    stack = np.stack([reaching[name] for name in names])
    if (stack.sum(axis=0) > 1).sum() >= SMALLEST_OVERLAP_PX:
        raise LamellaError("the bones overlap: known layers need a joint without overlap")
    spacing_mm = radiograph.pixel_spacing_mm or NOMINAL_SPACING_MM
    mattes = np.stack([matte(mask, spacing_mm) for mask in stack])
    observed = np.asarray(absorbance(radiograph.pixels, radiograph.grey_level))
    soft = soft_tissue_under(observed, mattes.max(axis=0), spacing_mm)
    distances = np.stack([ndimage.distance_transform_edt(~mask) for mask in stack])
    parts = shares_of_present(-distances * (spacing_mm / NEARNESS_MM), mattes)
    soft, bones = split_by_shares(observed, soft, parts.astype(np.float32))
    return KnownLayers(
        soft=soft,
        bones=dict(zip(names, bones, strict=True)),
        masks={name: reaching[name] for name in names},
        grey_level=radiograph.grey_level,
    )


def closed(known: KnownLayers, motions: Mapping[str, RigidMotion]) -> KnownLayers:
    """Move bones, leave the soft tissue, and crop what the motion left without data.

    Args:
        known: layers of a joint.
        motions: name -> motion; a bone without one stays.

    Returns:
        the joint after the motion, a few rows and columns smaller.
    """
    still = RigidMotion()
    bones = {name: move(bone, motions.get(name, still)) for name, bone in known.bones.items()}
    masks = {name: move_mask(mask, motions.get(name, still)) for name, mask in known.masks.items()}
    rows, cols = _margins(known, motions)
    height, width = known.soft.shape
    inside = (slice(rows, height - rows), slice(cols, width - cols))
    return _cropped(replace(known, bones=bones, masks=masks), inside)


def closing(names: tuple[str, str], closing_px: int) -> dict[str, RigidMotion]:
    """Motions that bring the upper and the lower bone ``closing_px`` nearer, in whole pixels."""
    upper, lower = names
    down = closing_px // 2
    return {
        upper: RigidMotion(down_px=float(down)),
        lower: RigidMotion(down_px=float(down - closing_px)),
    }


def exchanged(known: KnownLayers, other: KnownLayers, name: str) -> KnownLayers | None:
    """A joint with one bone of another joint in place of its own.

    The other joint's bone is brought, by whole pixels, to where the joint's own articular end
    was, and its absorbance to the same mean. N joints give N (N - 1) such pairs.

    Args:
        known: layers of the joint that keeps its soft tissue and its other bone.
        other: layers of the joint that lends a bone, of the same shape.
        name: of the bone.

    Returns:
        the joint, cropped to where both have data, or None when the bone would have to move
        by more than ``FARTHEST_EXCHANGE_PX``.
    """
    is_top = by_height(known.masks)[0] == name
    here, there = (_articular_end(layers.masks[name], is_top) for layers in (known, other))
    down, right = here[0] - there[0], here[1] - there[1]
    if max(abs(down), abs(right)) > FARTHEST_EXCHANGE_PX:
        return None
    motion = RigidMotion(down_px=float(down), right_px=float(right))
    own, lent = (layers.bones[name][layers.masks[name]].mean() for layers in (known, other))
    gain = float(np.clip(own / max(float(lent), 1e-3), *EXCHANGE_GAIN))
    bones = dict(known.bones) | {name: gain * move(other.bones[name], motion)}
    masks = dict(known.masks) | {name: move_mask(other.masks[name], motion)}
    swapped = replace(known, bones=bones, masks=masks)
    height, width = known.soft.shape
    inside = (
        slice(abs(down), height - abs(down)),
        slice(abs(right), width - abs(right)),
    )
    return _cropped(swapped, inside)


def window_around(overlap: Mask, size_px: tuple[int, int]) -> tuple[slice, slice]:
    """A window of a size with the overlap near its middle, inside the image.

    Args:
        overlap: (row, col), at least one pixel.
        size_px: rows and columns of the window, at most the image's.
    """
    spans = []
    for axis, length in enumerate(size_px):
        occupied = np.flatnonzero(overlap.any(axis=1 - axis))
        middle = (int(occupied[0]) + int(occupied[-1])) // 2
        first = int(np.clip(middle - length // 2, 0, overlap.shape[axis] - length))
        spans.append(slice(first, first + length))
    return spans[0], spans[1]


def _articular_end(mask: Mask, is_top: bool) -> tuple[int, int]:
    """Row of a bone's end at the joint and the middle column of its last ``END_ROWS_PX`` rows."""
    rows = np.flatnonzero(mask.any(axis=1))
    end = int(rows[-1] if is_top else rows[0])
    near = mask[max(end - END_ROWS_PX, 0) : end + 1] if is_top else mask[end : end + END_ROWS_PX]
    cols = np.flatnonzero(near.any(axis=0))
    return end, (int(cols[0]) + int(cols[-1])) // 2


def _cropped(known: KnownLayers, inside: tuple[slice, slice]) -> KnownLayers:
    return replace(
        known,
        soft=known.soft[inside],
        bones={name: bone[inside] for name, bone in known.bones.items()},
        masks={name: mask[inside] for name, mask in known.masks.items()},
    )


def _margins(known: KnownLayers, motions: Mapping[str, RigidMotion]) -> tuple[int, int]:
    height, width = known.soft.shape
    rows = cols = 0.0
    for motion in motions.values():
        lever = abs(np.sin(np.deg2rad(motion.rotation_deg)))
        rows = max(rows, abs(motion.down_px) + lever * width / 2)
        cols = max(cols, abs(motion.right_px) + lever * height / 2)
    return int(np.ceil(rows)), int(np.ceil(cols))
