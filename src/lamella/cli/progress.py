"""How far a long command is: on a terminal's standard error, and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
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
