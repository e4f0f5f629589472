"""From a joint and two masks to painted layers: the hole, what is seen, what comes back."""

import numpy as np
import pytest

from lamella.methods.inpainting.infer import MARGIN_PX, complete, hole_under

ROWS, COLS = 37, 50


@pytest.fixture
def joint() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.2, 0.8, (ROWS, COLS)).astype(np.float32)


@pytest.fixture
def masks() -> list[np.ndarray]:
    """They overlap in rows 15 to 19, columns 10 to 39."""
    upper, lower = np.zeros((2, ROWS, COLS), bool)
    upper[:20, 10:40], lower[15:, 5:45] = True, True
    return [upper, lower]


class Paints:
    """Paints the same intensity everywhere and remembers what it was given."""

    def __init__(self, intensity: float = 0.5) -> None:
        self.intensity = intensity

    def __call__(self, seen: np.ndarray) -> np.ndarray:
        self.seen = seen
        return np.full((len(seen), 1, *seen.shape[2:]), self.intensity, np.float32)


def shows_rows(seen: np.ndarray) -> np.ndarray:
    """Paints each row in an intensity of its own, as seen by the network."""
    rows = np.arange(seen.shape[2], dtype=np.float32) / 100
    return np.broadcast_to(rows[:, None], (len(seen), 1, *seen.shape[2:])).copy()


def test_the_hole_is_the_overlap_and_a_margin_of_the_other_bone(masks):
    hole = hole_under(*masks)
    expected = np.zeros_like(hole)
    expected[15 : 20 + MARGIN_PX, 10:40] = True
    for away in range(1, MARGIN_PX + 1):
        beside = slice(15, 20 + MARGIN_PX - away)
        expected[beside, 10 - away] = expected[beside, 39 + away] = True
    np.testing.assert_array_equal(hole, expected)
    assert not (hole & ~masks[1]).any()


def test_bones_apart_have_no_hole_and_stay_as_they_are(joint, masks):
    apart = [masks[0], np.roll(masks[1], 10, axis=0) & ~masks[0]]
    assert not hole_under(*apart).any()
    for layer in complete(joint, apart, Paints()):
        np.testing.assert_array_equal(layer, joint)


def test_layers_are_painted_in_their_holes_and_the_joint_elsewhere(joint, masks):
    upper, lower = complete(joint, masks, Paints(0.25))
    for layer, mask, other in ((upper, *masks), (lower, *masks[::-1])):
        hole = hole_under(mask, other)
        assert (layer[hole] == 0.25).all()
        np.testing.assert_array_equal(layer[~hole], joint[~hole])
        assert layer.dtype == np.float32


def test_both_bones_run_at_once_and_nothing_in_the_hole_is_seen(joint, masks):
    runner, other = Paints(), Paints()
    complete(joint, masks, runner)
    assert runner.seen.shape == (2, 3, 48, 64)
    assert runner.seen.dtype == np.float32
    hidden = hole_under(*masks) & hole_under(*masks[::-1])
    complete(np.where(hidden, 0.9, joint).astype(np.float32), masks, other)
    np.testing.assert_array_equal(runner.seen, other.seen)


def test_the_upper_bone_is_seen_as_it_stands(joint, masks):
    runner = Paints()
    complete(joint, masks, runner)
    image, hole, mask = runner.seen[0, :, :ROWS, :COLS]
    np.testing.assert_array_equal(hole, hole_under(*masks))
    np.testing.assert_array_equal(mask, masks[0])
    np.testing.assert_array_equal(image, joint * (1 - hole))


def test_the_lower_bone_is_painted_as_the_upper_one_of_the_joint_upside_down(joint, masks):
    _, lower = complete(joint, masks, shows_rows)
    turned, _ = complete(joint[::-1], [mask[::-1] for mask in masks[::-1]], shows_rows)
    np.testing.assert_array_equal(lower, turned[::-1])
    hole = hole_under(*masks[::-1])
    rows = np.arange(ROWS)[::-1, None] / 100
    np.testing.assert_allclose(lower[hole], np.broadcast_to(rows, hole.shape)[hole], rtol=1e-6)


@pytest.mark.parametrize(("said", "given"), [(-0.3, 0.0), (1.4, 1.0)])
def test_layers_stay_intensities(joint, masks, said, given):
    layers = complete(joint, masks, Paints(said))
    assert (layers[0][hole_under(*masks)] == given).all()
