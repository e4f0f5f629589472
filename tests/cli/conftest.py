"""Phantom joints written into a temporary folder, and the command run in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from lamella.cli import main
from lamella.io.write import write_mask_png, write_png16
from lamella.physics.phantoms import JointPhantom, JointPhantomSpec, joint_phantom

SPACING_MM = 0.164
SIDE_PX = 128


@dataclass(frozen=True, kw_only=True)
class Ran:
    """Exit code and both streams of a command."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def phantom() -> JointPhantom:
    """Overlapping bones at half the usual resolution."""
    spec = JointPhantomSpec(jsw_mm=-0.5, rows=SIDE_PX, cols=SIDE_PX, pixel_spacing_mm=SPACING_MM)
    return joint_phantom(spec)


@pytest.fixture
def lamella(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """``lamella("separate", path, "-o", out)``: the command, in this process."""

    def run(*words: object) -> Ran:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Ran(code=int(code), out=captured.out, err=captured.err)

    return run


@pytest.fixture(scope="session")
def two_joints(tmp_path_factory: pytest.TempPathFactory, phantom: JointPhantom) -> Path:
    """A folder of two joints with their masks."""
    folder = tmp_path_factory.mktemp("joints")
    for name, dim in (("a", 1.0), ("b", 0.98)):
        write_png16(folder / f"{name}.png", phantom.intensity * dim)
        write_masks(folder / f"{name}.png", phantom)
    return folder


@pytest.fixture(scope="session")
def cohort(two_joints: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``cohort("png16")``: ten samples of two joints, made once; nobody may write there."""

    @cache
    def made(image_format: str) -> Path:
        out = tmp_path_factory.mktemp("cohorts") / image_format
        code = main([*cohort_words(two_joints), "--format", image_format, "-o", str(out)])
        assert code == 0
        return out

    return made


def cohort_words(folder: Path) -> list[str]:
    """The command of the cohort above, but for its format and its folder."""
    words = ("synthesize", folder, "--jsw", "0:1:0.25", "--count", 10, "--pixel-spacing", 0.164)
    return [str(word) for word in words]


@pytest.fixture
def joint(tmp_path: Path, phantom: JointPhantom) -> Callable[..., Path]:
    """``joint("a.png")`` writes a radiograph, and its masks beside it unless ``masks=False``."""

    def write(name: str = "joint.png", masks: bool = True, dim: float = 1.0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png16(path, phantom.intensity * dim)
        if masks:
            write_masks(path, phantom)
        return path

    return write


@pytest.fixture
def dicom(tmp_path: Path, phantom: JointPhantom) -> Callable[..., Path]:
    """``dicom("a.dcm", PatientName="…")`` writes a DICOM radiograph with its masks beside it."""

    def write(name: str, **attributes: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = np.rint(4095 * phantom.intensity).astype(np.uint16)
        pydicom.dcmwrite(path, dataset(stored, **attributes), enforce_file_format=True)
        write_masks(path, phantom)
        return path

    return write


def write_masks(path: Path, phantom: JointPhantom) -> None:
    for bone, mask in phantom.masks.items():
        write_mask_png(path.with_name(f"{path.stem}_mask_{bone}.png"), mask)


def dataset(stored: np.ndarray, **attributes: Any) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = "2.25.1"
    image = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID, image.SOPInstanceUID = meta.MediaStorageSOPClassUID, "2.25.1"
    image.Modality, image.PhotometricInterpretation = "DX", "MONOCHROME2"
    image.Rows, image.Columns = stored.shape
    image.SamplesPerPixel, image.PixelRepresentation = 1, 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    for keyword, value in attributes.items():
        setattr(image, keyword, value)
    image.add_new("PixelData", "OW", stored.tobytes())
    return image
