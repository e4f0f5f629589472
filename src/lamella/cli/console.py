"""What the commands say, on which stream, and with which exit code."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

DEBUG_VARIABLE = "LAMELLA_DEBUG"


class ExitCode(IntEnum):
    """What the shell learns from a command."""

    OK = 0
    SOME_FAILED = 1
    BAD_INPUT = 2
    INTERNAL = 3
    INTERRUPTED = 130


class UsageError(ValueError):
    """A command line that cannot be followed: one sentence with a remedy."""


def console(stderr: bool = False) -> Console:
    """A console that prints text as it is: no wrapping, no mark-up, no colours guessed."""
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=True, markup=False, highlight=False, emoji=False)


def say(text: str) -> None:
    """One line or more on standard output."""
    console().print(text)


def complain(text: str) -> None:
    """One line on standard error, after the name of the program."""
    console(stderr=True).print(f"lamella: {' '.join(text.split())}")
