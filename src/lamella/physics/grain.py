"""The grain of an image: what is finer than the soft tissue's own structure, and more of its kind.

Detector noise and fine texture cannot be known where a bone hid them. They can be *resampled*
from what is seen beside the bones, as texture synthesis does (Efros and Freeman 2001, without
their seams: power-preserving weights need none where texture is only noise).
"""

import numpy as np
from scipy import ndimage

from lamella.physics.soft_tissue import air_beside
from lamella.types import Absorbance, Image, Mask

FINEST_STRUCTURE_MM = 0.8
WINDOWS_PX = (32, 16, 8)
FEWEST_SOURCES = 12
BLOCK_PX = 8
AIR_MARGIN_MM = 1.2
STRENGTH_MM = 3.0
CLIP_SD = 4.0


def visible_tissue(absorbance: Absorbance, hidden: Mask, pixel_spacing_mm: float) -> Mask:
    """Soft tissue that no bone hides, away from the skin's slope and from air, (row, col)."""
    air = air_beside(absorbance, hidden)
    margin_px = max(1, round(AIR_MARGIN_MM / pixel_spacing_mm))
    near_air = ndimage.binary_dilation(air, iterations=margin_px) if air.any() else air
    return np.asarray(~hidden & ~near_air)


def grain_beside(absorbance: Absorbance, visible: Mask, pixel_spacing_mm: float) -> Image:
    """Grain of the visible pixels: the observation minus its mean over ``FINEST_STRUCTURE_MM``.

    The mean is a normalised Gaussian over visible pixels alone. 0 elsewhere, (row, col).
    """
    sigma_px = FINEST_STRUCTURE_MM / pixel_spacing_mm
    weight = ndimage.gaussian_filter(visible.astype(np.float32), sigma_px)
    total = ndimage.gaussian_filter(np.where(visible, absorbance, 0.0).astype(np.float32), sigma_px)
    fine = absorbance - total / np.maximum(weight, 1e-6)
    bound = CLIP_SD * _robust_sd(fine[visible])
    return np.where(visible, np.clip(fine, -bound, bound), 0.0).astype(np.float32)


def grain_like(grain: Image, visible: Mask, pixel_spacing_mm: float, seed: int) -> Image:
    """More grain of the same kind over the whole image, (row, col).

    Windows of seen grain, taken from random places, are laid beside each other and fade into each
    other over a quarter of their width, with weights whose squares add up to 1: power is kept, and
    with it the fine structure that detector, resampling and JPEG gave it, which no Gaussian
    field has. Sources lie a multiple of ``BLOCK_PX`` away, so blocks of JPEG stay where they were.

    Args:
        grain: of visible pixels, 0 elsewhere (:func:`grain_beside`).
        visible: where it was measured.
        pixel_spacing_mm: mm per pixel.
        seed: of the places.

    Returns:
        (row, col), float32; zeros where not even windows of 8 pixels are visible.
    """
    rng = np.random.default_rng(seed)
    for window_px in WINDOWS_PX:
        sources = _whole_windows(visible, window_px)
        if len(sources) >= FEWEST_SOURCES:
            strength = _strength(grain, visible, pixel_spacing_mm)
            laid = _laid_over(grain / strength, sources, window_px, rng)
            return (laid * strength).astype(np.float32)
    return np.zeros(grain.shape, np.float32)


def _whole_windows(visible: Mask, side_px: int) -> np.ndarray:
    """First (row, col) of the windows that are visible everywhere, (n, 2)."""
    if min(visible.shape) < side_px:
        return np.zeros((0, 2), np.int64)
    hidden = ndimage.uniform_filter((~visible).astype(np.float64), side_px, mode="constant", cval=1)
    half = side_px // 2
    rows, cols = np.nonzero(hidden[half:, half:] * side_px**2 < 0.5)
    inside = (rows + side_px <= visible.shape[0]) & (cols + side_px <= visible.shape[1])
    return np.stack([rows[inside], cols[inside]], axis=1)


def _laid_over(
    texture: Image, sources: np.ndarray, side_px: int, rng: np.random.Generator
) -> Image:
    fade_px = side_px // 4
    step_px = side_px - fade_px
    rise = np.sin(0.5 * np.pi * (np.arange(fade_px) + 0.5) / fade_px)
    line = np.concatenate([rise, np.ones(side_px - 2 * fade_px), rise[::-1]])
    weight = np.outer(line, line)
    rows, cols = texture.shape
    canvas = np.zeros((rows + 2 * side_px, cols + 2 * side_px))
    by_phase = _by_phase(sources)
    for row in range(-fade_px, rows, step_px):
        for col in range(-fade_px, cols, step_px):
            near = by_phase.get((row % BLOCK_PX, col % BLOCK_PX), sources)
            first = near[rng.integers(len(near))]
            patch = texture[first[0] : first[0] + side_px, first[1] : first[1] + side_px]
            place = (
                slice(row + side_px, row + 2 * side_px),
                slice(col + side_px, col + 2 * side_px),
            )
            canvas[place] += weight * patch
    return np.asarray(canvas[side_px:-side_px, side_px:-side_px])


def _by_phase(sources: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """Sources by their place modulo a block, where there are enough to choose from."""
    phases = sources % BLOCK_PX
    found = {}
    for row, col in np.unique(phases, axis=0):
        same = sources[(phases == (row, col)).all(axis=1)]
        if len(same) >= FEWEST_SOURCES:
            found[int(row), int(col)] = same
    return found


def _strength(grain: Image, visible: Mask, pixel_spacing_mm: float) -> Image:
    """Local standard deviation of the grain, continued under what hides it."""
    sigma_px = STRENGTH_MM / pixel_spacing_mm
    floor = 1e-3
    weight = ndimage.gaussian_filter(visible.astype(np.float32), sigma_px)
    power = ndimage.gaussian_filter(grain**2, sigma_px)
    overall = float((grain[visible] ** 2).mean()) + 1e-12
    return np.asarray(np.sqrt((power + floor * overall) / (weight + floor)))


def _robust_sd(values: np.ndarray) -> float:
    return float(1.4826 * np.median(np.abs(values))) if values.size else 0.0
