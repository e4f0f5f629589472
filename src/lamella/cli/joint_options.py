"""Options that every verb with joints as input shares."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

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
