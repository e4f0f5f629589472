"""Masks made fit for physics: named from top to bottom, continued to the border."""

import numpy as np
import pytest

from lamella.prepare.masks import by_height, outline_agreement, reaching_border

SHAPE = (100, 60)
SPACING_MM = 0.082


def box(first: int, last: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[first:last, 15:45] = True
    return mask


def test_bones_are_named_from_top_to_bottom_in_any_order():
    masks = {"metacarpal": box(60, 95), "phalanx": box(5, 40), "sesamoid": box(45, 50)}
    assert by_height(masks) == ["phalanx", "sesamoid", "metacarpal"]
    assert by_height(dict(reversed(masks.items()))) == by_height(masks)


def test_height_is_the_mean_row_not_the_first():
    tall, short = box(0, 100), box(10, 20)
    assert by_height({"tall": tall, "short": short}) == ["short", "tall"]


def test_masks_that_end_short_of_the_crop_are_continued_to_it():
    reaching = reaching_border({"upper": box(6, 40), "lower": box(55, 93)})
    np.testing.assert_array_equal(reaching["upper"], box(0, 40))
    np.testing.assert_array_equal(reaching["lower"], box(55, 100))


@pytest.mark.parametrize(("first", "continued"), [(9, True), (10, False), (30, False)])
def test_only_masks_within_a_tenth_of_the_height_are_continued(first, continued):
    reaching = reaching_border({"upper": box(first, 45), "lower": box(55, 100)})
    np.testing.assert_array_equal(reaching["upper"], box(0 if continued else first, 45))


def test_masks_that_reach_the_border_stay_as_they_are():
    given = {"upper": box(0, 40), "lower": box(50, 100)}
    reaching = reaching_border(given)
    assert all(np.array_equal(reaching[name], mask) for name, mask in given.items())


def test_the_bones_are_told_by_height_not_by_order():
    given = {"upper": box(6, 40), "lower": box(55, 93)}
    turned = reaching_border(dict(reversed(given.items())))
    for name, mask in reaching_border(given).items():
        np.testing.assert_array_equal(turned[name], mask)


def test_masks_given_are_not_written_into():
    given = {"upper": box(6, 40), "lower": box(55, 93)}
    reaching_border(given)
    np.testing.assert_array_equal(given["upper"], box(6, 40))
    np.testing.assert_array_equal(given["lower"], box(55, 93))


def test_a_ragged_end_is_continued_by_its_full_width():
    """The first rows of a drawn mask are often narrower than the bone."""
    ragged = box(8, 40)
    ragged[6:8, 28:31] = True
    reaching = reaching_border({"upper": ragged, "lower": box(55, 100)})["upper"]
    np.testing.assert_array_equal(reaching, box(0, 40))


def discs(shift: int = 0) -> dict[str, np.ndarray]:
    rows, cols = np.indices((120, 120))
    return {
        "upper": np.hypot(rows - 45, cols - 60 - shift) < 22,
        "lower": np.hypot(rows - 80, cols - 60 - shift) < 20,
    }


def bright_discs() -> np.ndarray:
    masks = discs()
    return (0.3 + 0.4 * masks["upper"] + 0.4 * masks["lower"]).astype(np.float32)


def test_outlines_of_an_images_own_masks_are_steps_up():
    assert outline_agreement(bright_discs(), discs(), SPACING_MM) == pytest.approx(1.0)


def test_outlines_on_a_negative_are_steps_down():
    assert outline_agreement(1 - bright_discs(), discs(), SPACING_MM) == pytest.approx(0.0)


def test_outlines_agree_less_the_further_masks_are_from_their_bones():
    fits = [outline_agreement(bright_discs(), discs(shift), SPACING_MM) for shift in (0, 12, 30)]
    assert fits == sorted(fits, reverse=True)
    assert fits[0] > 0.95 > 0.8 > fits[2]


def test_outlines_of_noise_are_as_often_up_as_down():
    noise = np.random.default_rng(0).random((120, 120)).astype(np.float32)
    assert 0.3 < outline_agreement(noise, discs(), SPACING_MM) < 0.7


@pytest.mark.parametrize("phantom", ["apart", "overlapping"])
def test_outlines_of_phantoms_are_steps_up_and_those_of_another_joint_are_not(phantom, request):
    joint = request.getfixturevalue(phantom)
    observed = -np.log1p(-joint.intensity)
    moved = {name: np.roll(mask, (25, 30), (0, 1)) for name, mask in joint.masks.items()}
    own = outline_agreement(observed, joint.masks, joint.spec.pixel_spacing_mm)
    assert own > 0.93
    assert outline_agreement(observed, moved, joint.spec.pixel_spacing_mm) < own - 0.1


def test_outlines_too_short_to_tell_are_accepted():
    dot = np.zeros((120, 120), bool)
    dot[60:62, 60:62] = True
    masks = {"upper": dot, "lower": np.roll(dot, 40, axis=0)}
    assert outline_agreement(1 - bright_discs(), masks, SPACING_MM) == 1.0
