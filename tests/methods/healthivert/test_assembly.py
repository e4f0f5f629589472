"""The drawn vertebra put into the slice, in torch."""

import numpy as np
import pytest
import torch

from lamella.methods.healthivert.assembly import between_rows, hard_paste, soft_paste, window
from lamella.methods.healthivert.channels import windowed
from lamella.methods.healthivert.gap import centred, cut_out, site_of
from straight_spines import Block, spine

ROWS, COLS = 160, 6


def ramp():
    return torch.arange(float(ROWS))[None, :, None].expand(1, ROWS, COLS).contiguous()


def test_rows_are_read_between_samples_with_a_gradient_in_the_place():
    places = torch.tensor([[3.25, 10.0, 150.9]], requires_grad=True)
    read = between_rows(ramp(), places)
    torch.testing.assert_close(read[0, :, 0].detach(), places.detach()[0])
    read.sum().backward()
    torch.testing.assert_close(places.grad, torch.full((1, 3), float(COLS)))


@pytest.mark.parametrize("height", [18.0, 24.5, 33.3])
def test_what_surrounds_the_gap_is_brought_onto_the_vertebra(height):
    made = soft_paste(torch.full((1, ROWS, COLS), -7.0), ramp(), torch.tensor([height]))[0, :, 0]
    rows = np.arange(ROWS)
    push = (40 - height) / 2
    above = rows[(rows < 79.5 - height / 2 - 6) & (rows > push)]
    below = rows[(rows > 79.5 + height / 2 + 6) & (rows < ROWS - 1 - push)]
    assert made[above].numpy() == pytest.approx(above - push, abs=1e-3)
    assert made[below].numpy() == pytest.approx(below + push, abs=1e-3)
    inside = np.abs(rows - 79.5) < height / 2 - 6
    assert made[inside].numpy() == pytest.approx(-7.0, abs=1e-2)


def test_the_gap_itself_is_never_shown():
    around = torch.zeros(1, ROWS, COLS)
    around[:, 60:100] = 1e6
    for height in (12.0, 27.4, 39.9):
        assert soft_paste(torch.zeros_like(around), around, torch.tensor([height])).max() == 0.0


def test_at_the_true_height_a_cut_spine_is_whole_again():
    straight = spine({"T12": Block(), "L1": Block(), "L2": Block()})
    site = site_of(straight, "L1", 24.0)
    gap, whole = cut_out(straight, "L1", 24.0), centred(straight, site)
    around, truth = (torch.from_numpy(windowed(box.hu))[30:32] for box in (gap, whole))
    height = torch.full((2,), site.extent_rows)
    missed = (soft_paste(truth, around, height) - truth).abs()[:, 15:-15]
    assert float(missed.mean()) < 2e-3
    wrong = (soft_paste(truth, around, height + 4.0) - truth).abs()[:, 15:-15]
    assert float(wrong.mean()) > 10 * float(missed.mean())


def test_the_soft_paste_has_a_slope_in_the_height_and_the_hard_one_none():
    torch.manual_seed(0)
    drawn, around = torch.randn(2, 2, ROWS, COLS, dtype=torch.float64)
    heights = torch.tensor([24.3, 27.7], dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, ROWS, COLS, dtype=torch.float64)
    (weights * soft_paste(drawn, around, heights)).sum().backward()
    step = 1e-6
    for sample in range(2):
        moved = heights.detach().clone()
        moved[sample] += step
        change = soft_paste(drawn, around, moved) - soft_paste(drawn, around, heights.detach())
        slope = float((weights * change).sum() / step)
        assert float(heights.grad[sample]) == pytest.approx(slope, rel=1e-3)
    hard = hard_paste(drawn, around, heights, torch.tensor([22.0, 30.0], dtype=torch.float64))
    assert not hard.requires_grad


def test_the_window_is_a_sigmoid_of_half_a_row():
    found = window(torch.zeros(1, ROWS, COLS), torch.tensor([20.0]))[0, :, 0].numpy()
    offset = np.abs(np.arange(ROWS) - 79.5)
    assert found == pytest.approx(1 / (1 + np.exp(-(10.0 - offset) / 0.5)), abs=1e-6)


@pytest.mark.parametrize(("said", "true"), [(24.2, 20.0), (18.0, 25.0), (31.0, 31.0)])
def test_the_hard_paste_is_the_published_assembly(said, true):
    drawn = 1000.0 + ramp()
    made = hard_paste(drawn, ramp(), torch.tensor([said]), torch.tensor([true]))[0, :, 0].numpy()
    height, real = max(int(np.ceil(said)), int(true)), int(true)
    first = 80 - real // 2 - (height - real) // 2
    expected = np.concatenate(
        [
            np.clip(np.arange(60 - first, 60), 0, None),
            1000 + np.arange(80 - height // 2, 80 - height // 2 + height),
            np.clip(np.arange(100, 100 + ROWS - first - height), None, ROWS - 1),
        ]
    )
    assert made.tolist() == expected.tolist()
