"""How wrong segmented outlines are: standard deviations for the card of the network."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from lamella.methods.shares.calibrate import NORMAL_QUANTILE
from lamella.prepare.grid import NETWORK_SPACING_MM
from lamella.prepare.overlap import SMALLEST_OVERLAP_PX
from lamella.records import LamellaError
from lamella.tasks.joint_width import measure_joint_space
from lamella.types import Mask

COVERED_PERCENT = 90.0
FEWEST_JOINTS = 8

Pair = tuple[Mapping[str, Mask], Mapping[str, Mask]]
"""Found masks and drawn ones of the same joint, on the network's grid."""


def fitted_outline_error(pairs: Iterable[Pair]) -> dict[str, Any]:
    """Standard deviations of an outline whose 90 % intervals of the width cover 90 %.

    ``offset = q90 |JSW_found - JSW_drawn| / (1.645 sqrt 2)`` for two independent outlines, and
    ``ripple`` likewise from what the smallest width errs beyond that. Drawn outlines err too, so
    these bound the network's own error from above.

    Args:
        pairs: of joints that did not train.

    Returns:
        "apart" and "overlapping" -> offset_mm and ripple_mm and the number of joints; a kind with
        fewer than ``FEWEST_JOINTS`` joints has the figures of both together.
    """
    errors = [error for error in map(_errors, pairs) if error is not None]
    overlapping = np.array([error[2] for error in errors], bool)
    widths = np.array([error[:2] for error in errors], np.float64).reshape(-1, 2)
    kinds = {"apart": ~overlapping, "overlapping": overlapping}
    return {name: _fitted(widths, at) for name, at in kinds.items()}


def _fitted(errors_mm: np.ndarray, at: np.ndarray) -> dict[str, float]:
    used = errors_mm[at] if at.sum() >= FEWEST_JOINTS else errors_mm
    if not len(used):
        return {}
    mean_mm, least_mm = np.percentile(np.abs(used), COVERED_PERCENT, axis=0) / (
        NORMAL_QUANTILE * np.sqrt(2.0)
    )
    return {
        "offset_mm": round(float(mean_mm), 4),
        "ripple_mm": round(float(np.sqrt(max(least_mm**2 - mean_mm**2, 0.0))), 4),
        "joints": float(len(used)),
    }


def _errors(pair: Pair) -> tuple[float, float, bool] | None:
    try:
        found, drawn = (measure_joint_space(masks, NETWORK_SPACING_MM) for masks in pair)
    except LamellaError:
        return None
    overlap_px = int((pair[0]["upper"] & pair[0]["lower"]).sum())
    return (
        (found.jsw_px - drawn.jsw_px) * NETWORK_SPACING_MM,
        (found.minimum_px - drawn.minimum_px) * NETWORK_SPACING_MM,
        overlap_px >= SMALLEST_OVERLAP_PX,
    )
