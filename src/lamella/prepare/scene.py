"""What a separator sees of a joint: absorbance, soft tissue, soft edges, scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lamella.physics.soft_tissue import matte, soft_tissue_under
from lamella.types import Absorbance, BoneStack, Image, Mask

CORRECTION_REACH_PX = 12.0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What the separator sees, on its own grid.

    Args:
        absorbance: observed, (row, col).
        soft: harmonic estimate of the soft tissue, (row, col).
        mattes: soft edges of the upper and the lower bone, (2, row, col).
        scale: typical bone absorbance, by which the network's input is divided.
    """

    absorbance: Absorbance
    soft: Absorbance
    mattes: BoneStack
    scale: float

    @property
    def both(self) -> Mask:
        """Where both bones may be, soft edges included."""
        return np.asarray(self.mattes.min(axis=0) > 0)

    @property
    def overlap_px(self) -> float:
        """Pixels in both bones, their penumbra included."""
        return float((self.mattes.min(axis=0) >= 1.0).sum())

    def features(self) -> np.ndarray:
        """Network input (4, row, col): bone and soft absorbance over the scale, two mattes."""
        bone = (self.absorbance - self.soft) / self.scale
        return np.stack([bone, self.soft / self.scale, *self.mattes]).astype(np.float32)

    def correction_window(self) -> Image:
        """Where the soft tissue may be corrected: 1 in the overlap, fading to 0 around it."""
        distance = ndimage.distance_transform_edt(~self.both)
        step = np.clip(distance / CORRECTION_REACH_PX, 0.0, 1.0)
        return (self.mattes.max(axis=0) * (1.0 - step**2 * (3.0 - 2.0 * step))).astype(np.float32)


def scene(absorbance: Absorbance, masks: Sequence[Mask], pixel_spacing_mm: float) -> Scene:
    """Prepare a joint: soft edges, soft tissue, scale.

    Args:
        absorbance: observed, (row, col).
        masks: the bones', top one first.
        pixel_spacing_mm: of this grid.
    """
    mattes = np.stack([matte(mask, pixel_spacing_mm) for mask in masks])
    soft = soft_tissue_under(absorbance, mattes.max(axis=0), pixel_spacing_mm)
    alone = (np.sum(np.stack(masks), axis=0) == 1) & (absorbance > soft)
    bone = (absorbance - soft)[alone]
    scale = float(bone.mean()) if bone.size else float(absorbance.mean())
    return Scene(absorbance=absorbance, soft=soft, mattes=mattes, scale=max(scale, 1e-3))
