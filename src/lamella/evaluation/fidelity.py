"""How near a separated layer is to the true one, inside the overlap."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from skimage.metrics import structural_similarity

from lamella.types import Image, Mask

SIZE_BINS_PX = (20, 200, 500, 1000, 2000, 100_000)


@dataclass(frozen=True, kw_only=True)
class LayerFidelity:
    """Errors of both layers of one joint, inside the overlap.

    Args:
        overlap_px: pixels in both masks.
        mse: mean squared error of intensity over the overlap and both bones.
        ssim: structural similarity (Wang 2004; window 7, range 1), mean over the same.
    """

    overlap_px: int
    mse: float
    ssim: float


def layer_fidelity(found: Sequence[Image], true: Sequence[Image], overlap: Mask) -> LayerFidelity:
    """Compare layer images, (row, col) each, upper and lower, inside the overlap."""
    squares = [np.square(a - b)[overlap].mean() for a, b in zip(found, true, strict=True)]
    maps = [
        structural_similarity(a, b, data_range=1.0, full=True)[1][overlap].mean()
        for a, b in zip(found, true, strict=True)
    ]
    return LayerFidelity(
        overlap_px=int(overlap.sum()), mse=float(np.mean(squares)), ssim=float(np.mean(maps))
    )


def psnr_db(mse: float) -> float:
    """Peak signal-to-noise ratio of intensity in [0, 1], dB: ``-10 log10 mse``."""
    return float(-10.0 * np.log10(max(mse, 1e-12)))


def size_bin(overlap_px: int) -> str:
    """Name of the overlap-size bin, in pixels of 0.082 mm."""
    for low, high in itertools.pairwise(SIZE_BINS_PX):
        if low <= overlap_px < high:
            return f"{low}-{high - 1}" if high < SIZE_BINS_PX[-1] else f">={low}"
    return f"<{SIZE_BINS_PX[0]}"


def bin_names() -> list[str]:
    """All bins, smallest overlaps first."""
    return [size_bin(low) for low in SIZE_BINS_PX[:-1]]
