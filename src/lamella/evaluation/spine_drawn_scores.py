"""How like the true vertebrae drawn ones are: means over vertebrae, intervals over spines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lamella.evaluation.bootstrap import Interval
from lamella.evaluation.results import markdown_table
from lamella.evaluation.spine_drawn import DrawnCase, Likeness
from lamella.evaluation.spine_scores import SpinePool, known

Drawings = Mapping[str, Sequence[DrawnCase]]
"""Method -> what it drew."""


@dataclass(frozen=True, kw_only=True)
class LikenessScore:
    """Means of :class:`~lamella.evaluation.spine_drawn.Likeness`."""

    dice: Interval
    psnr_db: Interval
    ssim: Interval


@dataclass(frozen=True, kw_only=True)
class DrawnScore:
    """What a method drew, against the truth.

    Args:
        vertebrae: asked for.
        refused: not drawn.
        aligned: read in the axes of what was drawn.
        raw: read where the fractured vertebra was.
        height_mae_mm: mean absolute error of the heights measured on the drawing.
        height_bias_mm: mean error.
    """

    vertebrae: int
    refused: int
    aligned: LikenessScore
    raw: LikenessScore
    height_mae_mm: Interval
    height_bias_mm: Interval


def drawn_score(cases: Sequence[DrawnCase]) -> DrawnScore | None:
    """Scores of some drawings; None where nothing was drawn."""
    made = [case for case in cases if case.refused is None]
    if not made:
        return None
    pool = SpinePool([case.known.spine for case in made])
    errors = np.array([case.height_error_mm for case in made])
    return DrawnScore(
        vertebrae=len(cases),
        refused=len(cases) - len(made),
        aligned=_likeness(pool, [case.aligned for case in made]),
        raw=_likeness(pool, [case.raw for case in made]),
        height_mae_mm=pool.mean(np.abs(errors)),
        height_bias_mm=pool.mean(errors),
    )


def drawn_scores(
    drawings: Drawings, keep: Callable[[DrawnCase], bool] = lambda _: True
) -> dict[str, DrawnScore | None]:
    """Method -> score of the drawings that ``keep`` keeps."""
    return {name: drawn_score(list(filter(keep, cases))) for name, cases in drawings.items()}


def drawn_table(title: str, scores: Mapping[str, DrawnScore | None]) -> str:
    """One row per method."""
    columns = [title, "vertebrae", "refused", "Dice", "Dice, raw", "PSNR dB", "PSNR dB, raw"]
    columns += ["SSIM", "SSIM, raw", "drawn height MAE mm", "bias mm"]
    rows = [[name, *_cells(score)] for name, score in scores.items()]
    return markdown_table(columns, rows)


def _likeness(pool: SpinePool, found: Sequence[Likeness]) -> LikenessScore:
    means = {
        name: pool.mean(np.array([getattr(each, name) for each in found]))
        for name in ("dice", "psnr_db", "ssim")
    }
    return LikenessScore(**means)


def _cells(score: DrawnScore | None) -> list[object]:
    if score is None:
        return ["nothing is drawn", *["-"] * 9]
    both = (score.aligned, score.raw)
    return [
        score.vertebrae,
        score.refused,
        *[known(each.dice) for each in both],
        *[known(each.psnr_db, 1) for each in both],
        *[known(each.ssim) for each in both],
        known(score.height_mae_mm, 2),
        known(score.height_bias_mm, 2, signed=True),
    ]
