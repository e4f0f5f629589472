"""The report of a cohort: a few of its joints, live, and a sheet of samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from lamella.cli.cohort_work import SAMPLES_FOLDER, Source, prepared
from lamella.cli.outputs import write_text
from lamella.cli.runs import Run
from lamella.io import read
from lamella.io.sample import complete_record
from lamella.records import LamellaError, RunRecord
from lamella.report.synthesis import Sample, SynthesisCase, synthesis_page
from lamella.tasks.cohort import CohortPlan, CohortRequest, Draw, grain_seed

SHOWN_JOINTS = 4
SHOWN_SAMPLES = 24
SHOWN_PROBLEMS = 24


def write_report(
    run: Run,
    record: RunRecord,
    cohort: tuple[CohortPlan, Sequence[Source], CohortRequest],
    problems: Mapping[str, str],
) -> None:
    """Write ``report.html`` with at most 4 live joints and 24 samples.

    Raises:
        LamellaError: not writable.
    """
    plan, sources, request = cohort
    shown = sources[:SHOWN_JOINTS]
    cases = [
        SynthesisCase(
            name=source.name,
            joint=prepared(source.folder, grain_seed(request.seed, source.sha256)),
            samples=list(_samples(run, source, _chosen(plan, source, len(shown)))),
        )
        for source in shown
    ]
    names = {source.name for source in sources}
    refused = [name for name in problems if name not in names][:SHOWN_PROBLEMS]
    cases += [SynthesisCase(name=name, joint=None, problem=problems[name]) for name in refused]
    write_text(run.page, synthesis_page(cases, record, run.title))


def _chosen(plan: CohortPlan, source: Source, joints: int) -> list[Draw]:
    """Some of a joint's samples, evenly from its narrowest to its widest."""
    total = int(plan.counts[plan.names.index(source.name)].sum())
    places = np.linspace(0, max(total - 1, 0), min(SHOWN_SAMPLES // joints, total)).round()
    chosen = set(places.astype(int).tolist())
    return [draw for place, draw in enumerate(plan.draws(source.name)) if place in chosen]


def _samples(run: Run, source: Source, draws: Sequence[Draw]) -> Iterator[Sample]:
    folder = run.out / SAMPLES_FOLDER / source.name
    for draw in draws:
        record = complete_record(folder, draw.name)
        if record is None:
            continue
        image = next(name for name in record["files"] if "_mask_" not in name[len(draw.name) :])
        try:
            pixels = read(folder / image).pixels
        except LamellaError:
            continue
        yield Sample(label=f"{record['measures']['jsw_mm']:.2f} mm", pixels=pixels)
