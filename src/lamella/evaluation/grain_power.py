"""Is the grain under a former bone like the grain beside it? Power by spatial frequency."""

import numpy as np
from jaxtyping import Float
from numpy.lib.stride_tricks import sliding_window_view

from lamella.evaluation.revealed import Former
from lamella.types import Absorbance, Mask

WINDOW_PX = 16
STRIDE_PX = 4
FEWEST_WINDOWS = 5
BANDS_PER_MM = {"coarse": (0.7, 1.6), "middle": (1.6, 2.8), "fine": (2.8, 6.1)}
"""Spatial frequency, cycles per mm; 6.1 is the Nyquist frequency at 0.082 mm."""


def power_ratios(soft: Absorbance, former: Former) -> dict[str, float]:
    """Power of the layer under the former bones over the radiograph's beside them, by band.

    NaN without enough windows.

    By the name of a band, of the median window: an edge of anatomy beside the bones (a vessel, a
    tendon) holds more power than all grain. By ``BAND, mean``, of the mean over windows, which
    asks for such edges under the bones too.
    """
    under = _powers(soft, former.bone, former)
    beside = _powers(former.observed, former.visible, former)
    if min(len(under), len(beside)) < FEWEST_WINDOWS:
        return dict.fromkeys([*BANDS_PER_MM, *map(mean_of, BANDS_PER_MM)], float("nan"))
    typical = np.median(under, axis=0) / np.median(beside, axis=0)
    mean = under.mean(axis=0) / beside.mean(axis=0)
    names = [*BANDS_PER_MM, *map(mean_of, BANDS_PER_MM)]
    return dict(zip(names, np.concatenate([typical, mean]).tolist(), strict=True))


def mean_of(band: str) -> str:
    """Name of a band's ratio of means."""
    return f"{band}, mean"


def _powers(soft: Absorbance, region: Mask, former: Former) -> Float[np.ndarray, "windows bands"]:
    return window_power(windows_in(soft, region), former.spacing_mm)


def windows_in(soft: Absorbance, region: Mask) -> Float[np.ndarray, "windows side side"]:
    """Windows of ``WINDOW_PX`` that lie in a region as a whole."""
    shape = (WINDOW_PX, WINDOW_PX)
    whole = sliding_window_view(region, shape)[::STRIDE_PX, ::STRIDE_PX].all(axis=(2, 3))
    return np.asarray(sliding_window_view(soft, shape)[::STRIDE_PX, ::STRIDE_PX][whole])


def window_power(
    windows: Float[np.ndarray, "*windows side side"], spacing_mm: float
) -> Float[np.ndarray, "*windows bands"]:
    """Mean power of a window in each band: plane removed, Hann taper, periodogram."""
    taper = np.hanning(WINDOW_PX + 2)[1:-1]
    spectrum = np.square(np.abs(np.fft.fft2(without_plane(windows) * taper[:, None] * taper)))
    frequency = np.fft.fftfreq(WINDOW_PX, spacing_mm)
    radial = np.hypot(frequency[:, None], frequency)
    bands = [(radial >= low) & (radial < high) for low, high in BANDS_PER_MM.values()]
    return np.stack([spectrum[..., band].mean(axis=-1) for band in bands], axis=-1)


def without_plane(
    windows: Float[np.ndarray, "*windows side side"],
) -> Float[np.ndarray, "*windows side side"]:
    """Windows, each less its least-squares plane."""
    at = np.arange(WINDOW_PX) - 0.5 * (WINDOW_PX - 1)
    values = np.asarray(windows, np.float64)
    values = values - values.mean(axis=(-2, -1), keepdims=True)
    scale = WINDOW_PX * np.square(at).sum()
    down, right = ((values.sum(axis=axis) @ at) / scale for axis in (-1, -2))
    planes = down[..., None, None] * at[:, None] + right[..., None, None] * at
    return np.asarray(values - planes)
