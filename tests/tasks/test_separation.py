"""Taking a joint apart: every law holds whatever the estimate says, on the image's own grid."""

import itertools

import numpy as np
import pytest
from scipy import ndimage

import joints
import laws
from lamella.physics.formation import WIDEST_SHARE_SD, bls_gan_composition
from lamella.physics.soft_tissue import FADE_MM, PENUMBRA_MM
from lamella.records import BoneMasks, LamellaError, Layers, Radiograph
from lamella.tasks.separation import (
    separate_as_published,
    separate_into_intensities,
    separate_joint,
    usable_masks,
)

SAYINGS = (
    {"share": 0.4, "correction": 0.02},
    {"share": 30.0, "log_sd": 0.0, "correction": 50.0},
    {"share": -30.0, "log_sd": -6.0, "correction": -50.0},
)


def separated(radiograph: Radiograph, masks, **said: float) -> Layers:
    return separate_joint(radiograph, masks, joints.estimate_saying(**said), "test")


def obeys_all_laws(layers: Layers) -> None:
    laws.recomposes(layers)
    laws.is_physical(layers)
    laws.lone_bones_keep_all(layers)


@pytest.mark.parametrize("said", SAYINGS)
def test_laws_hold_at_the_networks_own_spacing(overlapping, said):
    obeys_all_laws(separated(joints.radiograph_of(overlapping), overlapping.masks, **said))


@pytest.mark.parametrize("said", SAYINGS)
def test_laws_hold_at_another_spacing_on_the_images_own_grid(coarse, said):
    layers = separated(joints.radiograph_of(coarse), coarse.masks, **said)
    obeys_all_laws(layers)
    for layer in (layers.soft_absorbance, layers.share_sd, *layers.bone_absorbance.values()):
        assert layer.shape == coarse.intensity.shape
        assert layer.dtype == np.float32


@pytest.mark.parametrize(
    "spec",
    [
        {"rows": 160, "cols": 200, "pixel_spacing_mm": 0.1},
        {"rows": 300, "cols": 270, "pixel_spacing_mm": 0.06},
    ],
)
def test_laws_hold_for_any_size_and_shape(spec):
    phantom = joints.phantom(**spec)
    obeys_all_laws(separated(joints.radiograph_of(phantom), phantom.masks, **SAYINGS[0]))


def test_laws_hold_without_a_spacing(coarse):
    radiograph = joints.radiograph_of(coarse, pixel_spacing_mm=None)
    layers = separated(radiograph, coarse.masks, share=0.4)
    obeys_all_laws(layers)
    assert layers.radiograph.pixel_spacing_mm is None


def test_bones_without_overlap_are_separated_too():
    apart = joints.coarse_phantom(jsw_mm=3.0)
    layers = separated(joints.radiograph_of(apart), apart.masks, share=30.0)
    obeys_all_laws(layers)
    assert layers.share_sd.max() == 0
    for name, other in (("upper", "lower"), ("lower", "upper")):
        assert layers.bone_absorbance[name][apart.masks[other]].max() == 0


@pytest.mark.parametrize("phantom", ["overlapping", "coarse"])
def test_order_of_the_masks_is_irrelevant(phantom, request):
    joint = request.getfixturevalue(phantom)
    radiograph = joints.radiograph_of(joint)
    turned = dict(reversed(joint.masks.items()))
    straight = separated(radiograph, joint.masks, share=1.0)
    laws.same_layers(straight, separated(radiograph, turned, share=1.0))


def test_bones_keep_the_names_they_were_given(coarse):
    named = {"metacarpal": coarse.masks["lower"], "phalanx": coarse.masks["upper"]}
    layers = separated(joints.radiograph_of(coarse), named, share=1.0)
    plain = separated(joints.radiograph_of(coarse), coarse.masks, share=1.0)
    np.testing.assert_array_equal(layers.bone_absorbance["phalanx"], plain.bone_absorbance["upper"])
    np.testing.assert_array_equal(layers.masks["metacarpal"], coarse.masks["lower"])


@pytest.mark.parametrize(
    "spec",
    [
        {"rows": 128, "cols": 128, "pixel_spacing_mm": 0.164},
        {"rows": 512, "cols": 512, "pixel_spacing_mm": 0.041},
    ],
)
def test_the_soft_edge_of_a_bone_is_as_wide_at_any_spacing(spec):
    """Bone beside its mask: all of it within penumbra and fade, most of it within the penumbra."""
    phantom = joints.phantom(**spec)
    layers = separated(joints.radiograph_of(phantom), phantom.masks, share=0.4)
    outside = ~np.any(list(phantom.masks.values()), axis=0)
    away_mm = ndimage.distance_transform_edt(outside) * spec["pixel_spacing_mm"]
    bone = np.sum(list(layers.bone_absorbance.values()), axis=0)
    assert bone[away_mm > PENUMBRA_MM + FADE_MM + 0.01].max() == 0
    assert (bone[(away_mm > 0.2) & (away_mm < 0.4)] > 0).mean() > 0.5


def test_saturated_pixels_are_recorded_and_restored(overlapping):
    pixels = overlapping.intensity.copy()
    bright = pixels > np.quantile(pixels, 0.99)
    pixels[bright] = 1.0
    radiograph = joints.radiograph_of(overlapping, pixels=pixels)
    layers = separated(radiograph, overlapping.masks, share=0.5)
    np.testing.assert_array_equal(layers.saturated, bright)
    np.testing.assert_array_equal(layers.recompose()[bright], 1.0)
    obeys_all_laws(layers)


def test_a_finer_grid_gives_about_the_same_layers(coarse):
    """The same joint at two spacings: bone images agree after averaging 2 x 2 pixels."""
    fine = joints.phantom()
    images = [
        separated(joints.radiograph_of(joint), joint.masks, share=0.3).bone_image("upper")
        for joint in (fine, coarse)
    ]
    averaged = images[0].reshape(128, 2, 128, 2).mean(axis=(1, 3))
    both = coarse.masks["upper"] & coarse.masks["lower"]
    assert np.abs(averaged - images[1])[both].mean() < 0.03


@pytest.mark.parametrize("phantom", ["overlapping", "coarse"])
def test_a_share_is_uncertain_only_where_both_bones_may_be(phantom, request):
    joint = request.getfixturevalue(phantom)
    layers = separated(joints.radiograph_of(joint), joint.masks, log_sd=-1.0)
    both = np.all([bone > 0 for bone in layers.bone_absorbance.values()], axis=0)
    assert layers.share_sd.min() >= 0
    assert (layers.share_sd[~both] == 0).all()
    certain = layers.masks.overlap
    assert layers.share_sd[certain].mean() == pytest.approx(np.exp(-1.0), rel=0.05)


def test_the_method_is_named_in_the_result(coarse):
    assert separated(joints.radiograph_of(coarse), coarse.masks).method == "test"


# --- what is refused -----------------------------------------------------------------------


def boxes(shape: tuple[int, int], count: int = 2) -> dict[str, np.ndarray]:
    edges = np.linspace(0, shape[0], count + 1).astype(int)
    masks = {}
    for number, (first, last) in enumerate(itertools.pairwise(edges)):
        masks[f"bone {number}"] = np.zeros(shape, bool)
        masks[f"bone {number}"][first:last, 40:80] = True
    return masks


def test_refused_masks_are_not_used(coarse):
    refused = BoneMasks(masks=coarse.masks, refused="upside down")
    with pytest.raises(LamellaError, match="not accepted as a finger joint: upside down"):
        separated(joints.radiograph_of(coarse), refused)


@pytest.mark.parametrize("count", [1, 3])
def test_other_than_two_bones_are_refused(coarse, count):
    with pytest.raises(LamellaError, match=rf"masks of two bones, got {count}"):
        separated(joints.radiograph_of(coarse), boxes((128, 128), count))


def test_masks_of_another_size_are_refused(coarse):
    with pytest.raises(LamellaError, match=r"masks of \(128, 128\) pixels .*, got \(128, 120\)"):
        separated(joints.radiograph_of(coarse), boxes((128, 120)))


def test_an_empty_mask_is_refused(coarse):
    nothing = {"upper": coarse.masks["upper"], "lower": np.zeros((128, 128), bool)}
    with pytest.raises(LamellaError, match="mask of bone 'lower' is empty"):
        separated(joints.radiograph_of(coarse), nothing)


def test_masks_over_the_whole_image_are_refused(coarse):
    everywhere = {name: np.ones((128, 128), bool) for name in ("upper", "lower")}
    with pytest.raises(LamellaError, match="no soft tissue is visible"):
        separated(joints.radiograph_of(coarse), everywhere)


def test_a_field_of_view_that_is_no_joints_is_refused(coarse):
    radiograph = joints.radiograph_of(coarse, pixel_spacing_mm=1.0)
    with pytest.raises(LamellaError, match="expected one finger joint"):
        separated(radiograph, coarse.masks)


def test_a_mask_too_small_for_the_networks_grid_is_refused():
    pixels = np.tile(np.linspace(0.2, 0.5, 600, dtype=np.float32), (600, 1))
    point = np.zeros((600, 600), bool)
    point[300, 300] = True
    masks = {"upper": point, "lower": np.roll(point, 100, axis=0)}
    with pytest.raises(LamellaError, match="a bone mask is too small"):
        separated(Radiograph(pixels=pixels, pixel_spacing_mm=0.02), masks)


def test_masks_of_another_image_are_refused(coarse):
    elsewhere = {name: np.roll(mask, (14, 22), axis=(0, 1)) for name, mask in coarse.masks.items()}
    with pytest.raises(LamellaError, match="do not fit the image"):
        separated(joints.radiograph_of(coarse), elsewhere)


def test_an_inverted_radiograph_is_refused(coarse):
    inverted = joints.radiograph_of(coarse, pixels=(1 - coarse.intensity).astype(np.float32))
    with pytest.raises(LamellaError, match="invert the image"):
        separated(inverted, coarse.masks)


def test_usable_masks_become_a_record_and_a_record_stays_itself(coarse):
    radiograph = joints.radiograph_of(coarse)
    given = BoneMasks(masks=coarse.masks, confidence=0.8, origin="segmented")
    assert usable_masks(radiograph, given) is given
    assert usable_masks(radiograph, dict(coarse.masks)).origin == "given"


# --- as published --------------------------------------------------------------------------


def predicting(layers, k):
    """A prediction that says the same layer image everywhere, and k."""
    return lambda joint, masks: (
        np.stack([np.full(joint.shape, value, np.float32) * mask for value, mask in layers(masks)]),
        k,
    )


@pytest.mark.parametrize("k", [0.6, 0.9])
def test_published_layers_recompose_to_equation_1(overlapping, k):
    radiograph = joints.radiograph_of(overlapping)
    said = (0.5, 0.7)
    predict = predicting(lambda masks: zip(said, masks, strict=True), k)
    layers = separate_as_published(radiograph, overlapping.masks, predict, "test")
    upper, lower = overlapping.masks["upper"], overlapping.masks["lower"]
    stack = np.stack([upper, lower]).astype(np.float32)
    images = np.stack([value * mask for value, mask in zip(said, stack, strict=True)])
    expected = bls_gan_composition(images, stack, k)
    inside = upper | lower
    np.testing.assert_allclose(layers.recompose()[inside], expected[inside], atol=1e-5)
    np.testing.assert_allclose(layers.recompose()[~inside], radiograph.pixels[~inside], atol=1e-6)


def test_published_layer_images_are_the_predicted_ones_and_soft_tissue_is_k(overlapping):
    predict = predicting(lambda masks: zip((0.5, 0.7), masks, strict=True), 0.8)
    layers = separate_as_published(
        joints.radiograph_of(overlapping), overlapping.masks, predict, "test"
    )
    upper = overlapping.masks["upper"]
    np.testing.assert_allclose(layers.bone_image("upper")[upper], 0.5, atol=1e-5)
    np.testing.assert_allclose(layers.soft_image()[upper], 0.2, atol=1e-6)


def test_a_published_layer_darker_than_its_soft_tissue_holds_no_bone(overlapping):
    predict = predicting(lambda masks: zip((0.1, 0.7), masks, strict=True), 0.8)
    layers = separate_as_published(
        joints.radiograph_of(overlapping), overlapping.masks, predict, "test"
    )
    assert layers.bone_absorbance["upper"].max() == 0.0


def test_the_published_method_states_the_widest_uncertainty_in_the_overlap(overlapping):
    predict = predicting(lambda masks: zip((0.5, 0.7), masks, strict=True), 0.8)
    layers = separate_as_published(
        joints.radiograph_of(overlapping), overlapping.masks, predict, "test"
    )
    overlap = overlapping.masks["upper"] & overlapping.masks["lower"]
    assert (layers.share_sd[overlap] == WIDEST_SHARE_SD).all()
    assert (layers.share_sd[~overlap] == 0).all()


def test_published_layers_come_back_on_the_images_own_grid(coarse):
    predict = predicting(lambda masks: zip((0.5, 0.7), masks, strict=True), 0.8)
    layers = separate_as_published(joints.radiograph_of(coarse), coarse.masks, predict, "test")
    assert layers.bone_image("lower").shape == coarse.intensity.shape


def three(upper: float, lower: float, soft: float):
    """A predictor that says the same everywhere, inside masks and finger."""

    def predict(joint, masks, finger):
        bones = np.stack([value * mask for value, mask in zip((upper, lower), masks, strict=True)])
        return (soft * finger).astype(np.float32), bones.astype(np.float32)

    return predict


def test_three_intensities_recompose_as_a_product(overlapping):
    """R = 1 - (1 - L_upper) (1 - L_lower) (1 - L_soft)."""
    radiograph = joints.radiograph_of(overlapping)
    layers = separate_into_intensities(radiograph, overlapping.masks, three(0.5, 0.3, 0.2), "test")
    both = overlapping.masks["upper"] & overlapping.masks["lower"]
    np.testing.assert_allclose(layers.recompose()[both], 1 - 0.5 * 0.7 * 0.8, atol=1e-5)
    alone = overlapping.masks["upper"] & ~overlapping.masks["lower"]
    np.testing.assert_allclose(layers.recompose()[alone], 1 - 0.5 * 0.8, atol=1e-5)
    assert (layers.share_sd[both] == WIDEST_SHARE_SD).all()


def test_three_intensities_come_back_on_the_images_own_grid(coarse):
    radiograph = joints.radiograph_of(coarse)
    layers = separate_into_intensities(radiograph, coarse.masks, three(0.5, 0.3, 0.2), "test")
    inside = laws.core(coarse.masks["lower"] & ~coarse.masks["upper"], 4)
    np.testing.assert_allclose(layers.bone_absorbance["lower"][inside], -np.log(0.7), atol=1e-4)
    assert layers.soft_absorbance.shape == coarse.intensity.shape
