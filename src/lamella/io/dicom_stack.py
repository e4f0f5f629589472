r"""Slices of a CT series in space: which grid they form, or why they form none.

With the unit vectors along a row ``u`` and down a column ``v``, the normal is ``n = u x v`` and a
slice lies at ``p . n``, ``p`` its Image Position. The spacing is the step of ``p . n``: Slice
Thickness says how much a slice averages, not where the next one is. Slices whose positions also
move within the plane were taken with a tilted gantry; they form a sheared grid and are refused.
DICOM PS3.3 C.7.6.2.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from lamella.io.dicom_header import OTHER_MODALITIES, RADIOGRAPHS, code, number, numbers
from lamella.io.raw_volume import LPS_TO_RAS
from lamella.records import LamellaError
from lamella.types import Affine

ORIENTATION_TOLERANCE = 2e-3
SAME_PLACE_MM = 0.01
STEP_TOLERANCE = 0.05
TILT_TOLERANCE = 0.01
DRIFT_MM = 0.1
LOCALIZER = "LOCALIZER"


@dataclass(frozen=True, kw_only=True)
class SliceFacts:
    """What the header of one image says about its place; None or () where it says nothing.

    Args:
        series, instance: UIDs, to be compared, never shown.
        modality: a code that is safe to show, "" when unknown.
        localizer: whether the image is a scout view.
        frames: number of frames in the file.
        shape: rows and columns.
        spacing_mm: between rows and between columns.
        orientation: unit vectors along a row and down a column, LPS.
        position_mm: of the first pixel, LPS.
        rescale: slope and intercept.
    """

    series: str
    instance: str
    modality: str
    localizer: bool
    frames: int
    shape: tuple[int, int]
    spacing_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    position_mm: tuple[float, ...]
    rescale: tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """Slices in order along their normal.

    Args:
        order: indices of the slices, by position.
        affine: from (column, row, slice) to RAS millimetres.
    """

    order: tuple[int, ...]
    affine: Affine


def facts_of(header: Dataset) -> SliceFacts | None:
    """Facts of one image; None for a report, an index or anything else without pixels."""
    rows, cols = (int(number(header, keyword) or 0) for keyword in ("Rows", "Columns"))
    if "PixelData" not in header or min(rows, cols) < 1:
        return None
    modality = code(header, "Modality")
    slope = number(header, "RescaleSlope")
    return SliceFacts(
        series=code(header, "SeriesInstanceUID"),
        instance=code(header, "SOPInstanceUID"),
        modality=modality if modality in (*OTHER_MODALITIES, *RADIOGRAPHS) else "",
        localizer=LOCALIZER in code(header, "ImageType"),
        frames=int(number(header, "NumberOfFrames") or 1),
        shape=(rows, cols),
        spacing_mm=numbers(header, "PixelSpacing") or (),
        orientation=numbers(header, "ImageOrientationPatient") or (),
        position_mm=numbers(header, "ImagePositionPatient") or (),
        rescale=(1.0 if slope is None else slope, number(header, "RescaleIntercept") or 0.0),
    )


def stack_of(slices: Sequence[SliceFacts]) -> Stack:
    """The grid that the slices of one series form.

    Raises:
        LamellaError: positions, orientation or spacing are missing or differ; a tilted gantry;
            two slices in one place; slices missing.
    """
    _refuse_unplaced(slices)
    _refuse_mixed(slices)
    along, down = np.reshape(slices[0].orientation, (2, 3))
    normal = np.cross(along, down)
    normal /= np.linalg.norm(normal)
    positions = np.array([facts.position_mm for facts in slices])
    order = np.argsort(positions @ normal, kind="stable")
    positions = positions[order]
    places = positions @ normal
    _refuse_same_place(places)
    _refuse_tilt(positions, places, normal)
    step_mm = _even_step(places)
    affine = np.eye(4)
    between_rows, between_cols = slices[0].spacing_mm
    affine[:3, :3] = np.stack([along * between_cols, down * between_rows, normal * step_mm], axis=1)
    affine[:3, 3] = positions[0]
    return Stack(order=tuple(int(index) for index in order), affine=np.asarray(LPS_TO_RAS @ affine))


def _refuse_unplaced(slices: Sequence[SliceFacts]) -> None:
    if any(facts.frames > 1 for facts in slices):
        raise LamellaError(
            "expected one slice per file, got several frames in one: export single frames or NIfTI"
        )
    for facts in slices:
        lengths = (len(facts.spacing_mm), len(facts.orientation), len(facts.position_mm))
        if lengths != (2, 6, 3) or min(facts.spacing_mm) <= 0:
            raise LamellaError(
                "expected position, orientation and pixel spacing in every slice, got a slice "
                "without: export the original series"
            )
    along, down = np.reshape(slices[0].orientation, (2, 3))
    lengths_mm = np.linalg.norm([along, down], axis=1)
    if abs(along @ down) > ORIENTATION_TOLERANCE or abs(lengths_mm - 1.0).max() > 0.01:
        raise LamellaError("the orientation in the header is damaged: export the series again")


def _refuse_mixed(slices: Sequence[SliceFacts]) -> None:
    first = slices[0]
    for facts in slices[1:]:
        turned = np.abs(np.subtract(facts.orientation, first.orientation)).max()
        finer = np.abs(np.divide(facts.spacing_mm, first.spacing_mm) - 1.0).max()
        if turned > ORIENTATION_TOLERANCE or finer > 1e-3 or facts.shape != first.shape:
            raise LamellaError(
                "expected slices of one orientation, size and pixel spacing, got a mixture: give "
                "one series"
            )


def _refuse_same_place(places: NDArray[np.float64]) -> None:
    same = int((np.diff(places) < SAME_PLACE_MM).sum())
    if same:
        raise LamellaError(
            f"expected every slice in a place of its own, got {same + 1} or more in one place: "
            "give one phase of one reconstruction"
        )


def _refuse_tilt(
    positions: NDArray[np.float64], places: NDArray[np.float64], normal: NDArray[np.float64]
) -> None:
    within = positions - np.outer(places, normal)
    drift_mm = float(np.linalg.norm(within - within[0], axis=1).max())
    extent_mm = float(places[-1] - places[0])
    if drift_mm > max(DRIFT_MM, TILT_TOLERANCE * extent_mm):
        angle = np.degrees(np.arctan2(drift_mm, extent_mm))
        raise LamellaError(
            f"expected slices stacked along their normal, got {angle:.1f} degrees of gantry tilt: "
            "export the series with the tilt corrected"
        )


def _even_step(places: NDArray[np.float64]) -> float:
    """Mean step in mm, when every slice lies within 5 % of a step of its place on the grid."""
    if len(places) < 2:
        raise LamellaError("expected a series of slices, got one slice: give the whole series")
    steps = np.diff(places)
    usual = float(np.median(steps))
    whole = np.rint(steps / usual)
    if whole.max() > 1:
        missing = int((whole - 1).clip(0).sum())
        raise LamellaError(
            f"expected evenly spaced slices, got steps of {steps.min():.4g} to {steps.max():.4g} "
            f"mm, {missing} missing: export the whole series"
        )
    step_mm = float(places[-1] - places[0]) / (len(places) - 1)
    grid = places[0] + step_mm * np.arange(len(places))
    if np.abs(places - grid).max() > STEP_TOLERANCE * step_mm:
        raise LamellaError(
            f"expected evenly spaced slices, got steps of {steps.min():.4g} to {steps.max():.4g} "
            "mm: give one reconstruction with one spacing"
        )
    return step_mm
