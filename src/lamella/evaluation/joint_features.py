"""Numbers of a whole joint image for a classifier, each with a name.

Energy by spatial frequency and local binary patterns inside each bone, along the outlines, in
the joint space, beside the bones and along the border, where the image shows bone; all relative
to the soft tissue beside, so exposure says nothing. Besides, the mean profile across the
outlines, and the bone encoder's view of the joint.
"""

import numpy as np
from scipy import ndimage
from skimage.feature import local_binary_pattern

from lamella.evaluation.encoder import articular_end, bottom_features, crop_at
from lamella.records import BoneMasks
from lamella.types import Image, Mask

BAND_SIGMAS_PX = (0.5, 0.8, 1.4, 2.4, 4.2)
CONTOUR_PX = 5.0
SPACE_PX = 14.0
BESIDE_PX = (7.0, 30.0)
BORDER_PX = 10
PROFILE_PX = 8
PATTERNS = 10
LEVELS = 255
SMALLEST = 1e-2
FEWEST_PX = 30
ENCODER = "encoder"
"""How the names of the encoder's channels begin."""


def joint_features(pixels: Image, masks: BoneMasks) -> dict[str, float]:
    """Every number of an image with its masks, rounded to 8 bit or not."""
    levels = np.asarray(pixels, np.float64) * LEVELS
    signed = {name: _signed_px(mask) for name, mask in masks.items()}
    regions = regions_of(signed)
    found = _bands(levels, regions) | _patterns(pixels, regions)
    for name, distance in signed.items():
        found |= _profile(name, levels, distance)
    return found | encoded(pixels, masks)


def encoded(pixels: Image, masks: BoneMasks) -> dict[str, float]:
    """The bone encoder's channels, averaged over a crop around the joint."""
    upper, lower = masks.values()
    middle = 0.5 * (articular_end(upper, lower) + articular_end(lower, upper))
    crop = crop_at(np.asarray(pixels, np.float32), middle)
    values = bottom_features(crop[None])[0].mean(axis=(1, 2))
    return {f"{ENCODER} {number}": float(value) for number, value in enumerate(values)}


def regions_of(signed_px: dict[str, Image]) -> dict[str, Mask]:
    """Where numbers are taken, from signed distances to each outline (positive outside)."""
    nearest = np.min(list(signed_px.values()), axis=0)
    farther = np.max(list(signed_px.values()), axis=0)
    border = np.ones(nearest.shape, bool)
    border[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = False
    found = {
        f"{name} bone": (distance < -CONTOUR_PX) & ~border for name, distance in signed_px.items()
    }
    found |= {
        f"{name} outline": (np.abs(distance) <= CONTOUR_PX) & ~border
        for name, distance in signed_px.items()
    }
    return found | {
        "joint space": (nearest > 0) & (farther < SPACE_PX) & ~border,
        "border": (nearest < -CONTOUR_PX) & border,
        "overlap": farther < 0,
        "beside": (nearest > BESIDE_PX[0]) & (nearest < BESIDE_PX[1]) & ~border,
    }


def _bands(levels: Image, regions: dict[str, Mask]) -> dict[str, float]:
    scales = [levels, *(ndimage.gaussian_filter(levels, sigma) for sigma in BAND_SIGMAS_PX)]
    found: dict[str, float] = {}
    for sigma, fine, coarse in zip(BAND_SIGMAS_PX, scales, scales[1:], strict=False):
        square = np.square(fine - coarse)
        logs = {name: _log_mean(square, region) for name, region in regions.items()}
        found |= {
            f"{name} at {sigma} px": value - (0.0 if name == "beside" else logs["beside"])
            for name, value in logs.items()
        }
    return found


def _patterns(pixels: Image, regions: dict[str, Mask]) -> dict[str, float]:
    """Uniform local binary patterns (Ojala 2002) of the image's grey levels."""
    codes = local_binary_pattern(np.round(pixels * LEVELS).astype(np.int32), 8, 1, "uniform")
    found: dict[str, float] = {}
    for name, region in regions.items():
        seen = region if region.sum() >= FEWEST_PX else np.ones_like(region)
        shares = np.bincount(codes[seen].astype(int), minlength=PATTERNS) / seen.sum()
        found |= {f"{name} pattern {code}": float(share) for code, share in enumerate(shares)}
    return found


def _profile(name: str, levels: Image, signed_px: Image) -> dict[str, float]:
    """Mean level at each distance from an outline, less that well outside, over its spread."""
    at = np.round(signed_px).astype(int)
    rings = range(-PROFILE_PX, PROFILE_PX + 1)
    means = np.array([_mean(levels, at == ring) for ring in rings])
    step = means - means[-1]
    scale = max(float(np.abs(step).max()), 1.0)
    return {
        f"{name} profile {ring} px": float(value / scale)
        for ring, value in zip(rings, step, strict=True)
    }


def _mean(values: Image, region: Mask) -> float:
    return float(values[region].mean()) if region.sum() >= FEWEST_PX else 0.0


def _log_mean(square: Image, region: Mask) -> float:
    return float(np.log(_mean(square, region) + SMALLEST))


def _signed_px(mask: Mask) -> Image:
    outside, inside = (ndimage.distance_transform_edt(part) for part in (~mask, mask))
    return np.asarray(outside - inside)
