"""Grad-CAM++ in closed form, for features that are pooled globally and weighed linearly.

With features A_k >= 0 of N places, the score y = sum_k w_k mean(A_k) + b has the constant
gradient g_k = w_k / N. Grad-CAM++ (Chattopadhay et al., WACV 2018) as published,

    alpha_k = g_k^2 / (2 g_k^2 + g_k^3 sum A_k),
    map = ReLU(sum_k [sum over places of alpha_k ReLU(exp(y) g_k)] A_k),

is then ``exp(y) sum_k ReLU(w_k) A_k / (2 + w_k mean(A_k))``, without a gradient.
"""

from __future__ import annotations

from torch import Tensor


def attention_map(features: Tensor, weights: Tensor) -> Tensor:
    """Grad-CAM++ over exp(y), at least 0.

    Not scaled slice by slice: a healthy slice's map stays as low as its evidence.

    Args:
        features: A, (B, K, H, W), at least 0.
        weights: w of the linear layer for "fractured", (K,).

    Returns:
        (B, H, W), in units of the score.
    """
    evidence = weights.clamp_min(0.0) / (2.0 + weights.clamp_min(0.0) * features.mean(dim=(2, 3)))
    return (evidence[:, :, None, None] * features).sum(dim=1)


def heat(evidence: Tensor, probability: Tensor) -> Tensor:
    """``p m / (1 + m)``: a map in [0, 1) on one scale for all slices, p the fracture's probability.

    Args:
        evidence: m, (B, H, W).
        probability: p, (B,).
    """
    return probability[:, None, None] * evidence / (1.0 + evidence)
