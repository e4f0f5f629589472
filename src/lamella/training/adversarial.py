"""The adversarial training loop: a generator against a supervisor, stage by stage.

Each step makes images from a batch, updates the generator with the supervisor frozen, then the
supervisor on what was made, detached. Step ``i`` draws its batch from the seed and ``i`` alone,
so a run that was interrupted goes on exactly as it would have. Without a supervisor the same
loop trains a generator alone. See docs/training.md.
"""

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lamella.records import LamellaError
from lamella.training.averages import average_in, average_of, decay
from lamella.training.checkpoints import (
    Standing,
    load_fitting,
    load_weights,
    save_whole,
    settings,
)
from lamella.training.contest import (
    Batch,
    Contest,
    Made,
    Pace,
    Stage,
    chunk_ends,
    place,
    rate,
    tensors_in,
)
from lamella.training.interrupts import Interrupts
from lamella.training.judge import BEST, draw_panel, is_over, judge, keep_best
from lamella.training.launch import Start, fit, show_on_board
from lamella.training.processes import (
    Slice,
    add_up,
    add_up_gradients,
    share_weights,
    world,
)
from lamella.training.progress import RunProgress
from lamella.training.steps import Steps, chance, detached, frozen, named, trainable

__all__ = ["Contest", "Pace", "Stage", "compete"]

LAST = "last.ckpt"


def compete(contest: Contest, folder: Path) -> nn.Module:
    """Train, or go on from ``folder/last.ckpt``, and return the averaged generator.

    Args:
        contest: see :class:`~lamella.training.contest.Contest`.
        folder: receives ``last.ckpt``, ``best.ckpt``, ``log/version_N/metrics.csv`` for each
            start, ``tensorboard/`` and ``panels/``.

    Returns:
        float32, in evaluation mode, on the CPU: the average after the last step, or, where
        ``patience_chunks`` is given, the one with the best watched metric.

    Raises:
        LamellaError: the folder's run had other settings; a loss that is not finite; a validation
            without the watched metric.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, when the run has been saved.
    """
    run = _Run(contest, folder)
    if not is_over(contest, run.standing):
        start = Start(folder=folder, chunks=len(run.ends_left), step=run.standing.step)
        with run.interrupts.guarded(), run.progress:
            fit(run, contest.pace, start)
    if run.stopped:
        raise KeyboardInterrupt
    return run.result()


class _Run(lightning.LightningModule):
    def __init__(self, contest: Contest, folder: Path) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.contest, self.folder = contest, folder
        self.generator = _channels_last(contest.generator)
        self.supervisor = contest.supervisor and _channels_last(contest.supervisor)
        self.averaged = average_of(self.generator)
        self.optimised = [trainable(network) for network in self._networks()]
        self.standing, self.interrupts, self.stopped = Standing(), Interrupts(), False
        self.stored = load_fitting(folder / LAST, contest)
        if self.stored is not None:
            self._take_up(self.stored)
        self.progress = RunProgress(contest.steps, self.standing.step)
        self.losses: dict[str, Tensor] = {}
        self.part, self.images, self.since = 1.0, 0, time.perf_counter()

    # --- what the run is -----------------------------------------------------------------

    @property
    def ends_left(self) -> list[int]:
        """Chunk ends still to be reached."""
        return [end for end in chunk_ends(self.contest) if end > self.standing.step]

    def result(self) -> nn.Module:
        network = self.averaged.cpu().float().eval()
        if self.contest.pace.patience_chunks is not None and (self.folder / BEST).exists():
            best = torch.load(self.folder / BEST, map_location="cpu", weights_only=True)
            network.load_state_dict(best["averaged"])
        return network

    def _networks(self) -> list[nn.Module]:
        return [self.generator] + ([self.supervisor] if self.supervisor is not None else [])

    # --- what Lightning asks for ---------------------------------------------------------

    def train_dataloader(self) -> DataLoader[Slice]:
        step = self.standing.step
        steps = Steps(self.contest, step, min(self.ends_left, default=step))
        workers = self.contest.pace.workers
        return DataLoader(steps, batch_size=None, shuffle=False, num_workers=workers)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        pull = self.contest.pace.weight_decay
        made = [torch.optim.AdamW(group, lr=0.0, weight_decay=pull) for group in self.optimised]
        if self.stored is not None:
            for optimizer, state in zip(made, self.stored["optimizers"], strict=True):
                optimizer.load_state_dict(state)
        self.stored = None
        return list(made)

    def on_train_start(self) -> None:
        share_weights([*self._networks(), self.averaged])
        self.interrupts.watch()

    def on_train_epoch_start(self) -> None:
        self.images, self.since = 0, time.perf_counter()

    def training_step(self, drawn: Slice, _: int) -> None:
        batch, samples = drawn
        self.part = len(tensors_in(batch)[0]) / samples
        step = self.standing.step
        where = place(self.contest.stages, step)
        self._set_rates(where.stage, rate(self.contest, step))
        torch.manual_seed(chance(self.contest.pace.seed, step))
        made, self.losses = self._generator_step(where.stage, batch)
        if self.supervisor is not None:
            self.losses |= self._supervisor_step(where.stage, made, batch)
        average_in(self.averaged, self.generator, decay(self.contest.pace.ema_decay, step))
        self.standing.step += 1
        self.images += samples

    def on_train_batch_end(self, *_: Any) -> None:
        step = self.standing.step
        self.progress.advance(place(self.contest.stages, step - 1).stage.name, step)
        if step % self.contest.pace.log_every_steps == 0:
            self._log_losses()
        if self.stopped:
            self.trainer.should_stop = True
            if step not in chunk_ends(self.contest):
                self._refuse_not_finite(self._means(self.losses))
                self._save()

    def on_train_epoch_end(self) -> None:
        if self.standing.step not in chunk_ends(self.contest):
            return
        self._refuse_not_finite(self._means(self.losses))
        self._validate()
        self._save()
        self.trainer.should_stop = self.stopped or is_over(self.contest, self.standing)

    # --- one step ------------------------------------------------------------------------

    def _generator_step(self, stage: Stage, batch: Batch) -> tuple[Made, dict[str, Tensor]]:
        with frozen(self.optimised[1:]):
            made = self.contest.make(self.generator, batch)
            loss, parts = stage.generator_objective(made, self.supervisor, batch)
            self.stopped |= self._descend(0, loss)
        return detached(made), named("generator", loss, parts)

    def _supervisor_step(self, stage: Stage, made: Made, batch: Batch) -> dict[str, Tensor]:
        assert self.supervisor is not None
        assert stage.supervisor_objective is not None
        loss, parts = stage.supervisor_objective(self.supervisor, made, batch)
        self._descend(1, loss)
        return named("supervisor", loss, parts)

    def _descend(self, number: int, loss: Tensor) -> bool:
        """Update one network; true when a process was asked to end the run."""
        optimizer, parameters = self._optimizers()[number], self.optimised[number]
        optimizer.zero_grad()
        with torch.autocast(self.device.type, enabled=False):
            self.manual_backward(loss)
        wanted = add_up_gradients(parameters, self.part, self.interrupts.wanted)
        nn.utils.clip_grad_norm_(parameters, self.contest.pace.gradient_norm)
        optimizer.step()
        torch.clear_autocast_cache()
        return wanted

    def _optimizers(self) -> list[Any]:
        made = self.optimizers()
        return made if isinstance(made, list) else [made]

    def _set_rates(self, stage: Stage, part: float) -> None:
        peaks = (stage.learning_rate, stage.supervisor_learning_rate)
        for optimizer, peak in zip(self._optimizers(), peaks, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = peak * part

    # --- logs, judgement, checkpoints ------------------------------------------------------

    def _means(self, losses: dict[str, Tensor]) -> dict[str, float]:
        """Losses of the whole batch."""
        values = torch.stack([value.detach().float().mean() for value in losses.values()])
        return dict(zip(losses, add_up(values, self.part).tolist(), strict=True))

    def _log_losses(self) -> None:
        means = self._means(self.losses)
        seconds = time.perf_counter() - self.since
        figures = {
            **means,
            "learning_rate": self._optimizers()[0].param_groups[0]["lr"],
            "images_per_second": self.images / max(seconds, 1e-9),
        }
        self._log(figures)
        self._refuse_not_finite(means)
        self.images, self.since = 0, time.perf_counter()

    def _log(self, figures: dict[str, float]) -> None:
        for logger in self.trainer.loggers:
            logger.log_metrics(figures, self.standing.step)
        shown = ("generator/loss", f"validation/{self.contest.watched}")
        self.progress.tell({name: figures[name] for name in shown if name in figures})

    def _refuse_not_finite(self, losses: dict[str, float]) -> None:
        wrong = [f"{name} = {value}" for name, value in losses.items() if not math.isfinite(value)]
        if wrong:
            raise LamellaError(
                f"expected finite losses, got {', '.join(wrong)} at step {self.standing.step}: "
                f"lower the learning rate; {LAST} is from before"
            )

    def _validate(self) -> None:
        """Judge the average in the first process and tell the others, which wait for it."""
        self.standing.validations += 1
        if world()[0] == 0:
            self._judge()
        told = self.trainer.strategy.broadcast(asdict(self.standing), src=0)
        self.standing = Standing(**told)

    def _judge(self) -> None:
        about = (self.averaged, self.contest, self.standing)
        scores = judge(*about)
        self._log({f"validation/{name}": value for name, value in scores.items()})
        keep_best(*about, score=scores[self.contest.watched], folder=self.folder)
        panel = draw_panel(*about, folder=self.folder)
        if panel is not None:
            show_on_board(self.trainer, panel, self.standing.step)

    def _save(self) -> None:
        """Write the first process's state; no process goes on, or ends, before."""
        if world()[0] == 0:
            save_whole(self._state(), self.folder / LAST)
        self.trainer.strategy.barrier()

    def _state(self) -> dict[str, Any]:
        return {
            "settings": settings(self.contest),
            "standing": asdict(self.standing),
            "networks": [network.state_dict() for network in self._networks()],
            "averaged": self.averaged.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.trainer.optimizers],
        }

    def _take_up(self, state: dict[str, Any]) -> None:
        networks = [*self._networks(), self.averaged]
        for network, weights in zip(networks, [*state["networks"], state["averaged"]], strict=True):
            load_weights(network, weights, self.folder)
        self.standing = Standing(**state["standing"])


def _channels_last(network: nn.Module) -> nn.Module:
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
