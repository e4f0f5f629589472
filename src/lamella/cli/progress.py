"""How far a long command is: on a terminal's standard error, and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


def tracked(items: Sequence[Item], what: str) -> Iterable[Item]:
    """The items, with a progress bar when there are several."""
    if not _is_shown(len(items)):
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, what, console=Console(stderr=True), transient=True)


@contextmanager
def counted(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """A progress bar with the time left; the function it gives is told how many more are done."""
    if not _is_shown(total):
        yield lambda more: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda more: progress.advance(task, more)


@contextmanager
def announced(what: str, count: int) -> Iterator[None]:
    """Say what is done for ``count`` items where no bar can show how far it is."""
    if not _is_shown(count):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def _is_shown(count: int) -> bool:
    return count > 1 and sys.stderr.isatty()
