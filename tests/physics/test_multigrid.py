"""The preconditioner: symmetric, positive, and quick to converge."""

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg, spsolve

from lamella.physics.multigrid import Multigrid
from lamella.physics.soft_tissue import _laplace_system


def hole_in(side: int) -> tuple:
    rows, cols = np.indices((side, side))
    hole = np.hypot(rows - side / 2, cols - side / 3) < side / 3
    return _laplace_system(np.sin(cols / 9.0), hole, ~hole), np.argwhere(hole)


def test_cycle_is_symmetric_and_positive() -> None:
    (matrix, _), pixels = hole_in(80)
    multigrid = Multigrid.of(matrix, pixels)
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, matrix.shape[0]))
    assert np.isclose(first @ multigrid.cycle(second), second @ multigrid.cycle(first))
    assert first @ multigrid.cycle(first) > 0


def test_iterations_stay_few_as_the_grid_is_refined() -> None:
    counts = []
    for side in (64, 128, 256):
        (matrix, right), pixels = hole_in(side)
        multigrid = Multigrid.of(matrix, pixels)
        steps: list[int] = []
        solution, _ = cg(
            matrix,
            right,
            rtol=1e-8,
            callback=lambda _, steps=steps: steps.append(1),
            M=LinearOperator(matrix.shape, matvec=multigrid.cycle, dtype=float),
        )
        counts.append(len(steps))
        assert np.abs(solution - spsolve(matrix.tocsc(), right)).max() < 1e-5
    assert max(counts) <= 20
