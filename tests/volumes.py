"""Small CTs, label maps and DICOM series for the tests of readers and writers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from lamella.records import VERSE_IDS, CTVolume, SpineLabels

SHAPE = (24, 30, 64)
SPACING_MM = 2.0
LEVELS = ("T12", "L1", "L2")
HEIGHT_SLICES = 13
GAP_SLICES = 4
FIRST_SLICE = 8


def affine(spacing_mm: float = SPACING_MM) -> np.ndarray:
    """Axes left, posterior, superior; not centred on anything."""
    made = np.diag([-spacing_mm, -spacing_mm, spacing_mm, 1.0])
    made[:3, 3] = (20.0, 35.0, -410.0)
    return made


def ids(levels: Sequence[str] = LEVELS) -> np.ndarray:
    """Blocks one above the other, the last level lowest; VerSe numbers."""
    made = np.zeros(SHAPE, np.uint8)
    for place, level in enumerate(reversed(levels)):
        start = FIRST_SLICE + place * (HEIGHT_SLICES + GAP_SLICES)
        made[6:18, 8:20, start : start + HEIGHT_SLICES] = VERSE_IDS[level]
    return made


def hounsfield(levels: Sequence[str] = LEVELS, seed: int = 3) -> np.ndarray:
    """Air around soft tissue around bone, with noise; int16."""
    made = np.full(SHAPE, -1000.0)
    made[2:22, 2:28] = 40.0
    made[2:22, 2:4] = -90.0
    made[ids(levels) > 0] = 300.0
    made += np.random.default_rng(seed).normal(0.0, 12.0, SHAPE)
    return np.rint(made).astype(np.int16)


def ct() -> CTVolume:
    return CTVolume(hu=hounsfield(), affine=affine())


def labels() -> SpineLabels:
    return SpineLabels(ids=ids(), affine=affine())


def slice_dataset(stored: np.ndarray, **attributes: Any) -> FileDataset:
    """One CT image, uncompressed; attribute None removes an element."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    meta.MediaStorageSOPInstanceUID = attributes.get("SOPInstanceUID", "2.25.1")
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    elements = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "SeriesInstanceUID": "2.25.100",
        "StudyInstanceUID": "2.25.101",
        "FrameOfReferenceUID": "2.25.102",
        "Modality": "CT",
        "PatientName": "Quatermain^Allan",
        "PatientID": "ZULU-4711",
        "PatientBirthDate": "18560622",
        "PatientSex": "M",
        "StudyDate": "",
        "StudyTime": "",
        "StudyID": "",
        "AccessionNumber": "",
        "ReferringPhysicianName": "",
        "PhotometricInterpretation": "MONOCHROME2",
        "SamplesPerPixel": 1,
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "PixelSpacing": [SPACING_MM, SPACING_MM],
        "SliceThickness": 5.0,
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    }
    for keyword, value in (elements | attributes).items():
        if value is not None:
            setattr(made, keyword, value)
    made.add_new("PixelData", "OW", stored.tobytes())
    return made


def series(**attributes: Any) -> list[FileDataset]:
    """The phantom as slices from the feet up; positions as :func:`affine` says, in LPS."""
    stored = (hounsfield().astype(np.int32) + 1024).clip(0).astype(np.uint16)
    origin = affine()[:3, 3] * [-1, -1, 1]
    return [
        slice_dataset(
            np.ascontiguousarray(stored[:, :, index].T),
            **{
                "SOPInstanceUID": f"2.25.{1000 + index}",
                "InstanceNumber": index + 1,
                "ImagePositionPatient": [*origin[:2], origin[2] + SPACING_MM * index],
            }
            | attributes,
        )
        for index in range(SHAPE[2])
    ]


def written(slices: Sequence[FileDataset], folder: Path, seed: int | None = 0) -> Path:
    """The slices as files whose names tell nothing of their order."""
    folder.mkdir(parents=True, exist_ok=True)
    places = np.random.default_rng(seed).permutation(len(slices))
    for place, dataset in zip(places, slices, strict=True):
        pydicom.dcmwrite(folder / f"IM{place:04d}.dcm", dataset, enforce_file_format=True)
    return folder
