"""Drawings of a comparison as numbers: the two contours with the displacement, and the course.

Everything is in the units of an SVG's view box; x runs right, y down. The contours are drawn in
pixels of the baseline, the follow-up's brought there with the lower bone held still, so what has
moved is the upper bone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamella.records import Narrowing
from lamella.report.narrowing_words import Detectable, millimetres
from lamella.types import Points

MOST_POINTS = 90
MARGIN = 0.12
SMALLEST_CLOSE_UP_PX = 7.0
CHART_COLS, CHART_ROWS = 360.0, 196.0
CHART_LEFT, CHART_RIGHT, CHART_TOP, CHART_BOTTOM = 56.0, 16.0, 12.0, 46.0
MOST_TICKS = 6
HEADROOM = 1.15
SMALLEST_SPAN_MM = 0.1
LABEL_COLS = 36.0
"""Room for the label of a day; where days leave less, visits stand at equal distances."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One visit of the course: its number, days since baseline, change and 90 % interval, mm."""

    visit: int
    days: int | None = None
    jsn_mm: float | None = None
    interval_mm: tuple[float, float] | None = None


def contours(found: Narrowing) -> dict[str, Any] | None:
    """Both visits' contours and the arrow of the displacement; None without an answer."""
    if found.jsn_mm is None:
        return None
    top, bottom = found.baseline.names
    home = found.bones[bottom].motion.inverse()
    arcs = {
        "upper": found.baseline.ends[top].arc_px,
        "lower": found.baseline.ends[bottom].arc_px,
        "upper-later": home.of_points(found.followup.ends[top].arc_px),
        "lower-later": home.of_points(found.followup.ends[bottom].arc_px),
    }
    start, end = _arrow(found, arcs["upper"])
    everything = np.concatenate([*arcs.values(), [start, end]])
    reach = max(SMALLEST_CLOSE_UP_PX, 1.6 * float(np.hypot(*(end - start))))
    middle = 0.5 * (start + end)
    return {
        "paths": {name: path_data(arc) for name, arc in arcs.items()},
        "box": _box(everything.min(axis=0), everything.max(axis=0)),
        "close": _box(middle - reach, middle + reach, 0.0),
        "arrow": _head(start, end),
        "whisker": _whisker(found, start),
        "close_mm": millimetres(2 * reach * (found.pixel_spacing_mm or 0.0), 1),
    }


def path_data(points_px: Points) -> str:
    """Places (row, col) as an open SVG path, at most 90 of them, to a hundredth of a pixel."""
    kept = np.linspace(0, len(points_px) - 1, min(len(points_px), MOST_POINTS)).round().astype(int)
    return "M" + "L".join(f"{col + 0.5:.2f} {row + 0.5:.2f}" for row, col in points_px[kept])


def chart(points: Sequence[Point], detectable: Detectable) -> dict[str, Any]:
    """The course of a joint over its visits, the baseline at zero.

    Args:
        points: the follow-ups, in order.
        detectable: drawn as a band about zero.
    """
    places = _places(points)
    low, high = _range_mm(points, detectable)
    step = _step(high - low)
    ticks = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 0.5) * step
    decimals = max(0, -int(np.floor(np.log10(step) + 1e-9)))

    def height(value_mm: float) -> float:
        part = (value_mm - low) / (high - low)
        return round(CHART_ROWS - CHART_BOTTOM - part * _plot_rows(), 2)

    return {
        "ticks": [(height(tick), millimetres(float(tick), decimals)) for tick in ticks],
        "zero": height(0.0),
        "band": None if detectable.mm is None else (height(detectable.mm), height(-detectable.mm)),
        "start": round(places[0], 2),
        "points": [
            _marked(point, place, height) for point, place in zip(points, places[1:], strict=True)
        ],
        "line": _line(points, places, height),
        "floor": CHART_ROWS - CHART_BOTTOM,
        "days": _has_days(points),
        "words": _spoken(points),
    }


def _arrow(found: Narrowing, arc_px: Points) -> tuple[np.ndarray, np.ndarray]:
    """From where the axis meets the baseline's upper contour to where that place came."""
    across, along = found.frame.coordinates(arc_px)
    order = np.argsort(across)
    height = np.interp(0.0, across[order], along[order])
    start = found.frame.points(np.zeros(1), np.array([height]))[0]
    moved = found.frame.points(np.array([found.lateral_px]), np.array([-found.jsn_px]))[0]
    return start, start + moved - np.asarray(found.frame.origin_px)


def _head(start: np.ndarray, end: np.ndarray) -> dict[str, list[float]]:
    """Both ends of an arrow and its head, (x, y) one after another."""
    line = end - start
    length = float(np.hypot(*line)) or 1e-6
    ahead = line / length
    aside = np.array([-ahead[1], ahead[0]])
    size = min(0.45 * length, 1.4)
    corners = [
        end,
        end - size * ahead + 0.45 * size * aside,
        end - size * ahead - 0.45 * size * aside,
    ]
    return {
        "from": _xy(start),
        "to": _xy(end - 0.8 * size * ahead),
        "head": [number for corner in corners for number in _xy(corner)],
    }


def _whisker(found: Narrowing, start: np.ndarray) -> list[float] | None:
    """The 90 % interval as a line beside the arrow, along the axis."""
    interval, spacing_mm = found.interval_mm, found.pixel_spacing_mm
    if interval is None or spacing_mm is None:
        return None
    aside = start + (1.6 + max(found.lateral_px, 0.0)) * np.asarray(found.frame.across)
    ends = [aside - end / spacing_mm * np.asarray(found.frame.axis) for end in interval]
    return [number for end in ends for number in _xy(end)]


def _xy(place: np.ndarray) -> list[float]:
    return [round(float(place[1]) + 0.5, 3), round(float(place[0]) + 0.5, 3)]


def _box(low: np.ndarray, high: np.ndarray, margin: float = MARGIN) -> list[float]:
    """x, y, width and height of a view box around places (row, col)."""
    pad = margin * float((high - low).max())
    (top, left), (rows, cols) = low - pad, high - low + 2 * pad
    return [round(float(value), 2) for value in (left + 0.5, top + 0.5, cols, rows)]


def _plot_rows() -> float:
    return CHART_ROWS - CHART_TOP - CHART_BOTTOM


def _has_days(points: Sequence[Point]) -> bool:
    """True when every day is known and the days are far enough apart to be told."""
    if any(point.days is None or point.days <= 0 for point in points):
        return False
    return bool(np.diff(_spread([float(point.days or 0) for point in points])).min() >= LABEL_COLS)


def _places(points: Sequence[Point]) -> list[float]:
    """Where each visit stands: by its day when all are known and told apart, else evenly."""
    has_days = _has_days(points)
    return _spread([float(point.days or 0) if has_days else point.visit - 1.0 for point in points])


def _spread(at: Sequence[float]) -> list[float]:
    """The baseline's place and those of the visits, over the width of the chart."""
    cols = CHART_COLS - CHART_LEFT - CHART_RIGHT - 24
    return [CHART_LEFT + 12 + cols * place / max([*at, 1.0]) for place in (0.0, *at)]


def _range_mm(points: Sequence[Point], detectable: Detectable) -> tuple[float, float]:
    values = [0.0, *(point.jsn_mm for point in points if point.jsn_mm is not None)]
    values += [end for point in points if point.interval_mm for end in point.interval_mm]
    if detectable.mm is not None:
        values += [detectable.mm, -detectable.mm]
    low, high = HEADROOM * min(values), HEADROOM * max(values)
    short = 0.5 * max(0.0, SMALLEST_SPAN_MM - (high - low))
    return low - short, high + short


def _step(span_mm: float) -> float:
    """A round distance between ticks: 1, 2 or 5 times a power of ten."""
    rough = span_mm / MOST_TICKS
    power = 10.0 ** np.floor(np.log10(rough))
    return float(next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= rough))


def _marked(point: Point, place: float, height: Any) -> dict[str, Any]:
    ends = None if point.interval_mm is None else [height(end) for end in point.interval_mm]
    return {
        "x": round(place, 2),
        "y": None if point.jsn_mm is None else height(point.jsn_mm),
        "ends": ends,
        "visit": point.visit,
        "days": point.days,
    }


def _line(points: Sequence[Point], places: Sequence[float], height: Any) -> str:
    """From the baseline through every visit that has an answer."""
    marks = [(places[0], height(0.0))]
    for point, place in zip(points, places[1:], strict=True):
        if point.jsn_mm is not None:
            marks.append((place, height(point.jsn_mm)))
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in marks)


def _spoken(points: Sequence[Point]) -> str:
    """The chart for those who cannot see it."""
    return "; ".join(
        f"visit {point.visit}: "
        + ("no answer" if point.jsn_mm is None else f"{millimetres(point.jsn_mm)} mm narrower")
        for point in points
    )
