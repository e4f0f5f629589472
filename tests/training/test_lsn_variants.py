"""LSN's variants: what is exact whatever the weights, who teaches whom, and figures by hand."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lamella.methods.lsn.networks import Critics, LayerNetwork, SoftSharesNetwork
from lamella.methods.lsn.objective import (
    MAIN,
    PRETRAINING,
    critics_loss,
    generator_loss,
    hiding_loss,
    low_passed,
    shift_loss,
)
from lamella.methods.lsn.shift import CORRECTED, drawn, opening, shifted
from lamella.methods.shares.objective import SharesLayers, layers_loss
from lamella.nets.backbones import FoldedUNet
from lamella.training.bls_gan_data import whole_batch
from lamella.training.lsn_data import LsnBatch, with_context
from lamella.training.lsn_variants import (
    EXACT,
    OPENING_PX,
    SOFT_WEIGHT,
    VARIANTS,
    LsnMade,
    exact_critics,
    exact_generator,
    exact_made,
    judge,
    known_only,
    objectives,
    published_critics,
    published_generator,
    published_made,
    sample_panel,
    soft_loss,
)
from lamella.training.overlaps import MASKS, OverlapPool

ROWS, COLS = 48, 64
NARROW = (8, 8, 8, 8)
LEARNS_NOTHING = nn.Conv2d(1, 1, 1)


def pool_of(known: tuple[bool, ...]) -> OverlapPool:
    """Two rough bones that cross in a soft tissue that is known only nearly."""
    count, rng = len(known), np.random.default_rng(0)
    soft, upper, lower = rng.uniform(0.1, 0.5, (3, count, ROWS, COLS))
    masks = np.zeros((count, len(MASKS), ROWS, COLS), np.uint8)
    for sample in range(count):
        masks[sample, 0, : 26 + sample % 3, 12:52], masks[sample, 1, 20:, 12:52] = 1, 1
    masks[:, 2] = masks[:, 0] & masks[:, 1]
    upper, lower = upper * masks[:, 0], lower * masks[:, 1]
    either = masks[:, 0] | masks[:, 1]
    estimate = soft + rng.normal(0, 0.05, soft.shape) * either
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


def a_batch(known: tuple[bool, ...] = (True, True, False, False)) -> LsnBatch:
    made = with_context(whole_batch(pool_of(known), np.arange(len(known))))
    motions = drawn(CORRECTED, len(known), np.random.default_rng(1))
    return made._replace(draws=(motions,))


def shaken(network: nn.Module, seed: int, size: float) -> nn.Module:
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(size * torch.randn_like(weight))
    return network


def free(batch: LsnBatch) -> LsnMade:
    """Layers that gradients reach one by one, as leaves."""
    with torch.no_grad():
        made = exact_made(shaken(SoftSharesNetwork(NARROW), 1, 0.3), batch)
    return LsnMade(*(part.clone().requires_grad_() for part in made))


@pytest.fixture
def critics() -> Critics:
    """Small ones that look at single pixels."""
    torch.manual_seed(0)
    made = Critics()
    made.segmenter.backbone, made.shadow_finder.backbone = nn.Conv2d(1, 3, 1), nn.Conv2d(1, 1, 1)
    return made


# --- exact --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "size"), [(0, 0.0), (1, 0.3), (2, 3.0)])
def test_exact_layers_recompose_the_joint_whatever_the_weights(seed, size):
    batch = a_batch()
    with torch.no_grad():
        made = exact_made(shaken(SoftSharesNetwork(NARROW), seed, size), batch)
    total = made.soft + made.upper + made.lower
    torch.testing.assert_close(total, batch.overlaps.absorbance, atol=1e-5, rtol=0)
    for layer in made.parts:
        assert layer.min() >= 0
    assert (made.soft <= batch.overlaps.absorbance + 1e-6).all()


def test_the_exact_soft_tissue_is_corrected_where_one_bone_lies_alone():
    batch = a_batch()
    network = SoftSharesNetwork(NARROW)
    with torch.no_grad():
        before = exact_made(network, batch).soft
        network.soft.bias.fill_(-0.2)
        after = exact_made(network, batch).soft
    alone = (batch.overlaps.upper_mask > 0) & (batch.overlaps.lower_mask == 0)
    beside = batch.masks().bone == 0
    assert float((before - after)[alone].mean()) > 0.03
    torch.testing.assert_close(before[beside], after[beside])


def test_the_exact_loss_is_the_sum_of_its_documented_terms(critics):
    batch = a_batch()
    made = free(batch)
    known = known_only(batch)
    with torch.no_grad():
        layers, _ = layers_loss(
            SharesLayers(made.soft, made.upper, made.lower, made.share_sd), known
        )
        seg = shift_loss(made.parts, critics, batch.layers(), EXACT)
        image = 1 - torch.exp(-low_passed(made.soft))
        disc = hiding_loss(critics.shadow_finder(image), batch.masks())
        soft = soft_loss(made.soft, known)
        expected = layers + SOFT_WEIGHT * soft + EXACT.seg * seg + EXACT.disc * disc
        loss, parts = exact_generator(made, critics, batch)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert parts["seg"].item() == pytest.approx(seg.item(), rel=1e-5)
    assert parts["disc"].item() == pytest.approx(disc.item(), rel=1e-5)


def test_soft_loss_by_hand():
    """Mean over the matte of the known samples of |error| / 0.02."""
    batch = a_batch()
    known = known_only(batch)
    soft = batch.overlaps.true_soft + 0.01
    error = soft_loss(soft, known)
    assert error.item() == pytest.approx(0.5, rel=1e-3)
    off = soft.clone()
    off[2:] = 9.0
    off[:, :, :12] = 9.0
    assert soft_loss(off, known).item() == pytest.approx(0.5, rel=1e-3)


def test_unknown_layers_teach_nothing_but_still_face_the_critics(critics):
    batch = a_batch()
    for judges in (None, critics):
        made = free(batch)
        exact_generator(made, judges, batch)[0].backward()
        taught = made.soft.grad.abs().sum(dim=(1, 2))
        assert (taught[:2] > 0).all()
        assert bool((taught[2:] > 0).all()) is (judges is not None)


def test_the_exact_shadow_finder_sees_no_grain(critics):
    """Grain changes its loss by far less than a shadow of the same height."""
    batch = a_batch()
    made = free(batch)
    rows, cols = np.indices((ROWS, COLS))
    grain = torch.from_numpy(np.where((rows + cols) % 2, 0.1, -0.1).astype(np.float32))
    flat = torch.full_like(made.soft, 0.3)
    critics.shadow_finder.backbone.weight.data.fill_(3.0)
    losses = []
    for soft in (flat, flat + grain, flat + 0.1 * batch.masks().bone):
        _, parts = exact_critics(critics, made._replace(soft=soft), batch)
        losses.append(parts["shadow_finder"].item())
    assert abs(losses[2] - losses[0]) > 0.2
    assert abs(losses[1] - losses[0]) < 0.01


def test_exact_critics_see_known_joints_moved_at_random(critics):
    batch = a_batch()
    made, seen = free(batch), batch.layers()
    beside = shifted(seen.truth, seen.masks, batch.draws[0])
    smooth = made.parts._replace(soft=low_passed(made.soft))
    expected, _ = critics_loss(critics, smooth, seen, beside)
    loss, _ = exact_critics(critics, made, batch)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    loss.backward()
    assert all(weight.grad.abs().max() > 0 for weight in critics.parameters())


# --- as published -------------------------------------------------------------------------------


@pytest.mark.parametrize("terms", [PRETRAINING, MAIN])
def test_the_published_variant_minimises_the_papers_sum(terms, critics):
    batch = a_batch((True,) * 4)
    network = LayerNetwork(partial(FoldedUNet, widths=(8, 8)))
    with torch.no_grad():
        made = published_made(network, batch)
        loss, _ = published_generator(terms)(made, critics, batch)
        expected, _ = generator_loss(made.parts, critics, batch.layers(), terms)
    assert loss.item() == expected.item()
    assert made.share_sd.abs().max() == 0


def test_published_critics_see_opened_joints_in_pretraining_alone(critics):
    batch = a_batch((True,) * 4)
    made, seen = free(batch), batch.layers()
    apart = shifted(seen.truth, seen.masks, opening(seen.masks, OPENING_PX))
    with torch.no_grad():
        for pretraining, beside in ((True, apart), (False, None)):
            loss, _ = published_critics(pretraining=pretraining)(critics, made, batch)
            expected, _ = critics_loss(critics, made.parts, seen, beside)
            assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert apart.masks.both.max() == 0


@pytest.mark.parametrize("known", [(True, True), (False, False)])
def test_losses_are_finite_without_overlap_and_without_known_layers(critics, known):
    batch = a_batch(known)
    gone = batch.overlaps._replace(
        lower_mask=0 * batch.overlaps.lower_mask, overlap=0 * batch.overlaps.overlap
    )
    for each in (batch, batch._replace(overlaps=gone)):
        made = free(each)
        for loss, parts in (
            exact_generator(made, critics, each),
            exact_critics(critics, made, each),
            published_generator(PRETRAINING)(made, critics, each),
            published_critics(pretraining=True)(critics, made, each),
        ):
            assert loss.isfinite()
            assert all(part.isfinite() for part in parts.values())


# --- judge and panel ----------------------------------------------------------------------------


def true_but(soft_error: float) -> object:
    """True layers, the soft tissue's image off by a constant under the bones."""

    def make(_: nn.Module, batch: LsnBatch) -> LsnMade:
        truth = batch.layers().truth
        image: Tensor = 1 - torch.exp(-truth.soft.double()) + soft_error * batch.masks().bone
        soft = -torch.log1p(-image)
        return LsnMade(soft.float(), truth.upper, truth.lower, torch.zeros_like(truth.soft))

    return make


def test_the_judges_figures_by_hand():
    pool = pool_of((True,) * 10)
    found = judge(pool, np.arange(10), true_but(0.01))(LEARNS_NOTHING)
    assert set(found) == {"layer_psnr", "soft_psnr", "recomposition_psnr"}
    assert found["soft_psnr"] == pytest.approx(40.0, abs=0.02)
    assert found["layer_psnr"] > 40.0
    exact = judge(pool, np.arange(10), true_but(0.0))(LEARNS_NOTHING)
    assert exact["recomposition_psnr"] > 60.0
    assert exact["soft_psnr"] > 60.0


def test_the_panel_has_a_row_for_each_sample():
    pool = pool_of((True,) * 6)
    with torch.no_grad():
        panel = sample_panel(pool, np.array([5, 0, 2, 3, 1]), true_but(0.0))(LEARNS_NOTHING)
    assert panel.shape == (4 * ROWS, 6 * COLS)
    assert 0 <= panel.min() <= panel.max() <= 1
    tiles = panel.reshape(4, ROWS, 6, COLS).transpose(2, 0, 1, 3)
    seen = with_context(whole_batch(pool, np.array([5, 0, 2, 3]))).layers()
    np.testing.assert_allclose(tiles[0], seen.joint, atol=1e-6)
    np.testing.assert_allclose(tiles[1], tiles[2], atol=1e-4)
    assert np.abs(tiles[5] - tiles[0]).mean() > 0.02


def test_a_stage_minimises_what_its_variant_says(critics):
    """The weights of stage 1 in pre-training, of stage 2 after it; the exact ones in both."""
    batch = a_batch((True,) * 4)
    made = free(batch)
    for name, about in VARIANTS.items():
        for pretraining in (True, False):
            generator, judges = objectives(about, pretraining=pretraining)
            _, parts = generator(made, critics, batch)
            assert ("bone" in parts) is (pretraining and not about.exact), name
            assert ("psnr" in parts) is about.exact
            beside = judges(critics, made, batch)[0].item()
            plain = critics_loss(critics, made.parts, batch.layers())[0].item()
            assert (beside != pytest.approx(plain, rel=1e-6)) is (pretraining or about.exact)
        assert about.make is (exact_made if about.exact else published_made)
