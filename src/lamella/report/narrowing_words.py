"""A comparison of two visits in words: what changed, how sure, or why there is no answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamella.records import Narrowing
from lamella.report import wording
from lamella.zoo.narrowing import smallest_detectable_mm

NO_SPACING = "the pixel spacing is unknown: give it to get millimetres"
NORMAL_95 = 1.96
FINE_INTERVAL_MM = 0.02
NEAR_ZERO_MM = 0.005
MINUS = "\u2212"


@dataclass(frozen=True, kw_only=True)
class Headline:
    """The answer in large letters, the sentence below it, and what kind of answer it is."""

    text: str
    detail: str
    kind: str

    def record(self) -> dict[str, str]:
        """As the page's context."""
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True)
class Detectable:
    """The smallest change that one comparison can show, mm, or None; and where it is from."""

    mm: float | None
    words: str

    @classmethod
    def of(cls, narrowings: Sequence[Narrowing]) -> "Detectable":
        """That of a joint's comparisons: as measured for their method, else from the stated SDs.

        ``1.96 SD`` of the change itself; the largest where comparisons differ.
        """
        measured = [smallest_detectable_mm(found.method) for found in narrowings]
        known = [each for each in measured if each is not None]
        if known and len(known) == len(measured):
            words = f"smallest detectable change {max(known):.2g} mm, from joints seen three times"
            return cls(mm=max(known), words=words)
        stated = [found.jsn_sd_mm for found in narrowings if found.jsn_sd_mm is not None]
        if not stated:
            return cls(mm=None, words="uncertainty not stated, so no smallest detectable change")
        largest = NORMAL_95 * max(stated)
        words = f"smallest detectable change {millimetres(largest, 3)} mm: 1.96 × the stated SD"
        return cls(mm=largest, words=words)


def headline(found: Narrowing | None, reason: str | None, detectable: Detectable) -> Headline:
    """The answer of a comparison; without one, no length is named.

    Args:
        found: the comparison, or None when it failed.
        reason: why it failed, when it did.
        detectable: smallest detectable change of the joint.
    """
    if found is None or found.refused is not None:
        why = (found.refused if found else reason) or "no reason was recorded"
        return Headline(text="No answer", detail=wording.one_line(why), kind="refused")
    jsn_mm = found.jsn_mm
    if jsn_mm is None:
        return Headline(text="No answer", detail=NO_SPACING, kind="refused")
    interval = found.interval_mm
    if interval is None:
        unsure = "uncertainty not stated: read it with care"
        return Headline(text=_change(jsn_mm, 2), detail=unsure, kind="unsure")
    return _with_interval(jsn_mm, interval, detectable)


def _with_interval(
    jsn_mm: float, interval_mm: tuple[float, float], detectable: Detectable
) -> Headline:
    (low, high), digits = interval_mm, _digits(interval_mm)
    if low <= 0.0 <= high:
        detail = f"{_change(jsn_mm, digits)} ({_span(interval_mm, digits)}, below zero: wider)"
        return Headline(text="No change that can be told from zero", detail=detail, kind="same")
    span = _span(oriented(interval_mm), digits)
    if detectable.mm is not None and abs(jsn_mm) < detectable.mm:
        return Headline(
            text="Less than the smallest detectable change",
            detail=f"{_change(jsn_mm, digits)} ({span}), {detectable.mm:.2g} mm can be detected",
            kind="same",
        )
    kind = "narrower" if jsn_mm > 0 else "wider"
    return Headline(text=_change(jsn_mm, digits), detail=span, kind=kind)


def oriented(interval_mm: tuple[float, float]) -> tuple[float, float]:
    """An interval that lies below zero counted upwards, as wider; any other as it is."""
    low, high = interval_mm
    return (-high, -low) if high < 0.0 else interval_mm


def _digits(interval_mm: tuple[float, float] | None) -> int:
    """Decimals that an interval's width deserves, and its nearness to zero needs."""
    if interval_mm is None:
        return 2
    low, high = interval_mm
    return 3 if high - low < 2 * FINE_INTERVAL_MM or min(abs(low), abs(high)) < NEAR_ZERO_MM else 2


def _change(jsn_mm: float, digits: int) -> str:
    return f"{abs(jsn_mm):.{digits}f} mm {'narrower' if jsn_mm >= 0 else 'wider'}"


def _span(interval_mm: tuple[float, float], digits: int) -> str:
    return f"90 % interval {_ends(interval_mm, digits)}"


def _ends(interval_mm: tuple[float, float], digits: int | None = None) -> str:
    decimals = _digits(interval_mm) if digits is None else digits
    return " to ".join(millimetres(end, decimals) for end in interval_mm)


def millimetres(length_mm: float, digits: int = 2) -> str:
    """A length with a true minus sign, and never a negative zero."""
    rounded = round(length_mm, digits) + 0.0
    return f"{rounded:.{digits}f}".replace("-", MINUS)


def visit_name(number: int, days: int | None = None) -> str:
    """A visit by its number and, where dates are known, its days since the baseline."""
    if days is None:
        return f"Visit {number}"
    return f"Visit {number}, day {wording.count(days)}"


def measures(found: Narrowing) -> list[tuple[str, str]]:
    """Every other measure of a comparison, with its unit; lengths only where one is given."""
    figures = found.figures()
    rows = [
        ("Upper bone went", _sideways(figures["lateral_mm"], figures["lateral_sd_mm"])),
        ("Upper bone turned", _turned(figures["angle_deg"], figures["angle_sd_deg"])),
    ]
    matched = {name: bone for name, bone in found.bones.items() if np.isfinite(bone.ncc)}
    if len(matched) == len(found.bones):
        rows.append(("Agreement", f"{found.agreement:.2f} of 1"))
    for name, bone in matched.items():
        part = f"{100 * bone.coverage:.0f} % of its pixels compared"
        rows.append((f"{name.capitalize()} bone", f"match {millimetres(bone.ncc, 3)}, {part}"))
    return [(name, text) for name, text in rows if text is not None]


def _sideways(lateral_mm: float | None, sd_mm: float | None) -> str | None:
    """A movement across the axis, towards a side of the image."""
    if lateral_mm is None:
        return None
    side = "right" if lateral_mm > 0 else "left"
    way = f" to the {side} of the image" if round(lateral_mm, 3) else ""
    spread = "" if sd_mm is None else f" (SD {sd_mm:.3f})"
    return f"{abs(lateral_mm):.3f}\u00a0mm{way}{spread}"


def _turned(angle_deg: float | None, sd_deg: float | None) -> str | None:
    if angle_deg is None:
        return None
    sense = "counter-clockwise" if angle_deg > 0 else "clockwise"
    way = f" {sense}" if round(angle_deg, 2) else ""
    spread = "" if sd_deg is None else f" (SD {sd_deg:.2f})"
    return f"{abs(angle_deg):.2f}°{way}{spread}"


def cells(found: Narrowing | None) -> dict[str, Any]:
    """Change and interval for the table of all joints; dashes without an answer.

    ``counted`` is the interval beside a change that is called narrower or wider.
    """
    jsn_mm = found.jsn_mm if found is not None else None
    interval = found.interval_mm if found is not None else None
    return {
        "change": "–" if jsn_mm is None else f"{millimetres(jsn_mm, _digits(interval))} mm",
        "interval": "–" if interval is None else _ends(interval),
        "counted": "" if interval is None else _ends(oriented(interval)),
    }
