"""Bone masks made fit for physics."""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from lamella.types import Absorbance, Mask

NEAR_BORDER_FRACTION = 0.1
ACROSS_MM = 0.33
FEWEST_OUTLINE_PX = 20


def by_height(masks: Mapping[str, Mask]) -> list[str]:
    """Names of the bones from top to bottom, by the mean row of their masks."""
    rows = {name: float(np.nonzero(mask)[0].mean()) for name, mask in masks.items()}
    return sorted(rows, key=lambda name: rows[name])


def reaching_border(masks: Mapping[str, Mask]) -> dict[str, Mask]:
    """Masks of joints continued to the border their bone leaves the crop by.

    Masks drawn by hand often end a few pixels short of the crop's edge; what lies beyond
    would be taken for soft tissue. A top mask that ends less than a tenth of the height below
    the upper border is continued straight up, a bottom one straight down.

    Args:
        masks: name -> (row, col).
    """
    names = by_height(masks)
    reaching = {name: np.array(mask) for name, mask in masks.items()}
    _continue_up(reaching[names[0]])
    _continue_up(reaching[names[-1]][::-1])
    return reaching


def outline_agreement(
    absorbance: Absorbance, masks: Mapping[str, Mask], pixel_spacing_mm: float
) -> float:
    """Fraction of the masks' outlines across which the image gets brighter inwards, 0..1.

    Bone absorbs more than what surrounds it, so the outline of a mask that belongs to the image
    is a step up nearly everywhere (0.83 to 1.00 on sound BLS-GAN joints), the outline of
    another joint's mask about as often down as up (0.5 to 0.88). Outlines inside the other
    bone or at the image border do not count.

    Args:
        absorbance: observed, (row, col).
        masks: name -> (row, col).
        pixel_spacing_mm: mm per pixel.

    Returns:
        the mean over bones; 1 when no outline is long enough to tell.
    """
    reach_px = ACROSS_MM / pixel_spacing_mm
    smooth = ndimage.gaussian_filter(absorbance, 0.25 * reach_px)
    fractions = []
    for name, mask in masks.items():
        others = [other for key, other in masks.items() if key != name]
        free = ~ndimage.binary_dilation(np.any(others, axis=0), iterations=round(reach_px))
        steps = _steps_across(smooth, mask, free, reach_px)
        if steps.size >= FEWEST_OUTLINE_PX:
            fractions.append(float((steps > 0).mean()))
    return float(np.mean(fractions)) if fractions else 1.0


def _steps_across(smooth: Absorbance, mask: Mask, free: Mask, reach_px: float) -> np.ndarray:
    edge = mask & ~ndimage.binary_erosion(mask, border_value=1) & free
    margin = round(reach_px)
    edge[:margin] = edge[-margin:] = False
    edge[:, :margin] = edge[:, -margin:] = False
    blurred = ndimage.gaussian_filter(mask.astype(np.float32), 0.6 * reach_px)
    inwards = np.stack(np.gradient(blurred))
    inwards /= np.maximum(np.hypot(*inwards), 1e-6)
    at, direction = np.stack(np.nonzero(edge)), inwards[:, edge]
    inside, outside = (
        ndimage.map_coordinates(smooth, at + sign * reach_px * direction, order=1, mode="nearest")
        for sign in (1.0, -1.0)
    )
    return np.asarray(inside - outside)


def _continue_up(mask: Mask) -> None:
    first = int(np.flatnonzero(mask.any(axis=1))[0])
    if 0 < first < NEAR_BORDER_FRACTION * mask.shape[0]:
        full = first + 2
        mask[:full] |= mask[full]
