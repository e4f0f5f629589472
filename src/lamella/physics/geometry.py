"""Rigid motion of layers, and millimetres."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from lamella.records import LamellaError
from lamella.records import RigidMotion as RigidMotion
from lamella.types import Absorbance, Mask


def move(layer: Absorbance, motion: RigidMotion, order: int = 3) -> Absorbance:
    """Move a layer of absorbance; what leaves the image is lost, what enters is empty.

    Spline interpolation of the given order in absorbance, where layers add: a layer that
    stays inside keeps its sum to 1e-3. A translation by whole pixels is exact.

    Args:
        layer: (row, col), at least 0.
        motion: see :class:`RigidMotion`.
        order: of the spline, 0..5.

    Returns:
        (row, col), float32, at least 0.
    """
    if motion.is_still:
        return np.asarray(layer, dtype=np.float32)
    rows, cols = layer.shape
    centre = motion.centre_px or ((rows - 1) / 2, (cols - 1) / 2)
    inverse, offset = replace(motion, centre_px=centre).inverse_affine()
    spline = 0 if motion.is_by_whole_pixels else order
    moved = ndimage.affine_transform(
        np.asarray(layer, np.float64), inverse, offset, order=spline, mode="grid-constant"
    )
    return np.maximum(moved, 0.0).astype(np.float32)


def move_mask(mask: Mask, motion: RigidMotion) -> Mask:
    """Move a mask: linear interpolation of its membership, cut at one half."""
    return np.asarray(move(mask.astype(np.float32), motion, order=1) >= 0.5)


def px_to_mm(length_px: float, pixel_spacing_mm: float | None) -> float:
    """Length in mm of a length in pixels.

    Raises:
        LamellaError: the spacing is unknown: no millimetre is ever guessed.
    """
    return length_px * _known(pixel_spacing_mm)


def mm_to_px(length_mm: float, pixel_spacing_mm: float | None) -> float:
    """Length in pixels of a length in mm; same error as :func:`px_to_mm`."""
    return length_mm / _known(pixel_spacing_mm)


def _known(pixel_spacing_mm: float | None) -> float:
    if pixel_spacing_mm is None:
        raise LamellaError("the pixel spacing is unknown: give it (--pixel-spacing MM) to use mm")
    return pixel_spacing_mm
