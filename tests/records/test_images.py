"""Records: what they refuse, what they keep, what they promise."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

import laws
from lamella.physics.formation import absorbance
from lamella.records import (
    FINEST_GREY_LEVEL,
    UNKNOWN_FLOAT_GREY_LEVEL,
    BoneMasks,
    IntensityScale,
    LamellaError,
    Layers,
    Radiograph,
    RunRecord,
    SpacingSource,
)

GREY = 1 / 255
SHAPE = (40, 48)


def ramp(shape: tuple[int, ...] = SHAPE, low: float = 0.1, high: float = 0.9) -> np.ndarray:
    return np.linspace(low, high, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def boxes() -> dict[str, np.ndarray]:
    upper, lower = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    upper[:24, 10:30] = True
    lower[20:, 12:32] = True
    return {"upper": upper, "lower": lower}


def made_layers(pixels: np.ndarray | None = None, **changes: object) -> Layers:
    """A radiograph split by hand: a fifth soft, the rest 3 to 1 where both bones are."""
    radiograph = Radiograph(pixels=ramp() if pixels is None else pixels, grey_level=GREY)
    masks = boxes()
    observed = -np.log1p(-np.minimum(radiograph.pixels, 1 - GREY / 2))
    presence = {"upper": 3.0 * masks["upper"], "lower": 1.0 * masks["lower"]}
    total = presence["upper"] + presence["lower"]
    soft = np.where(total > 0, 0.2 * observed, observed).astype(np.float32)
    bones = {
        name: ((observed - soft) * part / np.maximum(total, 1)).astype(np.float32)
        for name, part in presence.items()
    }
    overlap = masks["upper"] & masks["lower"]
    parts = {
        "soft_absorbance": soft,
        "bone_absorbance": bones,
        "masks": BoneMasks(masks=masks),
        "radiograph": radiograph,
        "share_sd": np.where(overlap, 0.05, 0.0).astype(np.float32),
    }
    return Layers(**(parts | changes))


def said_by(program: str) -> list[str]:
    """What a program prints without beartype, as a user runs it: the records alone refuse."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


# --- Radiograph ----------------------------------------------------------------------------


def with_pixel(value: float) -> np.ndarray:
    pixels = ramp()
    pixels[3, 4] = value
    return pixels


@pytest.mark.parametrize(
    ("pixels", "match"),
    [
        (ramp((31, 64)), r"at least 32 pixels on each side, got \(31, 64\)"),
        (ramp((64, 31)), "at least 32 pixels"),
        (with_pixel(np.nan), "NaN or infinite values: fill or crop"),
        (with_pixel(np.inf), "NaN or infinite"),
        (with_pixel(-0.01), r"intensity in \[0, 1\], got -0.01 to 0.9: rescale"),
        (with_pixel(255.0), "got 0.1 to 255: rescale"),
        (np.full(SHAPE, 0.5, np.float32), r"constant \(0.5\): nothing to take apart"),
    ],
)
def test_pixels_that_cannot_be_used_are_refused_with_a_remedy(pixels, match):
    with pytest.raises(LamellaError, match=match):
        Radiograph(pixels=pixels)


DIMENSIONS = """
import numpy as np
from lamella.records import LamellaError, Radiograph
for shape in ((40,), (40, 40, 3)):
    try:
        Radiograph(pixels=np.linspace(0, 1, np.prod(shape)).reshape(shape))
    except LamellaError as error:
        print(error)
"""


def test_colour_and_lines_are_refused_where_types_are_not_checked():
    expected = "expected one grey image (row, col), got {} dimensions"
    assert said_by(DIMENSIONS) == [expected.format(1), expected.format(3)]


@pytest.mark.parametrize("spacing_mm", [0.0, -0.1, float("nan"), float("inf")])
def test_a_spacing_that_is_no_length_is_refused(spacing_mm):
    with pytest.raises(LamellaError, match="pixel spacing above 0 mm, got"):
        Radiograph(pixels=ramp(), pixel_spacing_mm=spacing_mm)


@pytest.mark.parametrize("grey_level", [0.0, -GREY, 255.0, float("nan"), float("inf")])
def test_a_grey_level_that_is_no_step_is_refused(grey_level):
    with pytest.raises(LamellaError, match=r"above 0 and at most 1, got .*: give 1/255"):
        Radiograph(pixels=ramp(), grey_level=grey_level)


def test_white_has_a_finite_absorbance_however_fine_the_grey_levels():
    radiograph = Radiograph(pixels=ramp(high=1.0), grey_level=2.0**-32)
    assert radiograph.grey_level == FINEST_GREY_LEVEL
    assert np.isfinite(absorbance(radiograph.pixels, radiograph.grey_level)).all()
    assert radiograph.saturated.sum() == 1


WORDS_FOR_NUMBERS = """
import numpy as np
from lamella.records import LamellaError, Radiograph
for given in ({"pixel_spacing_mm": "wide"}, {"grey_level": "fine"}):
    try:
        Radiograph(pixels=np.linspace(0, 1, 1600).reshape(40, 40), **given)
    except LamellaError as error:
        print(error)
"""


def test_words_where_numbers_belong_are_refused_where_types_are_not_checked():
    spacing, grey_level = said_by(WORDS_FOR_NUMBERS)
    assert "pixel spacing above 0 mm, got 'wide'" in spacing
    assert "grey levels above 0 and at most 1, got 'fine'" in grey_level


def test_a_record_does_not_change_with_the_array_it_was_made_from():
    pixels, masks = ramp(), boxes()
    radiograph, kept = Radiograph(pixels=pixels), BoneMasks(masks=masks)
    pixels[:] = 0.0
    masks["upper"][:] = False
    np.testing.assert_array_equal(radiograph.pixels, ramp())
    np.testing.assert_array_equal(kept["upper"], boxes()["upper"])


def test_smallest_and_most_extreme_pixels_are_accepted():
    radiograph = Radiograph(pixels=ramp((32, 32), 0.0, 1.0))
    assert radiograph.shape == (32, 32)
    assert (radiograph.pixels.min(), radiograph.pixels.max()) == (0.0, 1.0)


def test_pixels_become_contiguous_float32_with_the_same_values():
    given = ramp().astype(np.float64)[:, ::-1]
    kept = Radiograph(pixels=given).pixels
    assert kept.dtype == np.float32
    assert kept.flags.c_contiguous
    np.testing.assert_array_equal(kept, given.astype(np.float32))


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ({}, SpacingSource.UNKNOWN),
        ({"pixel_spacing_mm": 0.1}, SpacingSource.GIVEN),
        (
            {"pixel_spacing_mm": 0.1, "spacing_source": SpacingSource.IMAGER},
            SpacingSource.IMAGER,
        ),
    ],
)
def test_a_spacing_says_where_it_came_from(given, source):
    assert Radiograph(pixels=ramp(), **given).spacing_source is source


def test_every_spacing_source_and_scale_reads_differently():
    for words in (SpacingSource, IntensityScale):
        assert len({str(word) for word in words}) == len(words)
        assert all(str(word) == word.value for word in words)


def test_size_in_mm_needs_a_spacing():
    assert Radiograph(pixels=ramp(), pixel_spacing_mm=0.5).size_mm == (20.0, 24.0)
    assert Radiograph(pixels=ramp()).size_mm is None


def test_twice_the_spacing_doubles_millimetres():
    once, twice = (Radiograph(pixels=ramp(), pixel_spacing_mm=mm).size_mm for mm in (0.2, 0.4))
    assert np.array(twice) == pytest.approx(2 * np.array(once))


def test_saturation_begins_half_a_grey_level_below_white():
    pixels = ramp()
    pixels[0, :3] = (1.0, 1 - 0.4 * GREY, 1 - 0.6 * GREY)
    assert Radiograph(pixels=pixels, grey_level=GREY).saturated[0, :3].tolist() == [1, 1, 0]
    finer = Radiograph(pixels=pixels)
    assert finer.grey_level == UNKNOWN_FLOAT_GREY_LEVEL < GREY
    assert finer.saturated.sum() == 1


# --- BoneMasks -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("masks", "match"),
    [
        ({}, "at least one bone mask, got none"),
        ({"a": np.ones((4, 4), bool), "b": np.ones((4, 5), bool)}, r"one shape, got \[\(4, 4\)"),
        ({"a": np.ones((4, 4), bool), "b": np.zeros((4, 4), bool)}, "mask of bone 'b' is empty"),
    ],
)
def test_masks_that_cannot_be_used_are_refused(masks, match):
    with pytest.raises(LamellaError, match=match):
        BoneMasks(masks=masks)


NO_MASKS = """
import numpy as np
from lamella.records import BoneMasks, LamellaError
for odd in (np.ones((4, 4, 1)), np.linspace(0, 1, 16).reshape(4, 4)):
    try:
        BoneMasks(masks={"upper": odd})
    except LamellaError as error:
        print(error)
print(BoneMasks(masks={"upper": np.array([[0, 255], [0, 255]])})["upper"].sum())
"""


def test_stacks_and_probabilities_are_no_masks_where_types_are_not_checked():
    stack, probability, accepted = said_by(NO_MASKS)
    assert stack == "expected the mask of bone 'upper' as (row, col), got shape (4, 4, 1)"
    assert probability.endswith("got grey levels: threshold it")
    assert accepted == "2"


def test_masks_may_be_empty_when_the_image_was_refused():
    nothing = np.zeros(SHAPE, bool)
    masks = BoneMasks(masks={"upper": nothing, "lower": nothing}, refused="no joint")
    assert masks.refused == "no joint"
    assert not masks.overlap.any()


def test_masks_are_a_mapping_in_the_order_given():
    given = boxes()
    masks = BoneMasks(masks=given)
    assert isinstance(masks, Mapping)
    assert (list(masks), len(masks), masks.shape) == (["upper", "lower"], 2, SHAPE)
    np.testing.assert_array_equal(masks["lower"], given["lower"])
    assert "thumb" not in masks
    assert (masks.confidence, masks.refused, masks.flags, masks.origin) == (1.0, None, (), "given")


def test_overlap_is_where_two_bones_or_more_are():
    given = boxes()
    np.testing.assert_array_equal(BoneMasks(masks=given).overlap, given["upper"] & given["lower"])
    third = BoneMasks(masks=given | {"sesamoid": given["upper"]})
    np.testing.assert_array_equal(third.overlap, given["upper"])


# --- Layers --------------------------------------------------------------------------------


def test_hand_made_layers_obey_the_laws():
    layers = made_layers()
    laws.recomposes(layers)
    laws.is_physical(layers)
    laws.lone_bones_keep_all(layers)


def test_residual_is_input_minus_recomposition():
    layers = made_layers()
    assert np.abs(layers.residual()).max() <= 1e-6
    thicker = replace(layers, soft_absorbance=layers.soft_absorbance + np.float32(0.5))
    expected = layers.radiograph.pixels - (1 - np.exp(-0.5) * (1 - layers.radiograph.pixels))
    np.testing.assert_allclose(thicker.residual(), expected, atol=1e-6)


def test_saturated_pixels_are_recorded_and_restored():
    pixels = ramp()
    pixels[10:14, 15:20] = 1.0
    layers = made_layers(pixels)
    np.testing.assert_array_equal(layers.saturated, pixels == 1.0)
    np.testing.assert_array_equal(layers.recompose()[layers.saturated], 1.0)
    laws.recomposes(layers)


def test_images_of_layers_follow_beer_lambert():
    layers = made_layers()
    soft, bone = layers.soft_absorbance, layers.bone_absorbance["upper"]
    np.testing.assert_allclose(layers.soft_image(), 1 - np.exp(-soft), atol=1e-6)
    np.testing.assert_allclose(layers.bone_image("upper"), 1 - np.exp(-soft - bone), atol=1e-6)
    assert layers.bone_image("upper").dtype == layers.soft_image().dtype == np.float32


def test_a_bone_that_is_not_there_is_named():
    with pytest.raises(LamellaError, match=r"no bone 'thumb' here, only \['lower', 'upper'\]"):
        made_layers().bone_image("thumb")


def test_order_of_bones_is_irrelevant():
    layers = made_layers()
    turned = replace(layers, bone_absorbance=dict(reversed(layers.bone_absorbance.items())))
    np.testing.assert_array_equal(turned.recompose(), layers.recompose())
    np.testing.assert_array_equal(turned.bone_image("lower"), layers.bone_image("lower"))


def test_a_zero_bone_changes_nothing():
    layers = made_layers()
    zero = np.zeros(SHAPE, np.float32)
    more = replace(layers, bone_absorbance={**layers.bone_absorbance, "sesamoid": zero})
    np.testing.assert_array_equal(more.recompose(), layers.recompose())
    np.testing.assert_array_equal(more.bone_image("sesamoid"), layers.soft_image())


def test_share_sd_in_intensity_is_how_far_one_sd_of_share_moves_the_image():
    """First order: L(share + h) - L(share) over h, times the SD."""
    layers, step = made_layers(), 1e-3
    total = sum(layers.bone_absorbance.values())
    moved = {"upper": (layers.bone_absorbance["upper"] + step * total).astype(np.float32)}
    change = replace(layers, bone_absorbance=moved).bone_image("upper") - layers.bone_image("upper")
    expected = change / step * layers.share_sd
    np.testing.assert_allclose(layers.share_sd_in_intensity("upper"), expected, atol=2e-4)
    assert (layers.share_sd_in_intensity("upper") > 0).sum() == layers.masks.overlap.sum()


OTHER_SIZES = """
import numpy as np
from lamella.records import BoneMasks, LamellaError, Layers, Radiograph
right, small = (np.linspace(0, 1, 40 * n, dtype="f4").reshape(40, n) for n in (48, 40))
for odd in ("soft", "upper", "sd"):
    layer = {"soft": right, "upper": right, "sd": right} | {odd: small}
    try:
        Layers(
            soft_absorbance=layer["soft"],
            bone_absorbance={"upper": layer["upper"]},
            share_sd=layer["sd"],
            masks=BoneMasks(masks={"upper": right > 0}),
            radiograph=Radiograph(pixels=right),
        )
    except LamellaError as error:
        print(error)
"""


def test_layers_of_another_size_than_the_radiograph_are_refused():
    expected = "expected layer {!r} of shape (40, 48), got (40, 40)"
    assert said_by(OTHER_SIZES) == [expected.format(name) for name in ("soft", "upper", "sd")]


# --- all of them ---------------------------------------------------------------------------


def one_of_each() -> list[object]:
    layers = made_layers()
    run = RunRecord(command="separate", versions={}, weights_sha256={}, inputs_sha256={})
    return [layers.radiograph, layers.masks, layers, run]


@pytest.mark.parametrize("record", one_of_each(), ids=lambda record: type(record).__name__)
def test_fields_cannot_be_set(record):
    for field in fields(record):
        with pytest.raises(FrozenInstanceError):
            setattr(record, field.name, None)


@pytest.mark.parametrize("record", one_of_each(), ids=lambda record: type(record).__name__)
def test_records_are_made_by_keyword_only(record):
    values = [getattr(record, field.name) for field in fields(record)]
    with pytest.raises(TypeError):
        type(record)(*values)


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda record: pickle.loads(pickle.dumps(record))]
)
def test_layers_travel_between_processes(again):
    layers = made_layers()
    other = again(layers)
    laws.same_layers(layers, other, tolerance=0.0)
    np.testing.assert_array_equal(other.masks["upper"], layers.masks["upper"])
    assert (other.method, other.masks.origin) == (layers.method, layers.masks.origin)


def test_mappings_inside_records_cannot_be_changed_from_outside():
    layers, given = made_layers(), boxes()
    masks = BoneMasks(masks=given)
    given.clear()
    assert len(masks) == 2
    with pytest.raises(TypeError):
        masks.masks["third"] = masks["upper"]
    with pytest.raises(TypeError):
        layers.bone_absorbance["upper"] = layers.soft_absorbance


def test_a_users_error_is_a_value_error_of_one_line():
    with pytest.raises(ValueError, match=r"^expected intensity") as caught:
        Radiograph(pixels=ramp(high=2.0))
    assert "\n" not in str(caught.value)


def test_a_side_is_right_or_left_or_unknown():
    pixels = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    assert Radiograph(pixels=pixels).laterality is None
    assert Radiograph(pixels=pixels, laterality="L").laterality == "L"
    with pytest.raises((LamellaError, TypeError)):
        Radiograph(pixels=pixels, laterality="left")
