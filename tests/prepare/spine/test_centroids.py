"""Boxes, volumes and centroids of labels."""

import numpy as np
import pytest

from lamella.prepare.spine.centroids import (
    at_border,
    box_around,
    box_of,
    boxes,
    centroids,
    grown,
    indexed,
    largest,
    placed,
    shifted,
)

AFFINE = np.array(
    [[0.0, 0.0, -2.0, 30.0], [0.0, 3.0, 0.0, -5.0], [1.5, 0.0, 0.0, 7.0], [0, 0, 0, 1]]
)


def two_boxes() -> np.ndarray:
    ids = np.zeros((20, 20, 20), dtype=np.uint8)
    ids[2:6, 3:9, 4:8] = 20
    ids[10:20, 3:9, 4:8] = 28
    return ids


def test_centroids_are_in_millimetres() -> None:
    found = centroids(two_boxes(), AFFINE)
    assert set(found) == {"L1", "T13"}
    assert found["L1"].place_mm == pytest.approx(AFFINE[:3, :3] @ [3.5, 5.5, 5.5] + AFFINE[:3, 3])
    assert found["L1"].volume_mm3 == pytest.approx(4 * 6 * 4 * 9.0)
    assert (found["L1"].cut, found["T13"].cut) == (False, True)


def test_places_and_indices_are_inverse() -> None:
    indices = np.random.default_rng(0).uniform(0, 20, (5, 3))
    assert indexed(AFFINE, placed(AFFINE, indices)) == pytest.approx(indices)


def test_a_cut_box_keeps_its_place() -> None:
    box = grown(dict(boxes(two_boxes()))[20], (20, 20, 20), margin=2)
    assert box == (slice(0, 8), slice(1, 11), slice(2, 10))
    moved = shifted(AFFINE, box)
    assert placed(moved, np.array([1.0, 1.0, 1.0])) == pytest.approx(
        placed(AFFINE, np.array([1.0, 2.0, 3.0]))
    )


def test_a_label_is_found_in_a_part_of_the_volume() -> None:
    ids = two_boxes()
    whole = box_of(ids, 20)
    assert whole == (slice(2, 6), slice(3, 9), slice(4, 8))
    near = box_around(AFFINE, ids.shape, centroids(ids, AFFINE)["L1"].place_mm, 15.0)
    assert box_of(ids, 20, near) == whole
    assert box_of(ids, 21) is None
    assert not at_border(whole, ids.shape)
    assert at_border(box_of(ids, 28), ids.shape)


def test_islands_are_removed() -> None:
    mask = two_boxes() > 0
    kept = largest(mask)
    assert kept.sum() == 10 * 6 * 4
    assert largest(kept) is kept
