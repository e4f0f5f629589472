"""Options that every verb with joints as input shares, and what is wrong with their values."""

import math
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from lamella.cli.console import UsageError

MOST_WORKERS = 256

UpperMask = Annotated[
    Path | None, Parameter(help="Mask of the upper bone, for one image. Otherwise segmented.")
]
LowerMask = Annotated[
    Path | None, Parameter(help="Mask of the lower bone, for one image. Otherwise segmented.")
]
PixelSpacing = Annotated[
    float | None,
    Parameter(name="--pixel-spacing", help="Edge of a pixel in mm; wins over a DICOM header."),
]


def refuse_spacing(pixel_spacing_mm: float | None) -> None:
    """Check a pixel spacing that was given.

    Raises:
        UsageError: not a length.
    """
    if pixel_spacing_mm is not None and not (
        math.isfinite(pixel_spacing_mm) and pixel_spacing_mm > 0
    ):
        raise UsageError(f"expected --pixel-spacing above 0 mm per pixel, got {pixel_spacing_mm:g}")


def refuse_workers(workers: int | None) -> None:
    """Check a number of processes that was given.

    Raises:
        UsageError: none, or too many.
    """
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise UsageError(f"expected --workers from 1 to {MOST_WORKERS}, got {workers}")


def refuse_parquet(wanted: bool | None) -> None:
    """Check that Parquet can be written where it was asked for.

    Raises:
        UsageError: it cannot.
    """
    if not wanted:
        return
    from lamella.io.manifest import has_parquet

    if not has_parquet():
        raise UsageError(
            '--parquet needs pyarrow, which is not installed: pip install "lamella[parquet]"'
        )
