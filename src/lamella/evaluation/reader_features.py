"""What a machine reader looks at: 60 or so numbers of a patch, each with a name.

They compare the overlap with the same bone beside it: level and spread, energy by spatial
frequency, gradients, the seam along the overlap's edge, the profile from the rim inwards, and
local binary patterns. All are relative to the surroundings, so exposure and sharpness of the
radiograph say nothing.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from scipy import ndimage
from skimage.feature import local_binary_pattern

from lamella.evaluation.reader_patches import REACH_PX, Pair, Patch, PatchMask

BAND_SIGMAS_PX = (0.7, 1.4, 2.8, 5.6)
DERIVATIVE_SIGMAS_PX = (1.0, 2.0)
DEPTHS_PX = ((0, 2), (2, 4), (4, 7), (7, 12))
PATTERNS = 10
LEVELS_PER_SD = 100
SMALLEST_ENERGY = 1e-5
SMALLEST_SPREAD = 1e-3

Features = Mapping[str, float]


def features(pair: Pair, patch: Patch) -> Features:
    """Every feature of a levelled patch of a pair."""
    smooth = _smoothed(patch, pair.seen, 1.0)
    regions = {"overlap": pair.overlap, "beside": _beside(pair)}
    found: dict[str, float] = {}
    for name, region in regions.items():
        found |= _levels(name, patch, region)
        found |= _bands(name, patch, pair, region)
    found |= _seam(patch, pair)
    found |= _profile(patch, pair)
    found |= _derivatives(patch, pair)
    found |= _patterns("fine", patch, pair) | _patterns("smooth", smooth, pair)
    found["overlap smoothness"] = _correlation(patch[pair.overlap], smooth[pair.overlap])
    return found


def surroundings_features(pair: Pair, patch: Patch) -> Features:
    """Features of a patch without any pixel that a separator made: what selection gives away."""
    away = pair.surroundings
    energies = _energies(patch, pair.seen & away, away)
    bands = {f"surroundings {name}": value for name, value in energies.items()}
    return _levels("surroundings", patch, away) | bands


def _beside(pair: Pair) -> PatchMask:
    """Bone next to the overlap, within ``REACH_PX``."""
    near = ndimage.binary_dilation(pair.overlap, iterations=REACH_PX)
    return np.asarray(pair.seen & near & ~pair.overlap)


def _levels(name: str, patch: Patch, region: PatchMask) -> dict[str, float]:
    values = patch[region] if region.any() else np.zeros(1)
    low, high = np.percentile(values, [10, 90])
    return {
        f"{name} mean": float(values.mean()),
        f"{name} spread": float(values.std()),
        f"{name} dark": float(low),
        f"{name} bright": float(high),
    }


def _bands(name: str, patch: Patch, pair: Pair, region: PatchMask) -> dict[str, float]:
    """Energies of a region relative to the surroundings', as differences of logarithms."""
    if not region.any():
        region = pair.seen
    here = _energies(patch, pair.seen, region)
    there = _energies(patch, pair.seen, pair.surroundings)
    return {f"{name} {band}": here[band] - there[band] for band in here}


def _energies(patch: Patch, seen: PatchMask, region: PatchMask) -> dict[str, float]:
    """Log energy of differences of Gaussians, seen pixels only."""
    scales = [patch, *(_smoothed(patch, seen, sigma) for sigma in BAND_SIGMAS_PX)]
    return {
        f"band {sigma} px": float(np.log(np.square(fine - coarse)[region].mean() + SMALLEST_ENERGY))
        for sigma, fine, coarse in zip(BAND_SIGMAS_PX, scales, scales[1:], strict=False)
    }


def _seam(patch: Patch, pair: Pair) -> dict[str, float]:
    """Step and curvature across the edge between the overlap and the bone beside it."""
    outside = pair.seen & ~pair.overlap
    outer = ndimage.binary_dilation(pair.overlap) & outside
    inner = ndimage.binary_dilation(outside) & pair.overlap
    within = ndimage.binary_erosion(pair.seen)
    step = _mean(patch, inner) - _mean(patch, outer)
    curvature = np.abs(ndimage.laplace(patch))
    return {"seam step": step, "seam curvature": _mean(curvature, (inner | outer) & within)}


def _profile(patch: Patch, pair: Pair) -> dict[str, float]:
    """Mean level by distance from the outline, in the overlap and beside it."""
    depth = ndimage.distance_transform_edt(pair.seen)
    found = {}
    for low, high in DEPTHS_PX:
        shell = (depth > low) & (depth <= high)
        found[f"overlap at {low}-{high} px"] = _mean(patch, shell & pair.overlap)
        found[f"beside at {low}-{high} px"] = _mean(patch, shell & pair.seen & ~pair.overlap)
    return found


def _derivatives(patch: Patch, pair: Pair) -> dict[str, float]:
    """First and second derivatives: mean in the overlap, and spread relative to beside it."""
    within = ndimage.binary_erosion(pair.seen)
    here, there = pair.overlap & within, within & ~pair.overlap
    found = {}
    for sigma in DERIVATIVE_SIGMAS_PX:
        for name, derivative in _derived(_smoothed(patch, pair.seen, sigma)):
            label = f"{name} at {sigma} px"
            found[f"mean {label}"] = _mean(derivative, here)
            found[f"spread {label}"] = _log_spread(derivative, here) - _log_spread(
                derivative, there
            )
    return found


def _derived(image: Patch) -> Iterator[tuple[str, Patch]]:
    down, right = np.gradient(image)
    yield from (("slope down", down), ("slope right", right))
    yield "curvature down", np.gradient(down, axis=0)
    yield "curvature right", np.gradient(right, axis=1)


def _patterns(name: str, image: Patch, pair: Pair) -> dict[str, float]:
    """Uniform local binary patterns (Ojala 2002): frequency in the overlap less beside it."""
    codes = local_binary_pattern((image * LEVELS_PER_SD).astype(np.int32), 8, 1, "uniform")
    here, there = (
        np.bincount(codes[region].astype(int), minlength=PATTERNS) / region.sum()
        for region in (pair.overlap, pair.seen & ~pair.overlap)
    )
    return {f"{name} pattern {code}": float(here[code] - there[code]) for code in range(PATTERNS)}


def _smoothed(patch: Patch, seen: PatchMask, sigma_px: float) -> Patch:
    """Gaussian mean of seen pixels only (normalised convolution)."""
    weight = ndimage.gaussian_filter(seen.astype(np.float32), sigma_px)
    total = ndimage.gaussian_filter(np.where(seen, patch, 0.0).astype(np.float32), sigma_px)
    return np.where(seen, total / np.maximum(weight, SMALLEST_SPREAD), 0.0).astype(np.float32)


def _mean(image: Patch, region: PatchMask) -> float:
    return float(image[region].mean()) if region.any() else 0.0


def _log_spread(image: Patch, region: PatchMask) -> float:
    return float(np.log(image[region].std() + SMALLEST_SPREAD)) if region.any() else 0.0


def _correlation(one: np.ndarray, two: np.ndarray) -> float:
    flat = min(float(one.std()), float(two.std())) < SMALLEST_SPREAD
    return 0.0 if flat else float(np.corrcoef(one, two)[0, 1])
