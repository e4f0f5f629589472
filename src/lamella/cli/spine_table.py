"""The table of a spine: a row per vertebra, as CSV and JSON, with the numbers of the page."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lamella.cli.outputs import write_text
from lamella.io.write import write_json
from lamella.records import GRADES, SpineAssessment, Vertebra, Zones
from lamella.report.spine_words import flags

TABLE_FILE = "vertebrae.csv"
JSON_FILE = "vertebrae.json"
NOTICE = "research use only, not for diagnosis"
BETWEEN = " · "
ZONE_NAMES = ("anterior", "middle", "posterior", "whole")

COLUMNS: tuple[str, ...] = (
    "level",
    "refused",
    "flags",
    *(f"{zone}_mm" for zone in ZONE_NAMES),
    *(f"{zone}_sd_mm" for zone in ZONE_NAMES),
    *(f"healthy_{zone}_mm" for zone in ZONE_NAMES),
    *(f"healthy_{zone}_sd_mm" for zone in ZONE_NAMES),
    *(f"rhlv_{zone}" for zone in ZONE_NAMES),
    *(f"rhlv_{zone}_sd" for zone in ZONE_NAMES),
    "grade",
    "kind",
    *(f"p_grade_{grade}" for grade in GRADES),
    "reference",
    "neighbours",
    "depth_mm",
    "width_mm",
    "volume_mm3",
    "generated",
)
"""Heights observed and healthy with their standard deviations, RHLV, grade, what they rest on."""


def vertebra_row(vertebra: Vertebra) -> dict[str, Any]:
    """A vertebra in the table's columns; None where nothing is known."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"level": vertebra.level, "generated": vertebra.generated, "flags": flags(vertebra)}
    if vertebra.refused is not None:
        return row | {"refused": " ".join(vertebra.refused.split())}
    return row | _measured(vertebra) | _reference(vertebra) | _lost(vertebra)


def write_tables(out: Path, assessment: SpineAssessment) -> None:
    """Write a row per vertebra as CSV and JSON.

    Raises:
        LamellaError: not writable.
    """
    rows = [vertebra_row(vertebra) for vertebra in assessment.vertebrae]
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_as_text(row) for row in rows)
    write_text(out / TABLE_FILE, table.getvalue())
    write_json(out / JSON_FILE, {"notice": NOTICE, "method": assessment.method, "vertebrae": rows})


def _measured(vertebra: Vertebra) -> dict[str, Any]:
    body = vertebra.body
    if body is None:
        return {}
    sizes = {"depth_mm": body.depth_mm, "width_mm": body.width_mm, "volume_mm3": body.volume_mm3}
    heights = _zones(body.heights_mm, "{}_mm") | _zones(body.heights_sd_mm, "{}_sd_mm")
    return {name: known(value) for name, value in (heights | sizes).items()}


def _reference(vertebra: Vertebra) -> dict[str, Any]:
    healthy = vertebra.healthy
    if healthy is None:
        return {}
    told = {"reference": healthy.told_by, "neighbours": list(healthy.neighbours)}
    heights = _zones(healthy.heights_mm, "healthy_{}_mm")
    return told | heights | _zones(healthy.heights_sd_mm, "healthy_{}_sd_mm")


def _lost(vertebra: Vertebra) -> dict[str, Any]:
    loss = vertebra.loss
    if loss is None:
        return {}
    chances = {f"p_grade_{grade}": loss.grade_probabilities[grade] for grade in GRADES}
    lost = _zones(loss.rhlv, "rhlv_{}") | _zones(loss.rhlv_sd, "rhlv_{}_sd")
    return {"grade": loss.grade, "kind": loss.kind} | chances | lost


def _zones(zones: Zones, column: str) -> dict[str, Any]:
    return {column.format(zone): known(value) for zone, value in zones}


def known(value: float) -> float | None:
    """A finite number, or None."""
    return float(value) if math.isfinite(value) else None


def _as_text(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for CSV: lists joined."""
    joined: dict[str, Any] = dict(row)
    for name, between in (("flags", BETWEEN), ("neighbours", " ")):
        words: Sequence[str] = joined[name] or ()
        joined[name] = between.join(words)
    return joined
