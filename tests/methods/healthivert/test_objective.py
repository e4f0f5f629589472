"""HealthiVert-GAN's losses, each against its formula written out in NumPy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve

from lamella.methods.healthivert.assembly import hard_paste, soft_paste
from lamella.methods.healthivert.channels import Channel, Map
from lamella.methods.healthivert.networks import Drawn
from lamella.methods.healthivert.objective import (
    AS_PUBLISHED,
    EDGE_FLOOR,
    EXACT,
    WITHOUT_EDGES,
    Assembled,
    SliceBatch,
    assembled,
    binary_edges,
    certainty_loss,
    column_loss,
    dice_loss,
    edge_loss,
    edges,
    generator_loss,
    grey_loss,
    height_loss,
)

ROWS, COLS = 160, 12


@pytest.fixture
def batch():
    return batch_of(3)


def batch_of(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    seen = torch.rand(count, 7, ROWS, COLS, generator=generator)
    seen[:, Channel.GAP] = 0.0
    seen[:, Channel.GAP, 60:100] = 1.0
    ct = torch.rand(count, ROWS, COLS, generator=generator)
    rows = torch.arange(ROWS)
    target = ((rows > 68) & (rows < 91)).float()[None, :, None].expand(count, ROWS, COLS).clone()
    target[:, :, :2] = 0.0
    neighbours = (torch.rand(count, ROWS, COLS, generator=generator) > 0.7).float()
    return SliceBatch(seen, ct, target, neighbours, torch.linspace(21.0, 25.0, count))


def drawn_of(count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(count, 4, ROWS, COLS, generator=generator).requires_grad_()
    heights = (20.0 + 8.0 * torch.rand(count, 2, generator=generator)).requires_grad_()
    return Drawn(maps, heights)


def made_of(drawn):
    return Assembled(drawn.of(Map.FINE_CT), drawn.of(Map.COARSE_CT), drawn.of(Map.FINE_SEG))


def value(loss):
    return float(loss.detach())


def test_grey_is_the_mean_error_of_both_stages_over_the_gaps_share(batch):
    made = made_of(drawn_of(3))
    fine, coarse, ct = (x.detach().numpy() for x in (made.fine, made.coarse, batch.ct))
    expected = (np.abs(fine - ct).mean() + np.abs(coarse - ct).mean()) * ROWS / 40
    assert value(grey_loss(made, batch)) == pytest.approx(expected, rel=1e-5)


def test_the_published_grey_weight_is_that_of_its_batch_of_sixteen():
    """200 * 2 * (N / nnz over 16 slices) / 2 = 80 for each stage on 256 rows."""
    assert AS_PUBLISHED.grey * 256 / 40 == pytest.approx(80.0)


@pytest.mark.parametrize("floor", [1e-5, 1.0])
def test_dice(batch, floor):
    found, true = drawn_of(3).of(Map.FINE_SEG).detach(), batch.target
    p, t = found.numpy(), true.numpy()
    each = [
        1 - (2 * (a * b).sum() + floor) / (a.sum() + b.sum() + floor)
        for a, b in zip(p, t, strict=True)
    ]
    assert value(dice_loss(found, true, floor)) == pytest.approx(np.mean(each), rel=1e-5)


def sobel(mask):
    kernel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    return [convolve(mask, k[::-1, ::-1], mode="nearest") for k in (kernel, kernel.T)]


def test_soft_edges_are_the_sobel_magnitude_with_a_floor_under_the_root(batch):
    soft = drawn_of(1).of(Map.FINE_SEG).detach()
    across, down = sobel(soft[0].numpy().astype(np.float64))
    expected = np.sqrt((across / 4) ** 2 + (down / 4) ** 2 + EDGE_FLOOR)
    assert edges(soft)[0].numpy() == pytest.approx(expected, abs=1e-5)
    step = edges(batch.target)[0, :, 6]
    assert float(step.max()) == pytest.approx(1.0, abs=1e-5)


def test_published_edges_are_cut_at_one_half_and_clipped():
    soft = drawn_of(1).of(Map.FINE_SEG)
    across, down = sobel((soft[0].detach().numpy() > 0.5).astype(np.float64))
    expected = np.minimum(np.sqrt(across**2 + down**2), 1.0)
    assert binary_edges(soft)[0].numpy() == pytest.approx(expected, abs=1e-5)


def test_the_edge_loss_is_their_mean_squared_difference(batch):
    found = drawn_of(3).of(Map.FINE_SEG).detach()
    for binary, of in ((False, edges), (True, binary_edges)):
        expected = ((of(found) - of(batch.target)) ** 2).mean()
        assert value(edge_loss(found, batch.target, binary=binary)) == pytest.approx(
            float(expected)
        )


def test_soft_edges_teach_and_published_ones_do_not(batch):
    drawn = drawn_of(3)
    edge_loss(drawn.of(Map.FINE_SEG), batch.target).backward()
    assert drawn.maps.grad[:, Map.FINE_SEG].abs().max() > 0.0
    assert torch.isfinite(drawn.maps.grad).all()
    assert not edge_loss(drawn.of(Map.FINE_SEG), batch.target, binary=True).requires_grad


def test_soft_edges_have_a_finite_slope_on_flat_masks():
    flat = torch.zeros(1, 8, 8, requires_grad=True)
    edge_loss(flat, torch.ones(1, 8, 8)).backward()
    assert torch.isfinite(flat.grad).all()


def test_heights_are_relative_errors_of_both_stages(batch):
    drawn = drawn_of(3)
    h, true = drawn.heights.detach().numpy(), batch.height.numpy()
    expected = np.mean([sum(abs(h[k] - true[k]) / true[k]) for k in range(3)])
    assert value(height_loss(drawn.heights, batch.height)) == pytest.approx(expected, rel=1e-5)


def test_certainty_is_ten_times_the_cross_entropy(batch):
    p, t = drawn_of(3).of(Map.FINE_SEG).detach().numpy().clip(1e-4, 1 - 1e-4), batch.target.numpy()
    expected = -10 * np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
    found = certainty_loss(drawn_of(3).of(Map.FINE_SEG), batch.target)
    assert value(found) == pytest.approx(expected, rel=1e-4)


def test_columns_are_relative_errors_of_summed_probabilities(batch):
    found = drawn_of(3).of(Map.FINE_SEG).detach()
    p, t, h = found.numpy(), batch.target.numpy(), batch.height.numpy()
    each = [np.abs(p[k, :, 2:].sum(0) - t[k, :, 2:].sum(0)).mean() / h[k] for k in range(3)]
    assert value(column_loss(found, batch.target, batch.height)) == pytest.approx(
        np.mean(each), rel=1e-5
    )
    assert value(column_loss(batch.target, batch.target, batch.height)) == 0.0


def test_each_stage_is_assembled_at_its_own_height(batch):
    drawn = drawn_of(3)
    made = assembled(drawn, batch, EXACT)
    fine, coarse = drawn.of(Map.FINE_CT), drawn.of(Map.COARSE_CT)
    assert torch.equal(made.fine, soft_paste(fine, batch.around, drawn.heights[:, 1]))
    assert torch.equal(made.coarse, soft_paste(coarse, batch.around, drawn.heights[:, 0]))
    assert torch.equal(made.target, drawn.of(Map.FINE_SEG))
    made = assembled(drawn, batch, AS_PUBLISHED)
    hard = hard_paste(fine, batch.around, drawn.heights[:, 1], batch.height)
    assert torch.equal(made.fine, hard)
    assert not made.target[:, :60].any()


def test_grey_values_teach_the_height_in_the_exact_form_alone(batch):
    for terms, teaches in ((EXACT, True), (AS_PUBLISHED, False)):
        drawn = drawn_of(3)
        grey_loss(assembled(drawn, batch, terms), batch).backward()
        assert (drawn.heights.grad is not None and bool(drawn.heights.grad.any())) == teaches
        assert drawn.maps.grad[:, Map.FINE_CT].abs().max() > 0.0


def test_the_height_descends_to_the_true_one_by_grey_values_alone():
    """A ramp cut apart: the error of the assembled slice is least at the true height."""
    truth = torch.linspace(-1.0, 1.0, ROWS)[None, :, None].expand(1, ROWS, COLS)
    rows = torch.arange(ROWS)
    push = (40.0 - 24.0) / 2.0
    source = torch.where(rows < 80, rows + push, rows - push)[None, :, None]
    around = (2.0 * source / (ROWS - 1) - 1.0).expand(1, ROWS, COLS).clone()
    around[:, 60:100] = -1.0
    height = torch.tensor([30.0], requires_grad=True)
    optimiser = torch.optim.Adam([height], 0.2)
    for _ in range(120):
        loss = (soft_paste(truth, around, height) - truth).abs()[:, 20:-20].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(height.detach()) == pytest.approx(24.0, abs=0.3)


@pytest.mark.parametrize("terms", [EXACT, AS_PUBLISHED])
def test_the_loss_is_the_weighted_sum_of_its_terms(batch, terms):
    drawn = drawn_of(3)
    made = assembled(drawn, batch, terms)
    floor = 1e-5 if terms.as_published else 1.0
    expected = {
        "grey": terms.grey * grey_loss(made, batch),
        "target": terms.target * dice_loss(made.target, batch.target, floor),
        "neighbours": terms.neighbours
        * dice_loss(drawn.of(Map.COARSE_SEG), batch.neighbours, floor),
        "heights": terms.heights * height_loss(drawn.heights, batch.height),
        "edges": terms.edges * edge_loss(made.target, batch.target, binary=terms.as_published),
    }
    if not terms.as_published:
        expected["certainty"] = terms.certainty * certainty_loss(made.target, batch.target)
        expected["columns"] = terms.columns * column_loss(made.target, batch.target, batch.height)
    found = generator_loss(drawn, batch, terms)
    assert found.keys() == expected.keys()
    for name, term in found.items():
        assert value(term) == pytest.approx(value(expected[name]), rel=1e-6)


def test_published_weights():
    assert (AS_PUBLISHED.target, AS_PUBLISHED.neighbours) == (15.0, 10.0)
    assert (AS_PUBLISHED.edges, AS_PUBLISHED.heights) == (800.0, 40.0)
    assert AS_PUBLISHED.adversary == pytest.approx(1 / 6)
    assert "edges" not in generator_loss(drawn_of(3), batch_of(3), WITHOUT_EDGES)


@pytest.mark.parametrize("terms", [EXACT, AS_PUBLISHED])
def test_no_term_depends_on_the_batch_size(terms):
    batch, drawn = batch_of(4), drawn_of(4)
    whole = generator_loss(drawn, batch, terms)
    halves = [
        generator_loss(
            Drawn(*(x[part] for x in drawn)), SliceBatch(*(x[part] for x in batch)), terms
        )
        for part in (slice(0, 2), slice(2, 4))
    ]
    for name, term in whole.items():
        assert value(term) == pytest.approx(
            np.mean([value(half[name]) for half in halves]), rel=1e-5
        )
