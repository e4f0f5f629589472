"""Both variants: what is exact whatever the weights, what judges whom, and figures by hand."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lamella.methods.bls_gan import objective as published
from lamella.methods.bls_gan.networks import BlsGan, Bones, Supervisor, Verdict
from lamella.methods.shares.networks import SharesNetwork, SharesOf
from lamella.methods.shares.objective import SharesLayers, layers_loss
from lamella.nets.backbones import FoldedUNet
from lamella.training.bls_gan_data import OverlapBatch, whole_batch
from lamella.training.overlaps import MASKS, OverlapPool
from lamella.training.variants import (
    ADVERSARY_WEIGHT,
    exact_generator,
    exact_made,
    exact_supervisor,
    layer_psnr,
    published_generator,
    published_made,
    published_supervisor,
    sample_panel,
)

ROWS, COLS = 32, 48
NARROW = (8, 8, 8, 8)
LEARNS_NOTHING = nn.Conv2d(1, 1, 1)
EXACT: dict[str, Callable[[], nn.Module]] = {
    "share network": lambda: SharesNetwork(NARROW),
    "any backbone": lambda: SharesOf(partial(FoldedUNet, widths=(8, 8))),
}


def pool_of(known: tuple[bool, ...]) -> OverlapPool:
    """Two rough bones that cross, each sample's overlap of another height."""
    count, rng = len(known), np.random.default_rng(0)
    soft, upper, lower = rng.uniform(0.1, 0.5, (3, count, ROWS, COLS))
    masks = np.zeros((count, len(MASKS), ROWS, COLS), np.uint8)
    for sample in range(count):
        masks[sample, 0, : 16 + sample % 3 + 2, 8:40], masks[sample, 1, 14:, 8:40] = 1, 1
    masks[:, 2] = masks[:, 0] & masks[:, 1]
    upper, lower = upper * masks[:, 0], lower * masks[:, 1]
    estimate = soft + rng.normal(0, 0.05, soft.shape)
    truth = np.array(known)[:, None, None]
    maps = [soft + upper + lower, estimate, masks[:, 0], masks[:, 1], masks[:, 2]]
    maps += [soft * truth, upper * truth]
    return OverlapPool(
        maps=np.stack(maps, axis=1).astype(np.float16),
        masks=masks,
        scale=rng.uniform(0.3, 0.6, count),
        known=np.array(known),
        joints=np.zeros((count, 2), int),
    )


def a_batch(known: tuple[bool, ...] = (True, True, False, False)) -> OverlapBatch:
    return whole_batch(pool_of(known), np.arange(len(known)))


def shaken(network: nn.Module, seed: int, size: float) -> nn.Module:
    """Random weights, zero-initialised heads too."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(size * torch.randn_like(weight))
    return network


@pytest.fixture
def supervisor() -> Supervisor:
    """It looks at single pixels, so what it ignores can be told."""
    torch.manual_seed(0)
    judge = Supervisor(lambda channels_in, channels_out: nn.Conv2d(channels_in, channels_out, 1))
    nn.init.normal_(judge.backbone.weight, std=2.0)
    return judge


# --- exact ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize(("seed", "size"), [(0, 0.0), (1, 0.3), (2, 3.0)])
def test_exact_layers_recompose_the_joint_whatever_the_weights(name, seed, size):
    """``1 - (1 - L_u)(1 - L_l) / exp(-a_soft)`` is J, and absorbances add up; known or not."""
    batch = a_batch()
    with torch.no_grad():
        made = exact_made(shaken(EXACT[name](), seed, size), batch)
    total = made.soft + made.upper_bone + made.lower_bone
    torch.testing.assert_close(total, batch.absorbance, atol=1e-5, rtol=0)
    joint = 1 - (1 - made.upper) * (1 - made.lower) / torch.exp(-made.soft)
    torch.testing.assert_close(joint, 1 - torch.exp(-batch.absorbance), atol=1e-5, rtol=0)
    for bone, layer in ((made.upper_bone, made.upper), (made.lower_bone, made.lower)):
        assert bone.min() >= 0
        torch.testing.assert_close(layer, 1 - torch.exp(-(made.soft + bone)), atol=1e-6, rtol=0)


def test_where_one_bone_lies_alone_its_layer_is_the_joint():
    batch = a_batch()
    with torch.no_grad():
        made = exact_made(shaken(EXACT["share network"](), 1, 0.3), batch)
    joint = batch.joints().joint
    alone = (batch.upper_mask > 0) & (batch.lower_mask == 0)
    torch.testing.assert_close(made.upper[alone], joint[alone], atol=1e-5, rtol=0)
    assert (made.upper - joint)[batch.overlap > 0].abs().max() > 0.01


def free(batch: OverlapBatch) -> tuple[Tensor, ...]:
    """Layers that gradients reach one by one: what ``exact_made`` gives, as leaves."""
    with torch.no_grad():
        made = exact_made(shaken(EXACT["share network"](), 1, 0.3), batch)
    return type(made)(*(part.clone().requires_grad_() for part in made))


def test_unknown_layers_teach_nothing_but_still_face_the_adversary(supervisor):
    batch = a_batch()
    for judge in (None, supervisor):
        made = free(batch)
        exact_generator(made, judge, batch)[0].backward()
        taught = made.upper_bone.grad.abs().sum(dim=(1, 2))
        assert (taught[:2] > 0).all()
        assert (taught[2:] == 0).all()
        if judge is not None:
            assert (made.upper.grad.abs().sum(dim=(1, 2)) > 0).all()


def test_the_loss_of_a_mixed_batch_is_that_of_its_known_part():
    batch = a_batch()
    alone = OverlapBatch(*(part[:2] for part in batch))
    made = free(batch)
    mine = type(made)(*(part[:2] for part in made))
    both, few = (exact_generator(*case)[0] for case in ((made, None, batch), (mine, None, alone)))
    assert both.item() == pytest.approx(few.item(), rel=1e-5)


def test_the_exact_loss_is_the_layers_and_a_tenth_of_the_verdict_on_the_overlap(supervisor):
    batch = a_batch((True, True))
    made = free(batch)
    layers = SharesLayers(made.soft, made.upper_bone, made.lower_bone, made.share_sd)
    masks = Bones(batch.upper_mask, batch.lower_mask)
    both = batch.upper_mask * batch.lower_mask
    verdict = published.persuasion_loss(made.layers, supervisor, masks, Bones(both, both))
    loss, parts = exact_generator(made, supervisor, batch)
    expected = layers_loss(layers, batch.shares())[0] + ADVERSARY_WEIGHT * verdict
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert parts["adversary"].item() == pytest.approx(verdict.item(), rel=1e-6)


def test_the_adversary_ignores_pixels_outside_the_overlap(supervisor):
    batch = a_batch()
    made = free(batch)
    exact_generator(made, supervisor, batch)[0].backward()
    both = (batch.upper_mask * batch.lower_mask) > 0
    for layer in (made.upper, made.lower):
        assert (layer.grad[both] != 0).all()
        assert (layer.grad[~both] == 0).all()


def test_the_supervisor_is_taught_by_all_joints_and_by_known_layers(supervisor):
    batch = a_batch()
    made = free(batch)
    loss, parts = exact_supervisor(supervisor, made, batch)
    expected, _ = published.supervisor_overlap_loss(supervisor, made.layers, batch.joints())
    assert loss.item() == expected.item()
    loss.backward()
    assert supervisor.backbone.weight.grad.abs().min() > 0
    assert set(parts) == {"real", "fake", "truth"}


def test_equal_slices_of_a_batch_as_it_is_drawn_have_its_loss_on_average(supervisor):
    """Real overlaps last, samples dealt out in turn: each process has as many known ones."""
    batch = a_batch()
    made = free(batch)
    for loss in (
        lambda made, batch: exact_generator(made, supervisor, batch)[0],
        lambda made, batch: exact_supervisor(supervisor, made, batch)[0],
    ):
        parts = [
            loss(
                type(made)(*(part[rank::2] for part in made)),
                OverlapBatch(*(part[rank::2] for part in batch)),
            ).item()
            for rank in (0, 1)
        ]
        assert np.mean(parts) == pytest.approx(loss(made, batch).item(), rel=1e-5)


@pytest.mark.parametrize("known", [(True, True), (False, False)])
def test_a_batch_without_overlap_or_without_known_layers_has_finite_losses(supervisor, known):
    """A small crop can miss the overlap."""
    batch = a_batch(known)
    gone = {"lower_mask": 0 * batch.lower_mask, "overlap": 0 * batch.overlap}
    for each in (batch, batch._replace(**gone)):
        made = free(each)
        for loss, parts in (
            exact_generator(made, supervisor, each),
            exact_supervisor(supervisor, made, each),
        ):
            assert loss.isfinite()
            assert all(part.isfinite() for part in parts.values())


# --- as published -----------------------------------------------------------------------------


@pytest.mark.parametrize("pretraining", [True, False])
def test_the_published_variant_minimises_the_papers_equations(supervisor, pretraining):
    """Eq. 4 and 5 in pre-training, Eq. 2 and 3 after it."""
    batch = a_batch()
    network = shaken(BlsGan(partial(FoldedUNet, widths=(8, 8))), 0, 0.1)
    made = published_made(network, batch)
    again = published.made_by(network, batch.joints())
    assert all(torch.equal(one, two) for one, two in zip(made, again, strict=True))
    generator, judge = (
        (published.generator_pretraining_loss, published.supervisor_pretraining_loss)
        if pretraining
        else (published.generator_loss, published.supervisor_loss)
    )
    joints = batch.joints()
    loss, _ = published_generator(pretraining=pretraining)(made, supervisor, batch)
    assert loss.item() == generator(made, supervisor, joints)[0].item()
    loss, _ = published_supervisor(pretraining=pretraining)(supervisor, made, batch)
    assert loss.item() == judge(supervisor, made, joints)[0].item()


# --- judge and panel ----------------------------------------------------------------------------


class Made(Bones):
    """Layers alone."""

    @property
    def layers(self) -> Bones:
        return Bones(*self)


def off_by(error: float, wrong: int) -> Callable[[nn.Module, OverlapBatch], Made]:
    """True layers, the upper one of the first samples of each batch off, all wrong outside."""

    def make(_: nn.Module, batch: OverlapBatch) -> Made:
        lower = batch.absorbance - batch.true_soft - batch.true_upper
        images = [1 - torch.exp(-(batch.true_soft + bone)) for bone in (batch.true_upper, lower)]
        outside = 7.0 * (1 - batch.overlap)
        images[0][:wrong] += error
        return Made(*(image + outside for image in images))

    return make


def test_layer_psnr_is_that_of_the_mean_error_of_both_layers_in_the_overlap():
    """Ten samples, judged eight and two at a time: 4 of 10 upper layers off by 0.1."""
    pool = pool_of((True,) * 12)
    judge = layer_psnr(pool, np.arange(1, 11), off_by(0.1, wrong=2))
    mse = 4 / 10 * 0.5 * 0.1**2
    assert judge(LEARNS_NOTHING)["layer_psnr"] == pytest.approx(-10 * np.log10(mse), abs=1e-3)


def test_a_better_network_is_judged_better():
    pool = pool_of((True,) * 3)
    scores = [
        layer_psnr(pool, np.arange(3), off_by(error, 3))(LEARNS_NOTHING)["layer_psnr"]
        for error in (0.2, 0.1, 0.01)
    ]
    assert scores == sorted(scores)
    assert scores[1] - scores[0] == pytest.approx(20 * np.log10(2), abs=1e-3)


def test_the_panel_shows_joint_layers_and_true_layers_of_each_sample_in_a_row():
    pool = pool_of((True,) * 6)
    with torch.no_grad():
        panel = sample_panel(pool, np.array([5, 0, 2, 3, 1]), off_by(0.0, 0))(LEARNS_NOTHING)
    assert panel.shape == (4 * ROWS, 5 * COLS)
    assert 0 <= panel.min() <= panel.max() <= 1
    batch = whole_batch(pool, np.array([5, 0, 2, 3])).joints()
    tiles = panel.reshape(4, ROWS, 5, COLS).transpose(2, 0, 1, 3)
    np.testing.assert_allclose(tiles[0], batch.joint, atol=1e-6)
    inside = (batch.masks.both > 0).numpy()
    for made, true in ((1, 3), (2, 4)):
        np.testing.assert_allclose(tiles[true], batch.truth[true - 3], atol=1e-6)
        np.testing.assert_allclose(tiles[made][inside], tiles[true][inside], atol=1e-6)
        assert not tiles[made][(batch.masks[made - 1] == 0).numpy()].any()


def test_verdicts_name_the_bones():
    """The fields that the losses rely on."""
    assert Verdict._fields == ("place", "authenticity")
    assert Bones._fields == ("upper", "lower")
