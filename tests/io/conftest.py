"""Small images and DICOM files made for each test."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

import joints
from lamella.records import SyntheticJoint
from lamella.tasks.separation import separate_joint
from lamella.tasks.synthesis import AdjustableJoint

PATIENT = {
    "PatientName": "Quatermain^Allan",
    "PatientID": "ZULU-4711",
    "PatientBirthDate": "18560622",
    "AccessionNumber": "ACC90210",
}


def finger(rows: int = 64, cols: int = 48) -> np.ndarray:
    """Intensity of a bright upright bone on a dark ground, (row, col), in [0.02, 0.9]."""
    across = np.exp(-(((np.arange(cols) - cols / 2) / (cols / 6)) ** 2))
    along = 0.8 + 0.2 * np.cos(np.linspace(0, 3, rows))
    return 0.02 + 0.88 * np.outer(along, across)


def png_bytes(header: tuple[int, int, int, int], raw: bytes, extra: bytes = b"") -> bytes:
    """A PNG written by hand: (width, height, bit depth, colour type) and filtered rows."""
    width, height, depth, colour = header
    ihdr = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((depth, colour, 0, 0, 0))
    chunks = chunk(b"IHDR", ihdr) + extra + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(kind + body).to_bytes(4, "big")
    return len(body).to_bytes(4, "big") + kind + body + check


def dataset(stored: np.ndarray, **attributes: Any) -> FileDataset:
    """A DX data set that holds ``stored``, uncompressed; attribute None removes an element."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = "2.25.1"
    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    bits = 8 * stored.dtype.itemsize
    elements = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": "2.25.1",
        "Modality": "DX",
        "PhotometricInterpretation": "MONOCHROME2",
        "SamplesPerPixel": 1 if stored.ndim == 2 else stored.shape[2],
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 1 if stored.dtype.kind == "i" else 0,
        **PATIENT,
        **attributes,
    }
    for keyword, value in elements.items():
        if value is not None:
            tag = tag_for_keyword(keyword)
            assert tag is not None
            vr = dictionary_VR(tag)
            vr = "SS" if vr == "US or SS" and stored.dtype.kind == "i" else vr.split(" ")[0]
            ds[tag] = DataElement(tag, vr, value, already_converted=isinstance(value, list))
    pixels = stored.tobytes()
    ds.add_new("PixelData", "OW" if bits > 8 else "OB", pixels + b"\0" * (len(pixels) % 2))
    return ds


@pytest.fixture
def write_dicom(tmp_path: Path) -> Callable[..., Path]:
    """``write_dicom(stored, name="a.dcm", **attributes)`` gives the path of a new file."""

    def write(stored: np.ndarray, name: str = "a.dcm", **attributes: Any) -> Path:
        path = tmp_path / name
        pydicom.dcmwrite(path, dataset(stored, **attributes), enforce_file_format=True)
        return path

    return write


@pytest.fixture
def finger_image() -> np.ndarray:
    return finger()


@pytest.fixture
def make_png() -> Callable[..., bytes]:
    return png_bytes


@pytest.fixture
def make_chunk() -> Callable[[bytes, bytes], bytes]:
    return chunk


@pytest.fixture
def make_dataset() -> Callable[..., FileDataset]:
    return dataset


@pytest.fixture(scope="session")
def synthetic() -> SyntheticJoint:
    """A phantom joint at another width, shifted and turned a little."""
    phantom = joints.coarse_phantom(jsw_mm=0.8)
    layers = separate_joint(
        joints.radiograph_of(phantom), phantom.masks, joints.estimate_saying(), "test"
    )
    joint = AdjustableJoint.of(layers)
    return joint.at(joint.posed(1.3, shift_mm=0.2, rotation_deg=1.0))
