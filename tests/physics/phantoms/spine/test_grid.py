"""The phantom's grid: boxes, a vertebra's coordinates in them, and any orientation."""

import numpy as np
import pytest

from lamella.physics.phantoms.spine.grid import Grid, Orientation, grid_around, overlap, within
from lamella.records import LamellaError
from spines import frame

GRID = Grid(shape=(10, 12, 14), spacing_mm=(1.0, 2.0, 0.5), corner_mm=(-5.0, -6.0, 3.0))


def test_coordinates_in_a_box_are_those_of_the_voxels_centres():
    box = (slice(2, 5), slice(1, 4), slice(6, 9))
    posterior, left, cranial = GRID.inside(box, frame(height_mm=4.0))
    index = np.array([2 + 1, 1 + 2, 6 + 0])
    place = GRID.affine[:3, :3] @ index + GRID.affine[:3, 3]
    found = (posterior[1, 2, 0], left[1, 2, 0], cranial[1, 2, 0])
    np.testing.assert_allclose(found, (-place[1], -place[0], place[2] - 4.0), atol=1e-6)


def test_a_box_holds_every_voxel_inside_it_and_stays_on_the_grid():
    x, _, z = GRID.box(np.array([-2.0, -100.0, 4.0]), np.array([1.0, 100.0, 5.0]))
    rights, heights = GRID.axis_mm(0)[x], GRID.axis_mm(2)[z]
    assert rights[0] <= -2.0
    assert rights[-1] >= 1.0
    assert heights[0] <= 4.0
    assert heights[-1] >= 5.0
    nowhere = GRID.box(np.full(3, 500.0), np.full(3, 600.0))
    assert all(s.stop - s.start <= 0 for s in nowhere)


def test_boxes_join_and_nest():
    small, other = (slice(2, 4),) * 3, (slice(3, 9),) * 3
    assert overlap([small, other]) == (slice(2, 9),) * 3
    assert within(other, (slice(2, 9),) * 3) == (slice(1, 7),) * 3


def test_the_smallest_grid_holds_its_points():
    points = np.array([[0.0, 0.0, 0.0], [30.0, 20.0, 41.0]])
    grid = grid_around(points, (1.0, 3.0, 2.0), margin_mm=5.0)
    far = grid.affine @ np.array([*(np.array(grid.shape) - 1), 1.0])
    assert np.all(far[:3] >= [35.0, 25.0, 46.0])
    assert grid.corner_mm == (-5.0, -5.0, -5.0)


def test_an_edge_is_as_wide_as_a_voxel_across_it():
    assert GRID.edge_mm(np.array([0.0, 1.0, 0.0])) == 2.0
    assert GRID.edge_mm(np.array([0.6, 0.8, 0.0])) == pytest.approx(np.hypot(0.6, 1.6))


@pytest.mark.parametrize("code", ["RAS", "LPS", "PIR", "SLA"])
def test_a_voxel_keeps_its_place_in_any_orientation(code):
    volume = np.arange(np.prod(GRID.shape)).reshape(GRID.shape)
    turn = Orientation(code=code)
    turned, affine = turn.turned(volume), turn.affine(GRID)
    place = GRID.affine @ np.array([3.0, 7.0, 11.0, 1.0])
    index = np.rint(np.linalg.solve(affine, place)).astype(int)[:3]
    assert turned[tuple(index)] == volume[3, 7, 11]


def test_an_impossible_orientation_is_refused():
    with pytest.raises(LamellaError, match="got 'RAL'"):
        Orientation(code="RAL")
