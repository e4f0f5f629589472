"""A run as a whole: what became of each image, ``run.json`` and the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from lamella.cli.info import versions
from lamella.cli.outputs import NOTICE, writable, write_text
from lamella.cli.stored import Shelf
from lamella.io.write import write_json
from lamella.records import RunRecord
from lamella.report import SeparationCase, separation_page
from lamella.types import Image

RUN_FILE = "run.json"
PAGE_FILE = "report.html"


class Fate(StrEnum):
    """What became of an image in a run."""

    DONE = "done"
    FLAGGED = "flagged"
    REFUSED = "refused"
    FAILED = "failed"
    SKIPPED = "already done"
    NOT_RUN = "not run"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One image of a run, without its pixels.

    Args:
        name: safe to show.
        fate: what became of it.
        reason: one sentence when it is not simply done.
        folder: its results, or None.
        result: content of its ``result.json``, empty without results.
        inputs_sha256: SHA-256 of the files it was made from, by a name safe to show.
        notes: sentences to show beside it.
        truth: bone -> its true image (row, col), for phantoms.
    """

    name: str
    fate: Fate
    reason: str | None = None
    folder: Path | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    inputs_sha256: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    truth: Mapping[str, Image] = field(default_factory=dict)

    @property
    def is_bad(self) -> bool:
        """True when it was refused or failed."""
        return self.fate in (Fate.REFUSED, Fate.FAILED)

    @property
    def spacing(self) -> str:
        """Pixel spacing and its source; no unit of length is named when it is unknown."""
        spacing_mm = self.result.get("pixel_spacing_mm")
        if spacing_mm is None:
            return "unknown"
        return f"{spacing_mm:.4g} mm, {self.result['pixel_spacing_source']}"


@dataclass(frozen=True, kw_only=True)
class Run:
    """How a run was started.

    Args:
        out: folder of its results.
        command: the command line without anything that could name a person.
        weights_sha256: network -> SHA-256.
        seed: of whatever is drawn by chance, or None.
        title: heading of the report.
    """

    out: Path
    command: str
    weights_sha256: Mapping[str, str]
    seed: int | None = None
    title: str = "Joint separation"

    @property
    def page(self) -> Path:
        """The report."""
        return self.out / PAGE_FILE

    @property
    def file(self) -> Path:
        """The run's record."""
        return self.out / RUN_FILE


def write_run(run: Run, outcomes: Sequence[Outcome], seconds: float) -> None:
    """Write ``run.json`` and the report; images that were not run are in the former only.

    Raises:
        LamellaError: not writable.
    """
    record = run_record(run, outcomes, seconds)
    with writable(run.out):
        run.out.mkdir(parents=True, exist_ok=True)
    images = [_image_record(outcome) for outcome in outcomes]
    write_json(run.file, {"notice": NOTICE, **vars(record), "images": images})
    shelf = Shelf()
    shown = [outcome for outcome in outcomes if outcome.fate is not Fate.NOT_RUN]
    cases = [_case(outcome, shelf) for outcome in shown]
    write_text(run.page, separation_page(cases, record, run.title))


def run_record(run: Run, outcomes: Sequence[Outcome], seconds: float) -> RunRecord:
    """What the run must remember to be repeated."""
    inputs = {name: sha for item in outcomes for name, sha in item.inputs_sha256.items()}
    timings: Counter[str] = Counter()
    for outcome in outcomes:
        if outcome.fate is not Fate.SKIPPED:
            timings.update(outcome.result.get("timings_ms", {}))
    return RunRecord(
        command=run.command,
        versions=versions(),
        weights_sha256=dict(run.weights_sha256),
        inputs_sha256=inputs,
        seed=run.seed,
        spacing={item.name: item.spacing for item in outcomes if item.result},
        timings_s={
            **{step: round(value / 1000.0, 3) for step, value in timings.items()},
            "total": round(seconds, 3),
        },
        warnings=_counted_warnings(outcomes),
    )


def is_own_run(out: Path) -> bool:
    """True when the ``run.json`` in a folder is Lamella's."""
    try:
        run = json.loads((out / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(run, dict) and str(run.get("command", "")).startswith("lamella ")


def _image_record(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "status": outcome.fate.value,
        "reason": outcome.reason,
        "warnings": list(outcome.result.get("warnings", ())),
    }


def _case(outcome: Outcome, shelf: Shelf) -> SeparationCase:
    return SeparationCase(
        name=outcome.name,
        layers=None if outcome.folder is None else shelf.layers(outcome.folder),
        problem=outcome.reason if outcome.is_bad else None,
        failed=outcome.fate is Fate.FAILED,
        timings_ms=outcome.result.get("timings_ms", {}),
        notes=outcome.notes,
        truth=outcome.truth,
    )


def _counted_warnings(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Each warning once, with the number of images it concerns when that is more than one."""
    counts = Counter(
        warning for outcome in outcomes for warning in outcome.result.get("warnings", ())
    )
    return tuple(
        warning if count == 1 else f"{warning} ({count} images)"
        for warning, count in counts.items()
    )
