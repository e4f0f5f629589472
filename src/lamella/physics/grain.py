"""The grain of an image: what is finer than the soft tissue's own structure, and more of its kind.

Detector noise and fine texture cannot be known where a bone hid them. They can be *drawn*: a
Gaussian random field with the autocovariance measured beside the bones is indistinguishable in
second-order statistics from what would have been seen there.
"""

import numpy as np
from scipy import fft, ndimage

from lamella.physics.soft_tissue import air_beside
from lamella.types import Absorbance, Image, Mask

FINEST_STRUCTURE_MM = 0.45
REACH_MM = 1.0
AIR_MARGIN_MM = 1.2
STRENGTH_MM = 3.0
CLIP_SD = 4.0
LEAST_VISIBLE_PX = 400


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
    """A random field over the whole image with the grain's autocovariance, (row, col).

    The autocovariance ``C(t) = sum e(x) e(x + t) / sum v(x) v(x + t)`` over visible pixels is
    tapered at ``REACH_MM``; white noise is filtered by the root of its spectrum. The field's
    strength follows the visible grain's, averaged over ``STRENGTH_MM``.

    Args:
        grain: of visible pixels, 0 elsewhere (:func:`grain_beside`).
        visible: where it was measured.
        pixel_spacing_mm: mm per pixel.
        seed: of the noise.

    Returns:
        (row, col), float32; zeros where fewer than ``LEAST_VISIBLE_PX`` pixels are visible.
    """
    if int(visible.sum()) < LEAST_VISIBLE_PX:
        return np.zeros(grain.shape, np.float32)
    shape = tuple(fft.next_fast_len(2 * length, real=True) for length in grain.shape)
    spectrum = np.clip(_tapered_spectrum(grain, visible, shape, pixel_spacing_mm), 0.0, None)
    white = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    field = fft.irfft2(fft.rfft2(white) * np.sqrt(spectrum), s=shape)
    rows, cols = grain.shape
    field = field[:rows, :cols] / max(float(np.sqrt(spectrum_variance(spectrum, shape))), 1e-9)
    return (field * _strength(grain, visible, pixel_spacing_mm)).astype(np.float32)


def spectrum_variance(half_spectrum: np.ndarray, shape: tuple[int, ...]) -> float:
    """Variance of white noise filtered by the root of a spectrum as ``rfft2`` lays it out."""
    weights = np.full(half_spectrum.shape[1], 2.0)
    weights[0] = 1.0
    if shape[1] % 2 == 0:
        weights[-1] = 1.0
    return float((half_spectrum * weights).sum() / (shape[0] * shape[1]))


def _tapered_spectrum(
    grain: Image, visible: Mask, shape: tuple[int, ...], pixel_spacing_mm: float
) -> np.ndarray:
    products, pairs = (
        fft.irfft2(np.abs(fft.rfft2(part, s=shape)) ** 2, s=shape)
        for part in (grain, visible.astype(np.float32))
    )
    covariance = np.where(pairs > 0.5, products / np.maximum(pairs, 1.0), 0.0)
    reach_px = REACH_MM / pixel_spacing_mm
    lags = [np.minimum(np.arange(n), n - np.arange(n)) for n in shape]
    distance = np.hypot(lags[0][:, None], lags[1][None]) / reach_px
    taper = np.where(distance < 1.0, 0.5 + 0.5 * np.cos(np.pi * np.minimum(distance, 1.0)), 0.0)
    return np.asarray(fft.rfft2(covariance * taper).real)


def _strength(grain: Image, visible: Mask, pixel_spacing_mm: float) -> Image:
    """Local standard deviation of the grain, continued under what hides it."""
    sigma_px = STRENGTH_MM / pixel_spacing_mm
    floor = 1e-3
    weight = ndimage.gaussian_filter(visible.astype(np.float32), sigma_px)
    power = ndimage.gaussian_filter(grain**2, sigma_px)
    overall = float((grain[visible] ** 2).mean())
    return np.asarray(np.sqrt((power + floor * overall) / (weight + floor)))


def _robust_sd(values: np.ndarray) -> float:
    return float(1.4826 * np.median(np.abs(values))) if values.size else 0.0
