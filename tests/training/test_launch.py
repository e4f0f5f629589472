"""Lightning's trainer for a run."""

import logging

import lightning
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from contests import PACE
from lamella.training.launch import Start, fit, show_on_board


class Counting(lightning.LightningModule):
    """Counts its steps and can fail at the first."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.error, self.steps = error, 0
        self.layer = torch.nn.Linear(1, 1)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(list(torch.zeros(3)), batch_size=None)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def training_step(self, *_: torch.Tensor) -> None:
        if self.error is not None:
            raise self.error
        self.steps += 1
        for logger in self.trainer.loggers:
            logger.log_metrics({"steps": self.steps}, self.steps)
        show_on_board(self.trainer, np.zeros((2, 2)), self.steps)


@pytest.fixture
def start(tmp_path) -> Start:
    return Start(folder=tmp_path, chunks=2, step=5)


def test_a_chunk_is_an_epoch_and_both_logs_are_written(start, capfd):
    module = Counting()
    fit(module, PACE, start)
    assert module.steps == 6
    assert (start.folder / "log" / "version_0" / "metrics.csv").is_file()
    (events,) = (start.folder / "tensorboard").glob("events.*")
    assert b"panel" in events.read_bytes()
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("lightning.pytorch").level != logging.WARNING


def test_ctrl_c_reaches_the_caller(start):
    with pytest.raises(KeyboardInterrupt):
        fit(Counting(KeyboardInterrupt()), PACE, start)


@pytest.mark.parametrize("error", [SystemExit(3), ValueError("odd")])
def test_other_ends_reach_the_caller_as_they_are(start, error):
    with pytest.raises(type(error)) as ended:
        fit(Counting(error), PACE, start)
    assert ended.value is error
