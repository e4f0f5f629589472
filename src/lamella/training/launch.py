"""Lightning's trainer for a run: processes, loggers, and an end that can be told from Ctrl-C."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from lamella.training.contest import Pace
from lamella.training.panels import show_panel
from lamella.training.processes import TogetherStrategy

NOISE = (".*does not have many workers.*", ".*treespec, LeafSpec.*", ".*experiment logs.*")


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start of a run: where it writes, the chunks that are left, the steps already done."""

    folder: Path
    chunks: int
    step: int


def fit(module: lightning.LightningModule, pace: Pace, start: Start) -> None:
    """Fit without Lightning's banners; torch's own chance stays as it was.

    Raises:
        KeyboardInterrupt: where Lightning would end the whole program after Ctrl-C.
    """
    try:
        with _quiet(), torch.random.fork_rng(devices=[]):
            _trainer(pace, start).fit(module)
    except SystemExit as ended:
        if isinstance(ended.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


def show_on_board(trainer: lightning.Trainer, panel: np.ndarray, step: int) -> None:
    """Add a sample panel to the run's TensorBoard."""
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            show_panel(panel, logger.experiment, step)


def _trainer(pace: Pace, start: Start) -> lightning.Trainer:
    """One epoch of Lightning's is one chunk."""
    csv = CSVLogger(start.folder, name="log", flush_logs_every_n_steps=1)
    board = TensorBoardLogger(start.folder, name="tensorboard", version="", purge_step=start.step)
    return lightning.Trainer(
        max_epochs=start.chunks,
        accelerator=pace.accelerator,
        devices=pace.devices,
        num_nodes=pace.nodes,
        strategy=TogetherStrategy() if pace.processes > 1 else "auto",
        precision=pace.precision,  # type: ignore[arg-type]
        logger=[csv, board],
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    logs = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [log.level for log in logs]
    try:
        for log in logs:
            log.setLevel(logging.WARNING)
        with warnings.catch_warnings():
            for noise in NOISE:
                warnings.filterwarnings("ignore", message=noise)
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
