"""The joint space as a gully: the dark path from left to right between two bright bones.

Ou 2023 (arXiv 2205.09315) splits a joint into an upper and a lower region before it correlates
them; this is the split without bone masks that LSN's published code uses. It finds a visible
joint space of any width up to about twice the tallest box; where the bones overlap there is no
gully, and the path runs anywhere.
"""

import numpy as np
from scipy import ndimage

from lamella.records import LamellaError
from lamella.types import Image, Mask, Profile

BOX_HEIGHTS_MM = (0.45, 0.75, 1.05)
"""3, 5 and 7 pixels of the published radiographs, 0.15 mm each."""

ACROSS_WEIGHTS = (0.25, 0.5, 0.25)
"""(1/2, 1, 1/2) over its sum."""
SMOOTHING_COLUMNS = 3


def above_gully(image: Image, pixel_spacing_mm: float) -> Mask:
    """The upper of the two regions that the gully parts, (row, col); the other is the lower.

    Args:
        image: intensity, bone bright, (row, col).
        pixel_spacing_mm: mm per pixel.

    Raises:
        LamellaError: fewer rows than three of the tallest boxes take.
    """
    path = gully_path(gully_depth(image, pixel_spacing_mm))
    return np.asarray(np.arange(image.shape[0])[:, None] < path[None, :])


def gully_depth(image: Image, pixel_spacing_mm: float) -> Image:
    """How much darker a place is than what lies above and below it, (row, col).

    ``depth = max over h of min(box above, box below) - box here``, each box a mean over the
    ``h`` rows (odd, the nearest to 0.45, 0.75 and 1.05 mm) of one column, one upon the other,
    after a blur across of (1/2, 1, 1/2). 0 where the boxes leave the image.

    Args:
        image: intensity, bone bright, (row, col).
        pixel_spacing_mm: mm per pixel.

    Raises:
        LamellaError: fewer rows than three of the tallest boxes take.
    """
    heights = [box_height_px(height_mm, pixel_spacing_mm) for height_mm in BOX_HEIGHTS_MM]
    if image.shape[0] < 3 * max(heights):
        raise LamellaError(
            f"expected at least {3 * max(heights)} rows to look for a joint space in, "
            f"got {image.shape[0]}: use a larger crop"
        )
    blurred = ndimage.correlate1d(np.asarray(image, np.float64), ACROSS_WEIGHTS, axis=1)
    return np.max([_depth_at(blurred, height) for height in heights], axis=0).astype(np.float32)


def box_height_px(height_mm: float, pixel_spacing_mm: float) -> int:
    """The odd number of rows, at least 3, nearest to a height."""
    return max(2 * round((height_mm / pixel_spacing_mm - 1.0) / 2.0) + 1, 3)


def gully_path(depth: Image) -> Profile:
    """Row of the deepest path from left to right, one per column, (col,).

    The sum of depths along the path is largest among those that change by at most one row from
    column to column (dynamic programming); a moving mean of 3 columns smooths it.

    Args:
        depth: (row, col).
    """
    rows, cols = depth.shape
    total = depth[:, 0].astype(np.float64)
    steps = np.zeros((rows, cols), dtype=np.int64)
    for col in range(1, cols):
        padded = np.pad(total, 1, constant_values=-np.inf)
        sums = np.stack([padded[1:-1], padded[:-2], padded[2:]])  # straight, from above, from below
        best = sums.argmax(axis=0)
        steps[:, col] = np.array([0, -1, 1])[best]
        total = sums.max(axis=0) + depth[:, col]
    path = np.empty(cols)
    path[-1] = total.argmax()
    for col in range(cols - 1, 0, -1):
        path[col - 1] = path[col] + steps[int(path[col]), col]
    return np.asarray(ndimage.uniform_filter1d(path, SMOOTHING_COLUMNS, mode="nearest"))


def _depth_at(image: np.ndarray, height: int) -> np.ndarray:
    """``min(box above, box below) - box here`` for boxes of one height; 0 near the border."""
    boxes = ndimage.uniform_filter1d(image, height, axis=0)
    margin = height + height // 2
    depth = np.zeros_like(image)
    beside = np.minimum(boxes[: -2 * height], boxes[2 * height :])
    here = slice(height, -height)
    depth[here] = beside - boxes[here]
    depth[:margin] = depth[-margin:] = 0.0
    return depth
