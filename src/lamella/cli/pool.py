"""Work shared out to a few processes, its results in order and few of them waiting."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from lamella.records import LamellaError

Item = TypeVar("Item")
Result = TypeVar("Result")

WAITING_PER_WORKER = 2
MOST_BY_DEFAULT = 8
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def cores() -> int:
    """Cores this process may use, at most 8."""
    allowed = getattr(os, "sched_getaffinity", None)
    found = len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    return max(1, min(found, MOST_BY_DEFAULT))


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """The results of work on each item, in the items' order.

    At most two items per process are under way, however many there are. With one worker
    everything happens in this process. Ctrl-C reaches this process only: what is under way is
    finished, nothing else is begun.

    Args:
        work: a function of a module, which another process can import.
        items: things that can be pickled.
        workers: processes.

    Raises:
        LamellaError: a process ended before its work was done.
    """
    if workers == 1:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_ignore_ctrl_c)
    try:
        yield from _windowed(pool, work, iter(items), WAITING_PER_WORKER * workers)
    except BrokenProcessPool:
        raise LamellaError(
            "a worker process ended before its work was done (out of memory?): run the same "
            "command again with fewer --workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _windowed(
    pool: ProcessPoolExecutor,
    work: Callable[[Item], Result],
    items: Iterator[Item],
    window: int,
) -> Iterator[Result]:
    first = list(islice(items, window))
    with _born_deaf_to_ctrl_c(), _born_with_one_thread():
        waiting: deque[Future[Result]] = deque(pool.submit(work, item) for item in first)
    while waiting:
        result = waiting.popleft().result()
        waiting.extend(pool.submit(work, item) for item in islice(items, 1))
        yield result


@contextmanager
def _born_deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started inside ignore Ctrl-C from their first moment.

    A signal that is ignored stays so in a new process; else one that still imports would die
    with a traceback.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _born_with_one_thread() -> Iterator[None]:
    """Processes started inside use one thread each, unless the user has said how many.

    Libraries take every core otherwise, and threads of processes side by side wait for one another.
    """
    unsaid = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(unsaid, "1"))
    try:
        yield
    finally:
        for name in unsaid:
            os.environ.pop(name, None)


def _ignore_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
