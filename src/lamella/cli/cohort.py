"""A cohort from radiographs to manifest: separate once, plan, make, list, report.

In the output folder lie ``sources`` (a result of ``lamella separate`` per joint), ``samples`` (a
folder per joint), ``manifest.csv``, ``manifest.parquet`` where pyarrow is, ``coco.json``,
``run.json`` and ``report.html``. A sample is complete once its JSON record is there and agrees with
its files; the lists are made from the records as they come, so no list of samples is ever in
memory and an interrupted run is continued by the same command.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from lamella import __version__
from lamella.cli.batch import Batch, origin_of
from lamella.cli.cohort_files import (
    COCO_FILE,
    MANIFEST_FILE,
    PARQUET_FILE,
    SOURCES_FOLDER,
    refuse_other,
    remove_samples,
)
from lamella.cli.cohort_report import write_report
from lamella.cli.cohort_work import Chunk, Reach, Source, make, prepared, reach
from lamella.cli.outputs import NOTICE
from lamella.cli.pool import cores, in_order
from lamella.cli.progress import announced, counted
from lamella.cli.runs import Fate, Outcome, Run, run_record
from lamella.cli.synthesize import SynthesizeOptions
from lamella.io.coco import CocoFile
from lamella.io.manifest import ManifestFile, has_parquet, write_parquet
from lamella.io.write import write_json
from lamella.records import LamellaError
from lamella.tasks.cohort import CohortPlan, CohortRequest, planned

CHUNK = 32
FEW_SAMPLES = 64
"""Up to here one process is as fast as several that have to start."""

JOINT_WEIGHT = 8
"""Samples that preparing a joint takes as long as."""

MOST_FAILURES_KEPT = 100


@dataclass(kw_only=True)
class Finished:
    """What a run came to.

    Args:
        planned: samples of the plan.
        joints: that take part.
        per_width: fewest and most samples of a width that can be reached.
        unreachable_mm: widths left out.
        problems: joint or sample -> why it could not be used or made.
        written: samples in the manifest.
        made: of them, made by this run.
        failed: samples that could not be made.
        interrupted: with Ctrl-C.
        seconds: of the whole run.
    """

    planned: int
    joints: int
    per_width: tuple[int, int]
    unreachable_mm: list[float]
    problems: dict[str, str] = field(default_factory=dict)
    written: int = 0
    made: int = 0
    failed: int = 0
    interrupted: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """A cohort to make.

    Args:
        batch: separates the radiographs.
        options: of the command.
        request: what it shall hold.
        identity: of the request and its inputs; the same makes the same cohort.
        started: when, by the performance counter.
    """

    batch: Batch
    options: SynthesizeOptions
    request: CohortRequest
    identity: Mapping[str, Any]
    started: float

    @classmethod
    def planned(cls, images: Sequence[Path], options: SynthesizeOptions) -> Cohort:
        """Find and identify the inputs, and check that nothing would be overwritten.

        Raises:
            LamellaError: nothing to do, or something else in the way.
            UsageError: a range that cannot be followed.
        """
        started, request = time.perf_counter(), options.request
        batch = Batch.planned(images, options.separation, SOURCES_FOLDER)
        weights = batch.run.weights_sha256
        sources = {job.name: origin_of(job, batch.options, weights).record() for job in batch.jobs}
        identity = {
            **request.record(),
            "format": options.image_format,
            "lamella": __version__,
            "sources": sources,
        }
        refuse_other(options.out, identity, options.force)
        return cls(
            batch=batch, options=options, request=request, identity=identity, started=started
        )

    def run(self) -> Finished:
        """Make what is missing and list everything.

        Raises:
            LamellaError: no joint can be used at any width; then nothing new is left.
        """
        prepared.cache_clear()
        with _leaving_nothing(self.options.out):
            outcomes = self._separated()
            reaches, problems = self._reached(outcomes)
            plan = self._plan(reaches, problems)
        if self.options.force:
            remove_samples(self.options.out)
        finished = self._expected(plan, problems)
        self._record(outcomes, finished)
        sources = [found.source for found in reaches]
        self._make(plan, sources, finished)
        with announced("writing the report", len(sources)):
            self._report(plan, sources, finished, outcomes)
        return finished

    def _separated(self) -> list[Outcome]:
        if len(self.batch.jobs) == 1:
            return [self.batch.one()]
        outcomes, interrupted = self.batch.each()
        if interrupted:
            raise KeyboardInterrupt
        return outcomes

    def _reached(self, outcomes: Sequence[Outcome]) -> tuple[list[Reach], dict[str, str]]:
        problems = {
            outcome.name: outcome.reason or "no reason was recorded"
            for outcome in outcomes
            if outcome.is_bad
        }
        folders = [outcome.folder for outcome in outcomes if outcome.folder is not None]
        tasks = [(Source.of(folder), self.request) for folder in folders]
        found = []
        with counted(len(tasks), "preparing") as advance:
            for each in in_order(reach, tasks, self._workers(JOINT_WEIGHT * len(tasks))):
                found.append(each)
                advance(1)
        problems |= {each.source.name: each.problem for each in found if each.problem}
        return [each for each in found if each.widths is not None], problems

    def _plan(self, reaches: Sequence[Reach], problems: Mapping[str, str]) -> CohortPlan:
        table = {each.source.name: each.widths for each in reaches if each.widths is not None}
        if not table:
            name, problem = next(iter(problems.items()))
            raise LamellaError(f"{name}: {problem}")
        return planned(self.request, table)

    def _expected(self, plan: CohortPlan, problems: dict[str, str]) -> Finished:
        widths = self.request.widths_mm
        per_width = [
            int(number)
            for index, number in enumerate(plan.counts.sum(axis=0))
            if index not in plan.unreachable
        ]
        return Finished(
            planned=plan.total,
            joints=len(plan.names),
            per_width=(min(per_width), max(per_width)),
            unreachable_mm=[widths[index] for index in plan.unreachable],
            problems=problems,
        )

    def _make(self, plan: CohortPlan, sources: Sequence[Source], finished: Finished) -> None:
        """Make the samples and write the lists as they come."""
        out, workers = self.options.out, self._workers(plan.total)
        with (
            ManifestFile(out / MANIFEST_FILE) as manifest,
            CocoFile(out / COCO_FILE, NOTICE) as coco,
            counted(plan.total, "synthesising") as advance,
        ):
            try:
                for made in in_order(make, self._chunks(plan, sources), workers):
                    manifest.add(made.rows)
                    coco.add("images", made.images)
                    coco.add("annotations", made.annotations)
                    finished.written += len(made.rows)
                    finished.made += made.fresh
                    finished.failed += len(made.failed)
                    room = MOST_FAILURES_KEPT - len(finished.problems)
                    finished.problems.update(list(made.failed.items())[: max(room, 0)])
                    advance(made.draws)
            except KeyboardInterrupt:
                finished.interrupted = True
            manifest.finish()
            coco.finish()
        self._write_parquet()

    def _chunks(self, plan: CohortPlan, sources: Sequence[Source]) -> Iterator[Chunk]:
        first_id = 1
        for source in sources:
            remaining = plan.draws(source.name)
            while draws := tuple(islice(remaining, CHUNK)):
                yield Chunk(
                    source=source,
                    request=self.request,
                    draws=draws,
                    first_id=first_id,
                    image_format=self.options.image_format,
                    out=self.options.out,
                )
                first_id += len(draws)

    def _write_parquet(self) -> None:
        wanted = self.options.parquet
        if wanted or (wanted is None and has_parquet()):
            write_parquet(self.options.out / MANIFEST_FILE, self.options.out / PARQUET_FILE)

    def _report(
        self,
        plan: CohortPlan,
        sources: Sequence[Source],
        finished: Finished,
        outcomes: Sequence[Outcome],
    ) -> None:
        self._record(outcomes, finished)
        record = run_record(self._run, outcomes, finished.seconds)
        write_report(self._run, record, (plan, sources, self.request), finished.problems)

    def _record(self, outcomes: Sequence[Outcome], finished: Finished) -> None:
        """Write ``run.json``: before the first sample, and again at the end."""
        finished.seconds = time.perf_counter() - self.started
        record = run_record(self._run, outcomes, finished.seconds)
        complete = finished.written + finished.failed >= finished.planned
        fates = {
            outcome.name: Fate.FAILED if outcome.name in finished.problems else outcome.fate
            for outcome in outcomes
        }
        content = {
            "notice": NOTICE,
            **vars(record),
            "request": self.identity,
            "status": "finished" if complete else "unfinished",
            "images": [
                {"name": name, "status": fate.value, "reason": finished.problems.get(name)}
                for name, fate in fates.items()
            ],
            "samples": {
                key: value
                for key, value in vars(finished).items()
                if key not in ("seconds", "interrupted")
            },
        }
        write_json(self._run.file, content)

    @property
    def _run(self) -> Run:
        return Run(
            out=self.options.out,
            command=self.options.command,
            weights_sha256=self.batch.run.weights_sha256,
            seed=self.request.seed,
            title="Joint synthesis",
        )

    def _workers(self, samples: int) -> int:
        return self.options.workers or (1 if samples <= FEW_SAMPLES else cores())


@contextmanager
def _leaving_nothing(out: Path) -> Iterator[None]:
    """Remove what was made of the output folder when the work inside is refused."""
    made = next((place for place in (out, out / SOURCES_FOLDER) if not place.exists()), None)
    try:
        yield
    except LamellaError:
        if made is not None:
            with suppress(OSError):
                shutil.rmtree(made)
        raise
