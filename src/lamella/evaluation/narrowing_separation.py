"""Does separation help registration? MSE of registered bones by method, against overlap size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from lamella.evaluation.bootstrap import Interval
from lamella.evaluation.narrowing_consistency import Pooled
from lamella.evaluation.narrowing_figures import curves
from lamella.evaluation.narrowing_visit_cases import VisitCase
from lamella.evaluation.results import markdown_table

WITHOUT = "no-separation"
LARGE_PX = 200
OVERLAP_EDGES_PX = (0, 20, 200, 500, 10**9)
FEWEST_JOINTS = 3
TIED = 1e-9
"""Joints whose differences vary by no more leave nothing to test."""

SHOWN = ("all", f"over {LARGE_PX}")

Key = tuple[str, int, int, str]
"""Joint, both visits, bone."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """MSE with a method minus MSE without separation, of the same pixels.

    Args:
        bones: compared.
        joints: they belong to.
        difference: mean, by resampled joints.
        t_p: of a paired t-test on the joints' means, as published; NaN where nothing can be tested.
        rank_p: of Wilcoxon's signed-rank test on them.
    """

    bones: int
    joints: int
    difference: Interval
    t_p: float
    rank_p: float


def separation_result(cases: Mapping[str, Sequence[VisitCase]], path: Path) -> dict[str, Any]:
    """MSE and paired differences, over all pairs and by overlap; draws the curve.

    Args:
        cases: method -> comparisons of visits.
        path: of the figure, without its endings.

    Returns:
        ``bones``: how many were registered by every method and are compared; ``mse`` and
        ``minus_no_separation``: part -> method -> figures.
    """
    found = {name: _by_bone(rows) for name, rows in cases.items()}
    shared = sorted(set.intersection(*[set(rows) for rows in found.values()]))
    overlap = {
        (case.joint, case.first, case.last): case.overlap_px
        for rows in cases.values()
        for case in rows
    }
    parts = _parts(shared, overlap)
    mse = {
        part: {name: _pooled(rows, keys).mean() for name, rows in found.items()}
        for part, keys in parts.items()
    }
    if shared:
        curves(_overlap_curves(found, shared, overlap), ("overlap, px", "MSE"), path, log=True)
    return {
        "bones": {part: len(keys) for part, keys in parts.items()},
        "mse": mse,
        "minus_no_separation": {
            part: {
                name: difference(rows, found[WITHOUT], keys)
                for name, rows in found.items()
                if name != WITHOUT
            }
            for part, keys in parts.items()
            if WITHOUT in found
        },
    }


def difference(
    rows: Mapping[Key, float], without: Mapping[Key, float], keys: Sequence[Key]
) -> Difference:
    """Paired difference of the same bones, with tests on the means of joints."""
    values = np.array([rows[key] - without[key] for key in keys])
    joints = tuple(key[0] for key in keys)
    names = sorted(set(joints))
    means = np.array([values[[name == joint for joint in joints]].mean() for name in names])
    tested = len(names) >= FEWEST_JOINTS and float(np.ptp(means)) > TIED
    return Difference(
        bones=len(keys),
        joints=len(names),
        difference=Pooled(values=values, joints=joints).mean(),
        t_p=float(stats.ttest_1samp(means, 0.0).pvalue) if tested else float("nan"),
        rank_p=float(stats.wilcoxon(means).pvalue) if tested else float("nan"),
    )


def separation_tables(result: Mapping[str, Any]) -> list[str]:
    """MSE by overlap, and what separation changes over all and at large overlaps."""
    parts = list(result["mse"])
    methods = list(next(iter(result["mse"].values())))
    headings = [f"{part} ({result['bones'][part]} bones)" for part in parts]
    mse = [[name, *[_in_1e4(result["mse"][part][name]) for part in parts]] for name in methods]
    tables = [markdown_table(["MSE of registered bones (1e-4), overlap px", *headings], mse)]
    for part in (each for each in SHOWN if each in result["minus_no_separation"]):
        found = result["minus_no_separation"][part]
        rows = [
            [name, each.bones, each.joints, _in_1e4(each.difference), *_tested(each)]
            for name, each in found.items()
        ]
        columns = [f"minus {WITHOUT}, overlap {part} px", "bones", "joints", "difference (1e-4)"]
        tables.append(markdown_table([*columns, "p (paired t)", "p (signed rank)"], rows))
    return tables


def _by_bone(cases: Sequence[VisitCase]) -> dict[Key, float]:
    return {
        (case.joint, case.first, case.last, bone): mse
        for case in cases
        for bone, mse in case.mse.items()
    }


def _parts(
    keys: Sequence[Key], overlap: Mapping[tuple[str, int, int], int]
) -> dict[str, list[Key]]:
    """``all``, ``over 200`` and the bins of overlap -> their bones."""
    parts = {"all": list(keys), f"over {LARGE_PX}": []}
    parts[f"over {LARGE_PX}"] = [key for key in keys if overlap[key[:3]] > LARGE_PX]
    for low, high in pairwise(OVERLAP_EDGES_PX):
        name = f"{low}-{high}" if high < OVERLAP_EDGES_PX[-1] else f"{low} or more"
        parts[name] = [key for key in keys if low <= overlap[key[:3]] < high]
    return {name: chosen for name, chosen in parts.items() if chosen}


def _pooled(rows: Mapping[Key, float], keys: Sequence[Key]) -> Pooled:
    return Pooled(
        values=np.array([rows[key] for key in keys]), joints=tuple(key[0] for key in keys)
    )


def _overlap_curves(
    found: Mapping[str, Mapping[Key, float]],
    keys: Sequence[Key],
    overlap: Mapping[tuple[str, int, int], int],
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    sizes = np.array([overlap[key[:3]] for key in keys])
    bins = [
        np.flatnonzero((sizes >= low) & (sizes < high)) for low, high in pairwise(OVERLAP_EDGES_PX)
    ]
    filled = [chosen for chosen in bins if chosen.size]
    places = np.array([np.median(sizes[chosen]) for chosen in filled])
    return {
        name: (places, np.array([np.mean([rows[keys[int(at)]] for at in part]) for part in filled]))
        for name, rows in found.items()
    }


def _in_1e4(found: Interval) -> str:
    mean, low, high = (1e4 * end for end in (found.mean, found.low, found.high))
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def _tested(found: Difference) -> list[str]:
    return [f"{found.t_p:.2g}", f"{found.rank_p:.2g}"]
