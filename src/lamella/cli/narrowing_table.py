"""The table of narrowing: a row per joint and interval, as CSV, JSON and Parquet."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lamella.cli.narrowing_plan import PlannedJoint, PlannedVisit
from lamella.cli.outputs import write_text
from lamella.cli.runs import Fate
from lamella.io.manifest import has_parquet, write_parquet
from lamella.io.write import write_json
from lamella.records import JointVisit, Narrowing
from lamella.zoo.verbs import BONES, SEGMENTED

TABLE_FILE = "narrowing.csv"
JSON_FILE = "narrowing.json"
PARQUET_FILE = "narrowing.parquet"
NOTICE = "research use only, not for diagnosis"
FLAG_BETWEEN = " · "
NO_MILLIMETRES = "the pixel spacing is unknown: give --pixel-spacing"

COLUMNS: Mapping[str, type] = {
    "joint": str,
    "status": str,
    "reason": str,
    "baseline": str,
    "followup": str,
    "followup_visit": int,
    "days": int,
    "jsn_mm": float,
    "jsn_sd_mm": float,
    "jsn_low_mm": float,
    "jsn_high_mm": float,
    "lateral_mm": float,
    "lateral_sd_mm": float,
    "angle_deg": float,
    "angle_sd_deg": float,
    "upper_ncc": float,
    "lower_ncc": float,
    "upper_coverage": float,
    "lower_coverage": float,
    "agreement": float,
    "flags": str,
    "warnings": str,
    "baseline_masks": str,
    "followup_masks": str,
    "pixel_spacing_mm": float,
    "pixel_spacing_source": str,
    "followup_spacing_mm": float,
    "followup_spacing_source": str,
    "method": str,
    "separation": str,
    "separator_sha256": str,
    "segmenter_sha256": str,
    "baseline_sha256": str,
    "followup_sha256": str,
}
"""Column -> type of its values; an empty text is a missing value."""


def blank_row(joint: PlannedJoint, followup: PlannedVisit | None, method: str) -> dict[str, Any]:
    """The row of an interval before anything is known but its files."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS) | {"joint": joint.name, "method": method}
    row["status"] = Fate.FAILED.value
    if followup is None:
        return row
    baseline = joint.visits[0]
    return row | {
        "baseline": baseline.job.name,
        "followup": followup.job.name,
        "followup_visit": followup.number,
        "days": followup.days,
        "baseline_sha256": baseline.job.sha256,
        "followup_sha256": followup.job.sha256,
    }


def found_row(found: Narrowing, weights: Mapping[str, str]) -> dict[str, Any]:
    """What a comparison says, in the table's columns."""
    answered = found.jsn_mm is not None
    reason = None if answered else found.refused or NO_MILLIMETRES
    fate = (Fate.FLAGGED if found.flags else Fate.DONE) if answered else Fate.REFUSED
    return {
        "status": fate.value,
        "reason": None if reason is None else " ".join(reason.split()),
        **found.figures(),
        **_bones(found),
        "agreement": _known(found.agreement) if _is_matched(found) else None,
        "flags": FLAG_BETWEEN.join(found.flags),
        **_images(found.baseline, found.followup),
        **_networks(found.baseline, weights),
    }


def write_tables(out: Path, rows: Sequence[Mapping[str, Any]], parquet: bool | None) -> None:
    """Write the rows as CSV and JSON, and as Parquet when wanted or, by default, possible.

    Raises:
        LamellaError: not writable.
    """
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(out / TABLE_FILE, table.getvalue())
    write_json(out / JSON_FILE, {"notice": NOTICE, "intervals": list(rows)})
    if parquet or (parquet is None and has_parquet()):
        write_parquet(out / TABLE_FILE, out / PARQUET_FILE, COLUMNS)


def _bones(found: Narrowing) -> dict[str, float | None]:
    figures: dict[str, float | None] = {}
    for place, bone in zip(("upper", "lower"), found.bones.values(), strict=True):
        coverage = _known(bone.coverage) if math.isfinite(bone.ncc) else None
        figures |= {f"{place}_ncc": _known(bone.ncc), f"{place}_coverage": coverage}
    return figures


def _is_matched(found: Narrowing) -> bool:
    """False where no pixel was compared, so that nothing can agree or disagree."""
    return all(math.isfinite(bone.ncc) for bone in found.bones.values())


def _images(baseline: JointVisit, followup: JointVisit) -> dict[str, Any]:
    first, second = baseline.radiograph, followup.radiograph
    warnings = dict.fromkeys((*first.warnings, *second.warnings))
    return {
        "warnings": FLAG_BETWEEN.join(warnings),
        "baseline_masks": baseline.masks.origin,
        "followup_masks": followup.masks.origin,
        "pixel_spacing_mm": first.pixel_spacing_mm,
        "pixel_spacing_source": str(first.spacing_source),
        "followup_spacing_mm": second.pixel_spacing_mm,
        "followup_spacing_source": str(second.spacing_source),
    }


def _networks(visit: JointVisit, weights: Mapping[str, str]) -> dict[str, str | None]:
    separation = None if visit.layers is None else visit.layers.method
    segmented = SEGMENTED in visit.masks.origin
    return {
        "separation": separation,
        "separator_sha256": weights.get((separation or "").partition(" ")[0]),
        "segmenter_sha256": weights.get(BONES) if segmented else None,
    }


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
