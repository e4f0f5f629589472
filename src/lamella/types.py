"""Array aliases: the axes of every array that crosses a module border.

Axis legend: images are ``(row, col)``, rows run downwards; a leading ``bone`` axis
counts overlapping bones; volumes are ``(slice, row, col)``. Values are float32 unless a
function says otherwise. Intensity lies in [0, 1] with bone bright; absorbance is
``-ln(1 - intensity)`` and has no unit.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

Image = Float[np.ndarray, "rows cols"]
"""Intensity or any other real-valued map, (row, col)."""

Absorbance = Float[np.ndarray, "rows cols"]
"""Absorbance of one layer or of all, (row, col), at least 0."""

Mask = Bool[np.ndarray, "rows cols"]
"""Where something is, (row, col)."""

BoneStack = Float[np.ndarray, "bones rows cols"]
"""One map per bone, (bone, row, col)."""

Array = Any
"""A NumPy array or a torch tensor: functions that take it follow the array API."""

Points = Float[np.ndarray, "_ 2"]
"""Places in an image at sub-pixel precision, each (row, col); (0, 0) is a pixel's centre."""

Profile = Float[np.ndarray, "_"]
"""One value per place along a line."""

PaddedStack = Float[np.ndarray, "_ _ _"]
"""One map per bone on a grid that reaches beyond the image, (bone, row, col)."""

PaddedImage = Float[np.ndarray, "_ _"]
"""A map on a grid that reaches beyond the image, (row, col)."""

Volume = Float[np.ndarray, "_ _ _"]
"""A real-valued volume; its record says where its axes point."""

Solid = Bool[np.ndarray, "_ _ _"]
"""Where something is in a volume."""

LevelVolume = UInt8[np.ndarray, "_ _ _"]
"""A label volume: 0 background, else a vertebra's number in VerSe's scheme."""

Affine = Float[np.ndarray, "4 4"]
"""From array indices to millimetres, patient axes right, anterior, superior (RAS)."""

Places = Float[np.ndarray, "*_ 3"]
"""Points in space; the last axis holds right, anterior, superior in mm unless said otherwise."""

Direction = Float[np.ndarray, "3"]
"""A unit vector in RAS."""
