"""At the end of each chunk: metrics of the averaged generator, its best weights, its panel."""

from pathlib import Path

import numpy as np
from torch import nn

from lamella.records import LamellaError
from lamella.training.averages import judged
from lamella.training.checkpoints import Standing, save_whole
from lamella.training.contest import Contest, place
from lamella.training.panels import save_panel

BEST = "best.ckpt"


def is_over(contest: Contest, standing: Standing) -> bool:
    """Whether all steps are done or patience is at its end."""
    patience = contest.pace.patience_chunks
    tired = patience is not None and standing.waited >= patience
    return tired or standing.step >= contest.steps


def judge(averaged: nn.Module, contest: Contest, standing: Standing) -> dict[str, float]:
    """Metrics of the averaged generator.

    Raises:
        LamellaError: the watched metric is not among them.
    """
    with judged(averaged):
        scores = contest.validate(averaged)
    if contest.watched not in scores:
        raise LamellaError(
            f"expected the watched metric {contest.watched!r}, got {', '.join(scores)} at step "
            f"{standing.step}: watch one of these"
        )
    return {name: float(value) for name, value in scores.items()}


def keep_best(
    averaged: nn.Module, contest: Contest, standing: Standing, *, score: float, folder: Path
) -> None:
    """Write ``best.ckpt`` when the watched metric is the best so far, else lose patience.

    Only validations of the last stage can exhaust patience: earlier stages prepare it.
    """
    if score > standing.best:
        standing.best, standing.waited = score, 0
        best = {"averaged": averaged.state_dict(), "step": standing.step, "score": score}
        save_whole(best, folder / BEST)
    elif place(contest.stages, standing.step - 1).number == len(contest.stages) - 1:
        standing.waited += 1


def draw_panel(
    averaged: nn.Module, contest: Contest, standing: Standing, folder: Path
) -> np.ndarray | None:
    """The sample panel, written to the folder, or ``None`` where none is due."""
    due = standing.validations % contest.pace.panel_every_chunks == 0
    if contest.panels is None or not (due or is_over(contest, standing)):
        return None
    with judged(averaged):
        panel = contest.panels(averaged)
    save_panel(panel, folder, standing.step)
    return panel
