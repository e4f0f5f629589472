"""Rigid alignment of one image to another on weighted pixels.

The motion minimises ``sum_x w(x) v(T x) [moving(T x) - g fixed(x) - o]^2`` over rotation,
translation, gain ``g`` and offset ``o``: a coarse search over whole pixels by the weighted
normalised cross-correlation (computed with Fourier transforms, one rotation at a time), then
Gauss-Newton from coarse to fine. ``v`` says where the moving image may be used.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, signal

from lamella.types import Image, Mask

COARSE_STEP_PX = 4
ROTATIONS_DEG = tuple(float(angle) for angle in range(-15, 16, 5))
STARTS = 3
FINE_SIGMAS_PX = (4.0, 2.0, 1.0)
ITERATIONS = 12
SMALLEST_STEP = 1e-3
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

    def places(self, pixels: np.ndarray) -> np.ndarray:
        """``T x`` of pixels (2, n), rows first."""
        turn = np.deg2rad(self.rotation_deg)
        matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        centre = np.array(self.centre_px)[:, None]
        shift = np.array([[self.down_px], [self.right_px]])
        return np.asarray(matrix @ (pixels - centre) + centre + shift)

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
        the best of ``STARTS`` refined starts by NCC at the finest level.
    """
    candidates = [
        _refined(start, fixed, moving, weights, usable)
        for start in _starts(fixed, moving, weights, usable)
    ]
    return max(candidates, key=lambda found: found.ncc, default=Alignment())


def weighted_ncc(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> float:
    """Normalised cross-correlation of two samples with weights; 0 where one is constant."""
    total = weights.sum()
    a = a - (weights * a).sum() / total
    b = b - (weights * b).sum() / total
    energy = (weights * a * a).sum() * (weights * b * b).sum()
    return float((weights * a * b).sum() / np.sqrt(energy)) if energy > 0 else 0.0


def _starts(fixed: Image, moving: Image, weights: Image, usable: Mask) -> list[Alignment]:
    """Best whole-step translation of each rotation, the best rotations first."""
    centre = _centre(weights)
    sampled = (slice(None, None, COARSE_STEP_PX),) * 2
    small = ndimage.gaussian_filter(fixed, COARSE_STEP_PX / 2)[sampled]
    smooth = ndimage.gaussian_filter(moving, COARSE_STEP_PX / 2)
    found = []
    for angle in ROTATIONS_DEG:
        turned = Alignment(rotation_deg=angle, centre_px=centre)
        brought = turned.bring(smooth, order=1)[sampled]
        valid = turned.bring(usable.astype(np.float32), order=1)[sampled] > 0.5
        valid &= np.isfinite(brought)
        scores = _translation_scores(small, np.nan_to_num(brought), weights[sampled], valid)
        peak = np.unravel_index(int(np.argmax(scores)), scores.shape)
        shift = (np.array(peak) - np.array(small.shape) + 1) * COARSE_STEP_PX
        turn = np.deg2rad(angle)
        matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        down, right = matrix @ shift
        found.append(
            Alignment(
                rotation_deg=angle,
                down_px=float(down),
                right_px=float(right),
                centre_px=centre,
                ncc=float(scores[peak]),
            )
        )
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
    """Steps in (rotation, down, right, gain, offset), the last two solved for at each step."""
    best = found
    for _ in range(ITERATIONS):
        places = found.places(pixels)
        value, down, right, valid = (
            ndimage.map_coordinates(each, places, order=1, mode="constant", cval=0.0)
            for each in maps
        )
        inside = ((places >= 0) & (places <= np.array(maps.shape[1:])[:, None] - 1)).all(axis=0)
        weight = weights * (valid > 0.5) * inside
        if weight.sum() < LEAST_COVERAGE * weights.sum():
            return best if best is not found else _scored(found, -1.0)
        ncc = weighted_ncc(target, value, weight)
        best = _scored(found, ncc)
        step = _step(places, found, (value, down, right), target, weight)
        found = _moved(found, step)
        if np.abs(step * [50.0, 1.0, 1.0]).max() < SMALLEST_STEP:
            break
    return best


def _step(
    places: np.ndarray,
    found: Alignment,
    sampled: tuple[np.ndarray, np.ndarray, np.ndarray],
    target: np.ndarray,
    weight: np.ndarray,
) -> np.ndarray:
    value, down, right = sampled
    lever = places - (np.array(found.centre_px) + [found.down_px, found.right_px])[:, None]
    turning = down * lever[1] - right * lever[0]
    design = np.stack([turning, down, right, -target, -np.ones_like(target)], axis=1)
    root = np.sqrt(weight)
    solution = np.linalg.lstsq(design * root[:, None], -value * root, rcond=None)[0]
    return np.asarray(np.clip(solution[:3], [-0.05, -4.0, -4.0], [0.05, 4.0, 4.0]))


def _moved(found: Alignment, step: np.ndarray) -> Alignment:
    return Alignment(
        rotation_deg=found.rotation_deg + float(np.rad2deg(step[0])),
        down_px=found.down_px + float(step[1]),
        right_px=found.right_px + float(step[2]),
        centre_px=found.centre_px,
    )


def _scored(found: Alignment, ncc: float) -> Alignment:
    return Alignment(
        rotation_deg=found.rotation_deg,
        down_px=found.down_px,
        right_px=found.right_px,
        centre_px=found.centre_px,
        ncc=ncc,
    )


def _centre(weights: Image) -> tuple[float, float]:
    row, col = ndimage.center_of_mass(weights)
    return float(row), float(col)
