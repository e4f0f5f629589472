"""From mask logits to probabilities, confidence and one connected bone."""

import numpy as np
import pytest

from lamella.methods.bones.infer import (
    estimate_bones,
    expected_dice,
    largest_part,
    normalised,
)

RNG = np.random.default_rng(0)
PIXELS = RNG.random((32, 48)).astype(np.float32)


def test_normalised_images_have_no_mean_and_unit_spread():
    image = normalised(0.1 * PIXELS + 0.7)
    assert image.mean() == pytest.approx(0.0, abs=1e-4)
    assert image.std() == pytest.approx(1.0, abs=1e-4)
    assert image.dtype == np.float32


def test_gain_and_offset_of_the_display_do_not_matter():
    np.testing.assert_allclose(normalised(0.4 * PIXELS + 0.3), normalised(PIXELS), atol=1e-4)


def test_a_nearly_constant_image_stays_finite():
    assert np.abs(normalised(np.full((32, 32), 0.5, np.float32))).max() == 0


def columns_runner(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A network that is not symmetric: its logits grow to the right and follow the image."""
    rise = np.linspace(-3, 3, batch.shape[-1], dtype=np.float32)
    masks = np.concatenate([batch + rise, 2 * batch - rise], axis=1)
    whole = np.stack([batch[:, 0, 0, 0], batch[:, 0, -1, -1]], axis=1)
    return masks, whole


def test_the_network_sees_the_normalised_image_once():
    seen = []

    def runner(batch):
        seen.append(batch)
        return columns_runner(batch)

    estimate_bones(PIXELS, runner)
    (batch,) = seen
    assert batch.shape == (1, 1, *PIXELS.shape)
    np.testing.assert_allclose(batch[0, 0], normalised(PIXELS), atol=1e-6)


def test_logits_become_probabilities_however_large_they_are():
    def runner(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        masks = np.concatenate([np.full_like(batch, 1e4), np.full_like(batch, -1e4)], axis=1)
        return masks, np.tile(np.float32([0.0, np.log(3.0)]), (len(batch), 1))

    found = estimate_bones(PIXELS, runner)
    assert found.upper.min() == pytest.approx(1.0)
    assert found.lower.max() == pytest.approx(0.0, abs=1e-9)
    assert found.joint == pytest.approx(0.5)
    assert found.thumb == pytest.approx(0.75)


def test_expected_dice_is_one_for_a_certain_mask_and_falls_with_doubt():
    certain = (PIXELS > 0.5).astype(np.float32)
    assert expected_dice(certain) == pytest.approx(1.0)
    doubts = [expected_dice(0.5 + (certain - 0.5) * sure) for sure in (1.0, 0.8, 0.5, 0.2)]
    assert doubts == sorted(doubts, reverse=True)
    assert len(set(doubts)) == 4


def test_expected_dice_by_hand():
    """Mask {0.9, 0.7}: 2 (0.9 + 0.7) / (0.9 + 0.7 + 0.2 + 2)."""
    probability = np.array([[0.9, 0.7], [0.2, 0.0]])
    assert expected_dice(probability) == pytest.approx(3.2 / 3.8)


def test_expected_dice_of_nothing_is_zero():
    assert expected_dice(np.zeros((4, 4), np.float32)) == 0.0


def test_expected_dice_is_what_chance_gives():
    """Drawing masks from the probabilities: their mean Dice with the cut is about that."""
    probability = np.clip(RNG.normal(0.5, 0.4, (64, 64)), 0, 1)
    cut = probability > 0.5
    drawn = RNG.random((200, 64, 64)) < probability
    dice = 2 * (drawn & cut).sum(axis=(1, 2)) / (drawn.sum(axis=(1, 2)) + cut.sum())
    assert expected_dice(probability) == pytest.approx(dice.mean(), abs=5e-3)


def test_the_largest_part_is_kept_and_its_holes_are_filled():
    mask = np.zeros((30, 30), bool)
    mask[2:20, 2:20] = True
    whole = mask.copy()
    mask[8:12, 8:12] = False
    mask[25:28, 25:28] = True
    np.testing.assert_array_equal(largest_part(mask), whole)


def test_the_largest_part_of_nothing_is_nothing():
    assert not largest_part(np.zeros((5, 5), bool)).any()
