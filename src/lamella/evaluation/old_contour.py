"""Is the old contour of a bone still there when the bone has left?

All figures look at absorbance of the soft layer in a band of ``BAND_MM`` on both sides of the
drawn outlines, away from the image border and from air. Masks are drawn by hand: a ghost lies
somewhere in the band, not on the line.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from lamella.evaluation.revealed import Former
from lamella.physics.grain import grain_beside
from lamella.types import Absorbance, Image, Mask

BAND_MM = 0.4
BESIDE_MM = (0.7, 2.2)
BORDER_MM = 0.7
DERIVATIVE_SIGMA_PX = 1.0
LOCAL_MM = 1.5
LOCAL_FLOOR = 1e-3
FLANK_MM = (0.6, 1.0)
BESIDE_AT_MM = 1.5
STEP_MM = 0.08
FEWEST_PX = 60


@dataclass(frozen=True, kw_only=True)
class ContourFigures:
    """Of one joint.

    Args:
        energy: mean squared gradient of the layer in the band over that of the radiograph in the
            visible tissue beside it.
        normal: the same of the derivative across the contour.
        tangential: the same of the derivative along it.
        relief: RMS, over the band, of the mean profile across the contour less its trend, in
            standard deviations of the grain.
        relief_beside: the same around a line 1.5 mm outside the contour, visible tissue only:
            what grain and anatomy alone give.
    """

    energy: float
    normal: float
    tangential: float
    relief: float
    relief_beside: float


def contour_figures(soft: Absorbance, former: Former) -> ContourFigures:
    """Measure a revealed soft layer; NaN where too few pixels can be looked at."""
    signed = {name: _signed_mm(mask, former.spacing_mm) for name, mask in former.masks.items()}
    usable = _usable(former)
    band = usable & np.any([np.abs(one) <= BAND_MM for one in signed.values()], axis=0)
    outside = np.min(list(signed.values()), axis=0)
    beside = former.visible & usable & (outside >= BESIDE_MM[0]) & (outside <= BESIDE_MM[1])
    ratios = _energy_ratios(soft, former, outside, (band, beside))
    grain = grain_beside(former.observed, former.visible, former.spacing_mm)
    grain_sd = float(grain[beside].std()) if beside.any() else np.nan
    return ContourFigures(
        **ratios,
        relief=relief(soft, list(signed.values()), usable) / grain_sd,
        relief_beside=relief(former.observed, [outside - BESIDE_AT_MM], former.visible & usable)
        / grain_sd,
    )


def relief(soft: Absorbance, distances_mm: list[Image], usable: Mask) -> float:
    """RMS of the mean profile across a contour, less its line through both flanks.

    ``p(d)`` is the mean over usable pixels at signed distance ``d``, in bins of ``STEP_MM``; the
    line is fitted where ``|d|`` lies in ``FLANK_MM`` and the RMS taken where ``|d| <= BAND_MM``.
    Bins average along the contour, so grain cancels and a ridge or step does not.
    """
    squares = [_relief_square(soft, signed, usable) for signed in distances_mm]
    return float(np.sqrt(np.nanmean(squares))) if np.isfinite(squares).any() else float("nan")


def profile(
    soft: Absorbance, signed_mm: Image, usable: Mask
) -> tuple[Float[np.ndarray, "bins"], Float[np.ndarray, "bins"]]:
    """Signed distances and the mean over usable pixels there; NaN where there are too few."""
    half = round(FLANK_MM[1] / STEP_MM)
    number = np.round(signed_mm / STEP_MM).astype(int) + half
    inside = usable & (number >= 0) & (number <= 2 * half)
    counts = np.bincount(number[inside], minlength=2 * half + 1)
    total = np.bincount(number[inside], soft[inside].astype(np.float64), minlength=2 * half + 1)
    mean = np.where(counts >= FEWEST_PX, total / np.maximum(counts, 1), np.nan)
    return STEP_MM * (np.arange(2 * half + 1) - half), mean


def _relief_square(soft: Absorbance, signed_mm: Image, usable: Mask) -> float:
    at, mean = profile(soft, signed_mm, usable)
    seen = np.isfinite(mean)
    flanks = seen & (np.abs(at) >= FLANK_MM[0])
    band = seen & (np.abs(at) <= BAND_MM)
    if flanks.sum() < 4 or band.sum() < 4 or (at[flanks] < 0).all() or (at[flanks] > 0).all():
        return float("nan")
    line = np.polynomial.Polynomial.fit(at[flanks], mean[flanks], 1)
    return float(np.square(mean[band] - line(at[band])).mean())


def _energy_ratios(
    soft: Absorbance, former: Former, outside_mm: Image, regions: tuple[Mask, Mask]
) -> dict[str, float]:
    band, beside = regions
    if min(band.sum(), beside.sum()) < FEWEST_PX:
        return dict.fromkeys(("energy", "normal", "tangential"), float("nan"))
    across = _gradient(outside_mm, 2 * DERIVATIVE_SIGMA_PX)
    across /= np.maximum(np.hypot(*across), 1e-6)
    here, there = (_energies(image, across) for image in (soft, former.observed))
    return {
        name: float(
            here[name][band].mean()
            / _continued(there[name], beside, former.spacing_mm)[band].mean()
        )
        for name in here
    }


def _energies(image: Absorbance, across: np.ndarray) -> dict[str, np.ndarray]:
    """Squared gradient, and its parts across and along the contour."""
    slope = _gradient(image, DERIVATIVE_SIGMA_PX)
    normal, energy = np.square((slope * across).sum(axis=0)), np.square(slope).sum(axis=0)
    return {"energy": energy, "normal": normal, "tangential": energy - normal}


def _continued(energy: Image, beside: Mask, spacing_mm: float) -> Image:
    """Local mean of an energy beside the bones, continued under them."""
    sigma_px = LOCAL_MM / spacing_mm
    weight = ndimage.gaussian_filter(beside.astype(np.float64), sigma_px)
    total = ndimage.gaussian_filter(np.where(beside, energy, 0.0).astype(np.float64), sigma_px)
    overall = float(energy[beside].mean())
    return np.asarray((total + LOCAL_FLOOR * overall) / (weight + LOCAL_FLOOR))


def _gradient(image: Image, sigma_px: float) -> np.ndarray:
    orders = ((1, 0), (0, 1))
    smooth = np.asarray(image, np.float64)
    return np.stack([ndimage.gaussian_filter(smooth, sigma_px, order=order) for order in orders])


def _usable(former: Former) -> Mask:
    """Away from the image border, and tissue that is hidden or visible: not air nor its slope."""
    usable = former.hidden | former.visible
    margin = round(BORDER_MM / former.spacing_mm)
    usable[:margin] = usable[-margin:] = False
    usable[:, :margin] = usable[:, -margin:] = False
    return np.asarray(usable)


def _signed_mm(mask: Mask, spacing_mm: float) -> Image:
    """Distance from the outline, positive outside, (row, col)."""
    outside, inside = (ndimage.distance_transform_edt(part) for part in (~mask, mask))
    return np.asarray((outside - inside - 0.5 * np.sign(outside - inside)) * spacing_mm, np.float32)
