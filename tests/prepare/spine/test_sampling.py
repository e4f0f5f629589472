"""Labels between voxels: the heaviest wins, outside is background."""

import numpy as np
import pytest

from lamella.prepare.spine.sampling import label_grid, sampled


def ramp() -> np.ndarray:
    first, second, third = np.indices((9, 10, 11)).astype(np.float32)
    return 2 * first - 3 * second + 5 * third


def test_attenuation_is_linear_and_air_outside() -> None:
    at = np.array([[1.25, 3.5, 7.75], [0.0, 9.0, 10.0], [-3.0, 0.0, 0.0]])
    found = sampled(ramp(), at, -1000.0)
    assert found == pytest.approx([2 * 1.25 - 3 * 3.5 + 5 * 7.75, -27 + 50, -1000.0], rel=1e-5)


def reference(ids: np.ndarray, place: np.ndarray) -> set[int]:
    """Labels whose summed linear weights are greatest, one voxel at a time."""
    base = np.floor(place).astype(int)
    sums: dict[int, float] = {}
    for step in np.ndindex(2, 2, 2):
        index = base + step
        inside = (index >= 0).all() and (index < ids.shape).all()
        label = int(ids[tuple(index)]) if inside else 0
        weight = np.prod(np.where(step, place - base, 1 - (place - base)))
        sums[label] = sums.get(label, 0.0) + float(weight)
    best = max(sums.values())
    return {label for label, total in sums.items() if total > best - 1e-12}


def test_the_heaviest_label_wins_everywhere() -> None:
    rng = np.random.default_rng(0)
    ids = rng.choice(np.array([0, 0, 0, 8, 20, 28], dtype=np.uint8), size=(7, 6, 8))
    places = rng.uniform(-2, 9, (400, 3))
    found = label_grid(ids).at(places)
    assert all(int(found[k]) in reference(ids, place) for k, place in enumerate(places))
    assert set(np.unique(found)) == {0, 8, 20, 28}


def test_voxel_centres_keep_their_label_at_any_shape_of_places() -> None:
    ids = np.zeros((12, 12, 12), dtype=np.uint8)
    ids[3:7, 4:9, 5:6] = 22
    places = np.moveaxis(np.indices(ids.shape), 0, -1).astype(np.float64)
    assert (label_grid(ids).at(places) == ids).all()


def test_nothing_is_found_in_nothing() -> None:
    empty = np.zeros((4, 4, 4), dtype=np.uint8)
    assert not label_grid(empty).at(np.full((2, 3), 1.5)).any()
