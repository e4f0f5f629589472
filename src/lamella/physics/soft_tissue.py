"""The soft tissue hidden under bone: a harmonic continuation of what is seen beside it.

BLS-GAN removes the bones and solves the Laplace equation over the hole (arXiv 2409.07304,
section on the correction parameter). Here the fill is done in absorbance, starts a quarter
of a millimetre outside the bones, lets nothing flow through the image border or into air, and
never exceeds what was observed.
"""

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import cg, spsolve

from lamella.records import LamellaError
from lamella.types import Absorbance, Mask

MARGIN_MM = 0.25
NOMINAL_SPACING_MM = 0.082
AIR_FRACTION = 0.4
SMOOTHING_MM = 0.16
COARSEST_PX = 40
RELATIVE_RESIDUAL = 1e-4


def matte(mask: Mask, pixel_spacing_mm: float = NOMINAL_SPACING_MM) -> Absorbance:
    """Soft edge of a bone mask: 1 inside, falling smoothly to 0 at ``MARGIN_MM`` outside.

    ``p = 1 - s^2 (3 - 2 s)`` with ``s`` the distance from the mask over the margin.

    Args:
        mask: (row, col).
        pixel_spacing_mm: mm per pixel; the nominal spacing of a 256-pixel joint crop if unknown.

    Returns:
        (row, col), float32 in [0, 1].
    """
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    box = _bounding_box(mask, int(MARGIN_MM / pixel_spacing_mm) + 2)
    distance_mm = ndimage.distance_transform_edt(~mask[box]) * pixel_spacing_mm
    step = np.clip(distance_mm / (MARGIN_MM + 0.5 * pixel_spacing_mm), 0.0, 1.0)
    edge = np.zeros(mask.shape, np.float32)
    edge[box] = 1.0 - step**2 * (3.0 - 2.0 * step)
    return edge


def soft_tissue_under(
    absorbance: Absorbance, bone_matte: Absorbance, pixel_spacing_mm: float = NOMINAL_SPACING_MM
) -> Absorbance:
    """Estimated soft-tissue absorbance everywhere, at most the observed one.

    Outside the bones it is the observation; under them the harmonic fill of the observation
    smoothed over ``SMOOTHING_MM`` (so single noisy pixels at the rim do not smear inwards).

    Args:
        absorbance: observed, (row, col).
        bone_matte: largest matte of all bones, (row, col), see :func:`matte`.
        pixel_spacing_mm: mm per pixel.

    Returns:
        (row, col), float32, ``<= absorbance``.

    Raises:
        LamellaError: no soft tissue is visible.
    """
    hidden = bone_matte > 0
    air = air_beside(absorbance, hidden)
    visible = ~hidden & ~air
    sigma_px = SMOOTHING_MM / pixel_spacing_mm
    weight = ndimage.gaussian_filter(visible.astype(np.float32), sigma_px)
    mean = ndimage.gaussian_filter(np.where(visible, absorbance, 0.0).astype(np.float32), sigma_px)
    smooth = np.where(visible, mean / np.maximum(weight, 1e-6), 0.0)
    filled = harmonic_fill(smooth, hidden, air)
    return (absorbance - bone_matte * np.maximum(absorbance - filled, 0.0)).astype(np.float32)


def air_beside(absorbance: Absorbance, hidden: Mask) -> Mask:
    """Air around the finger: visible pixels far below the usual soft tissue, (row, col).

    The bound is ``AIR_FRACTION`` of the median visible absorbance near the bones; the skin's
    slope above it is kept.
    """
    visible = ~hidden
    if not visible.any():
        raise LamellaError("no soft tissue is visible: the bone masks cover the whole image")
    typical = float(np.median(absorbance[visible]))
    return np.asarray(visible & (ndimage.uniform_filter(absorbance, 3) < AIR_FRACTION * typical))


def harmonic_fill(values: Absorbance, unknown: Mask, excluded: Mask | None = None) -> Absorbance:
    """Solve Laplace's equation over ``unknown`` with ``values`` around it.

    Five-point Laplacian; zero flux through the image border and into ``excluded``. Cascadic
    multigrid: a direct solve on the coarsest grid, conjugate gradients on each finer one
    (Bornemann and Deuflhard, Numer. Math. 75:135, 1996).

    Args:
        values: (row, col); read only where neither unknown nor excluded.
        unknown: pixels to fill, (row, col).
        excluded: pixels that are neither known nor filled, (row, col).

    Returns:
        (row, col): ``values`` with the unknown pixels replaced.

    Raises:
        LamellaError: nothing known to continue from.
    """
    excluded = np.zeros_like(unknown) if excluded is None else excluded & ~unknown
    if not (~unknown & ~excluded).any():
        raise LamellaError("no soft tissue is visible: nothing to continue under the bones")
    filled = np.array(values, dtype=np.float64)
    if unknown.any():
        filled[unknown] = _solve(filled, unknown, excluded)
    return filled.astype(values.dtype)


def _solve(values: Absorbance, unknown: Mask, excluded: Mask) -> np.ndarray:
    known = ~unknown & ~excluded
    matrix, right = _laplace_system(values, unknown, known)
    if max(values.shape) <= COARSEST_PX or not unknown.any():
        pinned = matrix + sparse.identity(matrix.shape[0], format="csr") * 1e-9
        mean = float(values[known].mean())
        return np.atleast_1d(spsolve(pinned.tocsc(), right + 1e-9 * mean))
    coarse_values, coarse_unknown, coarse_excluded = _coarsen(values, unknown, known)
    coarse = coarse_values.copy()
    if coarse_unknown.any():
        coarse[coarse_unknown] = _solve(coarse_values, coarse_unknown, coarse_excluded)
    start = _prolong(np.where(coarse_excluded, np.nan, coarse), values.shape)[unknown]
    start = np.where(np.isnan(start), float(values[known].mean()), start)
    solution, _ = cg(matrix, right, x0=start, rtol=RELATIVE_RESIDUAL, maxiter=200)
    return np.asarray(solution)


def _laplace_system(
    values: Absorbance, unknown: Mask, known: Mask
) -> tuple[sparse.csr_matrix, np.ndarray]:
    number = np.full(unknown.shape, -1, dtype=np.int32)
    count = int(unknown.sum())
    number[unknown] = np.arange(count, dtype=np.int32)
    diagonal, right = np.zeros(count), np.zeros(count)
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for here, there in _neighbour_slices():
        for a, b in ((here, there), (there, here)):
            to_known = unknown[a] & known[b]
            rows = number[a][to_known]
            diagonal[rows] += 1.0
            right[rows] += values[b][to_known]
        inside = unknown[here] & unknown[there]
        pairs.append((number[here][inside], number[there][inside]))
    first = np.concatenate([pair[0] for pair in pairs])
    second = np.concatenate([pair[1] for pair in pairs])
    diagonal += np.bincount(first, minlength=count) + np.bincount(second, minlength=count)
    rows = np.concatenate([first, second, np.arange(count)])
    cols = np.concatenate([second, first, np.arange(count)])
    entries = np.concatenate([np.full(2 * first.size, -1.0), np.maximum(diagonal, 1e-9)])
    return sparse.csr_matrix((entries, (rows, cols)), shape=(count, count)), right


def _neighbour_slices() -> tuple[tuple[tuple[slice, slice], tuple[slice, slice]], ...]:
    whole, head, tail = slice(None), slice(None, -1), slice(1, None)
    return (((head, whole), (tail, whole)), ((whole, head), (whole, tail)))


def _coarsen(
    values: Absorbance, unknown: Mask, known: Mask
) -> tuple[Absorbance, Mask, Mask]:
    weight = _block_sum(known.astype(np.float64))
    mean = _block_sum(np.where(known, values, 0.0)) / np.maximum(weight, 1.0)
    coarse_unknown = (_block_sum(unknown.astype(np.float64)) > 0) & (weight < 2)
    coarse_known = (weight > 0) & ~coarse_unknown
    return mean, coarse_unknown, ~coarse_unknown & ~coarse_known


def _block_sum(array: np.ndarray) -> np.ndarray:
    rows, cols = array.shape
    padded = np.pad(array, ((0, rows % 2), (0, cols % 2)))
    return padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2).sum(axis=(1, 3))


def _prolong(coarse: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    known = ~np.isnan(coarse)
    weight = _bilinear_double(known.astype(np.float64), shape)
    value = _bilinear_double(np.where(known, coarse, 0.0), shape)
    return np.where(weight > 1e-6, value / np.maximum(weight, 1e-6), np.nan)


def _bilinear_double(coarse: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    for axis in (0, 1):
        padded = np.pad(coarse, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        low, mid, high = (
            np.take(padded, range(k, padded.shape[axis] - 2 + k), axis=axis) for k in range(3)
        )
        stacked = np.stack([0.25 * low + 0.75 * mid, 0.75 * mid + 0.25 * high], axis=axis + 1)
        new_shape = list(coarse.shape)
        new_shape[axis] *= 2
        coarse = stacked.reshape(new_shape)
    return coarse[: shape[0], : shape[1]]


def _bounding_box(mask: Mask, margin_px: int) -> tuple[slice, slice]:
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(int(rows[0]) - margin_px, 0), int(rows[-1]) + margin_px + 1),
        slice(max(int(cols[0]) - margin_px, 0), int(cols[-1]) + margin_px + 1),
    )
