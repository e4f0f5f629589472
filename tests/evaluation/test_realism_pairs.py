"""Pairs: the same joint, another width, the same grey levels, and controls that are wrong."""

import numpy as np
import pytest

import joints
from lamella.evaluation.realism_pairs import (
    ROTATION_DEG,
    SHIFT_MM,
    View,
    at_detector,
    moved_as_published,
    pairs_of,
    realism_pairs,
    rounded,
)
from lamella.evaluation.rows import LAMELLA
from lamella.evaluation.three_layer_rows import three_layer_rows
from lamella.tasks.joint_width import measure_joint_space
from lamella.zoo.verbs import adjustable, separate

GREY = joints.GREY
WIDTHS_MM = (0.4, 1.4)


@pytest.fixture(scope="module")
def layered():
    made = []
    for seed, width_mm in enumerate(WIDTHS_MM):
        phantom = joints.phantom(jsw_mm=width_mm, seed=seed)
        made.append((f"joint {seed}", separate(joints.radiograph_of(phantom), phantom.masks)))
    return made


@pytest.fixture(scope="module")
def pairs(layered):
    return pairs_of([(name, adjustable(layers)) for name, layers in layered])


def width_mm(view):
    return measure_joint_space(dict(view.masks), joints.SPACING_MM).jsw_mm


def test_widths_are_those_of_the_sample(pairs, layered):
    sample = [adjustable(layers).joint_space.jsw_mm for _, layers in layered]
    for pair in pairs:
        assert min(abs(width_mm(pair.synthetic) - one) for one in sample) < 0.08
    assert SHIFT_MM < 0.5
    assert ROTATION_DEG < 5.0


def test_every_picture_is_in_grey_levels_of_the_source(pairs):
    for pair in pairs:
        for view in (pair.real, pair.synthetic, pair.published, pair.blurred):
            levels = view.pixels / GREY
            np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)


def test_the_real_member_is_the_radiograph_and_the_synthetic_is_not(pairs, layered):
    for pair, (_, layers) in zip(pairs, layered, strict=True):
        np.testing.assert_allclose(
            pair.real.pixels, rounded(layers.radiograph.pixels, GREY), atol=1e-6
        )
        assert np.abs(pair.synthetic.pixels - pair.real.pixels).max() > 0.05


def test_controls_are_plainly_worse(pairs):
    for pair in pairs:
        fine = [np.abs(np.diff(view.pixels, axis=1)).mean() for view in (pair.blurred, pair.real)]
        assert fine[0] < 0.95 * fine[1]


def test_the_published_way_leaves_a_wedge_where_a_bone_came_from(layered):
    _, layers = layered[1]
    joint = adjustable(layers)
    made = joint.at(joint.posed(jsw_mm=0.2))
    published = moved_as_published(layers, made)
    top = published[0][made.masks["upper"][3]].mean()
    assert top < made.image[0][made.masks["upper"][3]].mean() - 0.05


def test_the_detector_sees_means_of_areas():
    phantom = joints.phantom(jsw_mm=1.0)
    layers = three_layer_rows()[LAMELLA](joints.radiograph_of(phantom), phantom.masks)
    view = View(pixels=phantom.intensity, masks=layers.masks)
    seen = at_detector(view)
    assert seen.pixels.shape == (140, 140)
    assert float(seen.pixels.mean()) == pytest.approx(float(view.pixels.mean()), abs=2e-3)
    for name, mask in view.masks.items():
        assert seen.masks[name].mean() == pytest.approx(mask.mean(), abs=0.005)


def test_a_manifest_gives_pairs_of_its_sound_joints(manifest, monkeypatch):
    monkeypatch.setattr("lamella.evaluation.joint_sample.FEWEST_JOINTS", 3)
    assert {pair.joint for pair in realism_pairs(manifest, 10)} == {
        "00001_R_1",
        "00002_R_2",
        "00003_L_13",
    }
