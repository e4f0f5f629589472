"""What painter and critic minimise, by hand; holes and turned bones as inference has them."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from lamella.methods.inpainting.infer import complete, hole_under
from lamella.methods.inpainting.objective import (
    ADVERSARY_WEIGHT,
    GRADIENT_WEIGHT,
    BoneBatch,
    Completed,
    Pair,
    bones_of,
    completed,
    critic_loss,
    dilated,
    painter_loss,
)

ROWS, COLS = 32, 48


def joint(size: int = 2) -> tuple[Tensor, Pair, Pair]:
    """Joint, masks that overlap in rows 12 to 19, and true layers."""
    rng = torch.Generator().manual_seed(0)
    upper, lower = torch.zeros(2, size, ROWS, COLS)
    upper[:, :20, 8:40], lower[:, 12:, 4:44] = 1.0, 1.0
    image, *layers = torch.rand(3, size, ROWS, COLS, generator=rng)
    return image, Pair(upper, lower), Pair(*layers)


def bones(known: tuple[float, ...] = (1.0, 1.0)) -> BoneBatch:
    image, masks, truth = joint(len(known))
    return bones_of(image, masks, truth, torch.tensor(known))


def painted(batch: BoneBatch, off: float = 0.0) -> Completed:
    """The truth and something, in the holes."""
    return Completed(torch.where(batch.hole > 0, batch.truth + off, batch.joint), batch)


class Scores(nn.Module):
    """Patches of 4 x 4 pixels scored by the mean of the bone's image."""

    def forward(self, shown: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(shown[:, 0], 4)


class Says(nn.Module):
    """Scores true layers, which come first, and painted ones, as told."""

    def __init__(self, true: float, painted: float) -> None:
        super().__init__()
        self.told = (true, painted)

    def forward(self, shown: Tensor) -> Tensor:
        half = len(shown) // 2
        return torch.cat([torch.full((half, 4, 6), told) for told in self.told])


@pytest.mark.parametrize("radius_px", [0, 1, 3])
def test_dilation_is_that_of_inference(radius_px):
    mask = np.random.default_rng(1).random((ROWS, COLS)) > 0.99
    grown = dilated(torch.from_numpy(mask).float()[None], radius_px)[0].numpy() > 0
    expected = ndimage.binary_dilation(mask, iterations=radius_px) if radius_px else mask
    np.testing.assert_array_equal(grown, expected)


def test_training_and_inference_see_the_same_and_compose_the_same():
    image, masks, truth = joint(1)
    batch = bones_of(image, masks, truth, torch.ones(1))
    seen = []

    class Watches(nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            seen.append(features.numpy())
            return features.mean(dim=1, keepdim=True)

    def runner(features: np.ndarray) -> np.ndarray:
        seen.append(features)
        return features.mean(axis=1, keepdims=True)

    made = Pair.as_they_stand(completed(Watches(), batch).image)
    layers = complete(image[0].numpy(), [mask[0].numpy() > 0 for mask in masks], runner)
    np.testing.assert_array_equal(*seen)
    for layer, expected in zip(made, layers, strict=True):
        np.testing.assert_allclose(layer[0].numpy(), expected, atol=1e-6)


def test_a_pair_comes_back_from_being_turned():
    pair = Pair(*torch.rand(2, 3, 5, 6))
    turned = pair.as_upper()
    assert torch.equal(turned[3:], pair.lower.flip(1))
    for there, back in zip(pair, Pair.as_they_stand(turned), strict=True):
        assert torch.equal(there, back)


def test_each_bone_keeps_its_own_truth_hole_and_knowledge():
    image, masks, truth = joint()
    batch = bones_of(image, masks, truth, torch.tensor([1.0, 0.0]))
    assert batch.known.tolist() == [1, 0, 1, 0]
    assert torch.equal(batch.truth[2], truth.lower[0].flip(0))
    assert torch.equal(batch.joint[3], image[1].flip(0))
    upper, lower = (mask[0].numpy() > 0 for mask in masks)
    np.testing.assert_array_equal(batch.hole[0].numpy() > 0, hole_under(upper, lower))
    np.testing.assert_array_equal(batch.hole[2].numpy() > 0, hole_under(lower, upper)[::-1])


def test_the_truth_costs_nothing():
    loss, parts = painter_loss(painted(bones()), None)
    assert loss.item() == 0
    assert set(parts) == {"layer", "gradient"}


def test_a_constant_error_costs_itself_and_its_rim():
    """The gradient of an error of 0.1 in a hole is 0.1 at each of its rim's pixel sides."""
    batch = bones()
    loss, parts = painter_loss(painted(batch, 0.1), None)
    hole = np.pad(batch.hole.numpy(), ((0, 0), (1, 1), (1, 1)))
    sides = sum(np.abs(np.diff(hole, axis=axis)).sum(axis=(1, 2)) for axis in (1, 2))
    rim = (0.1 * sides / hole.sum(axis=(1, 2))).mean()
    assert parts["layer"].item() == pytest.approx(0.1, rel=1e-4)
    assert parts["gradient"].item() == pytest.approx(rim, rel=1e-4)
    assert loss.item() == pytest.approx(0.1 + GRADIENT_WEIGHT * rim, rel=1e-4)


def test_unknown_truth_and_what_lies_outside_the_hole_teach_nothing():
    batch = bones((1.0, 0.0))
    image = painted(batch).image.requires_grad_()
    painter_loss(Completed(image + 0.1, batch), None)[0].backward()
    taught = image.grad != 0
    assert taught.flatten(1).any(dim=1).tolist() == [True, False, True, False]
    assert not (taught & (batch.hole == 0)).any()


def test_bones_without_a_hole_cost_nothing_and_stay_finite():
    batch = bones()._replace(hole=torch.zeros(4, ROWS, COLS))
    made = Completed(batch.joint, batch)
    for loss in (painter_loss(made, Scores())[0], critic_loss(Scores(), made)[0]):
        assert loss.item() == 0


def test_the_painter_wants_high_scores_in_the_hole():
    batch = bones()
    made = painted(batch)
    plain = painter_loss(made, None)[0]
    loss, parts = painter_loss(made, Scores())
    touched = nn.functional.max_pool2d(batch.hole, 4)
    patches = nn.functional.avg_pool2d(made.image * batch.mask, 4)
    score = ((patches * touched).sum(dim=(1, 2)) / touched.sum(dim=(1, 2))).mean()
    assert parts["adversary"].item() == pytest.approx(-score.item(), rel=1e-5)
    assert (loss - plain).item() == pytest.approx(-ADVERSARY_WEIGHT * score.item(), rel=1e-4)


@pytest.mark.parametrize(
    ("true", "fake", "expected"), [(2.0, -3.0, 0.0), (0.5, -0.5, 1.0), (-1.0, 2.0, 5.0)]
)
def test_the_critic_pays_the_hinge(true, fake, expected):
    loss, parts = critic_loss(Says(true, fake), painted(bones()))
    assert loss.item() == pytest.approx(expected)
    assert (parts["true"] + parts["painted"]).item() == pytest.approx(expected)


def test_real_overlaps_count_as_painted_only():
    _, parts = critic_loss(Says(-1.0, 2.0), painted(bones((1.0, 0.0))))
    assert parts["true"].item() == pytest.approx(2.0 / 2)
    assert parts["painted"].item() == pytest.approx(3.0)


def test_losses_of_halves_of_a_batch_average_to_that_of_the_whole():
    image, masks, truth = joint()
    known = torch.tensor([1.0, 0.0])

    def losses(part: slice) -> np.ndarray:
        pairs = [Pair(pair.upper[part], pair.lower[part]) for pair in (masks, truth)]
        made = painted(bones_of(image[part], *pairs, known[part]), 0.1)
        return np.array(
            [float(painter_loss(made, Scores())[0]), float(critic_loss(Scores(), made)[0])]
        )

    halves = [losses(slice(0, 1)), losses(slice(1, 2))]
    np.testing.assert_allclose(np.mean(halves, axis=0), losses(slice(0, 2)), rtol=1e-5)
