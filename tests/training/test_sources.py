"""Training material: phantoms by number, joints whose masks can be right, everyday pictures."""

from functools import partial

import numpy as np
import pytest

import joints
from lamella.physics.phantoms import random_joint_phantom
from lamella.training import sources


@pytest.fixture
def small_phantoms(monkeypatch):
    """Random phantoms of 64 x 64 pixels, to be quick."""
    small = partial(random_joint_phantom, rows=64, cols=64, pixel_spacing_mm=0.33)
    monkeypatch.setattr(sources, "random_joint_phantom", small)


def test_phantom_i_depends_on_seed_and_i_alone(small_phantoms):
    three, two = list(sources.phantoms(3, seed=5)), list(sources.phantoms(2, seed=5))
    other = next(iter(sources.phantoms(1, seed=6)))
    assert [phantom.spec for phantom in three[:2]] == [phantom.spec for phantom in two]
    np.testing.assert_array_equal(three[1].intensity, two[1].intensity)
    assert len({phantom.spec for phantom in (*three, other)}) == 4


def test_joints_whose_masks_cannot_be_right_are_left_out(tmp_path):
    sound = joints.coarse_phantom()
    swapped = replaced_masks(sound, upper=sound.masks["lower"], lower=sound.masks["upper"])
    same = replaced_masks(sound, upper=sound.masks["lower"], lower=sound.masks["lower"])
    manifest = joints.write_manifest(
        tmp_path / "train.json",
        {"00001_R_1": [sound], "00002_R_1": [swapped], "00003_R_1": [same]},
    )
    (kept,) = sources.sound_joints(manifest)
    assert kept.row.joint == "00001_R_1"
    np.testing.assert_array_equal(kept.upper, sound.masks["upper"])
    assert np.abs(kept.pixels - sound.intensity).max() <= 0.5 / 255 + 1e-6


def replaced_masks(phantom, **masks):
    from dataclasses import replace

    return replace(phantom, masks=masks)


def test_everyday_images_are_grey_squares_of_256():
    images = sources.everyday_images()
    assert images
    for image in images:
        assert image.shape == (256, 256)
        assert image.dtype == np.uint8
        assert np.ptp(image) > 50
