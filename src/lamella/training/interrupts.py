"""Ctrl-C and SIGTERM heeded between two steps, where a run can be saved exactly."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Remembers that the run shall end; a second Ctrl-C ends it at once."""

    def __init__(self) -> None:
        self.wanted = False

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Restore the handlers that were there before, whatever happened inside."""
        before = {number: signal.getsignal(number) for number in SIGNALS}
        try:
            yield
        finally:
            if _can_set():
                for number, handler in before.items():
                    signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def watch(self) -> None:
        """From now on remember the signals; outside the main thread nothing can be watched."""
        if _can_set():
            for number in SIGNALS:
                signal.signal(number, self._remember)

    def _remember(self, number: int, _: FrameType | None) -> None:
        if self.wanted and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.wanted = True


def _can_set() -> bool:
    return threading.current_thread() is threading.main_thread()
