"""``lamella doctor``: does this installation work? Every check runs what it is about."""

from __future__ import annotations

import base64
import importlib
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from lamella.cli.console import ExitCode, say

LEAST_PYTHON = (3, 11)
MODULES = (
    "numpy",
    "scipy.ndimage",
    "onnxruntime",
    "array_api_compat",
    "jaxtyping",
    "PIL.Image",
    "tifffile",
    "pydicom",
    "jinja2",
)
LARGEST_RESIDUAL = 1e-5
LEAST_MEMORY_BYTES = 600 * 10**6
FRAME_SIDE_PX = 32
FRAME_STEP = 3
ENCODED_FRAMES = {
    "JPEG2000Lossless": (
        "/0//UQApAAAAAAAgAAAAIAAAAAAAAAAAAAAAIAAAACAAAAAAAAAAAAABCwEB/1IADAAAAAEABQQEAAH/XAATQGBoaHBo"
        "aHBoaHBoaHBoaHD/ZAAlAAFDcmVhdGVkIGJ5IE9wZW5KUEVHIHZlcnNpb24gMi41LjL/kAAKAAAAAABmAAH/k8/kDAcg"
        "f8A+oCj+QIABfwFgwB84OH7AoAz29ws5jUZ/wA+QJB+YOCIYd78Dfoq5tod/wAfCJA/AKDahhT89pi8VW5SwM94PwAOi"
        "QH2gwF+nxzGdrCldTM//2Q=="
    ),
    "JPEGLSLossless": (
        "/9j/9wALDAAgACABAREA/9oACAEBAAAAAKLFhwwxiw4YYxjGMzMzMzFhwwxjGIgRokUUIQhERERERJJJJJJIwgSSSqqq"
        "qqqqqiL6qr//f/EvP/9//2Jdf/9//0Fx/3//fwW3/3//fBaf/3//cFl//3//QsP/f/9+Fd//f/9wrP9//3+FV/9//3wq"
        "P/9//2FN/3//fwpP/3//eFF//3//QoP/f/9+J7//f/9ic/9//34mv/9//2Jj/3//fiW//3//YlP/f/9+JL//f/9iQ/9/"
        "/34jv/9//2Iz/3//fiK//3//YiP/f/9+Ib//f/9g/9k="
    ),
}
"""A lossless 12-bit ramp, ``FRAME_STEP`` times the index of the pixel, by transfer syntax."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing to try.

    Args:
        name: what is tried.
        run: returns what was found; raises when it does not work.
        remedy: what to do then.
    """

    name: str
    run: Callable[[], str]
    remedy: str


def doctor(*, out: Annotated[Path, Parameter(name=("--out", "-o"))] = Path()) -> int:
    """Try out this installation, part by part.

    Args:
        out: a folder results will go to.
    """
    results = [_tried(check) for check in checks(out)]
    failed = results.count(False)
    say(f"{failed} of {len(results)} checks failed" if failed else "everything works")
    return ExitCode.SOME_FAILED if failed else ExitCode.OK


def checks(out: Path) -> tuple[Check, ...]:
    """Every check, in the order in which one needs the other."""
    again = "install Lamella again: pip install --force-reinstall lamella"
    return (
        Check(name="Python", run=python_version, remedy="use Python 3.11 or newer"),
        Check(name="dependencies", run=dependencies, remedy=again),
        Check(name="networks", run=networks, remedy=again),
        Check(name="separation", run=phantom_separation, remedy="please report this"),
        Check(name="DICOM codecs", run=dicom_codecs, remedy=again),
        Check(
            name="output folder",
            run=lambda: writable_folder(out),
            remedy="choose another folder with -o",
        ),
        Check(name="memory", run=free_memory, remedy="close other programs"),
    )


def python_version() -> str:
    """The interpreter's version, 3.11 at least."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < LEAST_PYTHON:
        raise RuntimeError(f"this is Python {found}")
    return found


def dependencies() -> str:
    """Import what inference and the report use."""
    for name in MODULES:
        importlib.import_module(name)
    return f"{len(MODULES)} modules imported"


def networks() -> str:
    """Load every shipped network; its SHA-256 must be its card's."""
    from lamella.zoo import models

    for name in models.names():
        models.session(name)
    return f"{', '.join(models.names())} loaded, SHA-256 as stated"


def phantom_separation() -> str:
    """Separate a phantom with its true masks; the layers must add up to it."""
    import numpy as np

    from lamella.physics.phantoms import JointPhantomSpec, joint_phantom
    from lamella.records import Radiograph
    from lamella.zoo.verbs import separate

    spec = JointPhantomSpec(jsw_mm=-0.5, rows=128, cols=128, pixel_spacing_mm=0.164)
    phantom = joint_phantom(spec)
    radiograph = Radiograph(pixels=phantom.intensity, pixel_spacing_mm=spec.pixel_spacing_mm)
    largest = float(np.abs(separate(radiograph, phantom.masks).residual()).max())
    if not largest < LARGEST_RESIDUAL:
        raise RuntimeError(f"recomposition error {largest:.1e}, expected below 1e-05")
    return f"a phantom recomposed to {largest:.1e}"


def dicom_codecs() -> str:
    """Decode a small frame in JPEG 2000 and JPEG-LS; load GDCM for other kinds of JPEG."""
    import numpy as np

    ramp = FRAME_STEP * np.arange(FRAME_SIDE_PX**2).reshape(FRAME_SIDE_PX, FRAME_SIDE_PX)
    for syntax, encoded in ENCODED_FRAMES.items():
        if not np.array_equal(_decoded(syntax, base64.b64decode(encoded)), ramp):
            raise RuntimeError(f"{syntax} is decoded wrongly")
    importlib.import_module("gdcm")
    return f"{', '.join(ENCODED_FRAMES)} decoded, GDCM loaded"


def writable_folder(folder: Path) -> str:
    """Write a file where results will go, or where that folder will be made, and remove it."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    with tempfile.TemporaryFile(dir=existing) as file:
        file.write(b"lamella")
    return "a file could be written"


def free_memory() -> str:
    """Memory available to a new process, where the system says."""
    available = _available_bytes()
    if available is None:
        return "not stated by this system"
    if available < LEAST_MEMORY_BYTES:
        raise RuntimeError(f"{available / 1e6:.0f} MB free, expected 600 MB")
    return f"{available / 1e9:.1f} GB free"


def _tried(check: Check) -> bool:
    try:
        say(f"ok      {check.name}: {check.run()}")
    except Exception as error:  # noqa: BLE001 -- whatever fails is what a check is for
        reason = " ".join(str(error).split()) or type(error).__name__
        say(f"failed  {check.name}: {reason}; {check.remedy}")
        return False
    return True


def _decoded(syntax: str, codestream: bytes) -> Any:
    """Pixels of one compressed grey frame, through the decoders radiographs go through."""
    from pydicom import uid
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate

    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = getattr(uid, syntax)
    image.Rows = image.Columns = FRAME_SIDE_PX
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelRepresentation = 0
    image.PixelData = encapsulate([codestream])
    image["PixelData"].VR = "OB"
    return image.pixel_array


def _available_bytes() -> int | None:
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
