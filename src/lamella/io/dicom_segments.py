"""Vertebrae from a DICOM segmentation object (SEG), through highdicom.

Each segment is named by its own header: by its label, else by the meaning of its property type
("T12 vertebra", "Twelfth thoracic vertebra"). Segments that name no vertebra are left out; when
none does, their numbers are read as those of a scheme. The geometry comes from the positions of
the frames. DICOM PS3.3 A.51 and C.8.20.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from lamella.io.boundary import quiet_native_code
from lamella.io.dicom_header import code
from lamella.io.label_schemes import level_in
from lamella.io.raw_volume import LPS_TO_RAS, RawVolume, refuse_voxels
from lamella.records import LamellaError

SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
HALF = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Segments:
    """Segments of one object.

    Args:
        volume: segment numbers, 0 elsewhere.
        levels: segment number -> level, for the segments that name one.
    """

    volume: RawVolume
    levels: Mapping[int, str]


def is_segmentation(header: Dataset) -> bool:
    """Whether a DICOM data set is a segmentation object."""
    return code(header, "SOPClassUID") in SEGMENTATIONS


def read_segments(header: Dataset) -> Segments:
    """Vertebrae of a segmentation object on one grid; all segments where none is named.

    Where segments overlap, the one with the highest number keeps the voxel, with a warning.

    Raises:
        LamellaError: damaged, or frames that form no volume.
    """
    highdicom = importlib.import_module("highdicom")  # large, and few runs need it
    try:
        with quiet_native_code():
            segmentation = highdicom.seg.Segmentation.from_dataset(header, copy=False)
            geometry = segmentation.get_volume_geometry()
            refuse_voxels(tuple(int(side) for side in geometry.spatial_shape))
            levels = _levels(segmentation)
            wanted = sorted(levels) or [int(number) for number in segmentation.segment_numbers]
            values, warnings = _numbers(segmentation, wanted)
    except LamellaError:
        raise
    except Exception:  # noqa: BLE001 -- damaged objects fail with any exception
        raise LamellaError(
            "expected a segmentation with frames on one grid, got another or a damaged one: "
            "export it again or convert it to NIfTI"
        ) from None
    affine = LPS_TO_RAS @ geometry.affine
    return Segments(
        volume=RawVolume(values=values, affine=affine, warnings=warnings), levels=levels
    )


def _numbers(segmentation: Any, wanted: list[int]) -> tuple[NDArray[np.uint16], tuple[str, ...]]:
    """Segment numbers on one grid; segments that overlap are laid over one another."""
    with suppress(RuntimeError, ValueError):  # segments that overlap, fractional ones
        combined = segmentation.get_volume(segment_numbers=wanted, combine_segments=True)
        return np.asarray(combined.array).astype(np.uint16), ()
    return _overlaid(segmentation, wanted)


def _overlaid(segmentation: Any, wanted: list[int]) -> tuple[NDArray[np.uint16], tuple[str, ...]]:
    values = np.zeros(segmentation.get_volume_geometry().spatial_shape, np.uint16)
    overlapping = 0
    for number in wanted:
        one = segmentation.get_volume(segment_numbers=[number])
        inside = np.asarray(one.array)[..., 0] > HALF
        overlapping += int(np.count_nonzero(values[inside]))
        values[inside] = number
    note = f"segments overlap in {overlapping} voxels: the last one keeps them"
    return values, (note,) if overlapping else ()


def _levels(segmentation: Any) -> dict[int, str]:
    levels = {}
    for number in segmentation.segment_numbers:
        told = segmentation.get_segment_description(number)
        texts = (str(told.segment_label), str(told.segmented_property_type.meaning))
        named = [level for text in texts if (level := level_in(text)) is not None]
        if named:
            levels[int(number)] = named[0]
    return levels
