"""Random fields of a bone radiograph: trabeculae, slow density variation, detector noise.

Projected trabecular bone is not a plain Gaussian field: it is a net of thin plates and rods
seen through one another. Here each depth layer is the neighbourhood of the zero level of a
Gaussian field (a net of thin curves), and layers are summed as absorbance is. The radial power
spectrum of the sum is flat below about 0.8 cycles/mm and falls about as f^-2 above it, as
projections of trabecular bone do (fractal analyses of radiographs report exponents of 1.5 to 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import ndimage

TILE_SPACING_MM = 0.082
TILE_SIZE_PX = 360


@dataclass(frozen=True, kw_only=True)
class TrabecularSpec:
    """How a trabecular net looks.

    Attributes:
        cell_mm: Mean distance between trabeculae across their direction, mm.
        elongation: Length of a mesh along the bone axis over its width, dimensionless.
        layers: Number of independent nets seen through one another.
        sharpness: Width of a trabecula against its mesh; larger is thinner, dimensionless.
    """

    cell_mm: float = 0.75
    elongation: float = 2.2
    layers: int = 5
    sharpness: float = 2.4


def band_noise(
    shape: tuple[int, int],
    spacing_mm: float,
    scale_mm: tuple[float, float],
    rng: np.random.Generator,
) -> Float[np.ndarray, "rows cols"]:
    """Periodic Gaussian field of unit variance and zero mean with a Gaussian spectrum.

    Args:
        shape: (rows, cols).
        spacing_mm: Pixel spacing, mm.
        scale_mm: Standard deviation of the smoothing kernel along (rows, cols), mm.
        rng: Source of chance.
    """
    sigma_px = [length_mm / spacing_mm for length_mm in scale_mm]
    spectrum = ndimage.fourier_gaussian(
        np.fft.rfft2(rng.standard_normal(shape)), sigma_px, shape[1]
    )
    field = np.fft.irfft2(spectrum, s=shape)
    return _standardised(field)


def power_law_noise(
    shape: tuple[int, int],
    spacing_mm: float,
    exponent: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, "rows cols"]:
    """Periodic Gaussian field of unit variance whose power spectrum is a power law.

    Equation: P(f) ~ (f^2 + f0^2)^(-exponent/2); ``f0``, one cycle per field, keeps
    the lowest frequencies finite.
    """
    freq_rows = np.fft.fftfreq(shape[0], spacing_mm)[:, None]
    freq_cols = np.fft.rfftfreq(shape[1], spacing_mm)[None, :]
    floor = 1.0 / (max(shape) * spacing_mm)
    amplitude = (freq_rows**2 + freq_cols**2 + floor**2) ** (-exponent / 4)
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) * amplitude
    spectrum[0, 0] = 0
    return _standardised(np.fft.irfft2(spectrum, s=shape))


def trabecular_tile(
    spec: TrabecularSpec, rng: np.random.Generator
) -> Float[np.ndarray, "tile tile"]:
    """Periodic tile of projected trabecular texture, zero mean, unit variance.

    Equation: t = standardise(sum_i w_i exp(-(k g_i / s)^2)), g_i a unit Gaussian field whose
    correlation is ``elongation`` times longer along the bone axis (rows) than across it.
    The tile has ``TILE_SIZE_PX`` pixels of ``TILE_SPACING_MM`` on a side.
    """
    total = np.zeros((TILE_SIZE_PX, TILE_SIZE_PX))
    for _ in range(spec.layers):
        # The zero crossings of a Gaussian-kernel field lie about 2.2 pi/sqrt(2) sigma apart.
        sigma_mm = spec.cell_mm / 3.1 * rng.uniform(0.55, 1.35)
        scale_mm = (sigma_mm * spec.elongation * rng.uniform(0.6, 1.2), sigma_mm)
        field = band_noise(total.shape, TILE_SPACING_MM, scale_mm, rng)
        total += rng.uniform(0.6, 1.2) * np.exp(-((spec.sharpness * field) ** 2))
    return _standardised(total)


def sample_tile(
    tile: Float[np.ndarray, "tile tile"],
    across_mm: Float[np.ndarray, "rows cols"],
    along_mm: Float[np.ndarray, "rows cols"],
) -> Float[np.ndarray, "rows cols"]:
    """Value of a periodic tile at bone coordinates (mm), by cubic interpolation.

    Sampling in the bone's own coordinates makes the texture move with the bone, by any
    fraction of a pixel.
    """
    rows_px = along_mm / TILE_SPACING_MM
    cols_px = across_mm / TILE_SPACING_MM
    return ndimage.map_coordinates(
        tile, [rows_px, cols_px], order=3, mode="grid-wrap", output=np.float32
    )


def detector_noise(
    transmittance: Float[np.ndarray, "rows cols"],
    spacing_mm: float,
    sd: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, "rows cols"]:
    """Correlated quantum noise in intensity, SD ``sd`` at mid-grey and as sqrt(tau) elsewhere.

    The correlation length (0.115 mm SD) is that of a storage-phosphor reader, whose image was
    interpolated to the display grid.
    """
    field = band_noise(transmittance.shape, spacing_mm, (0.115, 0.115), rng)
    grain = 0.98 * field + 0.15 * rng.standard_normal(transmittance.shape)
    return sd * np.sqrt(transmittance / 0.5) * grain


def _standardised(field: Float[np.ndarray, "rows cols"]) -> Float[np.ndarray, "rows cols"]:
    centred = field - field.mean()
    return centred / max(float(centred.std()), 1e-12)
