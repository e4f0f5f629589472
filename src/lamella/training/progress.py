"""One line on a terminal's standard error: how far a run is and how long it will still take."""

import sys

from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class RunProgress:
    """Progress of a run, in the first of its processes and only on a terminal.

    Args:
        steps: of the whole run.
        done: steps done before this start.
        shown: ``None``: where standard error is a terminal and the process is the first.
    """

    def __init__(self, steps: int, done: int, shown: bool | None = None) -> None:
        if shown is None:
            first = not rank_zero_only.rank  # type: ignore[attr-defined]
            shown = sys.stderr.isatty() and first
        self.figures: dict[str, float] = {}
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True),
            disable=not shown,
        )
        self.task = self.bar.add_task("training", total=steps, completed=done, figures="")

    def __enter__(self) -> "RunProgress":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def advance(self, stage: str, done: int) -> None:
        """Say how many steps are done."""
        self.bar.update(self.task, description=stage, completed=done)

    def tell(self, figures: dict[str, float]) -> None:
        """Show the latest figures behind the time left."""
        self.figures |= figures
        text = "  ".join(f"{name} {value:.4g}" for name, value in self.figures.items())
        self.bar.update(self.task, figures=text)
