"""Is narrowing measured right? ``lamella evaluate narrowing-phantoms``: motions that are known.

Two series of phantoms at two visits (:mod:`lamella.evaluation.narrowing_pairs`), measured from
the pixels alone:

- in the plane: narrowing of 0 to 1.5 mm in steps of 0.01 mm, with lateral movement, rotation,
  another exposure, another place on the film and noise of its own;
- tilted: the phalanx is also flexed out of the plane, so that no rigid motion in the plane is
  the whole truth. Known is how far the point it is flexed about has moved; how the error grows with
  the tilt is the question. The phantom's flexion inclines its bowl, so that one rim of the base
  projects lower; foreshortening (0.1 % at 3 degrees) and the parallax of trabeculae in depth are
  not drawn, so real joints will do no better.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lamella.evaluation.narrowing_cases import NarrowingCase, leading_methods, measured_pairs
from lamella.evaluation.narrowing_figures import error_against_projection, measured_against_true
from lamella.evaluation.narrowing_pairs import SEED, STEPS, phantom_pairs
from lamella.evaluation.narrowing_scores import (
    KnownScore,
    binned_scores,
    cell,
    known_score,
    plain,
    score_table,
)
from lamella.evaluation.results import markdown_table, save

NAME = "narrowing_phantoms"
PUBLISHED_MEAN_ERROR_MM = 0.013
"""Partial-image phase-only correlation on phantom radiographs (Ou 2023)."""

PROJECTION_EDGES_DEG = (0.0, 0.5, 1.0, 2.0, 3.0)

Binned = dict[str, dict[str, KnownScore | None]]


def evaluate(
    data: Path | None, out: Path, count: int = STEPS, methods: Sequence[str] | None = None
) -> str:
    """Measure both series with every method.

    Args:
        data: not used: phantoms need none.
        out: folder for ``narrowing_phantoms.json``, ``.md`` and figures.
        count: pairs in the plane; as many tilted ones.
        methods: names of comparators; all but other separators' when None.
    """
    flat = phantom_cases(count, methods)
    tilted = phantom_cases(count, methods, tilt=True)
    scores = {"in_plane": scores_of(flat), "tilted": scores_of(tilted)}
    by_tilt: Binned = {
        name: binned_scores(cases, PROJECTION_EDGES_DEG, lambda case: abs(case.projection_deg))
        for name, cases in tilted.items()
    }
    measured_against_true(flat, out / f"{NAME}_true")
    error_against_projection(tilted, out / f"{NAME}_tilt")
    result: dict[str, Any] = {
        **plain(scores),
        "by_tilt_deg": plain(by_tilt),
        "published_mean_error_mm": PUBLISHED_MEAN_ERROR_MM,
    }
    tables = [
        score_table("phantoms, motion in the plane", scores["in_plane"]),
        score_table("phantoms, projection tilted too", scores["tilted"]),
        tilt_table(by_tilt),
    ]
    return save(out, NAME, result, "\n".join(tables))


def phantom_cases(
    count: int = STEPS,
    methods: Sequence[str] | None = None,
    *,
    tilt: bool = False,
    seed: int = SEED,
) -> dict[str, list[NarrowingCase]]:
    """One series of phantoms: method -> its cases.

    Args:
        count: pairs.
        methods: names of comparators; all but other separators' when None.
        tilt: flex the phalanx out of the plane as well.
        seed: of the phantoms.
    """
    title = "comparing tilted phantoms" if tilt else "comparing phantoms"
    pairs = phantom_pairs(count, tilt=tilt, seed=seed)
    return measured_pairs(pairs, leading_methods(methods), title, count)


def scores_of(
    rows: Mapping[str, Sequence[NarrowingCase]],
) -> dict[str, KnownScore | None]:
    """Method -> its scores."""
    return {name: known_score(cases) for name, cases in rows.items()}


def tilt_table(by_tilt: Binned) -> str:
    """RMS error of each method by change of projection."""
    bins = list(next(iter(by_tilt.values())))
    rows = [
        [name, *[cell(score.rms_mm) if score else "-" for score in found.values()]]
        for name, found in by_tilt.items()
    ]
    return markdown_table(["RMS error, mm, by tilt", *[f"{each} deg" for each in bins]], rows)
