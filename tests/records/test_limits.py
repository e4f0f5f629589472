"""Bounds of a record's fields."""

from types import SimpleNamespace

import pytest

from lamella.records import LamellaError
from lamella.records.limits import refuse_outside

LIMITS = {"noise": (0.0, 0.2), "rows": (32, 8192)}


@pytest.mark.parametrize(("noise", "rows"), [(0.0, 32), (0.2, 8192), (0.1, 100)])
def test_values_up_to_the_bounds_pass(noise, rows):
    refuse_outside(SimpleNamespace(noise=noise, rows=rows), LIMITS)


@pytest.mark.parametrize(
    ("noise", "rows", "told"),
    [
        (0.21, 100, "noise: expected a value from 0 to 0.2, got 0.21; choose noise"),
        (float("nan"), 100, "noise: expected a value from 0 to 0.2, got nan"),
        (0.1, 31, "rows: expected a value from 32 to 8192, got 31"),
    ],
)
def test_the_first_field_beyond_is_named(noise, rows, told):
    with pytest.raises(LamellaError, match=told):
        refuse_outside(SimpleNamespace(noise=noise, rows=rows), LIMITS)
