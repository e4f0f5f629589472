"""The state of an adversarial run on disk: written whole or not at all, refused when foreign."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lamella.records import LamellaError
from lamella.training.contest import Contest

MAY_DIFFER = frozenset(
    ("panel_every_chunks", "log_every_steps", "workers", "devices", "nodes", "accelerator")
)
"""Settings of a :class:`~lamella.training.contest.Pace` that do not change what is learnt."""


@dataclass(kw_only=True)
class Standing:
    """How far a run is.

    Args:
        step: steps done.
        validations: validations done.
        best: best watched metric so far.
        waited: validations of the last stage since then.
    """

    step: int = 0
    validations: int = 0
    best: float = float("-inf")
    waited: int = 0


def settings(contest: Contest) -> dict[str, Any]:
    """What must be the same when a run is taken up again."""
    pace = {key: value for key, value in asdict(contest.pace).items() if key not in MAY_DIFFER}
    stages = {
        f"stage {number}: {what}": getattr(stage, what)
        for number, stage in enumerate(contest.stages, start=1)
        for what in ("name", "steps", "learning_rate", "supervisor_learning_rate")
    }
    has_supervisor = contest.supervisor is not None
    return {**pace, **stages, "watched": contest.watched, "supervisor": has_supervisor}


def save_whole(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint; an interruption leaves the former one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def load_fitting(path: Path, contest: Contest) -> dict[str, Any] | None:
    """The state of the run in a folder, or ``None`` where there is none.

    Raises:
        LamellaError: it was made with other settings, or it is no checkpoint of such a run.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        stored = state["settings"]
    except Exception:  # noqa: BLE001 - torch raises whatever a damaged file makes it raise
        raise LamellaError(
            f"expected a checkpoint of this run, got another file, {path}: choose another folder"
        ) from None
    wanted = settings(contest)
    differing = [key for key in (stored | wanted) if stored.get(key) != wanted.get(key)]
    if differing:
        had = ", ".join(f"{key} = {stored.get(key)}" for key in differing)
        got = ", ".join(str(wanted.get(key)) for key in differing)
        raise LamellaError(
            f"expected the settings of the run in {path.parent}, {had}, got {got}: "
            "keep them or choose another folder"
        )
    return state


def load_weights(network: nn.Module, weights: dict[str, Any], folder: Path) -> None:
    """Put stored weights into a network.

    Raises:
        LamellaError: they belong to another architecture.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError:
        raise LamellaError(
            f"expected the networks of the run in {folder}, got another architecture: "
            "keep it or choose another folder"
        ) from None
