"""Speed of training: ``lamella evaluate training_speed``. Random images; needs no data.

One training step is a generator's turn and a supervisor's. It is timed in Lamella's loop
(:func:`lamella.training.adversarial.compete`) and in a plain PyTorch loop of the same networks,
losses, batch and precision, in turns; the fastest step of each turn counts, since other work
on the processor only ever adds time.
"""

import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lamella.evaluation.results import markdown_table, save
from lamella.nets.unet import ResidualUNet
from lamella.training.adversarial import Contest, Pace, Stage, compete
from lamella.training.contest import Losses
from lamella.training.loop import seeded

BATCH = 4
ROWS_PX, COLS_PX = 64, 96
GENERATOR_WIDTHS = (24, 48, 72, 96)
SUPERVISOR_WIDTHS = (16, 24, 32, 48)
ROUNDS = 9
STEPS = 10
UNTIMED_STEPS = 2
TARGET = 0.95


class Images(NamedTuple):
    """Three maps in, two out, (B, channels, H, W)."""

    seen: Tensor
    truth: Tensor


class Made(NamedTuple):
    """Layer images, (B, 2, H, W)."""

    layers: Tensor


class Mapping(nn.Module):
    """A residual U-Net with a 1 x 1 convolution behind it: (B, in, H, W) -> (B, out, H, W)."""

    def __init__(self, channels_in: int, channels_out: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.body = ResidualUNet(channels_in, widths)
        self.head = nn.Conv2d(widths[0], channels_out, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Map an image."""
        mapped: Tensor = self.head(self.body(image)[-1])
        return mapped


@dataclass(kw_only=True)
class Clock:
    """Gives out one batch again and again and notes when it was asked for."""

    images: Images
    times_s: list[float] = field(default_factory=list)

    def __call__(self, _: np.random.Generator) -> Images:
        """The batch."""
        self.times_s.append(time.perf_counter())
        return self.images

    def step_s(self) -> float:
        """Shortest time from one batch to the next, in seconds, without the first steps."""
        return float(np.diff(self.times_s)[UNTIMED_STEPS:].min())


def evaluate(data: Path | None, out: Path) -> str:
    """Measure images per second of both loops on this machine.

    Args:
        data: ignored: random images serve.
        out: folder for ``training_speed.json`` and ``training_speed.md``.
    """
    pairs = [(timed(lamella_loop), timed(plain_loop)) for _ in range(ROUNDS)]
    ours, plain = (BATCH / np.array(seconds) for seconds in zip(*pairs, strict=True))
    ratio = float(np.median(ours / plain))
    figures = {
        "lamella_images_per_second": float(np.median(ours)),
        "plain_images_per_second": float(np.median(plain)),
        "ratio": ratio,
        "ratio_of_rounds": sorted(float(each) for each in ours / plain),
        "target_ratio": TARGET,
    }
    about = {
        "batch": BATCH,
        "image_px": [ROWS_PX, COLS_PX],
        "precision": "bf16-mixed",
        "threads": torch.get_num_threads(),
        "processor": platform.processor() or platform.machine(),
    }
    table = markdown_table(
        ["training, generator and supervisor", "images per second"],
        [
            ["Lamella", figures["lamella_images_per_second"]],
            ["plain PyTorch loop", figures["plain_images_per_second"]],
            [f"ratio, median of {ROUNDS} rounds (target >= {TARGET})", ratio],
        ],
    )
    return save(out, "training_speed", {"figures": figures, "about": about}, table)


def timed(loop: Callable[[Clock], None]) -> float:
    """Seconds per step of a loop."""
    clock = Clock(images=images())
    loop(clock)
    return clock.step_s()


def images() -> Images:
    """A random batch, the same each time."""
    rng = np.random.default_rng(0)
    seen = rng.random((BATCH, 3, ROWS_PX, COLS_PX), dtype=np.float32)
    return Images(torch.from_numpy(seen), torch.from_numpy(seen[:, :2].copy()))


def networks() -> tuple[nn.Module, nn.Module]:
    """Generator and supervisor, the same each time."""
    return (
        seeded(lambda: Mapping(3, 2, GENERATOR_WIDTHS), 0),
        seeded(lambda: Mapping(2, 1, SUPERVISOR_WIDTHS), 1),
    )


def made_by(network: nn.Module, batch: Images) -> Made:
    """The generator's layers."""
    return Made(torch.sigmoid(network(batch.seen).float()))


def generator_loss(made: Made, supervisor: nn.Module | None, batch: Images) -> Losses:
    """Mean squared error and the supervisor's verdict."""
    error = (made.layers - batch.truth).square().mean()
    verdict = error if supervisor is None else (supervisor(made.layers).float() - 1).square().mean()
    return error + 0.1 * verdict, {"error": error.detach()}


def supervisor_loss(supervisor: nn.Module, made: Made, batch: Images) -> Losses:
    """Least squares: true layers 1, made ones 0."""
    real = (supervisor(batch.truth).float() - 1).square().mean()
    fake = supervisor(made.layers).float().square().mean()
    return real + fake, {"real": real.detach(), "fake": fake.detach()}


def lamella_loop(clock: Clock) -> None:
    """A run of Lamella's loop; all that it does between two steps counts."""
    generator, supervisor = networks()
    stage = Stage(
        name="timed",
        steps=STEPS,
        batches=clock,
        learning_rate=1e-3,
        supervisor_learning_rate=1e-3,
        generator_objective=generator_loss,
        supervisor_objective=supervisor_loss,
    )
    contest = Contest(
        generator=generator,
        supervisor=supervisor,
        make=made_by,
        stages=(stage,),
        validate=lambda _: {"nothing": 0.0},
        watched="nothing",
        panels=None,
        pace=Pace(chunk_steps=STEPS),
    )
    with tempfile.TemporaryDirectory() as folder:
        compete(contest, Path(folder))


def plain_loop(clock: Clock) -> None:
    """The same steps with PyTorch alone: no averages, logs or checkpoints."""
    generator, supervisor = (_channels_last(network) for network in networks())
    first = torch.optim.AdamW(generator.parameters(), lr=1e-3)
    second = torch.optim.AdamW(supervisor.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        batch = clock(rng)
        supervisor.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16):
            made = made_by(generator, batch)
            loss, _ = generator_loss(made, supervisor, batch)
        _descend(generator, first, loss)
        supervisor.requires_grad_(True)
        with torch.autocast("cpu", torch.bfloat16):
            loss, _ = supervisor_loss(supervisor, Made(made.layers.detach()), batch)
        _descend(supervisor, second, loss)


def _descend(network: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()


def _channels_last(network: nn.Module) -> nn.Module:
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
