"""How like the true vertebrae drawn ones are: means over vertebrae, intervals over spines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lamella.evaluation.bootstrap import Interval
from lamella.evaluation.results import markdown_table
from lamella.evaluation.spine_drawn import DrawnCase, Likeness
from lamella.evaluation.spine_scores import SpineResampling, known

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


@dataclass(frozen=True, kw_only=True)
class DrawnDifference:
    """One method minus another on the vertebrae that both draw.

    Args:
        vertebrae: that both draw.
        dice: difference of the mean Dice, aligned.
        psnr_db: of the mean PSNR, aligned.
        height_mae_mm: of the mean absolute error of the drawn heights.
    """

    vertebrae: int
    dice: Interval
    psnr_db: Interval
    height_mae_mm: Interval


def drawn_score(cases: Sequence[DrawnCase]) -> DrawnScore | None:
    """Scores of some drawings; None where nothing was drawn."""
    made = [case for case in cases if case.refused is None]
    if not made:
        return None
    pool = SpineResampling([case.known.spine for case in made])
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


def drawn_difference(
    cases: Sequence[DrawnCase], others: Sequence[DrawnCase]
) -> DrawnDifference | None:
    """How the first method's drawings differ from the second's; None without a common one."""
    beside = {case.known.key: case for case in others if case.refused is None}
    pairs = [
        (case, beside[case.known.key])
        for case in cases
        if case.refused is None and case.known.key in beside
    ]
    if not pairs:
        return None
    pool = SpineResampling([case.known.spine for case, _ in pairs])
    values = np.array([[_figures(case) for case in pair] for pair in pairs])
    dice, psnr_db, error = (pool.mean(each) for each in (values[:, 0] - values[:, 1]).T)
    return DrawnDifference(vertebrae=len(pairs), dice=dice, psnr_db=psnr_db, height_mae_mm=error)


def drawn_difference_table(title: str, found: Mapping[str, DrawnDifference | None]) -> str:
    """One row per method."""
    rows = [
        [
            name,
            each.vertebrae,
            known(each.dice, signed=True),
            known(each.psnr_db, 2, signed=True),
            known(each.height_mae_mm, 2, signed=True),
        ]
        for name, each in found.items()
        if each is not None
    ]
    return markdown_table([title, "vertebrae", "Dice", "PSNR dB", "drawn height MAE mm"], rows)


def _figures(case: DrawnCase) -> tuple[float, float, float]:
    error = float(np.mean(np.abs(case.height_error_mm)))
    return case.aligned.dice, case.aligned.psnr_db, error


def _likeness(pool: SpineResampling, found: Sequence[Likeness]) -> LikenessScore:
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
