"""Work in several processes: results in order, few items waiting, deaths named."""

import itertools
import math
import os

import pytest

from lamella.cli.pool import WAITING_PER_WORKER, cores, in_order
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


def test_there_is_a_core():
    assert 1 <= cores() <= 8
