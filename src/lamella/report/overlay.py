"""A radiograph with its joint space drawn on it: contours, the central half, the width."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image as PillowImage
from PIL import ImageDraw

from lamella.records import JointSpace
from lamella.types import Image, Points

Picture = UInt8[np.ndarray, "picture_rows picture_cols 3"]

SMALLEST_SIDE_PX = 512
UPPER_COLOUR = (96, 200, 255)
LOWER_COLOUR = (255, 184, 92)
WIDTH_COLOUR = (255, 255, 255)
RUNGS = 9


def joint_space_picture(pixels: Image, space: JointSpace) -> Picture:
    """Draw the articular contours and rungs of the width over the central half.

    Args:
        pixels: intensity in [0, 1], (row, col).
        space: measured on it.

    Returns:
        8-bit colour, (row, col, channel); enlarged by a whole factor to at least 512 pixels.
    """
    factor = max(1, -(-SMALLEST_SIDE_PX // min(pixels.shape)))
    grey = PillowImage.fromarray(np.rint(255.0 * np.clip(pixels, 0.0, 1.0)).astype(np.uint8))
    size = (factor * grey.width, factor * grey.height)
    picture = grey.resize(size, PillowImage.Resampling.NEAREST).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for end, colour in zip(space.ends.values(), (UPPER_COLOUR, LOWER_COLOUR), strict=True):
        draw.line(_drawn(end.arc_px, factor), fill=colour, width=max(1, factor))
    for rung in _rungs(space):
        draw.line(_drawn(rung, factor), fill=WIDTH_COLOUR, width=max(1, factor // 2))
    return np.asarray(picture)


def _rungs(space: JointSpace) -> list[Points]:
    """Segments along the axis from the lower contour to the upper one, over the central half."""
    inside = np.flatnonzero(space.central)
    places = inside[np.linspace(0, len(inside) - 1, RUNGS).round().astype(int)]
    across = space.across_px[places]
    lower_end = list(space.ends.values())[-1]
    at, along = space.frame.coordinates(lower_end.arc_px)
    order = np.argsort(at)
    bottom = np.interp(across, at[order], along[order])
    top = bottom + space.width_px[places]
    return list(
        np.stack([space.frame.points(across, bottom), space.frame.points(across, top)], axis=1)
    )


def _drawn(points_px: Points, factor: int) -> list[tuple[float, float]]:
    """Points (row, col) as (x, y) on the enlarged picture."""
    return [((col + 0.5) * factor, (row + 0.5) * factor) for row, col in points_px.tolist()]
