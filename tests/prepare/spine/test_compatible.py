"""HealthiVert-GAN's straightening: its own published crops, voxel for voxel."""

import json

import nibabel as nib
import numpy as np
import pytest

from lamella.prepare.spine.compatible import (
    published_bodies,
    published_crop,
    published_line,
    published_straight,
    published_window,
)
from lamella.records.images import LamellaError


def test_the_six_published_crops_voxel_for_voxel(lamella_data) -> None:
    folder = lamella_data / "spine" / "healthivert_0007"
    ids = np.asanyarray(nib.load(folder / "0007_msk.nii.gz").dataobj).astype(np.uint8)
    entries = json.loads((folder / "0007.json").read_text())
    centroids = {e["label"]: np.array([e["X"], e["Y"], e["Z"]]) for e in entries}
    line = published_line(centroids, ids.shape)
    bodies = published_bodies(published_straight(ids, line))
    assert bodies.shape == (213, 128, 128)
    for number in range(18, 24):
        theirs = nib.load(folder / "straightened_label" / f"0007_{number}.nii.gz").dataobj
        assert (published_crop(bodies, line, number) == np.asanyarray(theirs)).all()


CENTROIDS = {20: np.array([40.0, 60.0, 50.0]), 21: np.array([70.0, 60.0, 50.0])}


def two_blocks() -> np.ndarray:
    ids = np.zeros((120, 120, 100), dtype=np.uint8)
    for number, (down, back, left) in CENTROIDS.items():
        d, b, s = int(down), int(back), int(left)
        ids[d - 10 : d + 10, b - 25 : b + 5, s - 15 : s + 15] = number
        ids[d - 10 : d + 10, b + 20 : b + 30, s - 4 : s + 5] = number  # behind the canal
    return ids


def test_a_straight_spine_is_copied() -> None:
    ids = two_blocks()
    line = published_line(CENTROIDS, ids.shape)
    straight = published_straight(ids, line)
    assert line.places[0] == pytest.approx([20.0, 60.0, 50.0])
    assert len(line.places) == 70
    assert (straight[:, 64 - 40 : 64 + 40, 64 - 30 : 64 + 30] == ids[20:90, 20:100, 20:80]).all()


def test_the_flat_cut_removes_what_lies_behind_the_canal() -> None:
    line = published_line(CENTROIDS, (120, 120, 100))
    bodies = published_bodies(published_straight(two_blocks(), line))
    assert not bodies[:, 69:].any()
    assert (bodies == 20).sum() == 20 * 30 * 30


def test_crops_cut_short_are_put_in_the_middle() -> None:
    line = published_line(CENTROIDS, (120, 120, 100))
    crop = published_crop(published_straight(two_blocks(), line), line, 21)
    assert crop.shape == (256, 256, 64)
    rows = np.flatnonzero((crop == 21).any(axis=(1, 2)))
    assert rows[0] == 93 + 70 - 20 - 10


def test_attenuation_is_linear_and_windowed() -> None:
    hu = np.broadcast_to(np.arange(120.0)[:, None, None], (120, 120, 100)).astype(np.float32)
    line = published_line(CENTROIDS, hu.shape)
    straight = published_straight(np.ascontiguousarray(hu), line)
    assert straight[3, 64, 64] == pytest.approx(23.0)
    assert straight[3, 0, 64] == -300.0
    window = published_window(np.array([[[-900.0, -300.0, 250.0, 800.0, 3000.0]]], np.float32))
    assert window.ravel() == pytest.approx([0.0, 0.0, 127.5, 255.0, 255.0])


def test_one_centroid_and_unknown_numbers_are_refused() -> None:
    with pytest.raises(LamellaError, match="two centroids"):
        published_line({20: CENTROIDS[20]}, (120, 120, 100))
    line = published_line(CENTROIDS, (120, 120, 100))
    with pytest.raises(LamellaError, match="expected one of"):
        published_crop(np.zeros((70, 128, 128), np.uint8), line, 22)
