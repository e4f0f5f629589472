"""Several processes on one batch: each takes a slice, and gradients are added up by hand.

Two networks that are trained in turn in one step do not fit the wrapper of PyTorch's
DistributedDataParallel, which expects one forward and one backward pass. So the networks stay
outside of it, and each step adds up the gradients of each network in a single ``all_reduce``.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import torch
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, distributed, nn

from lamella.records import LamellaError
from lamella.training.contest import Batch, tensors_in, with_each


class Slice(NamedTuple):
    """A process's part of a batch, and the batch's number of samples."""

    batch: Batch
    samples: int


class TogetherStrategy(DDPStrategy):
    """Lightning's processes and their launch without DistributedDataParallel's wrapper."""

    def configure_ddp(self) -> None:
        """Leave the networks unwrapped."""


def world() -> tuple[int, int]:
    """Number of this process and of all."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def allotted() -> tuple[int, int]:
    """Devices in each machine and machines: torchrun's or SLURM's, else every GPU that is here."""
    said = os.environ
    if "LOCAL_WORLD_SIZE" in said:
        here = int(said["LOCAL_WORLD_SIZE"])
        return here, int(said["WORLD_SIZE"]) // here
    if "SLURM_NTASKS_PER_NODE" in said:
        return int(said["SLURM_NTASKS_PER_NODE"]), int(said.get("SLURM_NNODES", "1"))
    return max(1, torch.cuda.device_count()), 1


def is_first() -> bool:
    """Whether this process writes what is written once, also after the others have gone."""
    return int(rank_zero_only.rank) == 0  # type: ignore[attr-defined]


def slice_of(batch: Batch, rank: int, processes: int) -> Slice:
    """Samples ``rank``, ``rank + processes``, ... of a NamedTuple of tensors.

    Raises:
        LamellaError: fewer samples than processes.
    """
    samples = len(tensors_in(batch)[0])
    if samples < processes:
        raise LamellaError(
            f"expected a sample for each of {processes} processes, got a batch of {samples}: "
            "take larger batches or fewer devices"
        )
    if processes == 1:
        return Slice(batch, samples)
    return Slice(with_each(batch, lambda tensor: tensor[rank::processes]), samples)


@torch.no_grad()
def share_weights(networks: Sequence[nn.Module]) -> None:
    """Give every process the weights and buffers of the first."""
    if world()[1] == 1:
        return
    for network in networks:
        for tensor in (*network.parameters(), *network.buffers()):
            sent = tensor.clone(memory_format=torch.contiguous_format)
            distributed.broadcast(sent, src=0)
            tensor.copy_(sent)


def add_up_gradients(parameters: Sequence[nn.Parameter], part: float, flag: bool = False) -> bool:
    """Replace the gradients of a slice's mean loss by those of the whole batch's mean loss.

    With g_r from process r, whose slice is the part p_r of the batch: g = sum_r p_r g_r. A
    parameter that no process reached keeps no gradient.

    Args:
        parameters: the same in all processes.
        part: of the batch's samples that this process has.
        flag: travels along.

    Returns:
        whether any process raised its flag.
    """
    if world()[1] == 1:
        return flag
    found = [parameter.grad for parameter in parameters]
    marks = torch.tensor([*(grad is not None for grad in found), flag], dtype=torch.float32)
    pieces = [
        (torch.zeros_like(parameter) if grad is None else grad * part).flatten().float()
        for parameter, grad in zip(parameters, found, strict=True)
    ]
    whole = torch.cat([*pieces, marks.to(pieces[0].device)])
    distributed.all_reduce(whole)
    *reached, flags = whole[-len(marks) :].tolist()
    sizes = [parameter.numel() for parameter in parameters]
    sums = torch.split(whole[: -len(marks)], sizes)
    for parameter, total, count in zip(parameters, sums, reached, strict=True):
        parameter.grad = total.view(parameter.shape).to(parameter) if count else None
    return bool(flags)


def add_up(values: Tensor, part: float) -> Tensor:
    """Means over the batch from the means over its slices, (value,)."""
    if world()[1] == 1:
        return values
    values = values * part
    distributed.all_reduce(values)
    return values
