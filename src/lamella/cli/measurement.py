"""The run of ``lamella measure``: each radiograph read, measured and put into one table."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image as PillowImage

from lamella.cli.batch import given_masks, reason_of
from lamella.cli.inputs import Job, find_jobs
from lamella.cli.measure import MeasureOptions
from lamella.cli.outputs import refuse_unwritable, writable, write_text
from lamella.cli.progress import tracked
from lamella.cli.runs import RUN_FILE, Fate, Outcome, Run, run_record
from lamella.io import read
from lamella.io.write import guard_output, write_json
from lamella.records import BoneMasks, JointSpace, LamellaError, Radiograph
from lamella.report.overlay import joint_space_picture
from lamella.zoo.models import weights_sha256
from lamella.zoo.verbs import joint_space, segment

TABLE_FILE = "joint_space.csv"
JSON_FILE = "joint_space.json"
OVERLAYS_FOLDER = "overlays"
NOTICE = "research use only, not for diagnosis"
LENGTHS_PX = ("jsw_px", "jsw_sd_px", "minimum_px", "contact_px")
COLUMNS = (
    "name",
    "status",
    "problem",
    "jsw_mm",
    "jsw_sd_mm",
    "minimum_mm",
    "minimum_sd_mm",
    "contact_mm",
    "contact_sd_mm",
    "area_mm2",
    "area_sd_mm2",
    *LENGTHS_PX,
    "pixel_spacing_mm",
    "pixel_spacing_source",
    "masks",
    "confidence",
    "flags",
    "warnings",
    "input_sha256",
)
FLAG_BETWEEN = " · "


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a run came to: a row per image, and whether Ctrl-C stopped it."""

    rows: list[dict[str, Any]]
    interrupted: bool

    @property
    def problems(self) -> list[dict[str, Any]]:
        """Rows of images that could not be measured."""
        return [row for row in self.rows if row["problem"]]


def measured(images: Sequence[Path], options: MeasureOptions) -> Measured:
    """Measure every radiograph and write the table.

    Raises:
        LamellaError: nothing to do, something in the way, or the only image cannot be measured;
            then nothing is written.
    """
    started = time.perf_counter()
    refuse_unwritable(options.out)
    jobs = find_jobs(images, options.separation, lambda files: tracked(files, "looking at files"))
    files = [options.out / name for name in (TABLE_FILE, JSON_FILE, RUN_FILE)]
    overlays = [_overlay(options, job) for job in jobs] if options.overlay else []
    guard_output([*files, *overlays], options.force)
    rows, interrupted = _rows(jobs, options)
    _write(rows, options, time.perf_counter() - started)
    return Measured(rows=rows, interrupted=interrupted)


def _rows(jobs: Sequence[Job], options: MeasureOptions) -> tuple[list[dict[str, Any]], bool]:
    rows: list[dict[str, Any]] = []
    try:
        for job in tracked(jobs, "measuring"):
            try:
                rows.append(_row(job, options))
            except LamellaError as error:
                if len(jobs) == 1:
                    raise LamellaError(f"{job.source}: {reason_of(job, error)}") from None
                rows.append(_blank(job) | {"problem": reason_of(job, error)})
    except KeyboardInterrupt:
        if not rows:
            raise
        rest = (_blank(job) for job in jobs[len(rows) :])
        rows += [row | {"status": Fate.NOT_RUN.value, "problem": "not run"} for row in rest]
        return rows, True
    return rows, False


def _row(job: Job, options: MeasureOptions) -> dict[str, Any]:
    """One radiograph measured.

    Raises:
        LamellaError: it or its masks cannot be used.
    """
    if job.problem is not None:
        raise LamellaError(job.problem)
    radiograph = read(job.path, options.pixel_spacing_mm)
    masks = given_masks(job, radiograph) or segment(radiograph)
    space = joint_space(radiograph, masks)
    if options.overlay:
        _write_overlay(_overlay(options, job), radiograph, space)
    return _blank(job) | _found(radiograph, masks, space)


def _found(radiograph: Radiograph, masks: BoneMasks, space: JointSpace) -> dict[str, Any]:
    flags = (*masks.flags, *space.flags)
    return {
        "status": (Fate.FLAGGED if flags else Fate.DONE).value,
        **space.figures(),
        **{name: getattr(space, name) for name in LENGTHS_PX},
        "pixel_spacing_mm": radiograph.pixel_spacing_mm,
        "pixel_spacing_source": str(radiograph.spacing_source),
        "masks": masks.origin,
        "confidence": masks.confidence,
        "flags": FLAG_BETWEEN.join(flags),
        "warnings": FLAG_BETWEEN.join(radiograph.warnings),
    }


def _blank(job: Job) -> dict[str, Any]:
    """The row of a radiograph that could not be measured."""
    known = {"name": job.name, "status": Fate.FAILED.value, "input_sha256": job.sha256}
    return dict.fromkeys(COLUMNS) | known


def _overlay(options: MeasureOptions, job: Job) -> Path:
    return options.out / OVERLAYS_FOLDER / f"{job.name}.png"


def _write_overlay(path: Path, radiograph: Radiograph, space: JointSpace) -> None:
    picture = PillowImage.fromarray(joint_space_picture(radiograph.pixels, space))
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".lamella-{path.name}.part")
        picture.save(partial, format="PNG")
        partial.replace(path)


def _write(rows: Sequence[Mapping[str, Any]], options: MeasureOptions, seconds: float) -> None:
    with writable(options.out):
        options.out.mkdir(parents=True, exist_ok=True)
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(options.out / TABLE_FILE, table.getvalue())
    write_json(options.out / JSON_FILE, {"notice": NOTICE, "joints": list(rows)})
    run = Run(out=options.out, command=options.command, weights_sha256=weights_sha256())
    record = run_record(run, [_outcome(row) for row in rows], seconds)
    write_json(run.file, {"notice": NOTICE, **vars(record)})


def _outcome(row: Mapping[str, Any]) -> Outcome:
    warnings = [row["warnings"]] if row["warnings"] else []
    sha256 = row["input_sha256"]
    return Outcome(
        name=row["name"],
        fate=Fate(row["status"]),
        reason=row["problem"],
        result={**row, "warnings": warnings} if row["problem"] is None else {},
        inputs_sha256={row["name"]: sha256} if sha256 else {},
    )
