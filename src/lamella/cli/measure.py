"""``lamella measure``: joints in, a table of joint space widths out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from lamella.cli.console import ExitCode, UsageError, complain, say
from lamella.cli.joint_options import LowerMask, PixelSpacing, UpperMask, refuse_spacing
from lamella.cli.separate import SeparateOptions

if TYPE_CHECKING:
    from lamella.cli.measurement import Measured


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """What ``lamella measure`` was asked to do, beside its images.

    Args:
        out: folder for the table.
        upper: mask of the upper bone, for one image.
        lower: mask of the lower bone, for one image.
        pixel_spacing_mm: edge of a pixel in mm, for all images.
        overlay: draw each joint's contours and width.
        force: replace what is there.
    """

    out: Annotated[
        Path,
        Parameter(name=("--out", "-o"), help="Folder for the table; made when it is missing."),
    ]
    upper: UpperMask = None
    lower: LowerMask = None
    pixel_spacing_mm: PixelSpacing = None
    overlay: Annotated[
        bool, Parameter(negative=(), help="Draw contours and width, a PNG for each joint.")
    ] = False
    force: Annotated[bool, Parameter(negative=(), help="Replace an earlier table.")] = False

    @property
    def separation(self) -> SeparateOptions:
        """The same as what finds and reads inputs wants it."""
        return SeparateOptions(
            out=self.out,
            upper=self.upper,
            lower=self.lower,
            pixel_spacing_mm=self.pixel_spacing_mm,
        )

    @property
    def command(self) -> str:
        """The command without what could name a person: option names and numbers only."""
        said = {
            "--upper … --lower …": self.upper is not None,
            f"--pixel-spacing {self.pixel_spacing_mm}": self.pixel_spacing_mm is not None,
            "--overlay": self.overlay,
            "--force": self.force,
        }
        return " ".join(["lamella measure …", *(words for words, given in said.items() if given)])


def measure(*images: Path, options: MeasureOptions) -> int:
    """Measure the joint space: width, minimum, contact and area, each with its SD.

    Writes joint_space.csv and joint_space.json with one row per joint, problems in their own
    column, and run.json. Masks named IMAGE_mask_upper.* and IMAGE_mask_lower.* beside an image
    are used as its masks. Research use only.

    Args:
        images: radiographs (PNG, JPEG, BMP, TIFF, DICOM) of one finger joint each, and folders
            of them.
        options: where the table goes, given masks and spacing.
    """
    _refuse_usage(images, options)
    from lamella.cli.measurement import TABLE_FILE, measured

    found = measured(images, options)
    for row in found.rows if len(found.rows) == 1 else ():
        _say_one(row)
    if len(found.rows) > 1:
        _say_many(found)
    say(f"table: {options.out / TABLE_FILE}")
    if found.interrupted:
        complain("interrupted: the rest was not measured")
        return ExitCode.INTERRUPTED
    return ExitCode.SOME_FAILED if found.problems else ExitCode.OK


def _refuse_usage(images: Sequence[Path], options: MeasureOptions) -> None:
    if not images:
        raise UsageError("name at least one radiograph, or a folder of them")
    if (options.upper is None) != (options.lower is None):
        raise UsageError("give both --upper and --lower, or neither: bones are then segmented")
    refuse_spacing(options.pixel_spacing_mm)


def _say_one(row: dict[str, Any]) -> None:
    if row["jsw_mm"] is None:
        say(f"joint space width {row['jsw_px']:.2f} px; pixel spacing unknown")
        return
    say(
        f"joint space width {row['jsw_mm']:.2f} mm (SD {row['jsw_sd_mm']:.2f}), minimum "
        f"{row['minimum_mm']:.2f} mm; pixel spacing {row['pixel_spacing_mm']:.4g} mm, "
        f"{row['pixel_spacing_source']}"
    )


def _say_many(found: Measured) -> None:
    done = len(found.rows) - len(found.problems)
    say(f"{len(found.rows)} images: {done} measured, {len(found.problems)} not")
    for row in found.problems:
        say(f"{row['status']}: {row['name']}: {row['problem']}")
