"""Work in several processes: results in order, few items waiting, deaths named."""

import itertools
import math
import os

import pytest

from lamella.cli.pool import THREADS, WAITING_PER_WORKER, cores, in_order
from lamella.records import LamellaError


def test_one_worker_is_this_process():
    taken = []

    def items():
        for number in range(5):
            taken.append(number)
            yield number

    results = in_order(lambda number: number**2, items(), 1)
    assert next(results) == 0
    assert taken == [0]
    assert list(results) == [1, 4, 9, 16]


def test_two_workers_keep_the_order_and_take_few_ahead():
    taken = itertools.count()
    items = (next(taken) for _ in range(40))
    results = in_order(math.sqrt, items, 2)
    assert next(results) == 0.0
    assert next(taken) <= 2 * WAITING_PER_WORKER + 2
    rest = list(results)
    assert rest == sorted(rest)


def test_a_process_that_dies_is_one_sentence():
    with pytest.raises(LamellaError, match="fewer --workers"):
        list(in_order(os._exit, [3], 2))


def test_errors_of_the_work_are_the_callers():
    with pytest.raises(ValueError, match="math domain"):
        list(in_order(math.sqrt, [4, -1], 2))


def test_processes_side_by_side_have_one_thread_each_unless_told(monkeypatch):
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    assert list(in_order(os.getenv, THREADS, 2)) == ["1"] * len(THREADS)
    assert not set(THREADS) & set(os.environ)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert list(in_order(os.getenv, ["OMP_NUM_THREADS"], 2)) == ["3"]


def test_there_is_a_core():
    assert 1 <= cores() <= 8
