"""Pieces of one step: its batch, its chance, and who may learn from what."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from torch import Tensor, nn
from torch.utils.data import Dataset

from lamella.training.contest import Contest, Made, place, with_each
from lamella.training.processes import Slice, slice_of, world


class Steps(Dataset[Slice]):
    """This process's slices of the batches of steps ``first`` up to ``end``.

    Step ``i`` of a run draws its batch from the seed and ``i`` alone.
    """

    def __init__(self, contest: Contest, first: int, end: int) -> None:
        self.contest, self.first, self.end = contest, first, end
        self.rank, self.processes = world()

    def __len__(self) -> int:
        return self.end - self.first

    def __getitem__(self, number: int) -> Slice:
        step = self.first + number
        rng = np.random.default_rng([self.contest.pace.seed, step])
        batch = place(self.contest.stages, step).stage.batches(rng)
        return slice_of(batch, self.rank, self.processes)


def chance(seed: int, step: int) -> int:
    """A seed for torch at a step of this process: dropout too replays when a run goes on."""
    return int(np.random.SeedSequence((seed, step, world()[0])).generate_state(1)[0])


def trainable(network: nn.Module) -> list[nn.Parameter]:
    """Parameters that an optimiser may change."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


@contextmanager
def frozen(groups: Sequence[Sequence[nn.Parameter]]) -> Iterator[None]:
    """Trainable parameters that gradients pass by for a while."""
    parameters = [parameter for group in groups for parameter in group]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def detached(made: Made) -> Made:
    """The same tensors without the way they were made."""
    return with_each(made, Tensor.detach)


def named(who: str, loss: Tensor, parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """A loss and its parts under the name of the network they teach."""
    return {f"{who}/{name}": part for name, part in {"loss": loss, **parts}.items()}
