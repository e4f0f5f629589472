"""``lamella separate``: radiographs in, layers and one report out."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from lamella.cli.console import ExitCode, UsageError, complain, say

if TYPE_CHECKING:
    from lamella.cli.batch import Outcome


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SeparateOptions:
    """What ``lamella separate`` was asked to do, beside its images.

    Args:
        out: folder for the results.
        upper: mask of the upper bone, for one image.
        lower: mask of the lower bone, for one image.
        pixel_spacing_mm: edge of a pixel in mm, for all images.
        resume: skip what is done.
        force: replace what is there.
    """

    out: Annotated[
        Path,
        Parameter(name=("--out", "-o"), help="Folder for the results; made when it is missing."),
    ]
    upper: Annotated[
        Path | None, Parameter(help="Mask of the upper bone, for one image. Otherwise segmented.")
    ] = None
    lower: Annotated[
        Path | None, Parameter(help="Mask of the lower bone, for one image. Otherwise segmented.")
    ] = None
    pixel_spacing_mm: Annotated[
        float | None,
        Parameter(name="--pixel-spacing", help="Edge of a pixel in mm; wins over a DICOM header."),
    ] = None
    resume: Annotated[
        bool, Parameter(negative=(), help="Skip images whose result is there already.")
    ] = False
    force: Annotated[bool, Parameter(negative=(), help="Replace results that exist.")] = False

    def __post_init__(self) -> None:
        if (self.upper is None) != (self.lower is None):
            raise UsageError("give both --upper and --lower, or neither: bones are then segmented")
        spacing_mm = self.pixel_spacing_mm
        if spacing_mm is not None and not (math.isfinite(spacing_mm) and spacing_mm > 0):
            raise UsageError(f"expected --pixel-spacing above 0 mm per pixel, got {spacing_mm:g}")

    @property
    def command(self) -> str:
        """The command without what could name a person: option names and numbers only."""
        words = ["lamella separate …"]
        if self.upper is not None:
            words.append("--upper … --lower …")
        if self.pixel_spacing_mm is not None:
            words.append(f"--pixel-spacing {self.pixel_spacing_mm:g}")
        words += [word for word in ("resume", "force") if getattr(self, word)]
        return " ".join(f"--{word}" if word in ("resume", "force") else word for word in words)


def separate(*images: Path, options: SeparateOptions) -> int:
    """Take finger joints apart into soft tissue, upper bone and lower bone.

    Writes a folder per image (16-bit PNG, float TIFF, masks, result.json), one run.json and one
    report.html that needs no network. Masks named IMAGE_mask_upper.* and IMAGE_mask_lower.*
    beside an image are used as its masks.

    Args:
        images: radiographs (PNG, JPEG, BMP, TIFF, DICOM) of one finger joint each, and folders
            of them.
    """
    if not images:
        raise UsageError("name at least one radiograph, or a folder of them")
    started = time.perf_counter()
    from lamella.cli.batch import Batch, separate_one

    batch = Batch.planned(images, options)
    if len(batch.jobs) == 1:
        outcome = separate_one(batch)
        batch.finish([outcome], time.perf_counter() - started)
        _say_one(batch, outcome)
        return ExitCode.OK
    outcomes, interrupted = batch.run()
    if interrupted and not any(outcome.folder for outcome in outcomes):
        raise KeyboardInterrupt
    seconds = time.perf_counter() - started
    batch.finish(outcomes, seconds)
    _say_many(batch, outcomes, seconds)
    return _exit_code(outcomes, interrupted)


def _exit_code(outcomes: list[Outcome], interrupted: bool) -> ExitCode:
    if interrupted:
        complain("interrupted: run the same command with --resume to do the rest")
        return ExitCode.INTERRUPTED
    return ExitCode.SOME_FAILED if any(outcome.is_bad for outcome in outcomes) else ExitCode.OK


def _say_one(batch: Batch, outcome: Outcome) -> None:
    assert outcome.folder is not None
    result = outcome.result
    done = "already there" if outcome.is_skipped else "written"
    residual = result["max_residual"]
    say(f"layers {done}: {outcome.folder}")
    say(
        f"recomposition error: at most {residual['intensity']:.1e} "
        f"({residual['grey_levels']:.1e} grey levels); pixel spacing {outcome.spacing}"
    )
    say(f"report: {batch.page}")
    for warning in (*result["masks"]["flags"], *result["warnings"]):
        complain(f"warning: {warning}")


def _say_many(batch: Batch, outcomes: list[Outcome], seconds: float) -> None:
    from collections import Counter

    counts = Counter(outcome.fate.value for outcome in outcomes)
    shown = ", ".join(f"{counts[fate]} {fate}" for fate in _shown_fates(counts))
    say(f"{len(batch.jobs)} images in {seconds:.1f} s: {shown}")
    for outcome in outcomes:
        if outcome.reason:
            say(f"{outcome.fate}: {outcome.job.name}: {outcome.reason}")
    say(f"report: {batch.page}")


def _shown_fates(counts: dict[str, int]) -> list[str]:
    always = ["done", "flagged", "refused", "failed"]
    return always + [fate for fate in ("already done", "not run") if counts.get(fate)]
