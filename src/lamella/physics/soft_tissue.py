"""The soft tissue hidden under bone: a harmonic continuation of what is seen beside it.

BLS-GAN removes the bones and solves the Laplace equation over the hole (arXiv 2409.07304,
section on the correction parameter). Here the fill is done in absorbance, starts where the soft
edge of a bone ends (``PENUMBRA_MM + FADE_MM`` outside its mask), lets nothing flow through the
image border or into air, and never exceeds what was observed.
"""

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import LinearOperator, cg

from lamella.physics.multigrid import Multigrid
from lamella.records import LamellaError
from lamella.types import Absorbance, Mask

PENUMBRA_MM = 0.2
FADE_MM = 0.25
NOMINAL_SPACING_MM = 0.082
AIR_FRACTION = 0.4
SMOOTHING_MM = 0.16
FILL_GRID_MM = 0.164
RELATIVE_RESIDUAL = 1e-5
ISOLATED = 1e-9


def matte(mask: Mask, pixel_spacing_mm: float = NOMINAL_SPACING_MM) -> Absorbance:
    """Soft edge of a bone mask: 1 up to ``PENUMBRA_MM`` outside, then smoothly to 0.

    ``p = 1 - t^2 (3 - 2 t)`` with ``t = (d - PENUMBRA_MM) / FADE_MM`` clipped to [0, 1] and ``d``
    the distance from the mask. The blurred edge of a bone reaches beyond its outline, and masks
    drawn by hand miss the outline by a pixel or two: both belong to the bone.

    Args:
        mask: (row, col).
        pixel_spacing_mm: mm per pixel; the nominal spacing of a 256-pixel joint crop if unknown.

    Returns:
        (row, col), float32 in [0, 1].
    """
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    box = _bounding_box(mask, int((PENUMBRA_MM + FADE_MM) / pixel_spacing_mm) + 2)
    distance_mm = ndimage.distance_transform_edt(~mask[box]) * pixel_spacing_mm
    step = np.clip((distance_mm - PENUMBRA_MM) / FADE_MM, 0.0, 1.0)
    edge = np.zeros(mask.shape, np.float32)
    edge[box] = 1.0 - step**2 * (3.0 - 2.0 * step)
    return edge


def soft_tissue_under(
    absorbance: Absorbance, bone_matte: Absorbance, pixel_spacing_mm: float = NOMINAL_SPACING_MM
) -> Absorbance:
    """Estimated soft-tissue absorbance everywhere, at most the observed one.

    Outside the bones it is the observation; under them the harmonic fill of the observation
    smoothed over ``SMOOTHING_MM`` (so single noisy pixels at the rim do not smear inwards),
    solved on a grid of about ``FILL_GRID_MM``: the fill has no finer detail.

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
    visible = ~hidden & ~air_beside(absorbance, hidden)
    sigma_px = SMOOTHING_MM / pixel_spacing_mm
    weight = ndimage.gaussian_filter(visible.astype(np.float32), sigma_px)
    mean = ndimage.gaussian_filter(np.where(visible, absorbance, 0.0).astype(np.float32), sigma_px)
    smooth = np.where(visible, mean / np.maximum(weight, 1e-6), 0.0)
    filled = _filled_on_coarse_grid(smooth, hidden, visible, pixel_spacing_mm)
    return (absorbance - bone_matte * np.maximum(absorbance - filled, 0.0)).astype(np.float32)


def air_beside(absorbance: Absorbance, hidden: Mask) -> Mask:
    """Air around the finger: visible pixels far below the usual soft tissue, (row, col).

    The bound is ``AIR_FRACTION`` of the median visible absorbance; the skin's slope above it is
    kept. Where air fills most of what is visible the median is air's own, and none is found.
    """
    visible = ~hidden
    if not visible.any():
        raise LamellaError("no soft tissue is visible: the bone masks cover the whole image")
    typical = float(np.median(absorbance[visible]))
    return np.asarray(visible & (ndimage.uniform_filter(absorbance, 3) < AIR_FRACTION * typical))


def harmonic_fill(values: Absorbance, unknown: Mask, excluded: Mask | None = None) -> Absorbance:
    """Solve Laplace's equation over ``unknown`` with ``values`` around it.

    Five-point Laplacian; zero flux through the image border and into ``excluded``; conjugate
    gradients with a multigrid preconditioner (:mod:`lamella.physics.multigrid`).

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
    known = ~unknown & ~excluded
    if not known.any():
        raise LamellaError("no soft tissue is visible: nothing to continue under the bones")
    filled = np.array(values, dtype=np.float64)
    if unknown.any():
        filled[unknown] = _solve(filled, unknown, known)
    return filled.astype(values.dtype)


def _filled_on_coarse_grid(
    values: Absorbance, hidden: Mask, visible: Mask, pixel_spacing_mm: float
) -> Absorbance:
    step = max(1, round(FILL_GRID_MM / pixel_spacing_mm))
    known = _block_mean(visible.astype(np.float32), step) > 1.0 - 1e-6
    unknown = _block_mean(hidden.astype(np.float32), step) > 0
    if not known.any():
        raise LamellaError("no soft tissue is visible: nothing to continue under the bones")
    coarse = harmonic_fill(_block_mean(values, step), unknown, ~known & ~unknown)
    rows, cols = values.shape
    at = [(np.arange(length) + 0.5) / step - 0.5 for length in (rows, cols)]
    return ndimage.map_coordinates(coarse, np.meshgrid(*at, indexing="ij"), order=1, mode="nearest")


def _solve(values: Absorbance, unknown: Mask, known: Mask) -> np.ndarray:
    matrix, right = _laplace_system(values, unknown, known)
    multigrid = Multigrid.of(matrix, np.argwhere(unknown))
    preconditioner = LinearOperator(matrix.shape, matvec=multigrid.cycle, dtype=np.float64)
    start = np.full(right.shape, float(values[known].mean()))
    solution, _ = cg(matrix, right, x0=start, M=preconditioner, rtol=RELATIVE_RESIDUAL, maxiter=100)
    return np.asarray(solution)


def _laplace_system(
    values: Absorbance, unknown: Mask, known: Mask
) -> tuple[csr_matrix, np.ndarray]:
    number = np.full(unknown.shape, -1, dtype=np.int32)
    count = int(unknown.sum())
    number[unknown] = np.arange(count, dtype=np.int32)
    diagonal, right = np.full(count, ISOLATED), np.full(count, ISOLATED * values[known].mean())
    links: list[np.ndarray] = []
    for here, there in _neighbour_slices():
        for one, other in ((here, there), (there, here)):
            beside_known = unknown[one] & known[other]
            rows = number[one][beside_known]
            diagonal[rows] += 1.0
            right[rows] += values[other][beside_known]
        inside = unknown[here] & unknown[there]
        links.append(np.stack([number[here][inside], number[there][inside]]))
    first, second = np.concatenate(links, axis=1)
    diagonal += np.bincount(first, minlength=count) + np.bincount(second, minlength=count)
    rows = np.concatenate([first, second, np.arange(count)])
    cols = np.concatenate([second, first, np.arange(count)])
    entries = np.concatenate([np.full(2 * first.size, -1.0), diagonal])
    return csr_matrix((entries, (rows, cols)), shape=(count, count)), right


def _neighbour_slices() -> tuple[tuple[tuple[slice, slice], tuple[slice, slice]], ...]:
    whole, head, tail = slice(None), slice(None, -1), slice(1, None)
    return (((head, whole), (tail, whole)), ((whole, head), (whole, tail)))


def _block_mean(array: np.ndarray, step: int) -> np.ndarray:
    rows, cols = (-length % step for length in array.shape)
    padded = np.pad(array, ((0, rows), (0, cols)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    return np.asarray(blocks.mean(axis=(1, 3)))


def _bounding_box(mask: Mask, margin_px: int) -> tuple[slice, slice]:
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(int(rows[0]) - margin_px, 0), int(rows[-1]) + margin_px + 1),
        slice(max(int(cols[0]) - margin_px, 0), int(cols[-1]) + margin_px + 1),
    )
