"""Phase-only correlation: known sub-pixel shifts, and the narrowing of phantoms."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import fft

from joints import SPACING_MM, phantom, radiograph_of
from lamella.methods.phase_only.infer import (
    common_boxes,
    phase_image,
    phase_only_shift,
    register_phase_only,
)
from lamella.records import BoneMasks, JointVisit, LamellaError, Similarity
from lamella.tasks.joint_narrowing import measure_narrowing
from lamella.tasks.joint_width import EXACT, measure_joint_space


def band_limited(seed: int, shape: tuple[int, int] = (96, 80)) -> np.ndarray:
    """Random image without frequencies above a quarter of the sampling rate."""
    spectrum = fft.fft2(np.random.default_rng(seed).standard_normal(shape))
    high = [np.abs(fft.fftfreq(size)) > 0.3 for size in shape]
    spectrum[high[0]] = 0.0
    spectrum[:, high[1]] = 0.0
    return fft.ifft2(spectrum).real.astype(np.float32)


def shifted(image: np.ndarray, down_px: float, right_px: float) -> np.ndarray:
    """Exact cyclic shift by the Fourier theorem."""
    rows, cols = (fft.fftfreq(size) for size in image.shape)
    ramp = np.exp(-2j * np.pi * (rows[:, None] * down_px + cols[None, :] * right_px))
    return fft.ifft2(fft.fft2(image) * ramp).real.astype(np.float32)


def visit(rows: slice = slice(None), **spec: float) -> JointVisit:
    joint = phantom(**spec)
    masks = BoneMasks(masks={name: mask[rows] for name, mask in joint.masks.items()})
    radiograph = radiograph_of(joint, pixels=joint.intensity[rows])
    space = measure_joint_space(masks, SPACING_MM, EXACT)
    return JointVisit(radiograph=radiograph, masks=masks, space=space)


@pytest.mark.parametrize("seed", range(3))
def test_known_shifts_of_band_limited_images(seed):
    shifts = np.random.default_rng(10 + seed).uniform(-19.0, 19.0, (12, 2))
    errors = []
    for down, right in shifts:
        image = band_limited(seed)
        peak = phase_only_shift(image, shifted(image, float(down), float(right)))
        errors.append((peak.down_px - down, peak.right_px - right))
        assert peak.height == pytest.approx(1.0, abs=0.02)
    assert np.abs(errors).max() < 0.02


def test_shift_survives_noise_and_exposure():
    image = band_limited(4)
    rng = np.random.default_rng(5)
    noise = 0.3 * image.std() * rng.standard_normal(image.shape).astype(np.float32)
    peak = phase_only_shift(image, 0.6 * shifted(image, 3.37, -5.81) + 0.2 + noise)
    assert (peak.down_px, peak.right_px) == pytest.approx((3.37, -5.81), abs=0.05)
    assert 0.5 < peak.height < 0.99


def test_backwards_is_the_opposite():
    first, second = band_limited(6), shifted(band_limited(6), 2.6, -1.3)
    there, back = phase_only_shift(first, second), phase_only_shift(second, first)
    assert there.down_px == pytest.approx(-back.down_px, abs=1e-4)
    assert there.right_px == pytest.approx(-back.right_px, abs=1e-4)


def test_unlike_images_have_no_peak():
    assert phase_only_shift(band_limited(7), band_limited(8)).height < 0.15


def test_a_whole_pixel_and_an_even_or_odd_side_are_no_special_cases():
    for shape in ((64, 64), (65, 63)):
        image = band_limited(9, shape)
        peak = phase_only_shift(image, np.roll(image, (4, -3), axis=(0, 1)))
        assert (peak.down_px, peak.right_px) == pytest.approx((4.0, -3.0), abs=1e-6)


def test_phase_image_keeps_phases_and_levels_magnitudes():
    image = phantom().intensity
    spectrum = fft.fft2(phase_image(image))
    assert np.abs(spectrum) == pytest.approx(1.0, abs=1e-4)
    window = np.multiply.outer(*(np.hanning(size) for size in image.shape))
    assert np.angle(spectrum[:9, 1:9]) == pytest.approx(
        np.angle(fft.fft2(image * window)[:9, 1:9]), abs=1e-3
    )


def test_narrowing_of_phantoms_from_their_pixels_alone():
    baseline = visit(jsw_mm=1.6, seed=3, noise_seed=1)
    errors_mm = []
    for jsw_mm in (1.58, 1.2, 0.7):
        followup = visit(jsw_mm=jsw_mm, seed=3, noise_seed=2)
        found = measure_narrowing(baseline, followup, register_phase_only, "phase-only")
        errors_mm.append(found.jsn_px * SPACING_MM - (1.6 - jsw_mm))
        assert found.agreement > 0.2
        assert found.lateral_px == pytest.approx(0.0, abs=0.15)
    assert np.abs(errors_mm).max() < 0.015


def test_outlines_do_not_count():
    """Other masks give the same shifts, as long as the joint's middle stays."""
    baseline, followup = visit(jsw_mm=1.6, seed=3), visit(jsw_mm=1.2, seed=3, noise_seed=2)
    whole = BoneMasks(masks={name: np.ones((256, 256), bool) for name in baseline.names})
    first = register_phase_only(baseline, followup)
    second = register_phase_only(replace(baseline, masks=whole), replace(followup, masks=whole))
    assert first["upper"].motion == second["upper"].motion


def test_crops_that_lie_differently_are_compared_about_the_joint():
    """30 rows less at the top: more than the largest shift, the same narrowing."""
    baseline = visit(jsw_mm=1.6, seed=3, noise_seed=1)
    cut = visit(slice(30, 240), jsw_mm=1.2, seed=3, noise_seed=2)
    found = measure_narrowing(baseline, cut, register_phase_only, "phase-only")
    assert found.bones["lower"].motion.down_px == pytest.approx(-30.0, abs=0.15)
    assert found.jsn_px * SPACING_MM == pytest.approx(0.4, abs=0.02)
    boxes = common_boxes(baseline, cut)
    assert baseline.radiograph.pixels[boxes[0]].shape == cut.radiograph.pixels[boxes[1]].shape


def test_a_far_peak_is_no_match():
    """Another joint altogether at one side; its agreement must not reach a true one's."""
    other = measure_narrowing(
        visit(jsw_mm=1.6, seed=3), visit(jsw_mm=1.6, seed=4), register_phase_only, "phase-only"
    )
    assert other.agreement < 0.2


def test_a_shift_beyond_the_limit_scores_nothing():
    baseline, followup = visit(jsw_mm=1.6, seed=3), visit(jsw_mm=1.6, seed=3)
    rolled = np.roll(followup.radiograph.pixels, 40, axis=1)
    far = replace(followup, radiograph=replace(followup.radiograph, pixels=rolled))
    found = register_phase_only(baseline, far)
    assert [bone.ncc for bone in found.values()] == [0.0, 0.0]


def test_only_translations_are_stated_and_no_deviation():
    bones = register_phase_only(visit(jsw_mm=1.6, seed=3), visit(jsw_mm=1.2, seed=3))
    for bone in bones.values():
        motion = bone.motion
        assert motion == Similarity(down_px=motion.down_px, right_px=motion.right_px)
        assert np.isnan(bone.along_sd_px)


def test_refuses_small_images():
    with pytest.raises(LamellaError, match="15 pixels"):
        phase_only_shift(np.zeros((14, 40), np.float32), np.zeros((14, 40), np.float32))


def test_refuses_crops_that_share_too_little():
    first, second = visit(slice(0, 150)), visit(slice(120, 256), jsw_mm=-1.0)
    with pytest.raises(LamellaError, match="share 32 pixels"):
        register_phase_only(first, second)
