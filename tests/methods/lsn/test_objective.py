"""LSN's losses, each against its formula written out in NumPy."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lamella.methods.lsn.networks import Critics, JointLayers, Masks, Parts
from lamella.methods.lsn.objective import (
    BOX_PX,
    MAIN,
    PRETRAINING,
    LayerBatch,
    Terms,
    bone_images,
    bone_loss,
    critics_loss,
    generator_loss,
    hiding_loss,
    layers_by,
    low_passed,
    moved_truth,
    recomposed,
    reconstruction_loss,
    rmse,
    scoring,
    segmentation_loss,
    shadow_gain,
    shadow_loss,
    shift_loss,
)
from lamella.methods.lsn.shift import CORRECTED, PUBLISHED, BoneMotions, Motion, drawn, shifted

ROWS, COLS = 24, 32
EXACT = Terms(recon=0.0, seg=0.3, bone=0.0, disc=0.1, as_published=False)


def masks_of(overlap_px: tuple[int, ...]) -> Masks:
    upper, lower = torch.zeros(2, len(overlap_px), ROWS, COLS)
    for sample, height in enumerate(overlap_px):
        upper[sample, : 12 + height, 6:26], lower[sample, 12:, 6:26] = 1.0, 1.0
    context = torch.ones_like(upper)
    context[..., 30:] = 0.0
    return Masks(upper, lower, context)


def layers_of(masks: Masks, seed: int) -> JointLayers:
    generator = torch.Generator().manual_seed(seed)
    soft, upper, lower = (
        0.1 + 0.5 * torch.rand(masks.upper.shape, generator=generator) for _ in range(3)
    )
    return JointLayers(soft * masks.context, upper * masks.upper, lower * masks.lower)


def batch_of(
    overlap_px: tuple[int, ...] = (4, 0, 7), draws: tuple[BoneMotions, ...] = ()
) -> LayerBatch:
    masks = masks_of(overlap_px)
    truth = layers_of(masks, 1)
    return LayerBatch(recomposed(truth), masks, truth, torch.ones(len(overlap_px)), draws)


def motions_of(down_px: float, size: int = 3) -> BoneMotions:
    still = torch.zeros(size)
    down = Motion(torch.full((size,), down_px), still, still)
    return BoneMotions(down, Motion(still, still, still))


def rms(errors: np.ndarray, where: np.ndarray) -> float:
    """``RMSE_m``, 0 where m is empty."""
    return float(np.sqrt((errors**2 * where).sum() / where.sum())) if where.any() else 0.0


def bce(logit: np.ndarray, target: np.ndarray) -> np.ndarray:
    p = 1 / (1 + np.exp(-logit.astype(float)))
    return -(target * np.log(p) + (1 - target) * np.log(1 - p))


def value(loss: Tensor) -> float:
    return float(loss.detach())


def image(absorbance: Tensor) -> np.ndarray:
    return 1 - np.exp(-absorbance.numpy().astype(float))


@pytest.fixture
def critics() -> Critics:
    """They look at single pixels, strongly."""
    torch.manual_seed(0)
    made = Critics()
    made.segmenter.backbone = nn.Conv2d(1, 3, 1)
    made.shadow_finder.backbone = nn.Conv2d(1, 1, 1)
    nn.init.normal_(made.segmenter.backbone.weight, std=4.0)
    nn.init.normal_(made.shadow_finder.backbone.weight, std=1.0)
    return made


# --- f_r ----------------------------------------------------------------------------------------


def test_recomposition_is_the_published_product():
    """``R = 1 - (1 - L_u)(1 - L_l)(1 - L_s)`` and ``R_i = 1 - (1 - L_i)(1 - L_s)``."""
    layers = layers_of(masks_of((4, 0)), 0)
    soft, upper, lower = (image(layer) for layer in layers)
    expected = 1 - (1 - upper) * (1 - lower) * (1 - soft)
    np.testing.assert_allclose(recomposed(layers).numpy(), expected, atol=1e-6)
    for found, bone in zip(bone_images(layers), (upper, lower), strict=True):
        np.testing.assert_allclose(found.numpy(), 1 - (1 - bone) * (1 - soft), atol=1e-6)


def test_a_networks_layers_become_absorbances_by_name():
    batch = batch_of()

    class Says(nn.Module):
        def forward(self, seen: Tensor) -> Tensor:
            levels = torch.tensor([0.2, 0.5, 0.1])[:, None, None]
            return levels * seen[:, 1:]

    layers = layers_by(Says(), batch)
    for layer, mask, level in zip(
        layers,
        (batch.masks.context, batch.masks.upper, batch.masks.lower),
        (0.1, 0.2, 0.5),
        strict=True,
    ):
        torch.testing.assert_close(layer, -np.log(1 - level) * mask, atol=1e-6, rtol=0)


# --- Recon --------------------------------------------------------------------------------------


def test_recon():
    """``RMSE_C + 0.2 RMSE_O``; a sample without overlap adds nothing for it."""
    batch = batch_of()
    layers = layers_of(batch.masks, 2)
    errors = recomposed(layers).numpy() - batch.joint.numpy()
    context, both = batch.masks.context.numpy(), batch.masks.both.numpy()
    expected = np.mean(
        [rms(e, c) + 0.2 * rms(e, o) for e, c, o in zip(errors, context, both, strict=True)]
    )
    assert value(reconstruction_loss(layers, batch)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("overlap_px", [(0,), (0, 0, 0), (4, 0, 7)])
def test_no_loss_and_no_slope_is_ever_nan(overlap_px, critics):
    """Empty overlaps, perfect layers: 0/0 and the root's slope at 0."""
    rng = np.random.default_rng(0)
    size = len(overlap_px)
    for reach, terms in ((PUBLISHED, PRETRAINING), (CORRECTED, EXACT)):
        batch = batch_of(overlap_px, (drawn(reach, size, rng),))
        perfect = JointLayers(*(layer.clone().requires_grad_() for layer in batch.truth))
        loss, _ = generator_loss(perfect, critics, batch, terms)
        (loss + bone_loss(perfect, batch, terms) + reconstruction_loss(perfect, batch)).backward()
        assert loss.isfinite()
        for layer in perfect:
            assert layer.grad.isfinite().all()


def test_rmse_is_per_sample_over_all_its_maps():
    errors, where = torch.randn(2, 3, 4, 5), torch.randint(0, 2, (2, 3, 4, 5)).float()
    where[:, 0] = 0.0
    expected = np.mean(
        [rms(errors[:, k].numpy().astype(float), where[:, k].numpy()) for k in range(3)]
    )
    found = rmse(list(errors), list(where))
    assert value(found) == pytest.approx(expected, abs=1e-5)


# --- Seg ----------------------------------------------------------------------------------------


def seg_by_hand(critics: Critics, seen: np.ndarray, masks: Masks, where: np.ndarray) -> float:
    weight, bias = (p.detach().numpy() for p in critics.segmenter.backbone.parameters())
    upper, lower, context = (mask.numpy() for mask in masks)
    labels = [upper * (1 - lower), lower * (1 - upper), context * (1 - np.maximum(upper, lower))]
    errors = np.mean(
        [bce(weight[k, 0, 0, 0] * seen + bias[k], labels[k]) for k in range(3)], axis=0
    )
    sums = (errors * where).sum(axis=(1, 2)) / where.sum(axis=(1, 2))
    return float(sums.mean())


@pytest.mark.parametrize("terms", [PRETRAINING, EXACT], ids=["published", "corrected"])
def test_seg_is_the_mean_over_draws_of_the_moved_joints_cross_entropy(terms, critics):
    rng = np.random.default_rng(1)
    reach = PUBLISHED if terms.as_published else CORRECTED
    batch = batch_of(draws=(drawn(reach, 3, rng), drawn(reach, 3, rng)))
    layers = layers_of(batch.masks, 2)
    by_hand = []
    for motions in batch.draws:
        after = shifted(layers, batch.masks, motions, as_published=terms.as_published)
        where = after.masks.context.numpy()
        if not terms.as_published:
            where = where * after.inside.numpy()
        seen = recomposed(after.layers).numpy()
        by_hand.append(seg_by_hand(critics, seen, after.masks, where))
    found = value(shift_loss(layers, critics, batch, terms))
    assert found == pytest.approx(np.mean(by_hand), abs=1e-5)


def test_seg_without_draws_looks_at_the_unmoved_joint(critics):
    batch = batch_of()
    layers = layers_of(batch.masks, 2)
    expected = seg_by_hand(
        critics, recomposed(layers).numpy(), batch.masks, batch.masks.context.numpy()
    )
    assert value(shift_loss(layers, critics, batch, MAIN)) == pytest.approx(expected, abs=1e-5)


def test_pixels_without_data_do_not_count_when_corrected(critics):
    """The upper bone leaves downwards: what its own rows at the top hold is no evidence."""
    batch = batch_of(draws=(motions_of(6.0),))
    layers = JointLayers(*(layer.requires_grad_() for layer in layers_of(batch.masks, 2)))
    shift_loss(layers, critics, batch, EXACT).backward()
    assert layers.soft.grad[:, :6].abs().max() == 0
    assert layers.soft.grad[:, 6:].abs().max() > 0


# --- Bone ---------------------------------------------------------------------------------------


def bone_by_hand(found, truth, masks, overlap: np.ndarray | None) -> float:
    per_sample = []
    for k in range(len(truth[0])):
        errors = np.stack([f[k] - t[k] for f, t in zip(found, truth, strict=True)])
        value = rms(errors, np.stack([mask[k] for mask in masks]))
        if overlap is not None:
            value += 0.2 * rms(errors, np.stack([overlap[k]] * 2))
        per_sample.append(value)
    return float(np.mean(per_sample))


def arrays(maps) -> list[np.ndarray]:
    return [each.numpy() for each in maps]


@pytest.mark.parametrize("terms", [PRETRAINING, EXACT], ids=["published", "corrected"])
def test_bone_is_half_static_and_half_moved(terms):
    batch = batch_of(draws=(motions_of(3.0),))
    layers = layers_of(batch.masks, 2)
    static = bone_by_hand(
        arrays(bone_images(layers)),
        arrays(bone_images(batch.truth)),
        arrays(batch.masks[:2]),
        batch.masks.both.numpy(),
    )
    after = shifted(layers, batch.masks, batch.draws[0], as_published=terms.as_published)
    inside = 1.0 if terms.as_published else after.inside.numpy()
    moved = bone_by_hand(
        arrays(bone_images(after.layers)),
        arrays(moved_truth(batch, batch.draws[0], terms)),
        [mask.numpy() * inside for mask in after.masks[:2]],
        None,
    )
    found = value(bone_loss(layers, batch, terms))
    assert found == pytest.approx(0.5 * static + 0.5 * moved, abs=1e-5)
    without = value(bone_loss(layers, batch._replace(draws=()), terms))
    assert without == pytest.approx(static, abs=1e-5)


def test_the_moved_target_carries_soft_tissue_only_as_published():
    """``1 - exp(-(a_soft + f_s(a_i)))`` against ``f_s(1 - exp(-(a_soft + a_i)))``."""
    batch, motions = batch_of(), motions_of(3.0)
    soft, upper = batch.truth.soft.numpy(), batch.truth.upper.numpy()
    corrected = moved_truth(batch, motions, EXACT)[0].numpy()[:, 3:]
    np.testing.assert_allclose(corrected, 1 - np.exp(-(soft[:, 3:] + upper[:, :-3])), atol=1e-6)
    published = moved_truth(batch, motions, PRETRAINING)[0].numpy()[:, 3:]
    carried = 1 - np.exp(-(soft + upper)[:, :-3])
    np.testing.assert_allclose(published, carried * batch.masks.context.numpy()[:, 3:], atol=1e-6)


def test_true_layers_have_no_moved_error_only_when_corrected():
    """Faultless layers are blamed for the soft tissue that the published target moves."""
    batch = batch_of(draws=(motions_of(4.0),))
    assert value(bone_loss(batch.truth, batch, EXACT)) < 1e-5
    assert value(bone_loss(batch.truth, batch, PRETRAINING)) > 0.02


def test_unknown_layers_teach_no_bone():
    batch = batch_of(draws=(motions_of(3.0),))._replace(known=torch.tensor([1.0, 0.0, 1.0]))
    layers = JointLayers(*(layer.requires_grad_() for layer in layers_of(batch.masks, 2)))
    bone_loss(layers, batch, PRETRAINING).backward()
    taught = layers.upper.grad.abs().sum(dim=(1, 2))
    assert (taught > 0).tolist() == [True, False, True]


# --- Disc and N_D -------------------------------------------------------------------------------


def test_disc_as_published_is_one_minus_the_shadow_finders_loss():
    masks = masks_of((4, 0))
    logit = torch.randn(2, ROWS, COLS)
    bone, context = masks.bone.numpy(), masks.context.numpy()
    errors = bce(logit.numpy(), bone) * context
    expected = (errors.sum(axis=(1, 2)) / context.sum(axis=(1, 2))).mean()
    assert value(shadow_loss(logit, masks)) == pytest.approx(expected, abs=1e-5)
    assert value(shadow_gain(logit, masks)) == pytest.approx(1 - expected, abs=1e-5)


def test_corrected_disc_is_the_divergence_from_the_prior():
    """KL(pi || p) over bone pixels, pi the part of the context that is bone."""
    masks = masks_of((4, 0))
    logit = torch.randn(2, ROWS, COLS)
    bone, context = masks.bone.numpy(), masks.context.numpy()
    p = 1 / (1 + np.exp(-logit.numpy().astype(float)))
    expected = []
    for k in range(2):
        pi = (bone[k] * context[k]).sum() / context[k].sum()
        divergence = pi * np.log(pi / p[k]) + (1 - pi) * np.log((1 - pi) / (1 - p[k]))
        expected.append((divergence * bone[k]).sum() / bone[k].sum())
    assert value(hiding_loss(logit, masks)) == pytest.approx(np.mean(expected), abs=1e-5)


def test_corrected_disc_is_bounded_and_least_at_the_prior():
    masks = masks_of((4,))
    prior = float((masks.bone * masks.context).sum() / masks.context.sum())
    at_prior = torch.full((1, ROWS, COLS), float(np.log(prior / (1 - prior))))
    assert value(hiding_loss(at_prior, masks)) == pytest.approx(0.0, abs=1e-5)
    for level in (-30.0, -3.0, 3.0, 30.0):
        away = torch.full((1, ROWS, COLS), level)
        assert value(hiding_loss(away, masks)) > 0.01
    fooled = torch.where(masks.bone > 0, -30.0, 30.0)
    assert value(shadow_gain(fooled, masks)) < -20.0
    assert value(hiding_loss(fooled, masks)) > 0


def test_the_low_pass_takes_grain_and_leaves_what_is_smooth():
    torch.manual_seed(0)
    grain = torch.randn(1, 64, 64)
    assert float(low_passed(grain).std()) < 0.12
    wave = torch.sin(torch.arange(64.0) * 2 * np.pi / 64)[None, None].expand(1, 64, 64)
    inner = slice(12, 52)
    sigma = np.sqrt((BOX_PX**2 - 1) / 4)
    kept = np.exp(-0.5 * (sigma * 2 * np.pi / 64) ** 2)
    error = (low_passed(wave) - kept * wave)[..., inner].abs().max()
    assert float(error) < 0.01
    torch.testing.assert_close(
        low_passed(torch.full((1, 30, 30), 0.4)), torch.full((1, 30, 30), 0.4)
    )


# --- all together -------------------------------------------------------------------------------


@pytest.mark.parametrize("terms", [PRETRAINING, MAIN])
def test_the_generators_loss_is_the_weighted_sum(terms, critics):
    batch = batch_of(draws=(motions_of(3.0),))
    layers = layers_of(batch.masks, 2)
    logit = critics.shadow_finder(1 - torch.exp(-layers.soft))
    with torch.no_grad():
        expected = (
            terms.recon * reconstruction_loss(layers, batch)
            + terms.seg * shift_loss(layers, critics, batch, terms)
            + terms.bone * bone_loss(layers, batch, terms)
            + terms.disc * shadow_gain(logit, batch.masks)
        )
    loss, parts = generator_loss(layers, critics, batch, terms)
    assert value(loss) == pytest.approx(value(expected), abs=1e-5)
    assert set(parts) == {"recon", "seg", "disc"} | ({"bone"} if terms.bone else set())


def test_published_weights():
    """0.5 Recon + 0.2 Seg + 0.2 Bone + 0.1 Disc, then 0.6, 0.3 and 0.1."""
    first, second = PRETRAINING, MAIN
    assert (first.recon, first.seg, first.bone, first.disc) == (0.5, 0.2, 0.2, 0.1)
    assert (second.recon, second.seg, second.bone, second.disc) == (0.6, 0.3, 0.0, 0.1)


def test_critics_learn_from_joints_and_from_soft_tissue(critics):
    batch = batch_of()
    layers = layers_of(batch.masks, 2)
    seg = seg_by_hand(critics, batch.joint.numpy(), batch.masks, batch.masks.context.numpy())
    shadow = value(shadow_loss(critics.shadow_finder(1 - torch.exp(-layers.soft)), batch.masks))
    loss, parts = critics_loss(critics, layers, batch)
    assert value(loss) == pytest.approx(seg + shadow, abs=1e-5)
    after = shifted(batch.truth, batch.masks, motions_of(-4.0))
    where = (after.masks.context * after.inside).numpy()
    beside = seg_by_hand(critics, recomposed(after.layers).numpy(), after.masks, where)
    both, _ = critics_loss(critics, layers, batch, after)
    assert value(both) == pytest.approx(0.5 * seg + 0.5 * beside + shadow, abs=1e-5)
    critics.shadow_finder = None
    alone, parts = critics_loss(critics, layers, batch)
    assert value(alone) == pytest.approx(seg, abs=1e-5)
    assert list(parts) == ["segmenter"]


def test_the_segmenter_never_learns_from_generated_layers(critics):
    batch = batch_of()
    seen = [critics_loss(critics, layers_of(batch.masks, seed), batch)[1] for seed in (2, 3)]
    assert torch.equal(seen[0]["segmenter"], seen[1]["segmenter"])
    assert not torch.equal(seen[0]["shadow_finder"], seen[1]["shadow_finder"])


def test_scoring_is_in_evaluation_mode_and_ends():
    critics = Critics()
    critics.segmenter.backbone = nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3))
    before = critics.segmenter.backbone[1].running_mean.clone()
    with scoring(critics):
        assert not critics.segmenter.training
        critics.segmenter(torch.rand(2, 8, 8))
    assert critics.segmenter.training
    assert torch.equal(critics.segmenter.backbone[1].running_mean, before)


def test_cross_entropy_of_parts_weighs_them_alike():
    logits = Parts(*torch.randn(3, 2, 4, 5))
    label = Parts(*torch.randint(0, 2, (3, 2, 4, 5)).float())
    where = torch.randint(0, 2, (2, 4, 5)).float()
    errors = np.mean(
        [bce(a.numpy(), b.numpy()) for a, b in zip(logits, label, strict=True)], axis=0
    )
    sums = (errors * where.numpy()).sum(axis=(1, 2)) / where.numpy().sum(axis=(1, 2))
    found = value(segmentation_loss(logits, label, where))
    assert found == pytest.approx(sums.mean(), abs=1e-5)
