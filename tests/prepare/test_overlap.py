"""Joints closed on purpose: layers known exactly, whole-pixel closings, honest refusals."""

from dataclasses import replace

import numpy as np
import pytest

import joints
from lamella.physics.geometry import RigidMotion
from lamella.prepare.overlap import (
    EXCHANGE_GAIN,
    FARTHEST_EXCHANGE_PX,
    SMALLEST_OVERLAP_PX,
    KnownLayers,
    closed,
    closing,
    exchanged,
    layers_without_overlap,
    window_around,
)
from lamella.records import LamellaError

NAMES = ("upper", "lower")


@pytest.fixture(scope="module")
def known(apart) -> KnownLayers:
    return layers_without_overlap(joints.radiograph_of(apart), apart.masks)


def test_layers_superpose_to_the_radiograph(apart, known):
    observed = -np.log1p(-np.minimum(apart.intensity, 1 - joints.GREY / 2))
    assert np.abs(known.absorbance - observed).max() <= 1e-6
    assert known.soft.min() >= 0
    assert all(bone.min() >= 0 for bone in known.bones.values())


def test_each_bone_has_what_its_mask_holds_alone(known):
    for name, other in (NAMES, NAMES[::-1]):
        far = known.masks[name]
        assert known.bones[name][far].sum() > 0.9 * known.bones[name].sum()
        assert known.bones[other][far].sum() < 0.02 * known.bones[name][far].sum()


def test_layers_are_near_the_phantoms_true_ones(apart, known):
    """Only the soft tissue is estimated: errors stay small against the bones' absorbance."""
    for name in NAMES:
        inside = apart.masks[name]
        true = apart.bone_absorbance[name][inside]
        error = (known.bones[name] - true_with_noise(apart, name))[inside]
        assert np.sqrt(np.mean(error**2)) < 0.15 * true.mean()


def true_with_noise(apart, name: str) -> np.ndarray:
    """A bone's layer as the radiograph shows it: its own absorbance and the noise."""
    noise = np.log1p(-apart.clean_intensity) - np.log1p(-apart.intensity)
    return apart.bone_absorbance[name] + noise


def test_order_of_the_masks_is_irrelevant_and_the_top_bone_comes_first(apart, known):
    turned = layers_without_overlap(
        joints.radiograph_of(apart), dict(reversed(apart.masks.items()))
    )
    assert list(turned.bones) == list(turned.masks) == list(known.bones) == list(NAMES)
    for name in NAMES:
        np.testing.assert_array_equal(turned.bones[name], known.bones[name])


def test_bones_that_overlap_are_refused(overlapping):
    with pytest.raises(LamellaError, match="bones overlap: known layers need a joint without"):
        layers_without_overlap(joints.radiograph_of(overlapping), overlapping.masks)


@pytest.mark.parametrize(("overlap_px", "refused"), [(19, False), (20, True)])
def test_refusal_begins_at_twenty_pixels_of_overlap(apart, overlap_px, refused):
    shared = np.zeros_like(apart.masks["lower"])
    where = np.flatnonzero(apart.masks["upper"])[-overlap_px:]
    shared.flat[where] = True
    masks = {"upper": apart.masks["upper"], "lower": apart.masks["lower"] | shared}
    assert SMALLEST_OVERLAP_PX == 20
    if refused:
        with pytest.raises(LamellaError, match="bones overlap"):
            layers_without_overlap(joints.radiograph_of(apart), masks)
    else:
        assert layers_without_overlap(joints.radiograph_of(apart), masks).overlap.sum() == 19


@pytest.mark.parametrize("closing_px", [0, 1, 7, 12])
def test_a_closing_is_shared_in_whole_pixels(closing_px):
    motions = closing(NAMES, closing_px)
    down, up = motions["upper"].down_px, -motions["lower"].down_px
    assert down + up == closing_px
    assert abs(down - up) <= 1
    assert float(down).is_integer()
    assert motions["upper"].right_px == motions["lower"].rotation_deg == 0


def test_closing_moves_bones_exactly_and_leaves_the_soft_tissue(known):
    made = closed(known, closing(NAMES, 13))
    rows = known.soft.shape[0]
    assert made.soft.shape[0] == rows - 2 * 7
    np.testing.assert_array_equal(made.soft, known.soft[7 : rows - 7])
    np.testing.assert_array_equal(made.bones["upper"], known.bones["upper"][1 : rows - 13])
    np.testing.assert_array_equal(made.bones["lower"], known.bones["lower"][14:rows])
    np.testing.assert_array_equal(made.masks["upper"], known.masks["upper"][1 : rows - 13])
    np.testing.assert_array_equal(made.masks["lower"], known.masks["lower"][14:rows])


def test_the_closed_joint_is_beer_lambert_of_its_layers(known):
    made = closed(known, closing(NAMES, 13))
    assert made.overlap.sum() >= SMALLEST_OVERLAP_PX
    np.testing.assert_array_equal(made.overlap, made.masks["upper"] & made.masks["lower"])
    expected = 1 - np.exp(-(made.soft + made.bones["upper"] + made.bones["lower"]))
    pixels = made.radiograph().pixels
    assert np.abs(pixels - expected).max() <= 0.5 * made.grey_level + 1e-6
    levels = pixels / made.grey_level
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-4)


def test_a_layer_image_is_one_bone_with_its_soft_tissue(known):
    expected = 1 - np.exp(-(known.soft + known.bones["lower"]))
    np.testing.assert_allclose(known.bone_image("lower"), expected, atol=1e-6)


def test_without_motion_nothing_changes(known):
    for motions in ({}, {"upper": RigidMotion()}):
        made = closed(known, motions)
        np.testing.assert_array_equal(made.absorbance, known.absorbance)


def test_what_enters_from_outside_is_cropped_away(known):
    """A motion leaves empty rows and columns; none of them is left in the result."""
    full = replace(known, bones={name: np.ones_like(known.soft) for name in NAMES})
    made = closed(full, {"upper": RigidMotion(down_px=5.0, right_px=-4.0)})
    rows, cols = known.soft.shape
    assert made.soft.shape == (rows - 10, cols - 8)
    np.testing.assert_allclose(made.bones["upper"], 1.0, atol=1e-5)


def test_spacing_may_be_unknown(known):
    assert known.radiograph(None).pixel_spacing_mm is None
    assert known.radiograph(0.1).pixel_spacing_mm == 0.1


@pytest.fixture(scope="module")
def other() -> KnownLayers:
    """Another person's joint."""
    phantom = joints.coarse_phantom(jsw_mm=1.3, seed=5)
    return layers_without_overlap(joints.radiograph_of(phantom), phantom.masks)


def pushed(known: KnownLayers, down_px: int, right_px: int = 0) -> KnownLayers:
    """The joint elsewhere in its image."""
    by = (down_px, right_px)
    return replace(
        known,
        soft=np.roll(known.soft, by, (0, 1)),
        bones={name: np.roll(bone, by, (0, 1)) for name, bone in known.bones.items()},
        masks={name: np.roll(mask, by, (0, 1)) for name, mask in known.masks.items()},
    )


def end_of(mask: np.ndarray, name: str) -> tuple[int, float]:
    """Articular end: last row of the upper bone, first of the lower; middle of its last rows."""
    rows = np.flatnonzero(mask.any(axis=1))
    end = int(rows.max() if name == "upper" else rows.min())
    near = mask[max(end - 40, 0) : end + 1] if name == "upper" else mask[end : end + 40]
    cols = np.flatnonzero(near.any(axis=0))
    return end, (cols.min() + cols.max()) / 2


def inside_of(made: KnownLayers, known: KnownLayers) -> tuple[slice, slice]:
    """Where in the joint's own image the result lies: as much is cut off on opposite sides."""
    cut = [
        (whole - part) // 2 for whole, part in zip(known.soft.shape, made.soft.shape, strict=True)
    ]
    sizes = zip(cut, made.soft.shape, strict=True)
    return tuple(slice(first, first + size) for first, size in sizes)


@pytest.mark.parametrize("name", NAMES)
def test_the_lent_bone_ends_where_the_joints_own_bone_ended(known, other, name):
    made = exchanged(known, other, name)
    assert made is not None
    box = inside_of(made, known)
    end, middle = end_of(known.masks[name], name)
    lent_end, lent_middle = end_of(made.masks[name], name)
    assert lent_end + box[0].start == end
    assert lent_middle + box[1].start == pytest.approx(middle, abs=1.0)


@pytest.mark.parametrize("name", NAMES)
def test_the_lent_bone_is_moved_whole_and_scaled_to_the_same_mean_absorbance(known, other, name):
    made = exchanged(known, other, name)
    own, lent = (layers.bones[name][layers.masks[name]].mean() for layers in (known, other))
    gain = own / lent
    assert gain != pytest.approx(1.0, abs=0.01)
    assert EXCHANGE_GAIN[0] < gain < EXCHANGE_GAIN[1]
    ends = [end_of(layers.masks[name], name) for layers in (known, other)]
    down, right = (int(np.floor(here) - np.floor(there)) for here, there in zip(*ends, strict=True))
    rows, cols = inside_of(made, known)
    there = (
        slice(rows.start - down, rows.stop - down),
        slice(cols.start - right, cols.stop - right),
    )
    np.testing.assert_allclose(made.bones[name], gain * other.bones[name][there], rtol=1e-4)
    np.testing.assert_array_equal(made.masks[name], other.masks[name][there])


def test_soft_tissue_and_the_other_bone_stay_and_layers_superpose(known, other):
    made = exchanged(known, other, "upper")
    box = inside_of(made, known)
    np.testing.assert_array_equal(made.soft, known.soft[box])
    np.testing.assert_array_equal(made.bones["lower"], known.bones["lower"][box])
    np.testing.assert_array_equal(made.masks["lower"], known.masks["lower"][box])
    total = made.soft + made.bones["upper"] + made.bones["lower"]
    np.testing.assert_allclose(made.absorbance, total, atol=1e-6)
    assert list(made.bones) == list(made.masks) == list(NAMES)


def test_a_bone_exchanged_with_itself_changes_nothing(known):
    made = exchanged(known, known, "lower")
    np.testing.assert_allclose(made.absorbance, known.absorbance, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("off", [(1, 0), (0, 1), (-1, 0), (0, -1)])
def test_a_bone_too_far_away_is_not_exchanged(known, name, off):
    """Within twelve pixels it is, and loses as many rows or columns on both sides."""
    near, far = (
        pushed(known, off[0] * by, off[1] * by)
        for by in (FARTHEST_EXCHANGE_PX, FARTHEST_EXCHANGE_PX + 1)
    )
    assert exchanged(known, only_end(far, name), name) is None
    made = exchanged(known, only_end(near, name), name)
    assert made is not None
    lost = np.subtract(known.soft.shape, made.soft.shape)
    np.testing.assert_array_equal(lost, 2 * FARTHEST_EXCHANGE_PX * np.abs(off))


def only_end(known: KnownLayers, name: str) -> KnownLayers:
    """The joint without what rolling brought in at the far side of its image."""
    keep = np.zeros_like(known.masks[name])
    keep[slice(None, 110) if name == "upper" else slice(18, None)] = True
    return replace(known, masks=known.masks | {name: known.masks[name] & keep})


def test_a_much_denser_bone_is_not_matched_beyond_reason(known):
    """The gain is limited to a half and to two."""
    faint = replace(known, bones=known.bones | {"upper": 0.1 * known.bones["upper"]})
    made = exchanged(known, faint, "upper")
    np.testing.assert_allclose(made.bones["upper"], 2.0 * faint.bones["upper"], rtol=1e-5)
    dense = replace(known, bones=known.bones | {"upper": 9.0 * known.bones["upper"]})
    made = exchanged(known, dense, "upper")
    np.testing.assert_allclose(made.bones["upper"], 0.5 * dense.bones["upper"], rtol=1e-5)


def test_a_leaning_shaft_does_not_move_the_middle_of_its_end(known):
    """Only the last forty rows count: a shaft that bends away further up changes nothing."""
    end = int(np.flatnonzero(known.masks["upper"].any(axis=1))[-1])
    leaning = known.masks["upper"].copy()
    leaning[: end - 45, :100] = True
    made = exchanged(known, replace(known, masks=known.masks | {"upper": leaning}), "upper")
    assert made is not None
    assert made.soft.shape == known.soft.shape


@pytest.mark.parametrize(
    ("rows", "cols"),
    [((100, 120), (90, 160)), ((0, 5), (0, 8)), ((250, 256), (240, 256)), ((20, 190), (10, 200))],
)
def test_the_window_lies_in_the_image_and_holds_the_overlap(rows, cols):
    overlap = np.zeros((256, 256), bool)
    overlap[slice(*rows), slice(*cols)] = True
    box = window_around(overlap, (176, 192))
    assert overlap[box].shape == (176, 192)
    assert overlap[box].sum() == overlap.sum()
    free = [(part.start > 0) and (part.stop < 256) for part in box]
    for part, span, centred in zip(box, (rows, cols), free, strict=True):
        if centred:
            assert (part.start + part.stop) / 2 == pytest.approx(sum(span) / 2, abs=1.0)
