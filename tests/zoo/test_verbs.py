"""The verbs with the shipped weights: phantoms pass the laws, what is no joint is refused."""

import subprocess
import sys

import numpy as np
import pytest

import joints
import laws
from lamella.physics.phantoms import JointPhantom
from lamella.records import BoneMasks, LamellaError, Layers, Radiograph
from lamella.tasks.joint_width import DRAWN
from lamella.zoo import models
from lamella.zoo.verbs import (
    adjustable,
    joint_space,
    outline_error,
    segment,
    separate,
    synthesize,
)


def obeys_all_laws(layers: Layers) -> None:
    laws.recomposes(layers)
    laws.is_physical(layers)
    laws.lone_bones_keep_all(layers)


def dice(found: np.ndarray, true: np.ndarray) -> float:
    return 2 * (found & true).sum() / (found.sum() + true.sum())


BARE = """
import lamella
from lamella.physics.phantoms import joint_phantom
phantom = joint_phantom()
masks = list(phantom.masks.values())
for verb in (
    lambda: lamella.segment(phantom.intensity),
    lambda: lamella.separate(phantom.intensity),
    lambda: lamella.separate(lamella.Radiograph(pixels=phantom.intensity), masks),
    lambda: lamella.joint_space(phantom.intensity),
    lambda: lamella.synthesize(phantom.intensity, jsw_mm=1.0),
):
    try:
        verb()
    except lamella.LamellaError as error:
        print(error)
"""


def test_bare_arrays_and_lists_are_refused_where_types_are_not_checked():
    command = [sys.executable, "-c", BARE]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    segmenting, separating, unnamed, measuring, putting = said
    assert segmenting == separating == measuring
    assert putting == "expected Layers, got ndarray: use lamella.separate(radiograph)"
    assert segmenting.startswith("expected a Radiograph, got ndarray: use lamella.read(path)")
    assert unnamed.startswith("expected masks by bone name, got list: give {")


# --- separate: the laws hold whatever the weights are --------------------------------------


@pytest.mark.parametrize("number", range(3))
def test_random_phantoms_are_separated_by_the_laws(random_joints, number):
    phantom = random_joints[number]
    layers = separate(joints.radiograph_of(phantom), phantom.masks)
    obeys_all_laws(layers)
    assert layers.share_sd.max() > 0


def test_a_phantom_at_another_spacing_is_separated_by_the_laws():
    phantom = joints.coarse_phantom()
    obeys_all_laws(separate(joints.radiograph_of(phantom), phantom.masks))


def test_the_order_of_the_masks_is_irrelevant(random_joints):
    phantom = random_joints[0]
    radiograph, turned = joints.radiograph_of(phantom), dict(reversed(phantom.masks.items()))
    laws.same_layers(separate(radiograph, phantom.masks), separate(radiograph, turned))


def test_a_mirrored_joint_has_mirrored_layers(random_joints):
    phantom = random_joints[1]
    mirrored = joints.radiograph_of(phantom, pixels=phantom.intensity[:, ::-1].copy())
    straight = separate(joints.radiograph_of(phantom), phantom.masks)
    other = separate(mirrored, {name: mask[:, ::-1] for name, mask in phantom.masks.items()})
    for name, bone in straight.bone_absorbance.items():
        assert np.abs(other.bone_absorbance[name][:, ::-1] - bone).mean() < 2e-3


def test_the_method_names_the_weights(random_joints):
    phantom = random_joints[0]
    layers = separate(joints.radiograph_of(phantom), phantom.masks)
    assert layers.method == f"shares {models.card('shares')['sha256'][:12]}"


# --- with the final weights ----------------------------------------------------------------


@pytest.mark.parametrize("number", range(3))
def test_random_phantoms_are_segmented_and_separated(random_joints, number):
    phantom = random_joints[number]
    radiograph = joints.radiograph_of(phantom)
    masks = segment(radiograph)
    assert masks.refused is None
    assert masks.origin == "segmented"
    assert min(dice(masks[name], phantom.masks[name]) for name in masks) > 0.9
    obeys_all_laws(separate(radiograph))


def layer_error(phantom: JointPhantom, images: dict[str, np.ndarray]) -> float:
    """Mean squared error of both bones' images inside the overlap."""
    inside = phantom.masks["upper"] & phantom.masks["lower"]
    squares = []
    for name, bone in phantom.bone_absorbance.items():
        true = 1 - np.exp(-(phantom.soft_absorbance + bone))
        squares.append(np.square(images[name] - true)[inside].mean())
    return float(np.mean(squares))


def test_separation_is_better_than_none_and_than_an_equal_split(random_joints):
    found, equal, none = [], [], []
    for phantom in random_joints:
        layers = separate(joints.radiograph_of(phantom), phantom.masks)
        total = sum(layers.bone_absorbance.values())
        half = 1 - np.exp(-(layers.soft_absorbance + total / 2))
        found.append(layer_error(phantom, {name: layers.bone_image(name) for name in layers.masks}))
        equal.append(layer_error(phantom, dict.fromkeys(layers.masks, half)))
        none.append(layer_error(phantom, dict.fromkeys(layers.masks, phantom.intensity)))
    assert np.mean(found) < 0.7 * np.mean(equal)
    assert np.mean(equal) < np.mean(none)


def upside_down() -> np.ndarray:
    return joints.phantom().intensity[::-1].copy()


def pure_noise() -> np.ndarray:
    return np.random.default_rng(0).random((256, 256), dtype=np.float32)


def constant_gradient() -> np.ndarray:
    return np.tile(np.linspace(0.1, 0.9, 256, dtype=np.float32), (256, 1))


@pytest.mark.parametrize("image", [upside_down, pure_noise, constant_gradient])
def test_what_is_no_upright_joint_is_refused(image):
    radiograph = Radiograph(pixels=image(), grey_level=joints.GREY)
    assert segment(radiograph).refused is not None
    with pytest.raises(LamellaError, match="not accepted as a finger joint"):
        separate(radiograph)


def test_a_joint_is_measured_and_put_together_again_at_another_width():
    phantom = joints.phantom(jsw_mm=0.8, seed=1)
    radiograph = joints.radiograph_of(phantom)
    space = joint_space(radiograph, phantom.masks)
    assert space.jsw_mm == pytest.approx(0.8, abs=0.06)
    assert space.jsw_sd_mm == pytest.approx(np.sqrt(2) * DRAWN.offset_mm)
    layers = separate(radiograph, phantom.masks)
    made = synthesize(layers, jsw_mm=2.0)
    assert made.jsw_mm == pytest.approx(2.0, abs=1e-4)
    again = synthesize(adjustable(layers), jsw_mm=2.0)
    np.testing.assert_array_equal(made.image, again.image)


def test_segmented_masks_have_their_calibrated_error():
    apart, over = (joints.phantom(jsw_mm=width, seed=1) for width in (1.5, -1.0))
    errors = [outline_error(segment(joints.radiograph_of(phantom))) for phantom in (apart, over)]
    fitted = models.card("bones")["outline_error"]
    assert errors[0].offset_mm == fitted["apart"]["offset_mm"]
    assert errors[1].offset_mm == fitted["overlapping"]["offset_mm"]
    assert outline_error(BoneMasks(masks=dict(apart.masks))) == DRAWN
