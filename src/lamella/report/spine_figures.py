"""Drawings of one vertebra as numbers: bars of heights, probabilities, the map of height loss.

Everything is in the units of an SVG's view box; x runs right, y down.
"""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from lamella.physics.vertebra_zones import RIM, SIDE, inner
from lamella.records import ZONES, HealthyHeights, MeasuredBody, Vertebra
from lamella.report.images import ColourMap, signed_codes
from lamella.report.spine_words import chance, millimetres, percent, whole
from lamella.tasks.vertebra_height import GENANT, loss_map

NORMAL_90 = 1.645
BARS_COLS, BARS_ROWS = 360.0, 196.0
BARS_LEFT, BARS_TOP, BARS_FLOOR = 34.0, 16.0, 168.0
BAR_WIDTH, BAR_GAP = 34.0, 6.0
HEADROOM = 1.06
TICK_MM = 10.0
LOSS_SCALE = 0.5
"""Loss at the ends of the map's colours: half of the height."""
TRANSPARENT = 0
ANCHORS = ((12, 92, 62), (122, 190, 156), (243, 243, 241), (236, 130, 168), (142, 8, 78))
"""Red, green and blue at equal steps from the most gained to the most lost; light at zero."""
NOTHING = 999
"""Stands for no value in the map that the page reads under the cursor."""


def bars(vertebra: Vertebra) -> dict[str, Any] | None:
    """Observed and healthy height of each third with 90 % intervals; None without an answer."""
    body, healthy = vertebra.body, vertebra.healthy
    if body is None or healthy is None:
        return None
    tallest = _tallest_mm(body, healthy)

    def row(height_mm: float) -> float:
        part = max(height_mm, 0.0) / (HEADROOM * tallest)
        return round(BARS_FLOOR - part * (BARS_FLOOR - BARS_TOP), 2)

    return {
        "ticks": [(row(tick), f"{tick:.0f}") for tick in np.arange(0.0, tallest, TICK_MM)],
        "groups": [_group(place, zone, body, healthy, row) for place, zone in enumerate(ZONES)],
        "words": "; ".join(_spoken(zone, body, healthy) for zone in ZONES),
    }


def probabilities(vertebra: Vertebra) -> list[dict[str, Any]]:
    """A bar per grade; empty without an answer."""
    if vertebra.loss is None:
        return []
    return [
        {
            "grade": grade,
            "width": round(100.0 * part, 1),
            "text": chance(part),
            "chosen": grade == vertebra.grade,
        }
        for grade, part in enumerate(vertebra.loss.grade_probabilities)
    ]


def lost(vertebra: Vertebra) -> dict[str, Any] | None:
    """The map of height loss with its axes in mm; None where there is nothing to map."""
    body, healthy = vertebra.body, vertebra.healthy
    if body is None or healthy is None or not np.isfinite(body.height_map.heights_mm).any():
        return None
    values = np.asarray(loss_map(body, healthy), np.float32)
    drawn = body.height_map
    rows, cols = (drawn.posterior_mm, drawn.left_mm)
    kept = _kept(values)
    values = values[kept]
    rows, cols = rows[kept[0]], cols[kept[1]]
    step = float(abs(drawn.posterior_mm[1] - drawn.posterior_mm[0]))
    box = [float(cols[0]) - step / 2, float(rows[0]) - step / 2, len(cols) * step, len(rows) * step]
    return {
        "image": _coloured(values),
        "box": [round(edge, 2) for edge in box],
        "view": [round(edge, 2) for edge in (box[0] - 8, box[1] - 5, box[2] + 13, box[3] + 10)],
        "zones": _zone_lines(body, values, rows, cols),
        "ticks": _ticks(box),
        "codes": _codes(values),
        "step": step,
        "words": _extremes(values),
    }


def loss_colours() -> ColourMap:
    """Green where a column is higher than healthy, light at zero, magenta where it lost."""
    places = np.linspace(0.0, 255.0, len(ANCHORS))
    channels = [np.interp(np.arange(256), places, part) for part in np.transpose(ANCHORS)]
    return np.asarray(np.rint(np.stack(channels, axis=-1)), np.uint8)


def scale_marks() -> list[tuple[float, str]]:
    """Marks of the colour scale: place in per cent of its length, and loss in per cent.

    The ends, zero, and the losses from which a vertebra has grade 1, 2 and 3; the middle one of
    these has no room for its number.
    """
    marked = (-LOSS_SCALE, 0.0, *GENANT, LOSS_SCALE)
    words = ["" if loss == GENANT[1] else whole(100.0 * loss) for loss in marked]
    places = [50.0 * (1.0 + loss / LOSS_SCALE) for loss in marked]
    return list(zip(places, words, strict=True))


def _coloured(values: np.ndarray) -> str:
    """A map of losses as a PNG, transparent where it is NaN."""
    codes = signed_codes(np.asarray(np.nan_to_num(values), np.float32), LOSS_SCALE)
    shown = np.where(np.isfinite(values), codes, TRANSPARENT).astype(np.uint8)
    picture = PillowImage.fromarray(shown)
    picture.putpalette(loss_colours().tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", transparency=TRANSPARENT, optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _tallest_mm(body: MeasuredBody, healthy: HealthyHeights) -> float:
    ends = [
        heights.of(zone) + NORMAL_90 * spread.of(zone)
        for heights, spread in (
            (body.heights_mm, body.heights_sd_mm),
            (healthy.heights_mm, healthy.heights_sd_mm),
        )
        for zone in ZONES
    ]
    return max(*ends, TICK_MM)


def _group(
    place: int, zone: str, body: MeasuredBody, healthy: HealthyHeights, row: Any
) -> dict[str, Any]:
    """Both bars of a third."""
    middle = BARS_LEFT + (place + 0.5) * (BARS_COLS - BARS_LEFT) / len(ZONES)
    measured = (
        ("observed", middle - BAR_WIDTH - BAR_GAP / 2, body.heights_mm, body.heights_sd_mm),
        ("healthy", middle + BAR_GAP / 2, healthy.heights_mm, healthy.heights_sd_mm),
    )
    return {
        "name": zone,
        "x": round(middle, 2),
        "bars": [
            {
                "kind": kind,
                "x": round(left, 2),
                "y": row(heights.of(zone)),
                "low": row(heights.of(zone) - NORMAL_90 * spread.of(zone)),
                "high": row(heights.of(zone) + NORMAL_90 * spread.of(zone)),
                "text": millimetres(heights.of(zone)),
            }
            for kind, left, heights, spread in measured
        ],
    }


def _spoken(zone: str, body: MeasuredBody, healthy: HealthyHeights) -> str:
    seen, was = body.heights_mm.of(zone), healthy.heights_mm.of(zone)
    return f"{zone}: {millimetres(seen)} mm of {millimetres(was)} mm"


def _kept(values: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns that hold a value."""
    known = np.isfinite(values)
    rows, cols = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)


def _zone_lines(
    body: MeasuredBody, values: np.ndarray, rows: np.ndarray, cols: np.ndarray
) -> dict[str, Any]:
    """The box in which heights are averaged, and the cuts between its thirds, mm."""
    known = np.isfinite(values)
    across = cols[known[len(rows) // 2]]
    depth = _about(float(rows[0] + rows[-1]) / 2, body.depth_mm)
    width = _about(float(across[0] + across[-1]) / 2 if len(across) else 0.0, body.width_mm)
    top, bottom = inner(depth, RIM)
    left, right = inner(width, SIDE)
    cuts = np.linspace(top, bottom, len(ZONES) + 1)
    return {
        "box": [round(edge, 2) for edge in (left, top, right - left, bottom - top)],
        "cuts": [round(float(cut), 2) for cut in cuts[1:-1]],
    }


def _about(middle: float, length: float) -> tuple[float, float]:
    return middle - length / 2, middle + length / 2


def _ticks(box: list[float]) -> dict[str, list[int]]:
    left, top, width, height = box
    return {
        "x": [int(tick) for tick in np.arange(np.ceil(left / 10) * 10, left + width, 10)],
        "y": [int(tick) for tick in np.arange(np.ceil(top / 10) * 10, top + height, 10)],
    }


def _codes(values: np.ndarray) -> list[list[int]]:
    """Loss of each column in whole per cent, ``NOTHING`` outside the body."""
    rounded = np.where(np.isfinite(values), np.rint(100.0 * np.nan_to_num(values)), NOTHING)
    return [[int(value) for value in row] for row in rounded]


def _extremes(values: np.ndarray) -> str:
    low, high = np.nanpercentile(values, [5, 95])
    return f"90 % of the columns have lost {percent(float(low))} to {percent(float(high))}"
