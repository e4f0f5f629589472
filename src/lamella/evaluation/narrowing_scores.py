"""How good measured narrowings are against known ones.

Over the accepted pairs, with errors ``e = measured - known``:

    bias = mean e,   SD = sd e,   RMS = sqrt(mean e^2),   measured = slope known + intercept,
    coverage = part of |e| <= 1.645 stated SD.

Intervals of 95 % resample the pairs, one of each joint; those of proportions are exact (Clopper
and Pearson).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from lamella.evaluation.bootstrap import LEVEL_PERCENT, RESAMPLES, SEED, Interval
from lamella.evaluation.narrowing_cases import NarrowingCase
from lamella.evaluation.results import markdown_table
from lamella.records.narrowing import WIDE_90
from lamella.tasks.reading_scores import Proportion

FEWEST = 3
GROSS_MM = 0.3
"""Errors above this are mismatches: the published rule's 0.3 mm."""

Cases = Sequence[NarrowingCase]
Sample = Float[np.ndarray, "resamples cases"]
"""Indices of the cases in each resample; the first row is the sample itself."""


@dataclass(frozen=True, kw_only=True)
class KnownScore:
    """Measured against known narrowings.

    Args:
        cases: pairs, answered or not.
        refused: pairs without an answer.
        bias_mm: mean error.
        sd_mm: standard deviation of the error.
        rms_mm: root of the mean squared error.
        slope: of measured on known.
        intercept_mm: of the same line.
        covered: errors within the stated 90 % interval, of the answers with a stated SD; None
            where a method states none.
        gross: errors above ``GROSS_MM``, of the answers.
    """

    cases: int
    refused: Proportion
    bias_mm: Interval
    sd_mm: Interval
    rms_mm: Interval
    slope: Interval
    intercept_mm: Interval
    covered: Proportion | None
    gross: Proportion


def known_score(cases: Cases) -> KnownScore | None:
    """Scores of some cases; None when fewer than ``FEWEST`` were answered."""
    answered = [case for case in cases if case.is_accepted]
    if len(answered) < FEWEST:
        return None
    known = np.array([case.known_mm for case in answered])
    measured = np.array([case.measured_mm for case in answered])
    drawn = resampled(len(answered))
    error = (measured - known)[drawn]
    slope, intercept = lines(known[drawn], measured[drawn])
    return KnownScore(
        cases=len(cases),
        refused=Proportion(hits=len(cases) - len(answered), trials=len(cases)),
        bias_mm=interval(error.mean(axis=1)),
        sd_mm=interval(error.std(axis=1, ddof=1)),
        rms_mm=interval(np.sqrt((error**2).mean(axis=1))),
        slope=interval(slope),
        intercept_mm=interval(intercept),
        covered=coverage(answered),
        gross=Proportion(hits=int((np.abs(error[0]) > GROSS_MM).sum()), trials=len(answered)),
    )


def coverage(answered: Cases) -> Proportion | None:
    """Errors within the stated 90 % interval; None when no SD is stated."""
    stated = [case for case in answered if np.isfinite(case.sd_mm)]
    if not stated:
        return None
    hits = sum(abs(case.error_mm) <= WIDE_90 * case.sd_mm for case in stated)
    return Proportion(hits=int(hits), trials=len(stated))


def resampled(count: int) -> np.ndarray:
    """Indices (1 + ``RESAMPLES``, count): the sample itself, then draws with replacement."""
    rng = np.random.default_rng(SEED)
    draws = rng.integers(0, count, (RESAMPLES, count))
    return np.concatenate([np.arange(count)[None], draws])


def interval(values: np.ndarray) -> Interval:
    """First of the values with the percentile interval of the others; NaN are left out."""
    tail = 0.5 * (100.0 - LEVEL_PERCENT)
    others = values[1:][np.isfinite(values[1:])]
    low, high = np.percentile(others, (tail, 100.0 - tail)) if others.size else (np.nan, np.nan)
    return Interval(mean=float(values[0]), low=float(low), high=float(high))


def lines(known: np.ndarray, measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept of least squares in each row (resample, case); NaN without spread."""
    known_mean, measured_mean = known.mean(axis=1), measured.mean(axis=1)
    away = known - known_mean[:, None]
    square = (away**2).sum(axis=1)
    product = (away * measured).sum(axis=1)
    slope = np.divide(product, square, out=np.full_like(product, np.nan), where=square > 0)
    return slope, measured_mean - slope * known_mean


def binned_scores(
    cases: Cases, edges: Sequence[float], value: Callable[[NarrowingCase], float]
) -> dict[str, KnownScore | None]:
    """Scores of the cases whose value lies from one edge to below the next."""
    return {
        f"{low:g}-{high:g}": known_score([case for case in cases if low <= value(case) < high])
        for low, high in pairwise(edges)
    }


def score_table(title: str, scores: Mapping[str, KnownScore | None]) -> str:
    """One row per method."""
    columns = [title, "pairs", "refused", "bias mm", "SD mm", "RMS mm", "slope", "intercept mm"]
    rows = [[name, *_score_cells(found)] for name, found in scores.items()]
    return markdown_table([*columns, "in 90 % interval", f"errors over {GROSS_MM:g} mm"], rows)


def cell(found: Interval, digits: int = 3, *, signed: bool = False) -> str:
    """An interval as tables show it."""
    sign = "+" if signed else ""
    shown = [f"{end:{sign}.{digits}f}" for end in (found.mean, found.low, found.high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def proportion_cell(found: Proportion | None) -> str:
    """A proportion with its exact interval; a dash where there is none."""
    if found is None or not found.trials:
        return "-"
    low, high = found.interval
    return f"{100 * found.value:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def plain(value: Any) -> Any:
    """Scores as JSON holds them, proportions with their exact interval."""
    if isinstance(value, Proportion):
        given = value.trials > 0
        bounds = value.interval if given else (None, None)
        part = value.value if given else None
        return asdict(value) | {"part": part, "low": bounds[0], "high": bounds[1]}
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {key: plain(each) for key, each in vars(value).items()}
    return list(value) if isinstance(value, tuple) else value


def _score_cells(found: KnownScore | None) -> list[object]:
    if found is None:
        return ["too few answers", *["-"] * 8]
    return [
        found.cases,
        proportion_cell(found.refused),
        cell(found.bias_mm, signed=True),
        cell(found.sd_mm),
        cell(found.rms_mm),
        cell(found.slope),
        cell(found.intercept_mm, signed=True),
        proportion_cell(found.covered),
        proportion_cell(found.gross),
    ]
