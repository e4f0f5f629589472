"""BLS-GAN's equations, each evaluated a second time in NumPy as the docs print it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lamella.methods.bls_gan.networks import Bones, Supervisor, Verdict
from lamella.methods.bls_gan.objective import (
    JointBatch,
    Made,
    generator_loss,
    generator_pretraining_loss,
    made_by,
    persuasion_loss,
    recomposed,
    rmse,
    segmentation_loss,
    supervisor_loss,
    supervisor_overlap_loss,
    supervisor_pretraining_loss,
    true_layer_images,
)
from lamella.physics.formation import bls_gan_composition

SIZE, ROWS, COLS = 4, 12, 10
KNOWN = (1.0, 0.0, 1.0, 0.0)


def maps(seed: int) -> Tensor:
    """Two maps per sample in (0.1, 0.9)."""
    values = np.random.default_rng(seed).uniform(0.1, 0.9, (2, SIZE, ROWS, COLS))
    return torch.from_numpy(values.astype(np.float32))


def a_batch(known: tuple[float, ...] = KNOWN) -> JointBatch:
    """Each sample has an overlap of another size, the third none."""
    upper, lower = torch.zeros(2, SIZE, ROWS, COLS)
    for sample, rows in enumerate((2, 4, 0, 3)):
        upper[sample, : 6 + rows], lower[sample, 6:, 2:] = 1.0, 1.0
    masks = Bones(upper, lower)
    given = torch.tensor(known)
    truth = Bones(*(layer * mask for layer, mask in zip(maps(1), masks, strict=True)))
    return JointBatch(maps(0)[0], masks, truth, given)


def made_of(batch: JointBatch) -> Made:
    """Layers that are wrong, and their recomposition."""
    layers = Bones(*(layer * mask for layer, mask in zip(maps(2), batch.masks, strict=True)))
    k = torch.tensor([0.5, 0.6, 0.7, 0.8])
    return Made(*layers, recomposed(layers, batch.masks, k), k)


@pytest.fixture
def batch() -> JointBatch:
    return a_batch()


@pytest.fixture
def supervisor() -> Supervisor:
    """Its backbone is one matrix, so what it says can be written down; it ignores neighbours."""
    torch.manual_seed(0)
    judge = Supervisor(lambda channels_in, channels_out: nn.Conv2d(channels_in, channels_out, 1))
    nn.init.normal_(judge.backbone.weight, std=2.0)
    return judge


# --- the second evaluation -------------------------------------------------------------------


def l_b(logits: np.ndarray, target: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """BCE + Dice of p M per sample, from probabilities."""
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    bce = -(target * np.log(p) + (1 - target) * np.log(1 - p)) * mask
    found, axes = p * mask, (1, 2)
    shared, sizes = (found * target).sum(axes), found.sum(axes) + target.sum(axes)
    return bce.mean(axes) + 1 - (2 * shared + 1) / (sizes + 1)


def l_r(errors: np.ndarray, where: np.ndarray) -> np.ndarray:
    """RMSE per sample; 0 where there is nothing to measure."""
    squares = [each[inside > 0] ** 2 for each, inside in zip(errors, where, strict=True)]
    return np.array([np.sqrt(each.mean()) if each.size else 0.0 for each in squares])


def judged(judge: Supervisor, layers: Bones, masks: Bones, targets: tuple, where=None) -> float:
    """L_b of the four channels: place and authenticity, upper and lower."""
    weight, bias = (part.detach().numpy() for part in judge.backbone.parameters())
    shown = layers.stack().detach().numpy() * masks.stack().numpy()
    logits = np.einsum("oi,birc->borc", weight[:, :, 0, 0], shown) + bias[:, None, None]
    inside = (where or masks).stack().numpy()
    wanted = np.concatenate([np.stack([np.asarray(t) for t in pair], 1) for pair in targets], 1)
    losses = [l_b(logits[:, c], wanted[:, c], inside[:, c % 2]) for c in range(4)]
    return float(np.mean(losses))


def alone(masks: Bones) -> Bones:
    return Bones(*(mask * (1 - masks.upper * masks.lower) for mask in masks))


def nothing(masks: Bones) -> Bones:
    return Bones(*(0 * mask for mask in masks))


def eq_2(made: Made, judge: Supervisor, batch: JointBatch) -> float:
    union, both = (np.asarray(part) for part in (batch.masks.either, batch.masks.both))
    joint, found = batch.joint.numpy(), made.recomposed.detach().numpy()
    whole = l_r(found - joint * union, np.ones_like(union)).mean()
    inside = l_r(found - joint, both).mean()
    adversary = judged(judge, made.layers, batch.masks, (batch.masks, batch.masks))
    return 0.5 * adversary + 0.5 * (whole + inside)


def eq_3(judge: Supervisor, made: Made, batch: JointBatch, as_in_code: bool = True) -> float:
    masks, joint = batch.masks, Bones(batch.joint, batch.joint)
    authentic = alone(masks) if as_in_code else masks
    real = judged(judge, joint, masks, (alone(masks), authentic))
    fake = judged(judge, made.layers, masks, (masks, nothing(masks)))
    return 0.5 * real + 0.5 * fake


def truth_term(judge: Supervisor, batch: JointBatch) -> float:
    """L_b(D(L_g), {M, M}) of the known samples, spread over the whole batch."""
    masks = Bones(*(mask * batch.known[:, None, None] for mask in batch.masks))
    return judged(judge, batch.truth, masks, (masks, masks))


# --- Eq. 1 -----------------------------------------------------------------------------------


def test_equation_1_is_the_composition_of_every_sample(batch):
    made = made_of(batch)
    for sample, k in enumerate(made.k.tolist()):
        layers, masks = (
            bones.stack()[sample].numpy().astype(np.float64) for bones in (made.layers, batch.masks)
        )
        product = np.prod(1 - (1 - (1 - layers) / k) * masks, axis=0)
        expected = (1 - k * product) * masks.max(axis=0)
        np.testing.assert_allclose(made.recomposed[sample], expected, atol=1e-6)
        np.testing.assert_allclose(bls_gan_composition(layers, masks, k), expected, atol=1e-12)


def test_equation_1_superposes_absorbances(batch):
    """``1 - L_i = k exp(-a_i)`` gives ``1 - k exp(-(a_1 + a_2))`` in the overlap."""
    k, bones = torch.full((SIZE,), 0.6), maps(3)
    layers = Bones(*(1 - 0.6 * torch.exp(-bones)))
    found = recomposed(layers, batch.masks, k)
    both, upper = batch.masks.both > 0, alone(batch.masks).upper > 0
    torch.testing.assert_close(found[both], 1 - 0.6 * torch.exp(-bones.sum(dim=0))[both])
    torch.testing.assert_close(found[upper], layers.upper[upper])
    assert (found[batch.masks.either == 0] == 0).all()


@pytest.mark.parametrize("k", [0.0, 1e-9])
def test_a_vanishing_k_gives_finite_images_and_gradients(batch, k):
    parameter = torch.full((SIZE,), k, requires_grad=True)
    layers = Bones(*(layer.clone().requires_grad_() for layer in maps(2)))
    found = recomposed(layers, batch.masks, parameter)
    found.sum().backward()
    assert found.isfinite().all()
    assert layers.upper.grad.isfinite().all()


# --- Eq. 2 and 4: the generator ----------------------------------------------------------------


def test_equation_2(batch, supervisor):
    made = made_of(batch)
    loss, parts = generator_loss(made, supervisor, batch)
    assert loss.item() == pytest.approx(eq_2(made, supervisor, batch), abs=1e-5)
    adversary = judged(supervisor, made.layers, batch.masks, (batch.masks, batch.masks))
    assert parts["adversary"].item() == pytest.approx(adversary, abs=1e-5)
    rest = 0.5 * (parts["recomposition"] + parts["recomposition_overlap"])
    without, few = generator_loss(made, None, batch)
    assert without.item() == pytest.approx(rest.item(), abs=1e-6)
    assert "adversary" not in few


def test_equation_4_adds_the_error_of_known_layers(batch, supervisor):
    made = made_of(batch)
    errors = [
        l_r(((layer - true) * mask).numpy(), np.ones((SIZE, ROWS, COLS))) * np.array(KNOWN)
        for layer, true, mask in zip(made.layers, batch.truth, batch.masks, strict=True)
    ]
    expected = eq_2(made, supervisor, batch) + np.mean(errors)
    loss, parts = generator_pretraining_loss(made, supervisor, batch)
    assert loss.item() == pytest.approx(expected, abs=1e-5)
    assert parts["layers"].item() == pytest.approx(np.mean(errors), abs=1e-5)


def test_the_generators_losses_vanish_for_true_layers_alone(batch):
    """The true layers and their own recomposition cost nothing; each error costs."""
    k = torch.full((SIZE,), 0.6)
    true = Made(*batch.truth, recomposed(batch.truth, batch.masks, k), k)
    exact = batch._replace(joint=true.recomposed)
    assert generator_pretraining_loss(true, None, exact)[0].item() < 1e-5
    wrong = true._replace(recomposed=true.recomposed + 0.1 * batch.masks.both)
    assert generator_loss(wrong, None, exact)[0].item() > 0.02
    missing = true._replace(upper=0.5 * true.upper)
    assert generator_loss(missing, None, exact)[0].item() < 1e-5
    assert generator_pretraining_loss(missing, None, exact)[0].item() > 0.02


class Told(nn.Module):
    """A supervisor whose verdict is a parameter: its gradient says what a loss wants."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(4, SIZE, ROWS, COLS))

    def forward(self, _: Tensor) -> Verdict:
        return Verdict(Bones(*self.logits[:2]), Bones(*self.logits[2:]))


def test_persuasion_wants_each_bone_found_and_authentic_everywhere_in_its_mask(batch):
    judge = Told()
    persuasion_loss(made_of(batch).layers, judge, batch.masks).backward()
    for channel, gradient in enumerate(judge.logits.grad):
        mask = batch.masks[channel % 2] > 0
        assert (gradient[mask] < 0).all()
        assert (gradient[~mask] == 0).all()


def test_persuasion_can_be_held_to_the_overlap(batch, supervisor):
    layers, both = made_of(batch).layers, batch.masks.both
    where = Bones(both, both)
    expected = judged(supervisor, layers, batch.masks, (where, where), where)
    loss = persuasion_loss(layers, supervisor, batch.masks, where)
    assert loss.item() == pytest.approx(expected, abs=1e-5)
    outside = Bones(*(layer + (1 - both) * 0.3 for layer in layers))
    assert persuasion_loss(outside, supervisor, batch.masks, where).item() == loss.item()
    within = Bones(*(layer + both * 0.3 for layer in layers))
    assert persuasion_loss(within, supervisor, batch.masks, where).item() != loss.item()


# --- Eq. 3 and 5: the supervisor ----------------------------------------------------------------


@pytest.mark.parametrize("as_in_code", [True, False])
def test_equation_3_with_the_papers_target_and_the_codes(batch, supervisor, as_in_code):
    made = made_of(batch)
    loss, parts = supervisor_loss(supervisor, made, batch, authentic_as_in_code=as_in_code)
    assert loss.item() == pytest.approx(eq_3(supervisor, made, batch, as_in_code), abs=1e-5)
    assert loss.item() == pytest.approx(0.5 * (parts["real"] + parts["fake"]).item(), abs=1e-6)


def test_equation_5_adds_the_true_layers_where_they_are_known(batch, supervisor):
    made = made_of(batch)
    loss, parts = supervisor_pretraining_loss(supervisor, made, batch)
    truth = truth_term(supervisor, batch)
    assert loss.item() == pytest.approx(eq_3(supervisor, made, batch) + truth, abs=1e-5)
    assert parts["truth"].item() == pytest.approx(truth, abs=1e-5)
    assert truth > 0.1


def test_exact_layers_are_judged_by_what_lies_in_the_overlap(batch, supervisor):
    """Separated layers equal the joint outside the overlap: they are authentic there."""
    made, masks = made_of(batch), batch.masks
    joint = Bones(batch.joint, batch.joint)
    real = judged(supervisor, joint, masks, (alone(masks), alone(masks)))
    fake = judged(supervisor, made.layers, masks, (masks, alone(masks)))
    expected = 0.5 * (real + fake) + truth_term(supervisor, batch)
    loss, _ = supervisor_overlap_loss(supervisor, made.layers, batch)
    assert loss.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        lambda judge, made, batch: generator_pretraining_loss(made, judge, batch)[0],
        lambda judge, made, batch: supervisor_pretraining_loss(judge, made, batch)[0],
        lambda judge, made, batch: supervisor_overlap_loss(judge, made.layers, batch)[0],
    ],
)
def test_unknown_layers_count_nowhere(batch, supervisor, loss):
    made = made_of(batch)
    other = Bones(*(layer + (1 - batch.known)[:, None, None] * 0.4 for layer in batch.truth))
    assert (
        loss(supervisor, made, batch).item()
        == loss(supervisor, made, batch._replace(truth=other)).item()
    )
    unknown = torch.zeros(SIZE)
    assert (
        loss(supervisor, made, batch).item()
        > loss(supervisor, made, batch._replace(known=unknown)).item() + 0.01
    )


def test_the_supervisor_sees_layers_through_their_masks_alone(batch, supervisor):
    made = made_of(batch)
    spilt = made._replace(upper=made.upper + 0.5 * (1 - batch.masks.upper))
    for loss in (supervisor_loss, supervisor_pretraining_loss):
        assert loss(supervisor, spilt, batch)[0].item() == loss(supervisor, made, batch)[0].item()
    spilt_joint = batch._replace(joint=batch.joint + 0.5 * (1 - batch.masks.either))
    assert (
        supervisor_loss(supervisor, made, spilt_joint)[0].item()
        == supervisor_loss(supervisor, made, batch)[0].item()
    )


# --- their parts --------------------------------------------------------------------------------


def test_segmentation_loss_by_hand():
    """One sample of four pixels, one of them outside the mask."""
    logits = torch.tensor([[[np.log(3.0), 0.0], [-np.log(3.0), 9.0]]])
    target = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
    mask = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]])
    bce = -(np.log(0.75) + np.log(0.5) + np.log(0.75)) / 4
    dice = 1 - (2 * (0.75 + 0.5) + 1) / ((0.75 + 0.5 + 0.25) + 2 + 1)
    assert segmentation_loss(logits, target, mask).item() == pytest.approx(bce + dice, abs=1e-6)


def test_a_right_verdict_costs_nothing_and_a_wrong_one_much():
    mask = torch.ones(2, 8, 8)
    target = torch.zeros(2, 8, 8)
    target[:, :4] = 1.0
    right, wrong = (
        segmentation_loss(sign * (80 * target - 40), target, mask).item() for sign in (1, -1)
    )
    assert right == pytest.approx(0.0, abs=1e-5)
    assert wrong > 30


def test_rmse_is_per_sample_over_its_own_pixels():
    errors = torch.tensor([[[0.3, 9.0]], [[0.1, 0.1]], [[9.0, 9.0]]])
    where = torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]], [[0.0, 0.0]]])
    assert rmse(errors, where).item() == pytest.approx((0.3 + 0.1 + 0.0) / 3, abs=1e-5)


def test_rmse_of_no_error_has_a_finite_gradient():
    errors = torch.zeros(1, 2, 2, requires_grad=True)
    rmse(errors, torch.ones(1, 2, 2)).backward()
    assert errors.grad.isfinite().all()


def test_true_layer_images_hold_bone_and_soft_tissue(batch):
    soft, bones = maps(4)[0], Bones(*maps(5))
    images = true_layer_images(soft, bones, batch.masks)
    for image, bone, mask in zip(images, bones, batch.masks, strict=True):
        expected = (1 - np.exp(-(soft + bone).numpy())) * mask.numpy()
        np.testing.assert_allclose(image, expected, atol=1e-6)


def test_the_generator_sees_joint_upper_lower(batch):
    seen = batch.seen()
    for channel, expected in enumerate((batch.joint, *batch.masks)):
        assert torch.equal(seen[:, channel], expected)


class Mirrors(nn.Module):
    """Says of a joint what its channels are, in half precision; k from their means."""

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        layers = (seen[:, :1] * seen[:, 1:]).bfloat16()
        return layers, seen[:, 0].mean(dim=(1, 2)).bfloat16()


def test_what_is_made_is_named_in_float32_and_recomposed(batch):
    made = made_by(Mirrors(), batch)
    layers, k = Mirrors()(batch.seen())
    assert torch.equal(made.upper, layers[:, 0].float())
    assert torch.equal(made.lower, layers[:, 1].float())
    assert torch.equal(made.k, k.float())
    assert torch.equal(made.recomposed, recomposed(made.layers, batch.masks, made.k))
    assert all(part.dtype == torch.float32 for part in made)


LOSSES: dict[str, Callable[..., Tensor]] = {
    "Eq. 2": lambda judge, made, batch: generator_loss(made, judge, batch)[0],
    "Eq. 3": lambda judge, made, batch: supervisor_loss(judge, made, batch)[0],
    "Eq. 4": lambda judge, made, batch: generator_pretraining_loss(made, judge, batch)[0],
    "Eq. 5": lambda judge, made, batch: supervisor_pretraining_loss(judge, made, batch)[0],
    "overlap": lambda judge, made, batch: supervisor_overlap_loss(judge, made.layers, batch)[0],
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("processes", [2, 4])
def test_equal_slices_have_the_batchs_loss_on_average(batch, supervisor, name, processes):
    """What several processes rely on, whichever samples are known or overlap."""
    made, loss = made_of(batch), LOSSES[name]
    parts = []
    for rank in range(processes):
        take = slice(rank, None, processes)
        mine = JointBatch(
            batch.joint[take],
            Bones(*(mask[take] for mask in batch.masks)),
            Bones(*(layer[take] for layer in batch.truth)),
            batch.known[take],
        )
        parts.append(loss(supervisor, Made(*(part[take] for part in made)), mine).item())
    assert np.mean(parts) == pytest.approx(loss(supervisor, made, batch).item(), abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_teaches_only_whom_it_should(batch, name):
    """The supervisor's losses reach it; the generator's reach layers and k."""
    torch.manual_seed(0)
    judge = Supervisor(lambda channels_in, channels_out: nn.Conv2d(channels_in, channels_out, 1))
    layers = Bones(*(layer.clone().requires_grad_() for layer in made_of(batch).layers))
    k = torch.full((SIZE,), 0.6, requires_grad=True)
    made = Made(*layers, recomposed(layers, batch.masks, k), k)
    LOSSES[name](judge, made, batch).backward()
    assert judge.backbone.weight.grad.abs().min() > 0
    assert layers.upper.grad.abs().sum() > 0
    if name in ("Eq. 2", "Eq. 4"):
        assert (k.grad[batch.masks.both.sum(dim=(1, 2)) > 0] != 0).all()
