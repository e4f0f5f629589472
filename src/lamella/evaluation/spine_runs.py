"""Spines measured one after another or side by side, each kept on file when it is done.

A run that was stopped goes on where it was. What is on file holds the digest of the spine's
specification, of the rows asked for, of the shipped weights and of the code that measures: a
change of any of them measures again.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.progress import track

from lamella.evaluation.spine_cases import Cases, plain_case, read_case
from lamella.evaluation.spine_cohort import CohortSpine
from lamella.evaluation.spine_drawn import DrawnCase, plain_drawn, read_drawn
from lamella.zoo.models import weights_sha256

MEASURING = (
    *("physics", "prepare/spine", "methods/healthivert", "methods/height_references"),
    *("tasks/spine.py", "tasks/vertebra_height.py", "tasks/pseudo_healthy.py", "zoo/spine.py"),
    *("zoo/spine.json", "evaluation/spine_cases.py", "evaluation/spine_drawn.py"),
    *("evaluation/spine_drawers.py", "evaluation/spine_reading.py", "evaluation/spine_one.py"),
)
"""Files and folders of the package whose code decides what is measured."""


@dataclass(frozen=True, kw_only=True)
class SpineResult:
    """Everything said of one spine.

    Args:
        name: of the spine.
        losses: method -> its cases, one per vertebra.
        drawn: method -> the targets it drew.
        seconds: step -> how long it took.
    """

    name: str
    losses: Cases
    drawn: dict[str, list[DrawnCase]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


Work = Callable[[CohortSpine], SpineResult]
"""Measures one spine."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Where results are kept.

    Args:
        folder: of the files; holds a note that no version control should keep them.
        asked: what was asked for, in words.
        processes: that work side by side.
    """

    folder: Path
    asked: str
    processes: int = 1

    def path(self, spine: CohortSpine) -> Path:
        """File of one spine."""
        weights = sorted(weights_sha256().items())
        told = f"{spine.spec!r} {spine.targets} {self.asked} {weights} {_code()}"
        return self.folder / f"{spine.name}-{hashlib.sha256(told.encode()).hexdigest()[:16]}.json"


def results(spines: Sequence[CohortSpine], work: Work, kept: Kept) -> list[SpineResult]:
    """What is said of every spine, measured where it is not on file.

    Args:
        spines: which.
        work: measures one; sent to other processes, so a function of a module.
        kept: where to keep what is done.
    """
    kept.folder.mkdir(parents=True, exist_ok=True)
    (kept.folder / ".gitignore").write_text("*\n", encoding="utf-8")
    places = {spine.name: kept.path(spine) for spine in spines}
    missing = [spine for spine in spines if not places[spine.name].exists()]
    step = partial(_keep, work=work, places=places)
    done = (
        _side_by_side(step, missing, kept.processes) if kept.processes > 1 else map(step, missing)
    )
    for _ in track(done, "measuring spines", total=len(missing), transient=True):
        pass
    return [_read(places[spine.name]) for spine in spines]


def joined(found: Sequence[SpineResult]) -> tuple[Cases, dict[str, list[DrawnCase]]]:
    """Losses and drawings of all spines, by method."""
    losses: Cases = {}
    drawn: dict[str, list[DrawnCase]] = {}
    for each in found:
        for name, cases in each.losses.items():
            losses.setdefault(name, []).extend(cases)
        for name, drawings in each.drawn.items():
            drawn.setdefault(name, []).extend(drawings)
    return losses, drawn


def _side_by_side(
    step: Callable[[CohortSpine], None], spines: Sequence[CohortSpine], processes: int
) -> Iterator[None]:
    """Waits for nobody when it is stopped: what is not on file is measured the next time."""
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        for done in as_completed([pool.submit(step, spine) for spine in spines]):
            yield done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _keep(spine: CohortSpine, work: Work, places: Mapping[str, Path]) -> None:
    """Write a spine's result, whole or not at all."""
    path = places[spine.name]
    part = path.with_suffix(".part")
    part.write_text(json.dumps(_plain(work(spine))), encoding="utf-8")
    part.replace(path)


def _plain(result: SpineResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "losses": {k: [plain_case(case) for case in v] for k, v in result.losses.items()},
        "drawn": {k: [plain_drawn(case) for case in v] for k, v in result.drawn.items()},
        "seconds": result.seconds,
    }


def _read(path: Path) -> SpineResult:
    rows = json.loads(path.read_text(encoding="utf-8"))
    return SpineResult(
        name=rows["name"],
        losses={k: [read_case(row) for row in v] for k, v in rows["losses"].items()},
        drawn={k: [read_drawn(row) for row in v] for k, v in rows["drawn"].items()},
        seconds=rows["seconds"],
    )


def _code() -> str:
    """Digest of the code that measures."""
    digest = hashlib.sha256()
    for place in MEASURING:
        for name, source in sorted(_sources(files("lamella") / place)):
            digest.update(name.encode() + source)
    return digest.hexdigest()


def _sources(place: Traversable) -> Iterator[tuple[str, bytes]]:
    if place.is_file():
        yield place.name, place.read_bytes()
    elif place.is_dir():
        for entry in place.iterdir():
            if entry.name.endswith(".py") or (entry.is_dir() and entry.name != "__pycache__"):
                yield from ((f"{place.name}/{name}", text) for name, text in _sources(entry))
