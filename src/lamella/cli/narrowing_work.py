"""One joint compared: its visits prepared once, the baseline against each of the others.

What comes out is plain: rows of the table and the view of the page, so it can come from another
process and be kept as a file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from lamella import __version__
from lamella.cli.batch import RefusedError, given_masks, reason_of
from lamella.cli.console import DEBUG_VARIABLE, console
from lamella.cli.narrowing_plan import PlannedJoint, PlannedVisit
from lamella.cli.narrowing_table import blank_row, found_row
from lamella.cli.runs import Fate
from lamella.io import read
from lamella.records import JointVisit, LamellaError, Narrowing
from lamella.report.narrowing import Interval, joint_view
from lamella.zoo.narrowing import narrowing, prepare_visit

SAME_IMAGE = "it is the same image as the baseline: name another visit"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One joint to compare.

    Args:
        joint: with its visits.
        method: how to compare.
        weights: network -> SHA-256.
        pictured: with pictures for the page.
        strict: raise when a visit cannot be used, instead of going on.
    """

    joint: PlannedJoint
    method: str
    weights: Mapping[str, str]
    pictured: bool
    strict: bool = False

    def origin(self) -> dict[str, Any]:
        """What the result is made from; the same origin gives the same result."""
        visits = [
            {
                "input_sha256": visit.job.sha256,
                "mask_sha256": dict(visit.job.mask_sha256),
                "given_spacing_mm": visit.spacing_mm,
                "days": visit.days,
            }
            for visit in self.joint.visits
        ]
        made = {"method": self.method, "weights_sha256": dict(self.weights)}
        return {"joint": self.joint.name, "visits": visits, "lamella": __version__, **made}


def compare(task: Task) -> dict[str, Any]:
    """Compare a joint's baseline with each later visit.

    Returns:
        the record of the joint: its rows, its view, what it was made from.

    Raises:
        LamellaError: a visit cannot be used and the task is strict.
    """
    started = time.perf_counter()
    joint = task.joint
    rows, intervals = _unordered(task) if joint.problem is not None else _compared(task)
    return {
        "joint": joint.name,
        "key": joint.key,
        "status": _worst(rows),
        "complete": all(row["status"] != Fate.FAILED.value for row in rows),
        "pictured": task.pictured,
        "origin": task.origin(),
        "rows": rows,
        "view": joint_view(joint.name, intervals, task.pictured),
        "timings_ms": {"compare": round(1000.0 * (time.perf_counter() - started), 1)},
    }


def _compared(task: Task) -> tuple[list[dict[str, Any]], list[Interval]]:
    """A row and an interval for each follow-up."""
    baseline, *followups = task.joint.visits
    first, why_not = _attempt(baseline, task)
    rows, intervals = [], []
    for visit in followups:
        second, problem = (None, why_not) if first is None else _attempt(visit, task)
        found = None
        if first is not None and second is not None:
            found, problem = _compare(first, second, task)
        rows.append(_row(task, visit, found, problem))
        intervals.append(_interval(visit, found, problem))
    return rows, intervals


@dataclass(frozen=True, kw_only=True)
class _Problem:
    """Why there is no comparison, and whether something broke."""

    reason: str
    failed: bool


def _attempt(visit: PlannedVisit, task: Task) -> tuple[JointVisit | None, _Problem | None]:
    """A visit prepared, or why it cannot be.

    Raises:
        LamellaError: the task is strict.
    """
    which = "the baseline" if visit.number == 1 else f"visit {visit.number}"
    try:
        if visit.number > 1 and visit.job.sha256 == task.joint.visits[0].job.sha256 is not None:
            raise LamellaError(SAME_IMAGE)
        with _known_errors(task):
            return _prepared(visit, task.method), None
    except LamellaError as error:
        reason = reason_of(visit.job, error)
        if task.strict:
            raise LamellaError(f"{visit.job.source}: {reason}") from None
        failed = not isinstance(error, RefusedError)
        return None, _Problem(reason=f"{which}: {reason}", failed=failed)


def _prepared(visit: PlannedVisit, method: str) -> JointVisit:
    job = visit.job
    if job.problem is not None:
        raise LamellaError(job.problem)
    radiograph = read(job.path, visit.spacing_mm)
    masks = given_masks(job, radiograph)
    try:
        return prepare_visit(radiograph, masks, method)
    except LamellaError as error:
        raise RefusedError(str(error)) from None


def _compare(
    first: JointVisit, second: JointVisit, task: Task
) -> tuple[Narrowing | None, _Problem | None]:
    try:
        with _known_errors(task):
            found = narrowing(first, second, task.method)
            return replace(found, flags=(*task.joint.flags, *found.flags)), None
    except LamellaError as error:
        return None, _Problem(reason=" ".join(str(error).split()), failed=False)


def _row(
    task: Task, visit: PlannedVisit, found: Narrowing | None, problem: _Problem | None
) -> dict[str, Any]:
    row = blank_row(task.joint, visit, task.method)
    if found is not None:
        return row | found_row(found, task.weights)
    if problem is not None:
        fate = Fate.FAILED if problem.failed else Fate.REFUSED
        row |= {"status": fate.value, "reason": problem.reason}
    return row


def _interval(visit: PlannedVisit, found: Narrowing | None, problem: _Problem | None) -> Interval:
    return Interval(
        visit=visit.number,
        narrowing=found,
        days=visit.days,
        problem=None if problem is None else problem.reason,
        failed=problem is not None and problem.failed,
    )


def _unordered(task: Task) -> tuple[list[dict[str, Any]], list[Interval]]:
    """The one row of a joint whose visits cannot be compared at all."""
    row = blank_row(task.joint, None, task.method) | {"reason": task.joint.problem}
    return [row], [Interval(visit=2, problem=task.joint.problem, failed=True)]


def _worst(rows: list[dict[str, Any]]) -> str:
    order = [fate.value for fate in (Fate.DONE, Fate.FLAGGED, Fate.REFUSED, Fate.FAILED)]
    return str(max((row["status"] for row in rows), key=order.index))


@contextmanager
def _known_errors(task: Task) -> Iterator[None]:
    """Any other error becomes one that names its kind: one visit must not stop the rest."""
    try:
        yield
    except LamellaError:
        raise
    except Exception as error:
        if task.strict:
            raise
        if os.environ.get(DEBUG_VARIABLE):
            console(stderr=True).print_exception()
        kind = type(error).__name__
        raise LamellaError(f"internal error {kind}, please report") from None
