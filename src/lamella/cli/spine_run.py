"""A run of ``lamella spine``: read, assess, and only then write everything."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from lamella.cli.info import versions
from lamella.cli.outputs import NOTICE, refuse_unwritable, writable, write_text
from lamella.cli.runs import PAGE_FILE, RUN_FILE, is_own_run
from lamella.cli.spine import SpineOptions
from lamella.cli.spine_table import JSON_FILE, TABLE_FILE, write_tables
from lamella.io.volume import read_ct, read_labels, write_volume
from lamella.io.write import guard_output, sha256_of, write_json
from lamella.records import CTVolume, RunRecord, SpineAssessment, SpineLabels
from lamella.report.spine import spine_page
from lamella.report.spine_case import spine_case
from lamella.report.spine_words import notes, summary, warnings
from lamella.zoo.models import weights_sha256
from lamella.zoo.spine import DRAWING, assess_spine

CT_FILE = "pseudo_healthy_ct.nii.gz"
LABELS_FILE = "pseudo_healthy_labels.nii.gz"
FILES = (TABLE_FILE, JSON_FILE, RUN_FILE, PAGE_FILE, CT_FILE, LABELS_FILE)


@dataclass(frozen=True, kw_only=True)
class Assessed:
    """What a run came to, in words.

    Args:
        answers: lines for the reader.
        warnings: sentences to see beside them.
        volume: the pseudo-healthy CT's file, or None.
    """

    answers: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    volume: Path | None = None


@dataclass(kw_only=True)
class Steps:
    """What is being done, told on a terminal, and the seconds that each step took."""

    tell: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def on(self, step: str) -> Iterator[None]:
        """Tell a step and count the time inside."""
        self.tell(step)
        started = time.perf_counter()
        yield
        self.seconds[step] = round(time.perf_counter() - started, 3)


@contextmanager
def steps() -> Iterator[Steps]:
    """Steps that a terminal's standard error shows as they come, and nothing else does."""
    if not sys.stderr.isatty():
        yield Steps(tell=lambda step: None)
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield Steps(tell=status.update)


def assessed(ct: Path | None, options: SpineOptions) -> Assessed:
    """Read, assess and write.

    Raises:
        LamellaError: an input that cannot be used, or something in the way; nothing is written.
    """
    refuse_unwritable(options.out)
    guard_output([options.out / name for name in FILES], options.force)
    with steps() as doing:
        return _assessed(ct, options, doing)


def _assessed(ct: Path | None, options: SpineOptions, doing: Steps) -> Assessed:
    with doing.on("reading"):
        volume, labels = _read(ct, options)
        digests = inputs_sha256(ct, options)
    with doing.on("assessing"):
        found = assess_spine(
            volume,
            labels,
            method=options.method,
            generate=options.wanted,
            progress=doing.tell,
        )
    with doing.on("drawing the report"):
        case = spine_case(found, "The spine")
    record = _record(found, options, digests, doing.seconds)
    _write(options, found, spine_page(case, record), record)
    return _said(options, found)


def inputs_sha256(ct: Path | None, options: SpineOptions) -> dict[str, str]:
    """SHA-256 of every input by its part in the run, never by its name."""
    given = {"CT": ct, "bodies": options.bodies}
    digests = {part: digest_of(path) for part, path in given.items() if path is not None}
    for number, path in enumerate(options.labels, 1):
        part = "labels" if len(options.labels) == 1 else f"labels {number}"
        digests[part] = digest_of(path)
    return digests


def digest_of(path: Path) -> str:
    """SHA-256 of a file; of a folder the SHA-256 of those of its files, sorted."""
    if not path.is_dir():
        return sha256_of(path)
    inside = sorted(sha256_of(file) for file in path.rglob("*") if file.is_file())
    return hashlib.sha256("\n".join(inside).encode()).hexdigest()


def _read(ct: Path | None, options: SpineOptions) -> tuple[CTVolume | None, SpineLabels]:
    volume = None if ct is None else read_ct(ct)
    return volume, read_labels(list(options.labels), options.label_scheme, options.bodies)


def _record(
    found: SpineAssessment,
    options: SpineOptions,
    digests: dict[str, str],
    seconds: dict[str, float],
) -> RunRecord:
    grid = found.labels if found.ct is None else found.ct
    spacing = " x ".join(f"{edge:.4g}" for edge in grid.spacing_mm)
    return RunRecord(
        command=options.command,
        versions=versions(),
        weights_sha256=weights_sha256(DRAWING if found.pseudo_ct is not None else ()),
        inputs_sha256=digests,
        spacing={"labels" if found.ct is None else "CT": f"{spacing} mm"},
        timings_s=seconds | {"total": round(sum(seconds.values()), 3)},
        warnings=warnings(found),
    )


def _write(options: SpineOptions, found: SpineAssessment, page: str, record: RunRecord) -> None:
    """Everything at the end; what an earlier run of ours left and this one lacks goes."""
    out = options.out
    with writable(out):
        out.mkdir(parents=True, exist_ok=True)
    if options.force and is_own_run(out):
        _remove([out / name for name in (CT_FILE, LABELS_FILE)])
    if found.pseudo_ct is not None and found.pseudo_labels is not None:
        write_volume(found.pseudo_ct, out / CT_FILE, synthetic=True, force=options.force)
        write_volume(found.pseudo_labels, out / LABELS_FILE, synthetic=True, force=options.force)
    write_tables(out, found)
    write_json(out / RUN_FILE, {"notice": NOTICE, **vars(record)})
    write_text(out / PAGE_FILE, page)


def _remove(files: Sequence[Path]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink()


def _said(options: SpineOptions, found: SpineAssessment) -> Assessed:
    lines = [f"{each.text}: {each.detail}" for each in summary(found)]
    return Assessed(
        answers=(*lines, *notes(found)),
        warnings=warnings(found),
        volume=None if found.pseudo_ct is None else options.out / CT_FILE,
    )
