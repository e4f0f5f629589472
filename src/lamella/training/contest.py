"""What an adversarial run is made of: networks, stages, pace, and the judge of the result."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from torch import Tensor, nn

from lamella.records import LamellaError
from lamella.training.loop import BatchMaker, Validator, cosine

Batch = Any
"""NamedTuple of tensors whose first axis counts samples; fields may be NamedTuples again."""

Made = Any
"""The same kind of record: what the generator made of a batch."""

Losses = tuple[Tensor, dict[str, Tensor]]
GeneratorObjective = Callable[[Made, nn.Module | None, Batch], Losses]
SupervisorObjective = Callable[[nn.Module, Made, Batch], Losses]
Maker = Callable[[nn.Module, Batch], Made]
PanelMaker = Callable[[nn.Module], np.ndarray]

PRECISIONS = ("bf16-mixed", "32-true")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One part of a run: its length, its material, its rates, and what is minimised.

    Args:
        name: for instance "pre-training".
        steps: optimiser steps.
        batches: generator of random numbers -> batch.
        learning_rate: of the generator, at the peak of the stage's cosine.
        generator_objective: (made, supervisor or ``None``, batch) -> loss and named parts; the
            supervisor is frozen there. The loss is a mean over samples.
        supervisor_objective: (supervisor, made, batch) -> likewise; ``made`` is detached.
            ``None`` where the contest has no supervisor.
        supervisor_learning_rate: likewise, of the supervisor.
    """

    name: str
    steps: int
    batches: BatchMaker
    learning_rate: float
    generator_objective: GeneratorObjective
    supervisor_objective: SupervisorObjective | None = None
    supervisor_learning_rate: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How a run goes, whatever is trained.

    Args:
        chunk_steps: steps between validations and checkpoints, counted within a stage.
        warmup_steps: linear rise of the rates at the start of every stage; a cosine to almost
            zero at the stage's end follows.
        weight_decay: of AdamW.
        ema_decay: d of the averaged generator, E = d' E + (1 - d') W after each step with
            d' = min(d, (1 + n) / (10 + n)) after n steps, so that short runs average too.
        gradient_norm: gradients of each network are clipped to this norm.
        patience_chunks: validations of the last stage in a row without a better watched metric,
            after which the run ends; ``None``: never.
        panel_every_chunks: validations from one sample panel to the next.
        log_every_steps: steps from one line of the log to the next.
        workers: processes that prepare batches ahead.
        devices: accelerators, or processes, in each machine.
        nodes: machines.
        accelerator: "cpu", "gpu" or "auto".
        precision: "bf16-mixed" or "32-true".
        seed: of the batches and of the networks' own chance.
    """

    chunk_steps: int = 200
    warmup_steps: int = 50
    weight_decay: float = 1e-2
    ema_decay: float = 0.998
    gradient_norm: float = 1.0
    patience_chunks: int | None = None
    panel_every_chunks: int = 5
    log_every_steps: int = 20
    workers: int = 0
    devices: int = 1
    nodes: int = 1
    accelerator: str = "cpu"
    precision: str = "bf16-mixed"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise LamellaError(
                f"expected a precision among {', '.join(PRECISIONS)}, got {self.precision!r}: "
                "choose one of them"
            )

    @property
    def processes(self) -> int:
        """Processes that train together, each on its slice of every batch."""
        return self.devices * self.nodes


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Everything an adversarial run needs.

    Args:
        generator: trained in place; its moving average is judged and returned.
        supervisor: its adversary; ``None``: plain supervised training.
        make: (generator, batch) -> what the objectives get.
        stages: in their order.
        validate: averaged generator -> metrics. It is called in evaluation mode, without
            gradients and without autocast.
        watched: the metric, higher is better, of early stopping and of the best weights.
        panels: averaged generator -> sample panel in [0, 1], (row, col) or (row, col, 3).
        pace: see :class:`Pace`.
    """

    generator: nn.Module
    supervisor: nn.Module | None
    make: Maker
    stages: tuple[Stage, ...]
    validate: Validator
    watched: str
    panels: PanelMaker | None
    pace: Pace

    def __post_init__(self) -> None:
        if not self.stages or any(stage.steps < 1 for stage in self.stages):
            raise LamellaError("expected stages of 1 step or more: leave out empty ones")
        taught = all(stage.supervisor_objective is not None for stage in self.stages)
        if self.supervisor is not None and not taught:
            raise LamellaError("expected an objective for the supervisor in every stage: give one")

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in its stages a step lies; ``first`` is the stage's first step in the run."""

    stage: Stage
    number: int
    first: int


def tensors_in(record: Any) -> list[Tensor]:
    """Tensors of a NamedTuple in their order, those of nested ones too."""
    if isinstance(record, Tensor):
        return [record]
    fields = record if isinstance(record, tuple) else ()
    return [tensor for field in fields for tensor in tensors_in(field)]


def with_each(record: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same NamedTuple with each tensor changed; what is no tensor stays."""
    if isinstance(record, Tensor):
        return change(record)
    if not isinstance(record, tuple):
        return record
    fields = [with_each(field, change) for field in record]
    return type(record)(*fields) if hasattr(record, "_fields") else tuple(fields)


def place(stages: Sequence[Stage], step: int) -> Place:
    """The place of a step, counted from 0, in the run."""
    ends = list(accumulate(stage.steps for stage in stages))
    number = min(bisect_right(ends, step), len(stages) - 1)
    return Place(stage=stages[number], number=number, first=ends[number] - stages[number].steps)


def chunk_ends(contest: Contest) -> list[int]:
    """Steps done at the end of each chunk; a stage's last chunk may be shorter."""
    ends, first = [], 0
    for stage in contest.stages:
        ends += [first + done for done in range(0, stage.steps, contest.pace.chunk_steps)][1:]
        first += stage.steps
        ends.append(first)
    return ends


def rate(contest: Contest, step: int) -> float:
    """Part of its peak that a learning rate has at a step."""
    where = place(contest.stages, step)
    return cosine(step - where.first, where.stage.steps, contest.pace.warmup_steps)
