"""Ranges as a command line gives them: ``LOW:HIGH:STEP`` and ``LOW:HIGH``."""

from __future__ import annotations

import math

from lamella.cli.console import UsageError

MOST_WIDTHS = 1000
WIDEST_MM = 20.0
DECIMALS = 9


def widths_mm(text: str) -> tuple[float, ...]:
    """Joint space widths from ``LOW:HIGH:STEP`` in mm, ends included, or from one number.

    Raises:
        UsageError: not such a range, or one of more than 1000 steps or beyond 20 mm.

    Example:
        >>> widths_mm("0:0.3:0.1")
        (0.0, 0.1, 0.2, 0.3)
    """
    numbers = _numbers(text)
    if len(numbers) == 1:
        numbers = (numbers[0], numbers[0], 1.0)
    if len(numbers) != 3:
        raise UsageError(f"expected --jsw LOW:HIGH:STEP in mm, as 0:3:0.1, got {text!r}")
    low, high, step = numbers
    if not (step > 0 and low <= high and max(abs(low), abs(high)) <= WIDEST_MM):
        raise UsageError(
            f"expected --jsw LOW:HIGH:STEP with LOW not above HIGH, both within {WIDEST_MM:g} mm, "
            f"and STEP above 0, got {text!r}"
        )
    steps = (high - low) / step
    if steps >= MOST_WIDTHS:
        raise UsageError(f"expected at most {MOST_WIDTHS} widths, got {text!r}: take a wider step")
    last = math.floor(steps + 1e-6)
    return tuple(round(low + place * step, DECIMALS) + 0.0 for place in range(last + 1))


def span(text: str, option: str) -> tuple[float, float]:
    """Lowest and highest value from ``LOW:HIGH``, or twice one number.

    Args:
        text: what was given.
        option: its name, for the message.

    Raises:
        UsageError: not such a range.
    """
    numbers = _numbers(text)
    if len(numbers) == 1:
        numbers = (numbers[0], numbers[0])
    if len(numbers) != 2 or numbers[0] > numbers[1]:
        raise UsageError(f"expected {option} LOW:HIGH, LOW not above HIGH, got {text!r}")
    return numbers[0], numbers[1]


def _numbers(text: str) -> tuple[float, ...]:
    """The numbers between colons; none where one of them is no finite number."""
    try:
        numbers = tuple(float(part) for part in text.split(":"))
    except ValueError:
        return ()
    return numbers if all(map(math.isfinite, numbers)) else ()
