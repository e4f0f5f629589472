"""Numbers and records as the words a page prints."""

import math
import shlex
from collections.abc import Iterable

from lamella.records import Radiograph

NARROW_SPACE = "\u202f"
WORDS_OF_A_COMMAND = 2
SHORT_SHA = 12


def count(number: int) -> str:
    """A whole number with narrow spaces between thousands: 21 494."""
    return f"{number:,}".replace(",", NARROW_SPACE)


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 pixel, 2 pixels."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def significant(number: float, digits: int = 2) -> str:
    """A number with that many significant digits, never in exponent notation."""
    if number == 0 or not math.isfinite(number):
        return "0" if number == 0 else str(number)
    decimals = digits - 1 - math.floor(math.log10(abs(number)))
    return f"{number:.{max(decimals, 0)}f}"


def at_most(number: float, digits: int = 2) -> str:
    """An upper bound with that many significant digits, rounded up so that it stays true."""
    if number == 0:
        return "0"
    step = 10.0 ** (math.floor(math.log10(number)) - digits + 1)
    return significant(math.ceil(number / step - 1e-9) * step, digits)


def percent(fraction: float) -> str:
    """A fraction in per cent with one decimal."""
    return f"{100 * fraction:.1f}{NARROW_SPACE}%"


def one_line(text: str, longest: int = 280) -> str:
    """A message without line breaks, cut when it is long."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def source_levels(grey_level: float) -> int:
    """Highest grey level of the source: 255 for a step of 1/255."""
    return max(1, round(1.0 / grey_level))


def spacing(radiograph: Radiograph) -> str:
    """Pixel spacing with its source; without one, no unit of length is named."""
    spacing_mm = radiograph.pixel_spacing_mm
    if spacing_mm is None:
        return "spacing unknown: no millimetres"
    return f"{spacing_mm:.4g} mm per pixel, {radiograph.spacing_source}"


def command(line: str) -> str:
    """A command without what could name a person: verbs and option names stay, values go.

    Example:
        >>> command("lamella separate /scans/visit.dcm --seed 3")
        'lamella separate … --seed …'
    """
    words = _split(line)
    kept = [word if _is_safe(word, place) else "…" for place, word in enumerate(words)]
    previous = ["", *kept[:-1]]
    return " ".join(word for word, before in zip(kept, previous, strict=True) if word != before)


def digests(named: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Name and the first digits of each SHA-256."""
    return [(name, sha[:SHORT_SHA]) for name, sha in named]


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _is_safe(word: str, place: int) -> bool:
    if word.startswith("--"):
        return "=" not in word
    return place < WORDS_OF_A_COMMAND and word.isidentifier()
