"""One training loop for every network: Lightning, cosine schedule, EMA, resumable by chunks.

A run is a sequence of steps; step ``i`` draws its batch from ``seed`` and ``i`` alone, so a
resumed run sees the batches an uninterrupted one would have seen. Checkpoints are written at
the end of each chunk of steps.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

Objective = Callable[[nn.Module, Any], tuple[Tensor, dict[str, Tensor]]]
BatchMaker = Callable[[np.random.Generator], Any]
Validator = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast to train.

    Args:
        steps: optimiser steps in all.
        chunk_steps: steps between checkpoints and validations.
        learning_rate: peak of the cosine, after ``warmup_steps``.
        warmup_steps: linear rise from 0.
        weight_decay: of AdamW.
        ema_decay: of the averaged weights, which are validated and exported.
        gradient_norm: gradients are clipped to this norm.
        workers: processes that prepare batches ahead.
        seed: of weights and batches.
    """

    steps: int
    chunk_steps: int = 200
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    weight_decay: float = 1e-2
    ema_decay: float = 0.998
    gradient_norm: float = 1.0
    workers: int = 0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything a run needs: a network, what it minimises, its batches and its judge."""

    network: nn.Module
    objective: Objective
    batches: BatchMaker
    validate: Validator
    schedule: Schedule


def seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A network whose first weights depend on the seed alone; torch's generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def fit(job: Job, folder: Path) -> nn.Module:
    """Train, or go on from ``folder/last.ckpt``, and return the averaged network.

    Args:
        job: see :class:`Job`.
        folder: receives ``last.ckpt`` and, for each start, ``log/version_N/metrics.csv``.
    """
    module = _Module(job)
    trainer = lightning.Trainer(
        max_epochs=-(-job.schedule.steps // job.schedule.chunk_steps),
        accelerator="cpu",
        precision="bf16-mixed",
        gradient_clip_val=job.schedule.gradient_norm,
        callbacks=[
            EMAWeightAveraging(decay=job.schedule.ema_decay),
            ModelCheckpoint(
                dirpath=folder,
                filename="last",
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            ),
        ],
        logger=CSVLogger(folder, name="log"),
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=20,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )
    checkpoint = folder / "last.ckpt"
    trainer.fit(module, ckpt_path=checkpoint if checkpoint.exists() else None)
    # The averaged weights; Lightning leaves the last step's in a run that was finished before.
    module.load_state_dict(torch.load(checkpoint, weights_only=True)["state_dict"])
    return module.network


class _Steps(Dataset[Any]):
    """Batches ``first .. first + count`` of a run, each from (seed, number) alone."""

    def __init__(self, job: Job, first: int) -> None:
        self.job, self.first = job, first

    def __len__(self) -> int:
        schedule = self.job.schedule
        return min(schedule.chunk_steps, schedule.steps - self.first)

    def __getitem__(self, number: int) -> Any:
        rng = np.random.default_rng([self.job.schedule.seed, self.first + number])
        return self.job.batches(rng)


class _Module(lightning.LightningModule):
    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job
        self.network = job.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.save_hyperparameters(asdict(job.schedule))

    def train_dataloader(self) -> DataLoader[Any]:
        first = self.trainer.current_epoch * self.job.schedule.chunk_steps
        steps = _Steps(self.job, first)
        workers = self.job.schedule.workers
        return DataLoader(steps, batch_size=None, shuffle=False, num_workers=workers)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(TensorDataset(torch.zeros(1)), batch_size=None)

    def training_step(self, batch: Any, _: int) -> Tensor:
        loss, parts = self.job.objective(self.network, batch)
        self.log_dict({"loss": loss, **parts}, on_step=True, prog_bar=True)
        return loss

    def validation_step(self, *_: Any) -> None:
        scores = self.job.validate(self.network)
        self.log_dict(scores, prog_bar=True, batch_size=1)

    def configure_optimizers(self) -> Any:
        schedule = self.job.schedule
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
        )
        rate = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: cosine(step, schedule.steps, schedule.warmup_steps)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}


def cosine(step: int, steps: int, warmup_steps: int) -> float:
    """Part of its peak that a rate has at a step: a linear rise, then a cosine to 0.001."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, steps - warmup_steps)
    return 0.5 * (1.0 + float(np.cos(np.pi * min(1.0, progress)))) + 1e-3
