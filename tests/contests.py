"""A very small contest: mirror an image, against a supervisor. Also run as a program of its own.

``python contests.py FOLDER PORT`` trains it in two processes that meet at the port.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lamella.training.adversarial import Contest, Pace, Stage, compete
from lamella.training.contest import Losses

PACE = Pace(
    chunk_steps=4,
    warmup_steps=2,
    ema_decay=0.5,
    log_every_steps=1,
    panel_every_chunks=2,
    precision="32-true",
    seed=3,
)


class Pair(NamedTuple):
    image: Tensor
    mirrored: Tensor


class Material(NamedTuple):
    """Nested, as records of bones are."""

    pair: Pair


class Made(NamedTuple):
    image: Tensor


def batch(rng: np.random.Generator, size: int = 4) -> Material:
    image = torch.from_numpy(rng.random((size, 1, 8, 8), dtype=np.float32))
    return Material(Pair(image, image.flip(-1)))


def generator(chance: float = 0.1) -> nn.Module:
    """With dropout, so that a run has chance of its own."""
    torch.manual_seed(4)
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.SiLU(), nn.Dropout(chance), nn.Conv2d(8, 1, 1)]
    return nn.Sequential(*layers)


def supervisor() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.SiLU(), nn.Conv2d(4, 1, 1))


def make(network: nn.Module, material: Material) -> Made:
    return Made(network(material.pair.image).float())


def generator_objective(made: Made, judge: nn.Module | None, material: Material) -> Losses:
    error = (made.image - material.pair.mirrored).square().mean()
    found = judge(made.image).float() if judge is not None else torch.zeros(1)
    loss = error + 0.1 * (found - 1).square().mean()
    return loss, {"error": error.detach()}


def supervisor_objective(judge: nn.Module, made: Made, material: Material) -> Losses:
    real = (judge(material.pair.mirrored).float() - 1).square().mean()
    fake = judge(made.image).float().square().mean()
    return real + fake, {"real": real.detach(), "fake": fake.detach()}


def stage(steps: int, **changes: Any) -> Stage:
    made = Stage(
        name="main",
        steps=steps,
        batches=batch,
        learning_rate=0.02,
        supervisor_learning_rate=0.01,
        generator_objective=generator_objective,
        supervisor_objective=supervisor_objective,
    )
    return replace(made, **changes)


def score(network: nn.Module) -> dict[str, float]:
    material = batch(np.random.default_rng(99), size=16)
    error = make(network, material).image.detach() - material.pair.mirrored
    return {"fidelity": -error.square().mean().item()}


def contest(**changes: Any) -> Contest:
    """Twelve steps in two stages; entries of Contest and Pace can be changed by name."""
    of_pace = {key: changes.pop(key) for key in list(changes) if hasattr(PACE, key)}
    made = Contest(
        generator=generator(),
        supervisor=supervisor(),
        make=make,
        stages=(stage(5, name="pre-training", learning_rate=0.03), stage(7)),
        validate=score,
        watched="fidelity",
        panels=None,
        pace=replace(PACE, **of_pace),
    )
    return replace(made, **changes)


def acting(action: Callable[[int], None], **changes: Any) -> Contest:
    """A contest that does something at the start of each step; the step is counted from 0."""
    step = [0]

    def acts(made: Made, judge: nn.Module | None, material: Material) -> Losses:
        step[0] += 1
        action(step[0] - 1)
        return generator_objective(made, judge, material)

    stages = tuple(replace(each, generator_objective=acts) for each in contest().stages)
    return contest(stages=stages, **changes)


def weights(network: nn.Module) -> np.ndarray:
    return np.concatenate([weight.detach().numpy().ravel() for weight in network.parameters()])


def main(folder: Path, processes: int) -> None:
    """Without dropout, whose chance differs from process to process; batches of uneven slices."""
    stages = (stage(5, batches=lambda rng: batch(rng, size=5)),)
    compete(contest(generator=generator(0.0), devices=processes, stages=stages), folder)


def main_of_two(folder: Path, port: int) -> None:
    """Both processes, as torchrun starts them, from one that has imported what both need."""
    child = os.fork()
    rank = "0" if child else "1"
    ranks = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "test"}
    sizes = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo"}
    os.environ.update(ranks | sizes, MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    main(folder, 2)
    if child and os.waitpid(child, 0)[1] != 0:
        raise SystemExit("the second process failed")


if __name__ == "__main__":
    main_of_two(Path(sys.argv[1]), int(sys.argv[2]))
