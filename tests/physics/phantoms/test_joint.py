"""Laws of the finger-joint phantom: layers, masks, joint space width, noise, blur."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lamella.physics.phantoms import (
    JointPhantomSpec,
    joint_phantom,
    placement,
    random_joint_phantom,
    silhouettes,
)

SMALL = JointPhantomSpec(pixel_spacing_mm=0.2, rows=104, cols=104, seed=5)


def _layer_sum(phantom) -> np.ndarray:
    return phantom.soft_absorbance.astype(np.float64) + sum(
        layer.astype(np.float64) for layer in phantom.bone_absorbance.values()
    )


def _width_from_masks_mm(phantom) -> float:
    """The definition of the joint space width, read off the masks alone."""
    upper, lower = phantom.masks["upper"], phantom.masks["lower"]
    rows = np.arange(upper.shape[0])[:, None]
    shared = np.flatnonzero(upper.any(axis=0) & lower.any(axis=0))
    first, last = shared[0], shared[-1] + 1
    quarter = (last - first) / 4
    columns = slice(round(first + quarter), round(last - quarter))
    bottom = np.where(upper, rows, -1).max(axis=0)[columns]
    top = np.where(lower, rows, upper.shape[0]).min(axis=0)[columns]
    return float(np.mean(top - bottom - 1) * phantom.spec.pixel_spacing_mm)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_layers_sum_to_absorbance_of_clean_image(seed):
    phantom = joint_phantom(replace(SMALL, seed=seed, jsw_mm=-1.0, flexion_deg=8.0))
    absorbance = -np.log1p(-phantom.clean_intensity.astype(np.float64))
    np.testing.assert_allclose(_layer_sum(phantom), absorbance, atol=1e-6)
    assert phantom.layer_model_error < 1e-7


@pytest.mark.parametrize("jsw_mm", [-1.5, 0.0, 3.0])
@pytest.mark.parametrize("tilt_deg", [-6.0, 5.0])
@pytest.mark.parametrize("spacing_mm", [0.15, 0.3])
def test_realised_width_is_commanded_width(jsw_mm, tilt_deg, spacing_mm):
    spec = JointPhantomSpec(
        jsw_mm=jsw_mm, tilt_deg=tilt_deg, pixel_spacing_mm=spacing_mm, rows=64, cols=64, seed=3
    )
    assert joint_phantom(spec).jsw_mm == pytest.approx(jsw_mm, abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_width_measured_from_fine_masks(seed):
    rng = np.random.default_rng(seed)
    spec = JointPhantomSpec(
        jsw_mm=rng.uniform(-1.5, 3),
        flexion_deg=rng.uniform(-12, 12),
        tilt_deg=rng.uniform(-6, 6),
        lateral_shift_mm=rng.uniform(-1, 1),
        pixel_spacing_mm=0.08,
        rows=220,
        cols=250,
        seed=seed,
    )
    assert _width_from_masks_mm(joint_phantom(spec)) == pytest.approx(spec.jsw_mm, abs=0.03)


def test_width_from_masks_does_not_depend_on_spacing():
    widths = [
        _width_from_masks_mm(joint_phantom(replace(SMALL, pixel_spacing_mm=mm, rows=n, cols=n)))
        for mm, n in ((0.1, 210), (0.2, 105))
    ]
    assert widths[0] == pytest.approx(widths[1], abs=0.05)


def test_translation_moves_the_phalanx_and_nothing_else():
    move_px = 7
    near = joint_phantom(replace(SMALL, jsw_mm=0.5))
    far = joint_phantom(replace(SMALL, jsw_mm=0.5 + move_px * SMALL.pixel_spacing_mm))
    assert far.jsw_mm - near.jsw_mm == pytest.approx(move_px * SMALL.pixel_spacing_mm, abs=1e-9)
    np.testing.assert_array_equal(far.bone_absorbance["lower"], near.bone_absorbance["lower"])
    np.testing.assert_array_equal(far.soft_absorbance, near.soft_absorbance)
    moved = near.bone_absorbance["upper"][move_px + 5 :]
    np.testing.assert_allclose(far.bone_absorbance["upper"][5:-move_px], moved, atol=2e-3)


def test_blur_does_not_commute_with_the_product():
    phantom = joint_phantom(replace(SMALL, blur_mode="intensity", jsw_mm=-0.5, blur_mm=0.3))
    exact = joint_phantom(replace(SMALL, jsw_mm=-0.5, blur_mm=0.3))
    modelled = -np.expm1(-_layer_sum(phantom))
    worst = np.abs(phantom.clean_intensity - modelled).max()
    assert phantom.layer_model_error == pytest.approx(worst, abs=1e-6)
    assert 1e-3 < phantom.layer_model_error < 0.2
    np.testing.assert_array_equal(phantom.bone_absorbance["upper"], exact.bone_absorbance["upper"])
    # Jensen: the mean of a convex function lies above the function of the mean.
    assert (phantom.clean_intensity <= exact.clean_intensity + 1e-6).all()


def test_same_seed_same_phantom():
    once, again = joint_phantom(SMALL), joint_phantom(SMALL)
    np.testing.assert_array_equal(once.intensity, again.intensity)


def test_seeds_differ_and_noise_seed_changes_noise_alone():
    base = joint_phantom(SMALL)
    other = joint_phantom(replace(SMALL, seed=6))
    revisited = joint_phantom(replace(SMALL, noise_seed=99))
    assert np.abs(other.clean_intensity - base.clean_intensity).max() > 0.05
    np.testing.assert_array_equal(revisited.clean_intensity, base.clean_intensity)
    assert np.abs(revisited.noise - base.noise).max() > 0.005


def test_noise_is_the_difference_and_has_the_commanded_size():
    phantom = joint_phantom(replace(SMALL, noise=0.02, rows=160, cols=160))
    np.testing.assert_array_equal(phantom.noise, phantom.intensity - phantom.clean_intensity)
    scaled = phantom.noise / np.sqrt((1 - phantom.clean_intensity) / 0.5)
    assert scaled.std() == pytest.approx(0.02, rel=0.05)
    assert phantom.intensity.dtype == np.float32
    assert phantom.intensity.min() >= 0
    assert phantom.intensity.max() < 1


@pytest.mark.parametrize("name", ["upper", "lower"])
def test_masks_hold_the_bones(name):
    phantom = joint_phantom(replace(SMALL, flexion_deg=10.0))
    layer, mask = phantom.bone_absorbance[name], phantom.masks[name]
    assert layer[mask].sum() > 0.9 * layer.sum()
    assert (layer[mask] > 0).mean() > 0.99


def test_upper_is_above_lower_and_overlap_means_negative_width():
    apart = joint_phantom(replace(SMALL, jsw_mm=3.0))
    rows = np.arange(SMALL.rows)
    centres = {
        name: np.average(rows, weights=mask.sum(axis=1)) for name, mask in apart.masks.items()
    }
    assert centres["upper"] < centres["lower"]
    assert not (apart.masks["upper"] & apart.masks["lower"]).any()
    crossed = joint_phantom(replace(SMALL, jsw_mm=-1.0))
    assert (crossed.masks["upper"] & crossed.masks["lower"]).sum() > 50


def test_flexion_hangs_a_rim_below_the_valley():
    """At equal width (by the lower rim) a flexed base has its bright valley further up."""
    straight, flexed = (
        joint_phantom(replace(SMALL, flexion_deg=angle, noise=0.0)) for angle in (0.0, 12.0)
    )
    middle = SMALL.cols // 2
    brightest = [
        p.bone_absorbance["upper"][: SMALL.rows // 2 + 5, middle - 5 : middle + 5]
        .mean(axis=1)
        .argmax()
        for p in (straight, flexed)
    ]
    assert brightest[1] < brightest[0]


def test_erosion_takes_bone_away_and_osteophyte_adds_it():
    plain = joint_phantom(SMALL)
    eroded = joint_phantom(replace(SMALL, erosion=1.0))
    spurred = joint_phantom(replace(SMALL, osteophyte=1.0, jsw_mm=1.5))
    for name in ("upper", "lower"):
        assert eroded.bone_absorbance[name].sum() < plain.bone_absorbance[name].sum()
        assert spurred.masks[name].sum() > plain.masks[name].sum()
    assert eroded.jsw_mm == pytest.approx(plain.jsw_mm, abs=1e-6)


@pytest.mark.parametrize("extra", ["sesamoid", "neighbour"])
def test_other_bones_belong_to_the_soft_layer(extra):
    plain, with_extra = joint_phantom(SMALL), joint_phantom(replace(SMALL, **{extra: True}))
    gain = with_extra.soft_absorbance - plain.soft_absorbance
    assert gain.min() > -1e-6
    assert gain.max() > 0.05
    np.testing.assert_array_equal(with_extra.masks["lower"], plain.masks["lower"])


def test_air_shows_beyond_the_skin():
    dark = joint_phantom(replace(SMALL, air=True)).soft_absorbance
    assert dark.min() < 0.06 < 0.2 < np.median(dark)


def test_grey_levels_are_those_of_hand_radiographs():
    phantom = joint_phantom(JointPhantomSpec())
    bone = phantom.masks["upper"] | phantom.masks["lower"]
    assert 0.2 < np.median(phantom.intensity[~bone]) < 0.35
    assert 0.4 < np.median(phantom.intensity[bone]) < 0.65
    assert 0.6 < np.percentile(phantom.intensity, 99) < 0.9


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pixel_spacing_mm", 0.0),
        ("rows", 16),
        ("cols", 31),
        ("blur_mm", -0.1),
        ("noise", float("nan")),
        ("erosion", 1.5),
    ],
)
def test_bad_values_are_refused_with_a_remedy(field, value):
    with pytest.raises(ValueError, match=rf"{field}: expected .* got .*; (choose|use) "):
        JointPhantomSpec(**{field: value})


def test_unknown_blur_is_refused():
    with pytest.raises((ValueError, TypeError), match="blur_mode"):
        JointPhantomSpec(blur_mode="none")


def test_random_phantoms_replay_and_obey_fixed_fields():
    first = random_joint_phantom(np.random.default_rng(8), rows=64, cols=64, jsw_mm=0.25)
    again = random_joint_phantom(np.random.default_rng(8), rows=64, cols=64, jsw_mm=0.25)
    other = random_joint_phantom(np.random.default_rng(9), rows=64, cols=64)
    assert first.spec == again.spec != other.spec
    assert first.jsw_mm == pytest.approx(0.25, abs=1e-3)
    np.testing.assert_array_equal(first.intensity, again.intensity)


def test_silhouettes_alone_are_those_of_the_phantom():
    spec = JointPhantomSpec(jsw_mm=0.5, rows=96, cols=96, pixel_spacing_mm=0.22, tilt_deg=4.0)
    for name, mask in silhouettes(spec).items():
        np.testing.assert_array_equal(mask, joint_phantom(spec).masks[name])


def test_placement_rises_as_the_width_does():
    spec = JointPhantomSpec(jsw_mm=1.0, lateral_shift_mm=0.3, tilt_deg=2.0, seed=4)
    low, high = placement(spec), placement(replace(spec, jsw_mm=1.7))
    assert high.rise_mm - low.rise_mm == pytest.approx(0.7)
    assert (low.lateral_shift_mm, low.tilt_deg) == (0.3, 2.0)
