"""Which engine registers a bone best, and how fast? ``lamella evaluate narrowing-engines``.

The same phantoms, the same layers: Lamella's least squares against SimpleITK's registration
(correlation metric, B-splines, three resolutions), with and without a free magnification. Needs
the extra ``itk``.
"""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from lamella.evaluation.itk_registration import register_by_itk
from lamella.evaluation.narrowing_cases import NarrowingCase, known_case
from lamella.evaluation.narrowing_pairs import phantom_pairs
from lamella.evaluation.narrowing_scores import KnownScore, cell, known_score, plain
from lamella.evaluation.results import markdown_table, save
from lamella.methods.registration.infer import register_bones
from lamella.records import LamellaError
from lamella.tasks.joint_narrowing import Register, measure_narrowing
from lamella.zoo.narrowing import prepare_visit

NAME = "narrowing_engines"
PAIRS = 30
ENGINES: Mapping[str, Register] = {
    "Lamella": register_bones,
    "SimpleITK, rigid": partial(register_by_itk, magnify=False),
    "SimpleITK, similarity": register_by_itk,
}


def evaluate(data: Path | None, out: Path, count: int = PAIRS) -> str:
    """Measure phantoms of known motion by every engine.

    Args:
        data: not used: phantoms need none.
        out: folder for ``narrowing_engines.json`` and ``.md``.
        count: pairs of phantoms.

    Raises:
        LamellaError: SimpleITK is not installed.
    """
    cases: dict[str, list[NarrowingCase]] = {name: [] for name in ENGINES}
    seconds: dict[str, list[float]] = {name: [] for name in ENGINES}
    for pair in track(phantom_pairs(count), "comparing engines", total=count):
        try:
            visits = [prepare_visit(each) for each in (pair.baseline, pair.followup)]
        except LamellaError:
            continue
        for name, register in ENGINES.items():
            start = time.perf_counter()
            found = measure_narrowing(visits[0], visits[1], register, name)
            seconds[name].append(time.perf_counter() - start)
            cases[name].append(known_case(found, pair))
    scores = {name: known_score(found) for name, found in cases.items()}
    pace = {name: float(np.median(found)) for name, found in seconds.items() if found}
    result: dict[str, Any] = {"scores": plain(scores), "seconds_per_pair": pace}
    return save(out, NAME, result, engine_table(scores, pace))


def engine_table(scores: Mapping[str, KnownScore | None], pace: Mapping[str, float]) -> str:
    """One row per engine; those without answers are left out."""
    rows = [
        [
            name,
            score.cases,
            cell(score.bias_mm, 4, signed=True),
            cell(score.sd_mm, 4),
            cell(score.slope),
            f"{pace[name]:.2f}",
        ]
        for name, score in scores.items()
        if score is not None
    ]
    return markdown_table(
        ["same layers", "pairs", "bias mm", "SD mm", "slope", "seconds per pair"], rows
    )
