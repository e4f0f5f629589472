"""Ranges: ends included, digits kept, nonsense refused in one line."""

import pytest

from lamella.cli.console import UsageError
from lamella.cli.ranges import span, widths_mm


def test_a_range_holds_both_ends():
    widths = widths_mm("0:3:0.1")
    assert len(widths) == 31
    assert (widths[0], widths[7], widths[-1]) == (0.0, 0.7, 3.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-1:1:0.5", (-1.0, -0.5, 0.0, 0.5, 1.0)),
        ("0:1:0.4", (0.0, 0.4, 0.8)),
        ("1.2", (1.2,)),
        ("2:2:0.1", (2.0,)),
    ],
)
def test_widths(text, expected):
    assert widths_mm(text) == expected
    assert "-0.0" not in map(str, widths_mm(text))


@pytest.mark.parametrize(
    "text",
    ["", "wide", "0:3", "3:0:0.1", "0:3:0", "0:3:-1", "0:nan:1", "0:30:1", "0:3:0.001", "::"],
)
def test_nonsense_is_refused(text):
    with pytest.raises(UsageError):
        widths_mm(text)


def test_spans():
    assert span("-0.5:0.5", "--shift") == (-0.5, 0.5)
    assert span("0.3", "--shift") == (0.3, 0.3)
    for text in ("1:0", "a", "1:2:3", ""):
        with pytest.raises(UsageError, match="--shift LOW:HIGH"):
            span(text, "--shift")
