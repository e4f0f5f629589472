"""A run of ``lamella narrowing``: plan, compare, keep each joint, list everything, report.

In the output folder lie ``joints`` (a record per joint, written as it is done), the table,
``run.json`` and ``report.html``. The lists are made from the records, so an interrupted run is
finished by the same command with ``--resume``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamella.cli.narrowing import NarrowingOptions
from lamella.cli.narrowing_plan import PlannedJoint, named_joint, tabled_joints
from lamella.cli.narrowing_table import (
    JSON_FILE,
    NOTICE,
    PARQUET_FILE,
    TABLE_FILE,
    blank_row,
    write_tables,
)
from lamella.cli.narrowing_work import Task, compare
from lamella.cli.outputs import refuse_unwritable, writable, write_text
from lamella.cli.pool import cores, in_order
from lamella.cli.progress import announced, counted
from lamella.cli.runs import PAGE_FILE, RUN_FILE, Fate, Outcome, Run, is_own_run, run_record
from lamella.io.write import guard_output, write_json
from lamella.records import LamellaError
from lamella.report.narrowing import PICTURED_JOINTS, narrowing_page
from lamella.zoo.models import weights_sha256
from lamella.zoo.narrowing import comparator

JOINTS_FOLDER = "joints"
LISTS = (TABLE_FILE, JSON_FILE, PARQUET_FILE, RUN_FILE, PAGE_FILE)
FEW_JOINTS = 8
"""Up to here one process is as fast as several that have to start."""


@dataclass(kw_only=True)
class Compared:
    """What a run came to.

    Args:
        rows: of the table; empty when Ctrl-C came before anything was done.
        kept: joints that were there already.
        interrupted: with Ctrl-C.
        seconds: of the whole run.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    kept: int = 0
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def problems(self) -> list[dict[str, Any]]:
        """Rows without an answer."""
        return [row for row in self.rows if row["reason"]]


def compared(visits: Sequence[Path], options: NarrowingOptions) -> Compared:
    """Compare every joint and write everything.

    Raises:
        LamellaError: nothing to do, something in the way, or the visits named one by one cannot
            be used; then nothing is written.
    """
    started = time.perf_counter()
    refuse_unwritable(options.out)
    comparator(options.method)
    tasks = _tasks(visits, options)
    kept = _kept(tasks, options)
    _refuse_overwriting(tasks, kept, options)
    found = Compared(kept=len(kept))
    records = _compare(tasks, kept, options, found)
    if records:
        if options.force:
            _remove_others(options.out, tasks)
        found.seconds = time.perf_counter() - started
        _write(tasks, records, options, found)
    return found


def _tasks(visits: Sequence[Path], options: NarrowingOptions) -> list[Task]:
    table = options.table
    joints = [named_joint(visits, options)] if table is None else tabled_joints(table, options)
    weights = weights_sha256()
    return [
        Task(
            joint=joint,
            method=options.method,
            weights=weights,
            pictured=place < PICTURED_JOINTS,
            strict=table is None,
        )
        for place, joint in enumerate(joints)
    ]


def _kept(tasks: Sequence[Task], options: NarrowingOptions) -> dict[str, dict[str, Any]]:
    """Records that need not be made again, by key."""
    if not options.resume:
        return {}
    found = {task.joint.key: read_record(_file(options.out, task.joint)) for task in tasks}
    return {
        task.joint.key: record
        for task in tasks
        if (record := found[task.joint.key]) is not None and _is_same(record, task)
    }


def _is_same(record: Mapping[str, Any], task: Task) -> bool:
    has_pictures = record.get("pictured") or not task.pictured
    return bool(record["complete"] and has_pictures and record["origin"] == task.origin())


def read_record(path: Path) -> dict[str, Any] | None:
    """The record of a joint, or None when there is none or it is damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    needed = ("joint", "key", "complete", "origin", "rows", "view", "status")
    whole = isinstance(record, dict) and all(name in record for name in needed)
    return record if whole else None


def _refuse_overwriting(
    tasks: Sequence[Task], kept: Mapping[str, object], options: NarrowingOptions
) -> None:
    """Check that nothing is replaced unless this run may.

    Raises:
        LamellaError: names what is in the way.
    """
    files = {task.joint.key: _file(options.out, task.joint) for task in tasks}
    is_ours = is_own_run(options.out) or not any((options.out / name).exists() for name in LISTS)
    if not (options.resume and is_ours):
        guard_output([*(options.out / name for name in LISTS), *files.values()], options.force)
        return
    for task in tasks:
        record = read_record(files[task.joint.key])
        other = record is not None and record["complete"] and record["origin"] != task.origin()
        if other and task.joint.key not in kept and not options.force:
            raise LamellaError(
                f"{task.joint.key} is in the output folder already, made from other images, masks, "
                "spacing, method or weights: replace it with --force, or choose another folder"
            )


def _compare(
    tasks: Sequence[Task],
    kept: Mapping[str, dict[str, Any]],
    options: NarrowingOptions,
    found: Compared,
) -> dict[str, dict[str, Any]]:
    """Records of all joints that are done, each written as it comes."""
    missing = [task for task in tasks if task.joint.key not in kept]
    records = dict(kept)
    workers = options.workers or (1 if len(missing) <= FEW_JOINTS else cores())
    with counted(len(missing), "comparing") as advance:
        try:
            for record in in_order(compare, missing, workers):
                with writable(options.out):
                    (options.out / JOINTS_FOLDER).mkdir(parents=True, exist_ok=True)
                write_json(options.out / JOINTS_FOLDER / f"{record['key']}.json", record)
                records[record["key"]] = record if len(tasks) == 1 else _light(record)
                advance(1)
        except KeyboardInterrupt:
            found.interrupted = True
    return records


def _light(record: dict[str, Any]) -> dict[str, Any]:
    """A record without its pictures, which the page reads back from its file."""
    return {name: value for name, value in record.items() if name != "view"}


def _write(
    tasks: Sequence[Task],
    records: Mapping[str, Mapping[str, Any]],
    options: NarrowingOptions,
    found: Compared,
) -> None:
    found.rows = [row for task in tasks for row in _rows(task, records.get(task.joint.key))]
    run = Run(out=options.out, command=options.command, weights_sha256=weights_sha256())
    outcomes = [_outcome(task, records.get(task.joint.key)) for task in tasks]
    record = run_record(run, outcomes, found.seconds)
    write_tables(options.out, found.rows, options.parquet)
    joints = [
        {"name": outcome.name, "status": outcome.fate.value, "reason": outcome.reason}
        for outcome in outcomes
    ]
    write_json(run.file, {"notice": NOTICE, **vars(record), "joints": joints})
    with announced("writing the report", len(tasks)):
        views = list(_views(tasks, records, options))
        write_text(run.page, narrowing_page(views, record))


def _views(
    tasks: Sequence[Task], records: Mapping[str, Mapping[str, Any]], options: NarrowingOptions
) -> Iterator[Mapping[str, Any]]:
    """Views of the joints that are done, in their order."""
    for task in tasks:
        record = records.get(task.joint.key)
        if record is not None:
            whole = record if "view" in record else read_record(_file(options.out, task.joint))
            if whole is None:
                raise LamellaError(f"the record of {task.joint.key} is gone: run it again")
            yield whole["view"] if task.pictured else {**whole["view"], "pixels": None}


def _rows(task: Task, record: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if record is not None:
        return list(record["rows"])
    not_run = {"status": Fate.NOT_RUN.value, "reason": "not run"}
    followups = task.joint.visits[1:] or (None,)
    return [blank_row(task.joint, visit, task.method) | not_run for visit in followups]


def _outcome(task: Task, record: Mapping[str, Any] | None) -> Outcome:
    """What the run's record keeps of a joint; its inputs by joint and visit, never by file."""
    name = task.joint.name
    inputs: dict[str, str] = {}
    for visit in task.joint.visits:
        shown = f"{name}, visit {visit.number}"
        inputs |= {shown: visit.job.sha256} if visit.job.sha256 else {}
        inputs |= {f"{shown}, mask {bone}": sha for bone, sha in visit.job.mask_sha256.items()}
    if record is None:
        return Outcome(name=name, fate=Fate.NOT_RUN, inputs_sha256=inputs)
    reasons = [row["reason"] for row in record["rows"] if row["reason"]]
    return Outcome(
        name=name,
        fate=Fate(record["status"]),
        reason="; ".join(dict.fromkeys(reasons)) or None,
        result=_summary(record),
        inputs_sha256=inputs,
    )


def _summary(record: Mapping[str, Any]) -> dict[str, Any]:
    """Spacing, warnings and times of a joint as a run's record wants them."""
    known = next((row for row in record["rows"] if row["pixel_spacing_source"]), None)
    if known is None:
        return {}
    return {
        "pixel_spacing_mm": known["pixel_spacing_mm"],
        "pixel_spacing_source": known["pixel_spacing_source"],
        "warnings": list(
            dict.fromkeys(row["warnings"] for row in record["rows"] if row["warnings"])
        ),
        "timings_ms": record.get("timings_ms", {}),
    }


def _remove_others(out: Path, tasks: Sequence[Task]) -> None:
    """Remove records of an earlier run that this one does not hold; nothing else."""
    own = {_file(out, task.joint) for task in tasks}
    for path in (out / JOINTS_FOLDER).glob("*.json"):
        if path not in own and read_record(path) is not None:
            with suppress(OSError):
                path.unlink()


def _file(out: Path, joint: PlannedJoint) -> Path:
    return out / JOINTS_FOLDER / f"{joint.key}.json"
