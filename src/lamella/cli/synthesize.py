"""``lamella synthesize``: joints in, a cohort of annotated synthetic joints out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from lamella.cli.console import ExitCode, UsageError, complain, say
from lamella.cli.joint_options import (
    LowerMask,
    PixelSpacing,
    UpperMask,
    refuse_parquet,
    refuse_spacing,
    refuse_workers,
)
from lamella.cli.ranges import span, widths_mm
from lamella.cli.separate import SeparateOptions

if TYPE_CHECKING:
    from lamella.cli.cohort import Finished
    from lamella.tasks.cohort import CohortRequest

NATURAL_SHIFT = "-0.5:0.5"
NATURAL_ROTATION = "-1:1"
STILL = "0"
LARGEST_SEED = 2**31
SHOWN_WIDTHS = 8


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SynthesizeOptions:
    """What ``lamella synthesize`` was asked to do, beside its images.

    Args:
        out: folder for the cohort.
        jsw: widths, LOW:HIGH:STEP in mm.
        shift: LOW:HIGH in mm; by default none, or ``NATURAL_SHIFT`` with a count.
        rotation: LOW:HIGH in degrees; by default none, or ``NATURAL_ROTATION`` with a count.
        count: number of samples; by default one for each joint and width.
        seed: of everything drawn.
        upper: mask of the upper bone, for one image.
        lower: mask of the lower bone, for one image.
        pixel_spacing_mm: edge of a pixel in mm, for all images.
        method: how to separate.
        image_format: of the samples.
        parquet: write the manifest as Parquet as well; by default where pyarrow is installed.
        workers: processes.
        row: MANIFEST:ID, to make one sample again.
        force: replace what is there.
    """

    out: Annotated[
        Path,
        Parameter(name=("--out", "-o"), help="Folder for the cohort; made when it is missing."),
    ]
    jsw: Annotated[
        str | None,
        Parameter(help="Joint space widths, LOW:HIGH:STEP in mm.", allow_leading_hyphen=True),
    ] = None
    shift: Annotated[
        str | None,
        Parameter(
            help="Range of the upper bone's shift, LOW:HIGH in mm; with --count -0.5:0.5.",
            allow_leading_hyphen=True,
        ),
    ] = None
    rotation: Annotated[
        str | None,
        Parameter(
            help="Range of its rotation, LOW:HIGH in degrees; with --count -1:1.",
            allow_leading_hyphen=True,
        ),
    ] = None
    count: Annotated[
        int | None, Parameter(help="Number of samples; otherwise one per joint and width.")
    ] = None
    seed: Annotated[int, Parameter(help="Draws everything that is left to chance.")] = 0
    upper: UpperMask = None
    lower: LowerMask = None
    pixel_spacing_mm: PixelSpacing = None
    method: Annotated[
        Literal["exact", "lsn"], Parameter(help="Which network separates; both are exact.")
    ] = "exact"
    image_format: Annotated[
        Literal["png16", "png8", "dicom"], Parameter(name="--format", help="Of the images.")
    ] = "png16"
    parquet: Annotated[
        bool | None,
        Parameter(help="Manifest as Parquet, too; otherwise where pyarrow is installed."),
    ] = None
    workers: Annotated[
        int | None, Parameter(help="Processes; otherwise one per core, and 1 for few samples.")
    ] = None
    row: Annotated[
        str | None, Parameter(help="MANIFEST:ID: make that sample again, bit for bit.")
    ] = None
    force: Annotated[bool, Parameter(negative=(), help="Replace an earlier cohort.")] = False

    @property
    def request(self) -> CohortRequest:
        """What the cohort shall hold.

        Raises:
            UsageError: a range that cannot be followed.
        """
        from lamella.tasks.cohort import CohortRequest

        draws = self.count is not None
        shift = self.shift or (NATURAL_SHIFT if draws else STILL)
        rotation = self.rotation or (NATURAL_ROTATION if draws else STILL)
        return CohortRequest(
            widths_mm=widths_mm(self.jsw or ""),
            count=self.count,
            seed=self.seed,
            shift_mm=span(shift, "--shift"),
            rotation_deg=span(rotation, "--rotation"),
        )

    @property
    def separation(self) -> SeparateOptions:
        """How the sources are separated; results that are there are used."""
        return SeparateOptions(
            out=self.out,
            upper=self.upper,
            lower=self.lower,
            pixel_spacing_mm=self.pixel_spacing_mm,
            method=self.method,
            resume=not self.force,
            force=self.force,
        )

    @property
    def command(self) -> str:
        """The command without what could name a person: option names and numbers only."""
        numbers = {
            "--jsw": self.jsw,
            "--shift": self.shift,
            "--rotation": self.rotation,
            "--count": self.count,
            "--seed": self.seed or None,
            "--pixel-spacing": self.pixel_spacing_mm,
            "--method": None if self.method == "exact" else self.method,
            "--format": None if self.image_format == "png16" else self.image_format,
        }
        words = [f"{name} {value}" for name, value in numbers.items() if value is not None]
        if self.upper is not None:
            words.append("--upper … --lower …")
        return " ".join(["lamella synthesize …", *words, *(["--force"] if self.force else [])])


def synthesize(*images: Path, options: SynthesizeOptions) -> int:
    """Make annotated synthetic joints at any joint space width.

    Each radiograph is separated once; samples are dealt evenly over the widths and the joints.
    Writes an image, two masks and a JSON record per sample, manifest.csv (and manifest.parquet),
    coco.json, run.json and one report.html that needs no network. The same command again
    continues an interrupted cohort. Masks named IMAGE_mask_upper.* and IMAGE_mask_lower.* beside
    an image are used as its masks. Research use only.

    Args:
        images: radiographs (PNG, JPEG, BMP, TIFF, DICOM) of one finger joint each, and folders
            of them.
        options: which widths, how many samples, and where they go.
    """
    if options.row is not None:
        return _remake(images, options)
    _refuse_usage(images, options)
    from lamella.cli.cohort import Cohort

    finished = Cohort.planned(images, options).run()
    _say(options, finished)
    if finished.interrupted:
        complain("interrupted: run the same command again to do the rest")
        return ExitCode.INTERRUPTED
    return ExitCode.SOME_FAILED if finished.problems else ExitCode.OK


def _remake(images: Sequence[Path], options: SynthesizeOptions) -> int:
    if options.jsw is not None or options.count is not None:
        raise UsageError("--row names one sample: leave out --jsw and --count")
    from lamella.cli.cohort_row import make_again

    say(f"sample: {make_again(images, options)}, the same as in its row")
    return ExitCode.OK


def _refuse_usage(images: Sequence[Path], options: SynthesizeOptions) -> None:
    if not images:
        raise UsageError("name at least one radiograph, or a folder of them")
    if options.jsw is None:
        raise UsageError("say which widths: --jsw LOW:HIGH:STEP in mm, as --jsw 0:3:0.1")
    if (options.upper is None) != (options.lower is None):
        raise UsageError("give both --upper and --lower, or neither: bones are then segmented")
    refuse_spacing(options.pixel_spacing_mm)
    _refuse_numbers(options)


def _refuse_numbers(options: SynthesizeOptions) -> None:
    if options.count is not None and options.count < 1:
        raise UsageError(f"expected --count above 0, got {options.count}")
    if not 0 <= options.seed < LARGEST_SEED:
        raise UsageError(f"expected --seed from 0 to {LARGEST_SEED - 1}, got {options.seed}")
    refuse_workers(options.workers)
    refuse_parquet(options.parquet)


def _say(options: SynthesizeOptions, finished: Finished) -> None:
    say(
        f"{finished.written} of {_counted(finished.planned, 'sample')} of "
        f"{_counted(finished.joints, 'joint')} "
        f"({finished.made} made, {finished.written - finished.made} there already) "
        f"in {finished.seconds:.1f} s"
    )
    fewest, most = finished.per_width
    widths = len(options.request.widths_mm) - len(finished.unreachable_mm)
    each = f"{fewest} or " if fewest < most else ""
    say(f"each of {_counted(widths, 'width')}: {each}{_counted(most, 'sample')}")
    for name, problem in finished.problems.items():
        say(f"failed: {name}: {problem}")
    say(f"manifest: {options.out / 'manifest.csv'}")
    say(f"report: {options.out / 'report.html'}")
    if finished.unreachable_mm:
        shown = [f"{width:g}" for width in finished.unreachable_mm[:SHOWN_WIDTHS]]
        more = ", …" if len(finished.unreachable_mm) > SHOWN_WIDTHS else ""
        complain(f"warning: no joint here can reach {', '.join(shown)}{more} mm: left out")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
