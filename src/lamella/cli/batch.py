"""Many radiographs, one after the other: nothing overwritten, no failure stops the rest."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from lamella.cli.console import DEBUG_VARIABLE, console
from lamella.cli.inputs import Job, find_jobs, mask_problem
from lamella.cli.outputs import (
    Origin,
    described,
    refuse_foreign,
    refuse_unwritable,
    remove_stale,
    write_result,
)
from lamella.cli.progress import announced, tracked
from lamella.cli.runs import Fate, Outcome, Run, is_own_run, write_run
from lamella.cli.separate import SeparateOptions
from lamella.cli.stored import is_same, load_layers, other_results, read_result
from lamella.io import read, read_mask
from lamella.io.boundary import printable_name
from lamella.records import BoneMasks, LamellaError, Layers, Radiograph
from lamella.zoo.models import weights_sha256
from lamella.zoo.verbs import segment, separate

Result = TypeVar("Result")


class RefusedError(LamellaError):
    """A radiograph that was read but cannot be taken apart."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A radiograph taken apart and not yet written; milliseconds of each step."""

    layers: Layers
    timings_ms: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Radiographs to separate with the same options.

    Args:
        jobs: in the order they were named.
        options: of the command.
        run: how it was started.
        done: names of the jobs whose results are there already.
    """

    jobs: tuple[Job, ...]
    options: SeparateOptions
    run: Run
    done: frozenset[str]

    @classmethod
    def planned(cls, images: Sequence[Path], options: SeparateOptions, inside: str = "") -> Batch:
        """Find and identify every input, and check that nothing would be overwritten.

        Args:
            images: files and folders; the output folder is not searched.
            options: of the command.
            inside: folder of the results within the output folder.

        Raises:
            LamellaError: nothing to do, an output folder that cannot be written, or a result
                in the way.
            UsageError: masks given for more than one image.
        """
        refuse_unwritable(options.out)
        jobs = find_jobs(images, options, lambda files: tracked(files, "looking at files"))
        options = replace(options, out=options.out / inside)
        weights = weights_sha256()
        done = frozenset(job.name for job in jobs if _is_done(job, options, weights))
        _refuse_overwriting([job.name for job in jobs if job.name not in done], options)
        run = Run(out=options.out, command=options.command, weights_sha256=weights)
        return cls(jobs=tuple(jobs), options=options, run=run, done=done)

    def one(self) -> Outcome:
        """Separate the only radiograph; every error is the caller's.

        Raises:
            LamellaError: with a name that is safe to show.
        """
        remove_stale(self.options.out)
        job = self.jobs[0]
        try:
            return self._written(job, self._separated(job))
        except LamellaError as error:
            raise LamellaError(f"{job.source}: {reason_of(job, error)}") from None

    def each(self) -> tuple[list[Outcome], bool]:
        """Separate all radiographs; True when Ctrl-C stopped that.

        While one is taken apart, the one before it is written: at most two are in memory.
        """
        remove_stale(self.options.out)
        writing: list[Future[Outcome]] = []
        interrupted = False
        with ThreadPoolExecutor(max_workers=1) as writer:
            try:
                for job in tracked(self.jobs, "separating"):
                    taken = _attempted(job, partial(self._separated, job))
                    if writing:
                        writing[-1].result()
                    write = partial(self._written, job, taken)
                    writing.append(writer.submit(_attempted, job, write))
            except KeyboardInterrupt:
                interrupted = True
        outcomes = [future.result() for future in writing if future.exception() is None]
        rest = self.jobs[len(outcomes) :]
        return outcomes + [_outcome(job, Fate.NOT_RUN) for job in rest], interrupted

    def finish(self, outcomes: Sequence[Outcome], seconds: float) -> None:
        """Write ``run.json`` and the report, with earlier results when resuming."""
        names = {job.name for job in self.jobs}
        earlier = other_results(self.options.out, names) if self.options.resume else []
        with announced("writing the report", len(outcomes)):
            write_run(self.run, [*outcomes, *map(_earlier, earlier)], seconds)

    def _separated(self, job: Job) -> Outcome | Taken:
        if job.name in self.done:
            return _outcome(job, Fate.SKIPPED, folder=_readable(self.options.out / job.name))
        if job.problem is not None:
            raise LamellaError(job.problem)
        return taken_apart(job, self.options)

    def _written(self, job: Job, taken: Outcome | Taken) -> Outcome:
        if isinstance(taken, Outcome):
            return taken
        origin = origin_of(job, self.options, self.run.weights_sha256)
        result = described(taken.layers, origin, taken.timings_ms)
        folder = write_result(self.options.out, taken.layers, result)
        flags = taken.layers.masks.flags
        fate = Fate.FLAGGED if flags else Fate.DONE
        return _outcome(job, fate, " · ".join(flags) or None, folder)


def taken_apart(job: Job, options: SeparateOptions) -> Taken:
    """Read one radiograph, find its bones unless given, and separate it.

    Raises:
        RefusedError: it was read but cannot be taken apart.
        LamellaError: it or its masks cannot be read.
    """
    timings_ms: dict[str, float] = {}
    with _timed(timings_ms, "read"):
        radiograph = read(job.path, options.pixel_spacing_mm)
        masks = given_masks(job, radiograph)
    with _refusing():
        if masks is None:
            with _timed(timings_ms, "segment"):
                masks = segment(radiograph)
        if masks.refused is not None:
            raise RefusedError(masks.refused)
        with _timed(timings_ms, "separate"):
            layers = separate(radiograph, masks, options.method)
    return Taken(layers=layers, timings_ms=timings_ms)


def _attempted(job: Job, work: Callable[[], Result]) -> Result | Outcome:
    """What the work gives, or what became of the image when it fails."""
    try:
        return work()
    except RefusedError as error:
        return _outcome(job, Fate.REFUSED, reason_of(job, error))
    except LamellaError as error:
        return _outcome(job, Fate.FAILED, reason_of(job, error))
    except Exception as error:  # noqa: BLE001 -- one image must not stop the others
        if os.environ.get(DEBUG_VARIABLE):
            console(stderr=True).print_exception()
        kind = type(error).__name__
        return _outcome(job, Fate.FAILED, f"internal error {kind}, please report")


def given_masks(job: Job, radiograph: Radiograph) -> BoneMasks | None:
    """The masks given for a job, or None.

    Raises:
        LamellaError: a mask that cannot be used; the bone is named instead of the file.
    """
    if not job.masks:
        return None
    masks = {}
    for bone, path in job.masks.items():
        try:
            masks[bone] = read_mask(path, radiograph.shape)
        except LamellaError as error:
            raise LamellaError(mask_problem(bone, path, error)) from None
    return BoneMasks(masks=masks, origin="given")


def _is_done(job: Job, options: SeparateOptions, weights: Mapping[str, str]) -> bool:
    if not options.resume or job.sha256 is None or job.problem is not None:
        return False
    return is_same(options.out / job.name, origin_of(job, options, weights))


def _refuse_overwriting(names: Sequence[str], options: SeparateOptions) -> None:
    """Check the folders about to be written, ``run.json`` and the report."""
    run = Run(out=options.out, command="", weights_sha256={})
    folders = [options.out / name for name in names]
    replaced = (
        folders if options.resume and is_own_run(options.out) else [*folders, run.file, run.page]
    )
    existing = [path for path in replaced if path.exists()]
    if existing and not options.force:
        why = (
            "made from another input, mask, spacing, method or weights, or damaged"
            if options.resume
            else "go on with --resume if the same command made it"
        )
        raise LamellaError(
            f"{existing[0].name} is in the output folder already: {why}; "
            "replace it with --force, or choose another folder"
        )
    for folder in folders:
        if folder.exists():
            refuse_foreign(folder)


def origin_of(job: Job, options: SeparateOptions, weights: Mapping[str, str]) -> Origin:
    """What the result of a job is made from."""
    return Origin(
        name=job.name,
        input_sha256=job.sha256 or "",
        mask_sha256=job.mask_sha256,
        given_spacing_mm=options.pixel_spacing_mm,
        method=options.method,
        weights_sha256=weights,
    )


def _outcome(
    job: Job, fate: Fate, reason: str | None = None, folder: Path | None = None
) -> Outcome:
    inputs = {} if job.sha256 is None else {job.name: job.sha256}
    inputs |= {f"{job.name}, mask {bone}": sha for bone, sha in job.mask_sha256.items()}
    return Outcome(
        name=job.name,
        fate=fate,
        reason=reason,
        folder=folder,
        result={} if folder is None else read_result(folder),
        inputs_sha256=inputs,
    )


def _earlier(folder: Path) -> Outcome:
    result = read_result(folder)
    inputs = {folder.name: result["origin"]["input_sha256"]}
    return Outcome(
        name=folder.name, fate=Fate.SKIPPED, folder=folder, result=result, inputs_sha256=inputs
    )


def _readable(folder: Path) -> Path:
    """A result's folder, once its layers have been read as the report will read them."""
    try:
        load_layers(folder)
    except (LamellaError, KeyError, ValueError):
        raise LamellaError("its earlier result is damaged: make it again with --force") from None
    return folder


def reason_of(job: Job, error: LamellaError) -> str:
    """An error's sentence without any name of the file, which may be a patient's."""
    text = " ".join(str(error).split())
    for name in (job.source, printable_name(job.path)):
        text = text.removeprefix(f"{name}: ")
    return text


@contextmanager
def _refusing() -> Iterator[None]:
    """Errors inside are refusals: the radiograph itself was read."""
    try:
        yield
    except LamellaError as error:
        raise RefusedError(str(error)) from None


@contextmanager
def _timed(timings_ms: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    timings_ms[step] = 1000.0 * (time.perf_counter() - started)
