"""Segmentation quality on a manifest: ``lamella evaluate segmentation``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track
from scipy import ndimage

from lamella.evaluation.results import markdown_table, save
from lamella.io.datasets import (
    PUBLISHED_SPACING_MM,
    LoadedJoint,
    joint_rows,
    load_joint,
    mask_faults,
)
from lamella.prepare.masks import reaching_border
from lamella.records import BoneMasks
from lamella.types import Mask
from lamella.zoo.verbs import segment

Row = dict[str, float]


def dice(found: Mask, true: Mask) -> float:
    """Dice coefficient ``2 |A and B| / (|A| + |B|)``."""
    return float(2 * (found & true).sum() / max(1, found.sum() + true.sum()))


def contour_distance_px(found: Mask, true: Mask) -> float:
    """Mean distance between two outlines in px, both directions; the image border is no outline."""
    outlines = [_outline(found), _outline(true)]
    if not all(outline.any() for outline in outlines):
        return float("inf")
    distances = [ndimage.distance_transform_edt(~outlines[1 - k])[outlines[k]] for k in (0, 1)]
    return float(np.concatenate(distances).mean())


def score(joint: LoadedJoint, found: BoneMasks) -> Row:
    """All figures of one joint; a refused one has none but its confidence.

    Outlines are compared after both masks are continued to the border their bone leaves by: where
    a mask ends a few pixels short of it, that end is no outline of the bone.
    """
    if found.refused is not None:
        return {"refused": 1.0, "confidence": found.confidence}
    truth = joint.masks
    row = {"refused": 0.0, "confidence": found.confidence}
    continued, expected = reaching_border(found), reaching_border(truth)
    for name, true in truth.items():
        row[f"dice_{name}"] = dice(found[name], true)
        row[f"contour_px_{name}"] = contour_distance_px(continued[name], expected[name])
    if joint.is_overlapping:
        both = joint.upper & joint.lower
        row["overlap_iou"] = float((found.overlap & both).sum() / (found.overlap | both).sum())
    row["thumb_right"] = float(bool(found.flags) == joint.row.is_thumb)
    return row


def evaluate(data: Path, out: Path) -> str:
    """Segment every joint of a manifest and compare with its masks.

    Args:
        data: manifest (``dev.json``).
        out: folder for ``segmentation.json`` and ``segmentation.md``.
    """
    sound: list[Row] = []
    doubtful: list[Row] = []
    flagged: list[dict[str, Any]] = []
    for joint_row in track(joint_rows(data), "segmenting"):
        joint = load_joint(joint_row)
        found = segment(joint.radiograph)
        faults = mask_faults(joint.upper, joint.lower)
        (doubtful if faults else sound).append(score(joint, found))
        if faults:
            flagged.append(
                {"joint": joint_row.joint, "image": joint_row.image.stem, "why": list(faults)}
            )
    sets = {"sound masks": sound, "all rows": sound + doubtful}
    result = {name: summary(rows) for name, rows in sets.items()}
    return save(out, "segmentation", {**result, "flagged_rows": flagged}, _table(result))


def summary(rows: Sequence[Row]) -> Row:
    """Means over joints that were not refused, worst twentieth of Dice, and the refusals.

    A mean over no joint at all is NaN.
    """
    accepted = [row for row in rows if not row["refused"]]
    result = {"joints": float(len(rows)), "refused": float(sum(row["refused"] for row in rows))}
    for name in ("upper", "lower"):
        values = [row[f"dice_{name}"] for row in accepted]
        contour_px = _mean([row[f"contour_px_{name}"] for row in accepted])
        result[f"dice_{name}"] = _mean(values)
        worst = float(np.percentile(values, 5)) if values else float("nan")
        result[f"dice_{name}_5th_percentile"] = worst
        result[f"contour_px_{name}"] = contour_px
        result[f"contour_mm_{name}"] = contour_px * PUBLISHED_SPACING_MM
    overlaps = [row["overlap_iou"] for row in accepted if "overlap_iou" in row]
    result["overlap_joints"] = float(len(overlaps))
    result["overlap_iou"] = _mean(overlaps)
    result["thumb_accuracy"] = _mean([row["thumb_right"] for row in accepted])
    return result


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _outline(mask: Mask) -> Mask:
    edge = mask & ~ndimage.binary_erosion(mask, border_value=1)
    return np.asarray(edge)


def _table(result: dict[str, Row]) -> str:
    keys = list(next(iter(result.values())))
    rows = [[key, *[f"{result[name][key]:.4g}" for name in result]] for key in keys]
    return markdown_table(["segmentation", *result], rows)
