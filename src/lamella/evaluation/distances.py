"""Distances between two sets of vectors: Fréchet, its pixel-row form, and a kernel's.

All are sums of squared differences in the units of the vectors: 0 for equal sets.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from lamella.records import LamellaError
from lamella.types import Image

Vectors = Float[np.ndarray, "vectors features"]
"""One vector per row."""

Distance = Callable[[np.ndarray, np.ndarray], float]
"""Two sets of vectors (n, d) and (m, d) -> how far apart they are."""


def frechet_distance(first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "m d"]) -> float:
    """Fréchet distance of the Gaussians fitted to two sets (Dowson & Landau 1982).

    ``|mu_1 - mu_2|^2 + Tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))``. No matrix root is taken: with
    centred vectors ``C_k`` and ``S_k = C_k^T C_k / (n_k - 1)``, the eigenvalues of ``S_1 S_2``
    are the squared singular values of ``C_1 C_2^T / sqrt((n_1 - 1) (n_2 - 1))``, so the trace
    of the root is their sum. That holds for singular covariances too, where a matrix root
    loses half of the digits.

    Raises:
        LamellaError: fewer than two vectors in a set.
    """
    centred, total = [], 0.0
    for vectors in (first, second):
        if len(vectors) < 2:
            raise LamellaError(f"expected two vectors or more, got {len(vectors)}: add images")
        offsets = np.asarray(vectors, np.float64) - vectors.mean(axis=0, dtype=np.float64)
        centred.append(_square(offsets / np.sqrt(len(vectors) - 1)))
        total += float(np.square(centred[-1]).sum())
    shared = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    apart = first.mean(axis=0, dtype=np.float64) - second.mean(axis=0, dtype=np.float64)
    return max(float(apart @ apart + total - 2.0 * shared), 0.0)


def pixel_row_fid(first: Image, second: Image) -> float:
    """Pixel-row FID of two images (row, col): rows are the samples, columns the features.

    What the published figures call FID has the size of this figure, not of an Inception FID:
    :func:`frechet_distance` of intensities, one image against one.
    """
    return frechet_distance(first, second)


def kernel_distance(first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "m d"]) -> float:
    """Unbiased squared maximum mean discrepancy of independent sets (Binkowski 2018, KID).

    Kernel ``k(x, y) = (x y / d + 1)^3``; the estimate of equal distributions scatters around 0
    and may be negative.
    """
    same = sum(_off_diagonal_mean(_kernel(vectors, vectors)) for vectors in (first, second))
    return float(same - 2.0 * _kernel(first, second).mean())


def paired_kernel_distance(
    first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "n d"]
) -> float:
    """The same where vector i of both sets shows the same joint (Gretton 2012, eq. 4).

    Pairs are left out of the cross term as each vector's own is out of the others: a mean over
    ``i != j`` of ``k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i)``, 0 for equal sets.
    """
    same = sum(_off_diagonal_mean(_kernel(vectors, vectors)) for vectors in (first, second))
    return float(same - 2.0 * _off_diagonal_mean(_kernel(first, second)))


def jackknife_sd(
    distance: Distance, first: np.ndarray, second: np.ndarray, *, paired: bool = False
) -> float:
    """Standard error of a distance between sets (n, d) and (m, d): leave one out.

    ``sqrt(sum_sets (n - 1) / n sum_i (D_without_i - mean)^2)``. Resampling with replacement
    would repeat vectors, which biases the kernel's estimate; leaving out does not.

    Args:
        distance: of two sets.
        first: vectors (n, d).
        second: vectors (m, d).
        paired: vector i of both shows the same joint: they leave together.
    """
    without = np.delete
    if paired:
        left_out = [[distance(without(first, i, 0), without(second, i, 0)) for i in _each(first)]]
    else:
        left_out = [
            [distance(without(first, i, 0), second) for i in _each(first)],
            [distance(first, without(second, i, 0)) for i in _each(second)],
        ]
    variances = [(len(values) - 1) * float(np.var(values)) for values in left_out]
    return float(np.sqrt(sum(variances)))


def _each(vectors: np.ndarray) -> range:
    return range(len(vectors))


def _square(vectors: np.ndarray) -> np.ndarray:
    """Fewer vectors with the same ``C^T C`` where there are more than features."""
    rows, features = vectors.shape
    return np.asarray(np.linalg.qr(vectors, mode="r")) if rows > features else vectors


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    products = np.asarray(first, np.float64) @ np.asarray(second, np.float64).T
    return (products / first.shape[1] + 1.0) ** 3


def _off_diagonal_mean(values: np.ndarray) -> float:
    count = len(values)
    return float((values.sum() - np.trace(values)) / (count * (count - 1)))
