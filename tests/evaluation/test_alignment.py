"""Rigid alignment finds the motion that was made, whatever the grey scale."""

import numpy as np
import pytest
from scipy import ndimage

from lamella.evaluation.alignment import Alignment, align, weighted_ncc

SIZE = 128


def texture(seed: int = 0) -> np.ndarray:
    """A smooth random image, (SIZE, SIZE), in [0, 1]."""
    rng = np.random.default_rng(seed)
    image = sum(
        weight * ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), sigma) * sigma
        for sigma, weight in ((2.0, 0.3), (6.0, 1.0), (16.0, 1.0))
    )
    return ((image - image.min()) / np.ptp(image)).astype(np.float32)


def disc(radius_px: float = 40.0) -> np.ndarray:
    rows, cols = np.indices((SIZE, SIZE))
    return (np.hypot(rows - 60, cols - 66) < radius_px).astype(np.float32)


def everywhere() -> np.ndarray:
    return np.ones((SIZE, SIZE), bool)


@pytest.mark.parametrize(
    ("angle", "down", "right"), [(0.0, 0.0, 0.0), (3.3, 6.4, -9.7), (-12.0, -14.2, 11.0)]
)
def test_a_known_motion_is_found(angle, down, right):
    """fixed(x) = moving(T x) for the T that was made, to a tenth of a pixel at the disc's rim."""
    made = Alignment(
        rotation_deg=angle, down_px=down, right_px=right, centre_px=(60.0, 66.0), ncc=1.0
    )
    moving = texture()
    fixed = np.nan_to_num(made.bring(moving), nan=0.5)
    found = align(fixed, (0.6 * moving + 0.2).astype(np.float32), disc(), everywhere())
    rim = np.array([[20.0, 60.0, 100.0, 60.0], [66.0, 106.0, 66.0, 26.0]])
    assert np.abs(found.places(rim) - made.places(rim)).max() < 0.1
    assert found.ncc > 0.999


def test_pixels_without_weight_have_no_say():
    """Three pixels outside the weighted disc, as far as the finest blur reaches, all is else."""
    moving = texture()
    made = Alignment(down_px=3.0, right_px=5.0)
    fixed = np.where(disc(33.0) > 0, np.nan_to_num(made.bring(moving)), texture(1))
    found = align(fixed.astype(np.float32), moving, disc(30.0), everywhere())
    assert np.abs(found.places(np.array([[60.0], [66.0]])) - [[63.0], [71.0]]).max() < 0.02


def test_unusable_pixels_of_the_moving_image_have_no_say():
    moving = texture()
    spoilt = moving.copy()
    spoilt[50:70] = 1.0
    usable = everywhere()
    usable[44:76] = False
    fixed = np.nan_to_num(Alignment(down_px=4.0).bring(moving), nan=0.5)
    found = align(fixed, spoilt, disc(), usable)
    assert found.places(np.array([[60.0], [66.0]]))[0, 0] == pytest.approx(64.0, abs=0.2)


def test_nothing_to_compare_is_no_alignment():
    assert align(texture(), texture(), np.zeros((SIZE, SIZE), np.float32), everywhere()).ncc == -1
    nowhere = np.zeros((SIZE, SIZE), bool)
    assert align(texture(), texture(), disc(), nowhere).ncc == -1


def test_unrelated_images_align_badly():
    assert align(texture(0), texture(5), disc(), everywhere()).ncc < 0.85


def test_what_leaves_the_moving_image_is_not_a_number():
    brought = Alignment(down_px=10.0).bring(texture())
    assert np.isnan(brought[-10:]).all()
    np.testing.assert_allclose(brought[:-10], texture()[10:], atol=1e-4)


def test_weighted_ncc_by_hand():
    a, b = np.array([0.0, 1.0, 2.0, 9.0]), np.array([5.0, 3.0, 1.0, 9.0])
    assert weighted_ncc(a, b, np.array([1.0, 1.0, 1.0, 0.0])) == pytest.approx(-1.0)
    assert weighted_ncc(a, a, np.ones(4)) == pytest.approx(1.0)
    assert weighted_ncc(a, np.ones(4), np.ones(4)) == 0.0
