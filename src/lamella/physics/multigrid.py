"""A multigrid preconditioner for five-point Laplacians on pixels of any outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import SuperLU, splu

COARSEST_UNKNOWNS = 600
OVERCORRECTION = 0.55
DAMPING = 0.8


@dataclass(frozen=True, kw_only=True)
class Multigrid:
    """A symmetric V-cycle over 2 x 2 aggregates of pixels.

    Piecewise-constant aggregation with an over-correction of the coarse matrices, meant as a
    preconditioner of conjugate gradients (D. Braess, Computing 55:379, 1995); two damped
    Jacobi sweeps before and after each coarse correction.

    Args:
        matrices: one per level, finest first, without the coarsest.
        sums: per level, the matrix that adds fine values up into their aggregate.
        coarsest: the factorised coarsest matrix.
    """

    matrices: tuple[csr_matrix, ...]
    sums: tuple[csr_matrix, ...]
    coarsest: SuperLU

    @classmethod
    def of(cls, matrix: csr_matrix, pixels: np.ndarray) -> Multigrid:
        """Build the levels of a symmetric positive matrix.

        Args:
            matrix: (unknown, unknown).
            pixels: (unknown, 2), row and column of each unknown.
        """
        matrices, sums = [], []
        while matrix.shape[0] > COARSEST_UNKNOWNS:
            pixels, aggregate = _aggregated(pixels)
            count = len(aggregate)
            entries = (np.ones(count), (aggregate, np.arange(count)))
            total = csr_matrix(entries, shape=(len(pixels), count))
            matrices.append(matrix)
            sums.append(total)
            matrix = csr_matrix(total @ matrix @ total.T) * OVERCORRECTION
        return cls(matrices=tuple(matrices), sums=tuple(sums), coarsest=splu(matrix.tocsc()))

    def cycle(self, right: np.ndarray, level: int = 0) -> np.ndarray:
        """Approximate solution of ``matrix x = right`` by one V-cycle from ``level`` down."""
        if level == len(self.matrices):
            return np.asarray(self.coarsest.solve(right))
        matrix, total = self.matrices[level], self.sums[level]
        step = DAMPING / matrix.diagonal()
        solution = step * right
        solution += step * (right - matrix @ solution)
        solution += total.T @ self.cycle(total @ (right - matrix @ solution), level + 1)
        solution += step * (right - matrix @ solution)
        return solution + step * (right - matrix @ solution)


def _aggregated(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    coarse = pixels // 2
    width = int(coarse[:, 1].max()) + 1
    keys, aggregate = np.unique(coarse[:, 0] * width + coarse[:, 1], return_inverse=True)
    return np.stack([keys // width, keys % width], axis=1), aggregate
