"""Is the width right? ``lamella evaluate widths``: phantoms, commanded widths, repeat visits.

Four experiments, each with its own question:

- phantoms, measured from the pixels (and, beside it, with their own masks): bias and SD;
- real joints synthesised at commanded widths and segmented afresh: slope and offset;
- segmented against drawn masks of the same image: agreement;
- visits of one joint: spread.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamella.evaluation.bootstrap import RESAMPLES, SEED
from lamella.evaluation.results import markdown_table, save
from lamella.evaluation.width_cases import (
    Outcome,
    Refusal,
    WidthCase,
    commanded_widths,
    drawn_widths,
    phantom_widths,
    visit_widths,
)
from lamella.methods.shares.calibrate import NORMAL_QUANTILE

TAIL_PERCENT = 2.5


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Measured against known widths.

    Args:
        cases: measured.
        refused: not measured.
        mean_mm: mean error.
        sd_mm: standard deviation of the error.
        slope: of measured on known, with its 95 % interval by joint.
        offset_mm: the regression's value at a width of 0, with its interval.
        coverage: part of the errors within the stated 90 % interval.
    """

    cases: int
    refused: int
    mean_mm: float
    sd_mm: float
    slope: tuple[float, float, float]
    offset_mm: tuple[float, float, float]
    coverage: float

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> "Agreement":
        """Figures of some outcomes.

        Raises:
            ValueError: fewer than three were measured.
        """
        outcomes = list(outcomes)
        cases = [case for case in outcomes if isinstance(case, WidthCase)]
        if len(cases) < 3:
            raise ValueError(f"expected three measured widths or more, got {len(cases)}")
        errors = np.array([case.error_mm for case in cases])
        stated = NORMAL_QUANTILE * np.array([case.sd_mm for case in cases])
        fitted = _bootstrapped_line(cases)
        return cls(
            cases=len(cases),
            refused=sum(isinstance(outcome, Refusal) for outcome in outcomes),
            mean_mm=float(errors.mean()),
            sd_mm=float(errors.std(ddof=1)),
            slope=fitted[0],
            offset_mm=fitted[1],
            coverage=float((np.abs(errors) <= stated).mean()),
        )


def within_joint_sd_mm(visits: Mapping[str, Sequence[float]]) -> float:
    """Pooled standard deviation of the visits of one joint, mm; NaN without repeated visits."""
    squares = sum(float(np.var(widths, ddof=1)) * (len(widths) - 1) for widths in visits.values())
    freedom = sum(len(widths) - 1 for widths in visits.values())
    return float(np.sqrt(squares / freedom)) if freedom else float("nan")


def evaluate(data: Path, out: Path) -> str:
    """Run the experiments on a manifest.

    Args:
        data: manifest (``dev.json``).
        out: folder for ``widths.json`` and ``widths.md``.
    """
    from_pixels, with_masks = zip(*phantom_widths(), strict=True)
    agreements = {
        "phantoms, from pixels": Agreement.of(from_pixels),
        "phantoms, with their own masks": Agreement.of(with_masks),
        "commanded, baseline segmented": Agreement.of(commanded_widths(data, drawn_baseline=False)),
        "commanded, baseline drawn": Agreement.of(commanded_widths(data, drawn_baseline=True)),
        "segmented against drawn": Agreement.of(drawn_widths(data)),
    }
    visits = {
        name: visit_widths(data, segmented=segmented)
        for name, segmented in (("segmented", True), ("drawn", False))
    }
    spread = {name: within_joint_sd_mm(found) for name, found in visits.items()}
    result: dict[str, Any] = {
        "agreement": {name: vars(found) for name, found in agreements.items()},
        "visits_sd_mm": spread,
        "visited_joints": {name: len(found) for name, found in visits.items()},
    }
    return save(out, "widths", result, agreement_table(agreements) + "\n" + visit_table(result))


def agreement_table(agreements: Mapping[str, Agreement]) -> str:
    """One row per experiment."""
    rows = [
        [
            name,
            found.cases,
            found.refused,
            f"{found.mean_mm:+.3f}",
            f"{found.sd_mm:.3f}",
            "{:.3f} [{:.3f}, {:.3f}]".format(*found.slope),
            "{:+.3f} [{:+.3f}, {:+.3f}]".format(*found.offset_mm),
            f"{found.coverage:.0%}",
        ]
        for name, found in agreements.items()
    ]
    columns = ["joint space width", "cases", "refused", "mean error mm", "SD mm", "slope"]
    return markdown_table([*columns, "offset mm", "in 90 % interval"], rows)


def visit_table(result: Mapping[str, Any]) -> str:
    """Spread of repeated visits."""
    rows = [
        [name, result["visited_joints"][name], f"{spread:.3f}"]
        for name, spread in result["visits_sd_mm"].items()
    ]
    return markdown_table(["masks", "joints seen repeatedly", "SD within a joint, mm"], rows)


def _bootstrapped_line(
    cases: Sequence[WidthCase],
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Slope and offset of measured on known, each with low and high end of its interval."""
    known = np.array([case.known_mm for case in cases])
    measured = np.array([case.measured_mm for case in cases])
    names, joint = np.unique([case.joint for case in cases], return_inverse=True)
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(0, names.size, (RESAMPLES, names.size))
    weights = np.stack([np.bincount(row, minlength=names.size) for row in drawn])[:, joint]
    several = (weights[:, known != known[0]].sum(axis=1) > 0) & (weights @ (known == known[0]) > 0)
    lines = np.stack(_line(known, measured, weights[several]))
    low, high = np.percentile(lines, (TAIL_PERCENT, 100.0 - TAIL_PERCENT), axis=1)
    slope, offset = _line(known, measured, np.ones((1, known.size)))
    return (
        (float(slope[0]), float(low[0]), float(high[0])),
        (float(offset[0]), float(low[1]), float(high[1])),
    )


def _line(known: np.ndarray, measured: np.ndarray, weights: np.ndarray) -> tuple[Any, Any]:
    """Weighted least squares of measured on known for each row of weights."""
    total = weights.sum(axis=1)
    mean_known, mean_measured = weights @ known / total, weights @ measured / total
    square = weights @ known**2 / total - mean_known**2
    slope = (weights @ (known * measured) / total - mean_known * mean_measured) / square
    return slope, mean_measured - slope * mean_known
