"""The moving average of a network's weights, which is what is judged and kept."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def average_of(network: nn.Module) -> nn.Module:
    """A copy to be averaged into; it takes no gradients."""
    return copy.deepcopy(network).requires_grad_(False)


def decay(limit: float, steps_done: int) -> float:
    """D' = min(d, (1 + n) / (10 + n)) after n steps: quick at first, d in the long run."""
    return min(limit, (1 + steps_done) / (10 + steps_done))


@torch.no_grad()
def average_in(averaged: nn.Module, network: nn.Module, kept: float) -> None:
    """E = d' E + (1 - d') W for the parameters, ``kept`` being d'; buffers are taken over."""
    torch._foreach_lerp_(list(averaged.parameters()), list(network.parameters()), 1.0 - kept)
    for buffer, now in zip(averaged.buffers(), network.buffers(), strict=True):
        buffer.copy_(now)


@contextmanager
def judged(network: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; training mode again afterwards."""
    network.eval()
    with torch.no_grad():
        yield
    network.train()
