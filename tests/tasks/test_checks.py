"""Bones darker than their surroundings and burnt-out bones are refused."""

import numpy as np
import pytest

import joints
from lamella.records import BoneMasks, LamellaError, Radiograph
from lamella.tasks.checks import refuse_unusable


def radiograph(pixels):
    return Radiograph(pixels=pixels.astype(np.float32), grey_level=1 / 255)


@pytest.fixture
def phantom():
    return joints.phantom()


@pytest.fixture
def masks(phantom):
    return BoneMasks(masks=phantom.masks)


def test_a_usual_image_passes(phantom, masks):
    refuse_unusable(radiograph(phantom.intensity), masks)


def test_an_inverted_image_is_refused(phantom, masks):
    with pytest.raises(LamellaError, match="invert the image"):
        refuse_unusable(radiograph(1 - phantom.intensity), masks)


def test_burnt_out_bones_are_refused(phantom, masks):
    pixels = np.where(masks["upper"] | masks["lower"], 1.0, phantom.intensity)
    with pytest.raises(LamellaError, match="100% of the bone pixels are saturated"):
        refuse_unusable(radiograph(pixels), masks)


def test_masks_of_another_size_are_refused(masks):
    with pytest.raises(LamellaError, match=r"\(64, 64\) pixels like the image"):
        refuse_unusable(radiograph(np.tile(np.linspace(0, 1, 64), (64, 1))), masks)


def test_bones_that_fill_the_image_have_no_surroundings(phantom):
    whole = np.ones(phantom.intensity.shape, bool)
    refuse_unusable(radiograph(phantom.intensity), BoneMasks(masks={"upper": whole}))
