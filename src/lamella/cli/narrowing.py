"""``lamella narrowing``: visits of a joint in, how much its space has narrowed out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from lamella.cli.console import ExitCode, UsageError, complain, say
from lamella.cli.joint_options import PixelSpacing, refuse_parquet, refuse_spacing, refuse_workers

if TYPE_CHECKING:
    from lamella.cli.narrowing_run import Compared

FATES_SHOWN = ("done", "flagged", "refused", "failed")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class NarrowingOptions:
    """What ``lamella narrowing`` was asked to do, beside its visits.

    Args:
        out: folder for the results.
        table: of visits, instead of naming them.
        by_date: order the visits by their DICOM dates.
        upper: masks of the upper bone, one per visit.
        lower: masks of the lower bone, one per visit.
        pixel_spacing_mm: edge of a pixel in mm, for all visits.
        method: how to compare.
        parquet: write the table as Parquet as well; by default where pyarrow is installed.
        workers: processes.
        resume: skip joints that are done.
        force: replace what is there.
    """

    out: Annotated[
        Path,
        Parameter(name=("--out", "-o"), help="Folder for the results; made when it is missing."),
    ]
    table: Annotated[
        Path | None,
        Parameter(help="CSV with the columns joint, visit (number or date) and image."),
    ] = None
    by_date: Annotated[
        bool, Parameter(negative=(), help="Order the visits by their DICOM dates.")
    ] = False
    upper: Annotated[
        tuple[Path, ...],
        Parameter(
            negative=(),
            show_default=False,
            help="Mask of the upper bone: once per visit, in their order. Otherwise segmented.",
        ),
    ] = ()
    lower: Annotated[
        tuple[Path, ...],
        Parameter(
            negative=(),
            show_default=False,
            help="Mask of the lower bone: once per visit, in their order. Otherwise segmented.",
        ),
    ] = ()
    pixel_spacing_mm: PixelSpacing = None
    method: Annotated[
        str, Parameter(help="How to compare; a wrong name lists all. exact is the one to use.")
    ] = "exact"
    parquet: Annotated[
        bool | None, Parameter(help="Table as Parquet, too; otherwise where pyarrow is installed.")
    ] = None
    workers: Annotated[
        int | None, Parameter(help="Processes; otherwise one per core, and 1 for few joints.")
    ] = None
    resume: Annotated[
        bool, Parameter(negative=(), help="Skip joints whose result is there already.")
    ] = False
    force: Annotated[bool, Parameter(negative=(), help="Replace results that exist.")] = False

    @property
    def command(self) -> str:
        """The command without what could name a person: option names and numbers only."""
        said = {
            "--table …": self.table is not None,
            "--by-date": self.by_date,
            "--upper … --lower …": bool(self.upper),
            f"--pixel-spacing {self.pixel_spacing_mm}": self.pixel_spacing_mm is not None,
            f"--method {self.method}": self.method != "exact",
            "--resume": self.resume,
            "--force": self.force,
        }
        return " ".join(["lamella narrowing …", *(words for words, given in said.items() if given)])


def narrowing(*visits: Path, options: NarrowingOptions) -> int:
    """Measure how much a joint space has narrowed between visits, or say why not.

    Compares the first visit with each later one, bone by bone. Writes narrowing.csv and
    narrowing.json (and narrowing.parquet) with one row per joint and interval, run.json, a record
    per joint and one report.html that needs no network. Masks named IMAGE_mask_upper.* and
    IMAGE_mask_lower.* beside an image are used as its masks. Research use only.

    Args:
        visits: radiographs (PNG, JPEG, BMP, TIFF, DICOM) of one finger joint, baseline first.
        options: where results go, or a table of many joints.
    """
    _refuse_usage(visits, options)
    from lamella.cli.narrowing_run import compared

    found = compared(visits, options)
    if not found.rows:
        complain("interrupted: nothing was written")
        return ExitCode.INTERRUPTED
    _say(options, found)
    if found.interrupted:
        complain("interrupted: run the same command with --resume to do the rest")
        return ExitCode.INTERRUPTED
    return ExitCode.SOME_FAILED if found.problems else ExitCode.OK


def _refuse_usage(visits: Sequence[Path], options: NarrowingOptions) -> None:
    if (options.table is None) == (not visits):
        raise UsageError("name two or more visits of a joint, baseline first, or give --table")
    if options.table is None and len(visits) < 2:
        raise UsageError("expected two or more visits, got one: name the baseline and a follow-up")
    if len(options.upper) != len(options.lower) or len(options.upper) not in (0, len(visits)):
        raise UsageError(
            "give --upper and --lower once for each visit, or neither: bones are then segmented"
        )
    if options.table is not None and options.by_date:
        raise UsageError("--by-date is for visits named one by one: write dates into the table")
    _refuse_numbers(options)


def _refuse_numbers(options: NarrowingOptions) -> None:
    refuse_spacing(options.pixel_spacing_mm)
    refuse_workers(options.workers)
    refuse_parquet(options.parquet)


def _say(options: NarrowingOptions, found: Compared) -> None:
    if options.table is None:
        for row in found.rows:
            say(f"visit {row['followup_visit']} against visit 1: {answer(row)}")
            for flag in filter(None, (row["flags"], row["warnings"])):
                complain(f"warning: visit {row['followup_visit']}: {flag}")
    else:
        _say_many(found)
    say(f"table: {options.out / 'narrowing.csv'}")
    say(f"report: {options.out / 'report.html'}")


def _say_many(found: Compared) -> None:
    counts = Counter(row["status"] for row in found.rows)
    shown = [*FATES_SHOWN, *(fate for fate in counts if fate not in FATES_SHOWN)]
    summary = ", ".join(f"{counts[fate]} {fate}" for fate in shown)
    plural = "" if found.kept == 1 else "s"
    again = f", {found.kept} joint{plural} there already" if found.kept else ""
    intervals = f"{len(found.rows)} interval{'' if len(found.rows) == 1 else 's'}"
    say(f"{intervals} in {found.seconds:.1f} s: {summary}{again}")
    for row in found.problems:
        say(f"{row['status']}: {row['joint']}: {row['reason']}")


def answer(row: dict[str, Any]) -> str:
    """What one row says, in a sentence."""
    if row["jsn_mm"] is None:
        return f"no answer: {row['reason']}"
    change = f"{abs(row['jsn_mm']):.3f} mm {'narrower' if row['jsn_mm'] >= 0 else 'wider'}"
    if row["jsn_low_mm"] is None:
        return f"{change}, uncertainty not stated"
    interval = f"{row['jsn_low_mm']:.3f} to {row['jsn_high_mm']:.3f} mm"
    return f"{change} (90 % interval {interval}, positive: narrower){_doubt(row)}"


def _doubt(row: dict[str, Any]) -> str:
    from lamella.zoo.narrowing import smallest_detectable_mm

    if row["jsn_low_mm"] * row["jsn_high_mm"] <= 0:
        return ", not to be told from zero"
    least_mm = smallest_detectable_mm(row["method"])
    if least_mm is None or abs(row["jsn_mm"]) >= least_mm:
        return ""
    return f", less than the smallest detectable change of {least_mm:.2g} mm"
