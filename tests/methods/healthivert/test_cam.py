"""Grad-CAM++ in closed form against the gradient."""

import torch

from lamella.methods.healthivert.cam import attention_map, heat


def by_gradient(features, weights, bias):
    """The published formula with every derivative by autograd."""
    features = features.detach().requires_grad_()
    score = features.mean(dim=(2, 3)) @ weights + bias
    gradient = torch.autograd.grad(score.sum(), features)[0]
    total = features.sum(dim=(2, 3), keepdim=True)
    alpha = gradient**2 / (2 * gradient**2 + total * gradient**3)
    positive = torch.relu(torch.exp(score)[:, None, None, None] * gradient)
    weight = (alpha * positive).sum(dim=(2, 3), keepdim=True)
    return torch.relu((weight * features).sum(dim=1)).detach(), score.detach()


def test_the_closed_form_is_the_gradients_map_over_exp_of_the_score():
    generator = torch.Generator().manual_seed(1)
    features = torch.rand(3, 7, 5, 4, generator=generator, dtype=torch.float64)
    weights = torch.randn(7, generator=generator, dtype=torch.float64)
    expected, score = by_gradient(features, weights, 0.3)
    found = attention_map(features, weights) * torch.exp(score)[:, None, None]
    torch.testing.assert_close(found, expected)
    assert expected.max() > 0.1


def test_a_slice_without_evidence_stays_cold_and_a_flat_one_is_no_division_by_zero():
    weights = torch.tensor([1.0, -2.0])
    assert not attention_map(torch.zeros(1, 2, 3, 3), weights).any()
    against = torch.tensor([0.0, 5.0])[None, :, None, None].expand(1, 2, 3, 3)
    assert not attention_map(against, weights).any()


def test_heat_is_on_one_scale_and_weighed_by_the_probability():
    evidence = torch.tensor([[[0.0, 1.0, 3.0]]]).expand(2, 1, 3)
    hot = heat(evidence, torch.tensor([1.0, 0.1]))
    torch.testing.assert_close(hot[0, 0], torch.tensor([0.0, 0.5, 0.75]))
    torch.testing.assert_close(hot[1], 0.1 * hot[0])
