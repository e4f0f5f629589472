"""Rigid motion of layers, and millimetres."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lamella.records import LamellaError
from lamella.types import Absorbance, Mask


@dataclass(frozen=True, kw_only=True)
class RigidMotion:
    """A motion in the image plane.

    Args:
        down_px: translation along rows, positive downwards.
        right_px: translation along columns, positive to the right.
        rotation_deg: counter-clockwise as seen on the screen, about ``centre_px``.
        centre_px: (row, col) of the centre of rotation; the image centre when None.
    """

    down_px: float = 0.0
    right_px: float = 0.0
    rotation_deg: float = 0.0
    centre_px: tuple[float, float] | None = None

    @property
    def is_still(self) -> bool:
        """True when nothing moves."""
        return self.down_px == 0 and self.right_px == 0 and self.rotation_deg == 0

    @property
    def is_by_whole_pixels(self) -> bool:
        """True when pixels keep their values and only change places."""
        whole = float(self.down_px).is_integer() and float(self.right_px).is_integer()
        return whole and self.rotation_deg == 0


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
    turn_rad = np.deg2rad(motion.rotation_deg)
    cosine, sine = np.cos(turn_rad), np.sin(turn_rad)
    inverse = np.array([[cosine, sine], [-sine, cosine]])
    rows, cols = layer.shape
    centre = np.array(motion.centre_px or ((rows - 1) / 2, (cols - 1) / 2))
    moved_centre = centre + np.array([motion.down_px, motion.right_px])
    offset = centre - inverse @ moved_centre
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
