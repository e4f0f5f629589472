"""NIfTI volumes in and out.

Reading: the sform gives the geometry, or the qform where the header has no sform; a header with
neither is refused, because NIfTI then says nothing of left and right. Writing: both forms, int16
for a CT, uint8 for labels, fast gzip, moved into place whole.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from nibabel.imageglobals import LoggingOutputSuppressor
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from lamella.io.boundary import quiet_libraries
from lamella.io.raw_volume import DAMAGED, RawVolume, refuse_voxels, rescaled
from lamella.io.write import atomically
from lamella.records import LamellaError
from lamella.records.spine import spacing_of
from lamella.types import Affine

SUFFIXES = (".nii", ".nii.gz")
FORMS_AGREE_MM = 2.0
SCANNER = 1  # NIfTI code: anatomical coordinates of the scanner
GZIP_LEVEL = 1
VOXELS_START = 352
SYNTHETIC_MARK = "SYNTHETIC - research use only"


def read_nifti(path: Path) -> RawVolume:
    """A volume from a NIfTI-1 or NIfTI-2 file, rescaled by its header.

    Args:
        path: ends in ``.nii`` or ``.nii.gz``.

    Raises:
        LamellaError: not NIfTI, truncated, no geometry, not three-dimensional, colour.
    """
    with quiet_libraries(), LoggingOutputSuppressor():
        image = _opened(path)
        affine, warnings = stated_geometry(image.header)
        stored = _stored(image, path)
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    return RawVolume(
        values=rescaled(stored, float(slope), float(intercept)), affine=affine, warnings=warnings
    )


def stated_geometry(header: Any) -> tuple[Affine, tuple[str, ...]]:
    """Affine of a NIfTI header, RAS mm, and a warning when its two forms disagree.

    The forms disagree where they put a corner of the volume more than ``FORMS_AGREE_MM`` apart.

    Raises:
        LamellaError: neither form is set.
    """
    try:
        forms = [header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]]
    except Exception:  # noqa: BLE001 -- a damaged quaternion fails with any exception
        raise LamellaError(DAMAGED) from None
    given = [form for form in forms if form is not None]
    if not given:
        raise LamellaError(
            "expected an sform or a qform in the header, got neither: save the volume with its "
            "orientation"
        )
    if len(given) == 2 and _apart_mm(given, header.get_data_shape()[:3]) > FORMS_AGREE_MM:
        return given[0], ("the header's sform and qform disagree: the sform is used",)
    return given[0], ()


def write_nifti(
    path: Path, values: NDArray[Any], affine: Affine, description: str = "Lamella"
) -> None:
    """Write a volume of int16 or uint8, compressed when ``path`` ends in ``.gz``.

    The same values give the same bytes. Sform and qform are both set; a sheared grid, which a
    qform cannot tell, gets the sform alone.

    Args:
        path: ends in ``.nii`` or ``.nii.gz``; replaced when it exists.
        values: (first, second, third).
        affine: from indices to RAS millimetres.
        description: at most 79 characters of ASCII, kept in the header.

    Raises:
        LamellaError: another suffix, or not writable.
    """
    if not path.name.lower().endswith(SUFFIXES):
        raise LamellaError(f"expected a name that ends in .nii.gz or .nii, got {path.suffix!r}")
    header = _header(values, affine, description)
    columns = np.asfortranarray(values)
    if path.name.lower().endswith(".gz"):
        atomically(path, lambda file: _fill_compressed(file, header, columns))
    else:
        atomically(path, lambda file: _fill(file, header, columns))


def _apart_mm(forms: list[Affine], shape: tuple[int, ...]) -> float:
    corners = np.array(np.meshgrid(*[(0, side - 1) for side in shape])).reshape(len(shape), -1)
    corners = np.vstack([corners, np.ones((4 - len(shape), corners.shape[1]))])
    return float(np.linalg.norm(((forms[0] - forms[1]) @ corners)[:3], axis=0).max())


def _opened(path: Path) -> Any:
    try:
        image: Any = nib.load(path)
    except Exception:  # noqa: BLE001 -- damaged files fail with any exception
        raise LamellaError("expected a NIfTI volume, got another or damaged file") from None
    if not isinstance(image, nib.Nifti1Pair):
        raise LamellaError("expected a NIfTI volume, got another format: convert it to NIfTI")
    return image


def _stored(image: Any, path: Path) -> NDArray[Any]:
    shape, dtype = image.header.get_data_shape(), image.header.get_data_dtype()
    refuse_voxels(shape)
    if any(side != 1 for side in shape[3:]) or len(shape) < 3:
        shown = " x ".join(str(side) for side in shape)
        raise LamellaError(f"expected a volume of 3 dimensions, got {shown}: give one volume")
    if dtype.kind not in "iuf":
        raise LamellaError("expected one grey value per voxel, got colour: convert it to grey")
    needed = image.dataobj.offset + int(np.prod(shape)) * dtype.itemsize
    if path.suffix.lower() != ".gz" and path.stat().st_size < needed:
        raise LamellaError(DAMAGED)
    try:
        return np.asarray(image.dataobj.get_unscaled()).reshape(shape[:3], order="F")
    except Exception:  # noqa: BLE001 -- truncated files fail with any exception
        raise LamellaError(DAMAGED) from None


def _header(values: NDArray[Any], affine: Affine, description: str) -> Any:
    header: Any = nib.Nifti1Header()  # type: ignore[no-untyped-call]
    header.set_data_dtype(values.dtype)
    header.set_data_shape(values.shape)
    header.set_zooms(spacing_of(affine))  # a qform sets them too; a sheared grid has none
    header.set_sform(affine, SCANNER)
    try:
        header.set_qform(affine, SCANNER, strip_shears=False)
    except HeaderDataError:
        header.set_qform(None)
    header.set_xyzt_units("mm")
    header.set_slope_inter(1, 0)
    header["descrip"] = description.encode("ascii", "replace")[:79]
    header["vox_offset"] = VOXELS_START
    return header


def _fill(file: Any, header: Any, columns: NDArray[Any]) -> None:
    file.write(header.binaryblock)
    file.write(bytes(VOXELS_START - len(header.binaryblock)))
    for index in range(columns.shape[2]):
        file.write(columns[:, :, index].tobytes(order="F"))


def _fill_compressed(file: BinaryIO, header: Any, columns: NDArray[Any]) -> None:
    with gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as packed:
        _fill(packed, header, columns)
