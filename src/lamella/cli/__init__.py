"""The command line: ``lamella separate``, ``measure``, ``spine``, ``demo``, ``info`` and more.

Starting up loads no numerical library: each command imports what it needs when it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from lamella import __version__
from lamella.cli import (
    demo,
    develop,
    doctor,
    info,
    measure,
    narrowing,
    panel,
    separate,
    spine,
    synthesize,
)
from lamella.cli.console import DEBUG_VARIABLE, ExitCode, UsageError, complain, console

app = App(
    name="lamella",
    help="Takes bone images apart into layers and measures them. Research use only.",
    version=__version__,
)
for _command in (
    separate.separate,
    synthesize.synthesize,
    measure.measure,
    narrowing.narrowing,
    spine.spine,
    panel.panel,
    demo.demo,
    info.info,
    doctor.doctor,
    develop.train,
    develop.evaluate,
):
    app.command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: words of the command line after ``lamella``; those of the process if None.

    Returns:
        0 done; 1 some images of several failed or were refused, or a check failed; 2 bad usage
        or input, nothing written; 3 a fault of Lamella's; 130 stopped with Ctrl-C.
    """
    _accept_any_character()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
        return int(command(*bound.args, **bound.kwargs) or ExitCode.OK)
    except KeyboardInterrupt:
        complain("interrupted")
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 -- the one place that turns any error into a line
        return _failed(error)


def _failed(error: Exception) -> ExitCode:
    if _is_input_error(error):
        complain(str(error))
        return ExitCode.BAD_INPUT
    if os.environ.get(DEBUG_VARIABLE):
        console(stderr=True).print_exception()
    complain(
        f"internal error {type(error).__name__}, please report; "
        f"run with {DEBUG_VARIABLE}=1 for the traceback"
    )
    return ExitCode.INTERNAL


def _is_input_error(error: Exception) -> bool:
    if isinstance(error, UsageError | CycloptsError):
        return True
    from lamella.records import LamellaError

    return isinstance(error, LamellaError)


def _accept_any_character() -> None:
    """Print what the terminal's encoding lacks as an escape instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
