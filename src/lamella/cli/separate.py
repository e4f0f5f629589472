"""``lamella separate``: radiographs in, layers and one report out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from lamella.cli.console import ExitCode, UsageError, complain, say
from lamella.cli.joint_options import LowerMask, PixelSpacing, UpperMask, refuse_spacing

if TYPE_CHECKING:
    from lamella.cli.batch import Batch
    from lamella.cli.runs import Outcome

FATES_ALWAYS_SHOWN = ("done", "flagged", "refused", "failed")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SeparateOptions:
    """What ``lamella separate`` was asked to do, beside its images.

    Args:
        out: folder for the results.
        upper: mask of the upper bone, for one image.
        lower: mask of the lower bone, for one image.
        pixel_spacing_mm: edge of a pixel in mm, for all images.
        method: how to separate.
        resume: skip what is done.
        force: replace what is there.
    """

    out: Annotated[
        Path,
        Parameter(name=("--out", "-o"), help="Folder for the results; made when it is missing."),
    ]
    upper: UpperMask = None
    lower: LowerMask = None
    pixel_spacing_mm: PixelSpacing = None
    method: Annotated[
        Literal["exact", "lsn", "bls-gan", "lsn-as-published"],
        Parameter(help="exact or lsn: exact separation; the others: as published, to compare."),
    ] = "exact"
    resume: Annotated[
        bool, Parameter(negative=(), help="Skip images whose result is there already.")
    ] = False
    force: Annotated[bool, Parameter(negative=(), help="Replace results that exist.")] = False

    @property
    def command(self) -> str:
        """The command without what could name a person: option names and numbers only."""
        said = {
            "--upper … --lower …": self.upper is not None,
            f"--pixel-spacing {self.pixel_spacing_mm}": self.pixel_spacing_mm is not None,
            f"--method {self.method}": self.method != "exact",
            "--resume": self.resume,
            "--force": self.force,
        }
        return " ".join(["lamella separate …", *(words for words, given in said.items() if given)])


def separate(*images: Path, options: SeparateOptions) -> int:
    """Take finger joints apart into soft tissue, upper bone and lower bone.

    Writes a folder per image (16-bit PNG, float TIFF, masks, result.json), one run.json and one
    report.html that needs no network. Masks named IMAGE_mask_upper.* and IMAGE_mask_lower.*
    beside an image are used as its masks.

    Args:
        images: radiographs (PNG, JPEG, BMP, TIFF, DICOM) of one finger joint each, and folders
            of them.
        options: where results go, given masks and spacing, and what to do with earlier results.
    """
    _refuse_usage(images, options)
    started = time.perf_counter()
    from lamella.cli.batch import Batch

    batch = Batch.planned(images, options)
    if len(batch.jobs) == 1:
        outcome = batch.one()
        batch.finish([outcome], time.perf_counter() - started)
        _say_one(batch, outcome)
        return ExitCode.OK
    outcomes, interrupted = batch.each()
    if interrupted and not any(outcome.folder for outcome in outcomes):
        complain("interrupted: nothing was written")
        return ExitCode.INTERRUPTED
    batch.finish(outcomes, time.perf_counter() - started)
    _say_many(batch, outcomes, time.perf_counter() - started)
    if interrupted:
        complain("interrupted: run the same command with --resume to do the rest")
        return ExitCode.INTERRUPTED
    return ExitCode.SOME_FAILED if any(outcome.is_bad for outcome in outcomes) else ExitCode.OK


def _refuse_usage(images: Sequence[Path], options: SeparateOptions) -> None:
    if not images:
        raise UsageError("name at least one radiograph, or a folder of them")
    if (options.upper is None) != (options.lower is None):
        raise UsageError("give both --upper and --lower, or neither: bones are then segmented")
    refuse_spacing(options.pixel_spacing_mm)


def _say_one(batch: Batch, outcome: Outcome) -> None:
    result = outcome.result
    residual = result["max_residual"]
    say(f"layers ({outcome.fate}): {outcome.folder}")
    say(
        f"recomposition error: at most {residual['intensity']:.1e} "
        f"({residual['grey_levels']:.1e} grey levels); pixel spacing {outcome.spacing}"
    )
    say(f"report: {batch.run.page}")
    for warning in (*result["masks"]["flags"], *result["warnings"]):
        complain(f"warning: {warning}")


def _say_many(batch: Batch, outcomes: Sequence[Outcome], seconds: float) -> None:
    counts = Counter(outcome.fate.value for outcome in outcomes)
    shown = [*FATES_ALWAYS_SHOWN, *(fate for fate in counts if fate not in FATES_ALWAYS_SHOWN)]
    summary = ", ".join(f"{counts[fate]} {fate}" for fate in shown)
    say(f"{len(batch.jobs)} images in {seconds:.1f} s: {summary}")
    for outcome in outcomes:
        if outcome.reason:
            say(f"{outcome.fate}: {outcome.name}: {outcome.reason}")
    say(f"report: {batch.run.page}")
