"""Rigid alignment of one image to another on weighted pixels.

The motion minimises ``sum_x w(x) v(T x) [moving(T x) - g fixed(x) - o]^2`` over rotation,
translation, gain ``g`` and offset ``o``: a coarse search over whole pixels by the weighted
normalised cross-correlation (computed with Fourier transforms, one rotation at a time), then
Gauss-Newton from coarse to fine. ``v`` says where the moving image may be used.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage, signal

from lamella.types import Image, Mask

COARSE_STEP_PX = 4
ROTATIONS_DEG = tuple(float(angle) for angle in range(-15, 16, 5))
STARTS = 3
FINE_SIGMAS_PX = (4.0, 2.0, 1.0)
ITERATIONS = 12
SMALLEST_STEP_PX = 1e-3
LEVER_PX = 50.0
LARGEST_STEP = np.array([0.05, 4.0, 4.0])
"""Radians, pixels, pixels."""
LEAST_COVERAGE = 0.5


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Where each pixel of the fixed image lies in the moving one.

    ``T x = R (x - c) + c + t`` with ``x = (row, col)`` and ``R = [[cos, sin], [-sin, cos]]``.

    Args:
        rotation_deg: angle of ``R``.
        down_px: ``t`` along rows.
        right_px: ``t`` along columns.
        centre_px: ``c``, (row, col).
        ncc: weighted normalised cross-correlation reached; -1 where too little can be compared.
    """

    rotation_deg: float = 0.0
    down_px: float = 0.0
    right_px: float = 0.0
    centre_px: tuple[float, float] = (0.0, 0.0)
    ncc: float = -1.0

    @property
    def turn(self) -> np.ndarray:
        """``R``, (2, 2)."""
        cosine, sine = np.cos(np.deg2rad(self.rotation_deg)), np.sin(np.deg2rad(self.rotation_deg))
        return np.array([[cosine, sine], [-sine, cosine]])

    def places(self, pixels: np.ndarray) -> np.ndarray:
        """``T x`` of pixels (2, n), rows first."""
        centre = np.array(self.centre_px)[:, None]
        shift = np.array([[self.down_px], [self.right_px]])
        return np.asarray(self.turn @ (pixels - centre) + centre + shift)

    def bring(self, moving: Image, order: int = 3) -> Image:
        """The moving image on the fixed one's grid, (row, col); outside of it NaN."""
        places = self.places(np.indices(moving.shape).reshape(2, -1).astype(float))
        edge = np.array(moving.shape)[:, None] - 1
        outside = ((places < 0) | (places > edge)).any(axis=0)
        values = ndimage.map_coordinates(moving, places, order=order, mode="nearest")
        values[outside] = np.nan
        return np.asarray(values.reshape(moving.shape), np.float32)


def align(fixed: Image, moving: Image, weights: Image, usable: Mask) -> Alignment:
    """Find the rigid motion that makes the moving image look like the fixed one.

    Args:
        fixed: (row, col).
        moving: same shape.
        weights: of the fixed image's pixels, at least 0.
        usable: pixels of the moving image that may be compared.

    Returns:
        the best of ``STARTS`` refined starts by NCC at the finest level; with ``ncc`` -1 where
        less than ``LEAST_COVERAGE`` of the weight can be compared.
    """
    if not (weights > 0).any() or not usable.any():
        return Alignment()
    candidates = [
        _refined(start, fixed, moving, weights, usable)
        for start in _starts(fixed, moving, weights, usable)
    ]
    return max(candidates, key=lambda found: found.ncc)


def weighted_ncc(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> float:
    """Normalised cross-correlation of two samples with weights; 0 where one is constant."""
    total = weights.sum()
    a = a - (weights * a).sum() / total
    b = b - (weights * b).sum() / total
    energy = (weights * a * a).sum() * (weights * b * b).sum()
    return float((weights * a * b).sum() / np.sqrt(energy)) if energy > 0 else 0.0


def _starts(fixed: Image, moving: Image, weights: Image, usable: Mask) -> list[Alignment]:
    """Best translation in whole steps for each rotation; the best rotations, best first."""
    coarse = (slice(None, None, COARSE_STEP_PX),) * 2
    small = ndimage.gaussian_filter(fixed, COARSE_STEP_PX / 2)[coarse]
    smooth = ndimage.gaussian_filter(moving, COARSE_STEP_PX / 2)
    row, col = ndimage.center_of_mass(weights)
    found = []
    for angle in ROTATIONS_DEG:
        turned = Alignment(rotation_deg=angle, centre_px=(float(row), float(col)))
        brought = turned.bring(smooth, order=1)[coarse]
        valid = turned.bring(usable.astype(np.float32), order=1)[coarse] > 0.5
        scores = _translation_scores(small, np.nan_to_num(brought), weights[coarse], valid)
        peak = np.unravel_index(int(np.argmax(scores)), scores.shape)
        shift = (np.array(peak) - np.array(small.shape) + 1) * COARSE_STEP_PX
        down, right = turned.turn @ shift
        ncc = float(scores[peak])
        found.append(replace(turned, down_px=float(down), right_px=float(right), ncc=ncc))
    return sorted(found, key=lambda start: -start.ncc)[:STARTS]


def _translation_scores(
    fixed: np.ndarray, moving: np.ndarray, weights: np.ndarray, valid: np.ndarray
) -> np.ndarray:
    """Weighted NCC of every translation, (2 rows - 1, 2 cols - 1); -1 below ``LEAST_COVERAGE``."""
    seen = valid.astype(float)

    def sums(on_fixed: np.ndarray, on_moving: np.ndarray) -> np.ndarray:
        return np.asarray(signal.fftconvolve(on_moving, on_fixed[::-1, ::-1], mode="full"))

    total = sums(weights, seen)
    enough = total > LEAST_COVERAGE * weights.sum()
    total = np.where(enough, total, 1.0)
    mean_fixed = sums(weights * fixed, seen) / total
    mean_moving = sums(weights, seen * moving) / total
    cross = sums(weights * fixed, seen * moving) / total - mean_fixed * mean_moving
    var_fixed = sums(weights * fixed**2, seen) / total - mean_fixed**2
    var_moving = sums(weights, seen * moving**2) / total - mean_moving**2
    energy = var_fixed * var_moving
    scores = cross / np.sqrt(np.where(energy > 1e-12, energy, np.inf))
    return np.where(enough, scores, -1.0)


def _refined(
    start: Alignment, fixed: Image, moving: Image, weights: Image, usable: Mask
) -> Alignment:
    found = start
    valid = usable.astype(np.float32)
    rows, cols = np.nonzero(weights > 0)
    pixels = np.stack([rows, cols]).astype(float)
    for sigma in FINE_SIGMAS_PX:
        some = slice(None, None, max(1, int(sigma)))
        target = ndimage.gaussian_filter(fixed, sigma)[rows, cols][some]
        smooth = ndimage.gaussian_filter(moving, sigma)
        maps = np.stack([smooth, *np.gradient(smooth), valid])
        found = _gauss_newton(found, pixels[:, some], target, weights[rows, cols][some], maps)
    return found


def _gauss_newton(
    found: Alignment, pixels: np.ndarray, target: np.ndarray, weights: np.ndarray, maps: np.ndarray
) -> Alignment:
    """Steps in (rotation, down, right, gain, offset), the last two solved for at each step.

    Args:
        found: where to start.
        pixels: (2, n) of the fixed image.
        target: its values there, (n,).
        weights: (n,).
        maps: the moving image, its differences down and to the right, where it is usable.
    """
    best = replace(found, ncc=-1.0)
    for _ in range(ITERATIONS):
        places = found.places(pixels)
        value, down, right, valid = (
            ndimage.map_coordinates(each, places, order=1, mode="constant", cval=0.0)
            for each in maps
        )
        weight = weights * (valid > 0.5)
        if weight.sum() < LEAST_COVERAGE * weights.sum():
            break
        best = replace(found, ncc=weighted_ncc(target, value, weight))
        step = _step(places, found, (value, down, right), target, weight)
        if np.abs(step * [LEVER_PX, 1.0, 1.0]).max() < SMALLEST_STEP_PX:
            break
        found = replace(
            found,
            rotation_deg=found.rotation_deg + float(np.rad2deg(step[0])),
            down_px=found.down_px + float(step[1]),
            right_px=found.right_px + float(step[2]),
        )
    return best


def _step(
    places: np.ndarray,
    found: Alignment,
    sampled: tuple[np.ndarray, np.ndarray, np.ndarray],
    target: np.ndarray,
    weight: np.ndarray,
) -> np.ndarray:
    value, down, right = sampled
    lever = places - found.places(np.array(found.centre_px)[:, None])
    turning = down * lever[1] - right * lever[0]
    design = np.stack([turning, down, right, -target, -np.ones_like(target)], axis=1)
    root = np.sqrt(weight)
    solution = np.linalg.lstsq(design * root[:, None], -value * root, rcond=None)[0]
    return np.asarray(np.clip(solution[:3], -LARGEST_STEP, LARGEST_STEP))
