"""The grid networks work on, and the way back to the input's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from lamella.records import LamellaError, Radiograph
from lamella.types import Image, Mask

NetworkImage = Float[np.ndarray, "network_rows network_cols"]
"""A map on the networks' grid, (row, col)."""

NetworkMask = Bool[np.ndarray, "network_rows network_cols"]
"""Where something is on the networks' grid, (row, col)."""

NetworkStack = Float[np.ndarray, "bones network_rows network_cols"]
"""One map per bone on the networks' grid, (bone, row, col)."""

NETWORK_SPACING_MM = 0.15 * 140 / 256
NETWORK_SIDE_PX = 256
FIELD_MM = (8.0, 45.0)
SAME_GRID_TOLERANCE = 0.04


@dataclass(frozen=True, kw_only=True)
class JointGrid:
    """Resampling between a radiograph and the networks' spacing of 0.082 mm per pixel.

    Args:
        native: rows and columns of the radiograph.
        zoom: network pixels per native pixel; 1 leaves the image untouched.
    """

    native: tuple[int, int]
    zoom: float

    @classmethod
    def of(cls, radiograph: Radiograph) -> JointGrid:
        """Grid of a radiograph: by its spacing, or, unknown, by making its longer side 256.

        Raises:
            LamellaError: the field of view is no single finger joint's (8 to 45 mm).
        """
        longest = max(radiograph.shape)
        spacing_mm = radiograph.pixel_spacing_mm
        if spacing_mm is None:
            zoom = NETWORK_SIDE_PX / longest
        else:
            _refuse_field(longest * spacing_mm)
            zoom = spacing_mm / NETWORK_SPACING_MM
        same = abs(zoom - 1.0) < SAME_GRID_TOLERANCE
        return cls(native=radiograph.shape, zoom=1.0 if same else zoom)

    @property
    def spacing_mm(self) -> float:
        """Spacing assumed on the network's grid."""
        return NETWORK_SPACING_MM

    @property
    def native_spacing_mm(self) -> float:
        """Spacing of the radiograph's own pixels that goes with :attr:`spacing_mm`."""
        return NETWORK_SPACING_MM * self.zoom

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns on the network's grid."""
        rows, cols = (max(16, round(length * self.zoom)) for length in self.native)
        return rows, cols

    def to_network(self, image: Image) -> NetworkImage:
        """Resample an image to the network's grid, low-pass filtered where it shrinks."""
        if self.zoom == 1.0:
            return np.asarray(image, np.float32)
        smooth = image
        if self.zoom < 1.0:
            smooth = ndimage.gaussian_filter(image, 0.4 / self.zoom)
        return _resampled(smooth, self.shape)

    def mask_to_network(self, mask: Mask) -> NetworkMask:
        """Resample a mask to the network's grid."""
        return np.asarray(self.to_network(mask.astype(np.float32)) >= 0.5)

    def to_native(self, image: NetworkImage) -> Image:
        """Resample a map from the network's grid to the radiograph's."""
        if self.zoom == 1.0:
            return np.asarray(image, np.float32)
        return _resampled(image, self.native)


def _refuse_field(longest_mm: float) -> None:
    low, high = FIELD_MM
    if not low <= longest_mm <= high:
        raise LamellaError(
            f"expected one finger joint ({low:g} to {high:g} mm), got a field of "
            f"{longest_mm:.0f} mm: crop to the joint, or correct the pixel spacing"
        )


def _resampled(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    at = [
        (np.arange(new) + 0.5) * old / new - 0.5
        for new, old in zip(shape, image.shape, strict=True)
    ]
    moved = ndimage.map_coordinates(
        image, np.meshgrid(*at, indexing="ij"), order=1, mode="nearest", output=np.float32
    )
    return np.asarray(moved)
