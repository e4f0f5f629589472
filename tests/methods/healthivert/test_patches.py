"""Contextual attention."""

import torch

from lamella.methods.healthivert.patches import ContextualAttention, borrowed, neighbourhoods


def gap_of(rows=16, cols=8):
    gap = torch.zeros(1, 1, rows, cols)
    gap[:, :, 6:10] = 1.0
    return gap


def test_outside_the_gap_nothing_is_borrowed():
    features = torch.randn(1, 4, 16, 8)
    gap = gap_of()
    made = borrowed(features, gap)
    torch.testing.assert_close(made[:, :, :6], features[:, :, :6])
    torch.testing.assert_close(made[:, :, 10:], features[:, :, 10:])
    assert not torch.allclose(made[:, :, 6:10], features[:, :, 6:10])


def test_what_lies_in_the_gap_is_never_lent():
    features = torch.randn(1, 4, 16, 8)
    gap = gap_of()
    poisoned = features.clone()
    poisoned[:, :, 7:9] = 0.0
    lent = borrowed(features + 1000.0 * gap, gap)[:, :, 6:10]
    assert lent.abs().max() <= features.abs().max() + 1e-4


def test_the_weights_are_the_softmax_of_ten_times_the_cosine():
    torch.manual_seed(0)
    features, gap = torch.randn(1, 3, 8, 4), torch.zeros(1, 1, 8, 4)
    gap[:, :, 2:4] = 1.0
    coarse = torch.nn.functional.avg_pool2d(features, 2)
    padded = torch.nn.functional.pad(coarse, (1, 1, 1, 1))
    patches = {
        (r, c): padded[0, :, r : r + 3, c : c + 3].flatten() for r in range(4) for c in range(2)
    }
    outside = [place for place in patches if place[0] != 1]
    for col in (0, 1):
        target = patches[1, col]
        cosine = torch.stack(
            [torch.nn.functional.cosine_similarity(target, patches[p], dim=0) for p in outside]
        )
        weight = torch.softmax(10.0 * cosine, dim=0)
        expected = sum(
            w * features[0, :, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2]
            for w, (r, c) in zip(weight, outside, strict=True)
        )
        found = borrowed(features, gap)[0, :, 2:4, 2 * col : 2 * col + 2]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_each_sample_has_its_own_gap():
    features = torch.randn(1, 4, 16, 8).expand(2, -1, -1, -1)
    gap = torch.cat([gap_of(), gap_of().roll(4, dims=2)])
    made = borrowed(features, gap)
    torch.testing.assert_close(made[1:], borrowed(features[1:], gap[1:]))
    assert not torch.allclose(made[0], made[1])


def test_neighbourhoods_are_three_by_three():
    features = torch.arange(12.0).reshape(1, 1, 3, 4)
    around = neighbourhoods(features)[0, :, 1, 1]
    assert around.tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10]


def test_the_layer_keeps_the_shape_and_passes_gradients():
    layer = ContextualAttention(4)
    features = torch.randn(2, 4, 16, 8, requires_grad=True)
    made = layer(features, gap_of().expand(2, -1, -1, -1))
    assert made.shape == features.shape
    made.square().sum().backward()
    assert torch.isfinite(features.grad).all()
    assert features.grad.abs().max() > 0
