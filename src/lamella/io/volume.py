"""A CT and its vertebra labels from files, and volumes back to files.

The kind of file is told by content (DICOM) or by suffix (NIfTI, NRRD, MetaImage); a folder or a
zip holds a DICOM series. Every failure is one :class:`LamellaError` that names the file and a
remedy.

Example:
    >>> import tempfile
    >>> import numpy as np
    >>> folder = Path(tempfile.mkdtemp())
    >>> ids = np.zeros((20, 20, 60), np.uint8)
    >>> ids[5:15, 5:15, 5:25], ids[5:15, 5:15, 35:55] = 21, 20
    >>> labels = SpineLabels(ids=ids, affine=np.diag([1.5, 1.5, 1.5, 1.0]))
    >>> write_volume(labels, folder / "spine.nii.gz")
    >>> read_labels(folder / "spine.nii.gz").levels
    ('L1', 'L2')
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from lamella.io.boundary import named, printable_name, quiet_libraries
from lamella.io.dicom_series import read_series
from lamella.io.hounsfield import refuse_not_hounsfield
from lamella.io.label_files import read_labels
from lamella.io.nifti import SYNTHETIC_MARK, write_nifti
from lamella.io.raw_volume import RawVolume
from lamella.io.volume_file import read_raw, starts_as_dicom
from lamella.io.write import guard_output
from lamella.records import CTVolume, LamellaError, SpineLabels

__all__ = ["read_ct", "read_labels", "write_volume"]

LEAST_HU, MOST_HU = np.iinfo(np.int16).min, np.iinfo(np.int16).max


def read_ct(path: str | Path) -> CTVolume:
    """A CT in Hounsfield units from NIfTI, NRRD, MetaImage, or a DICOM folder or zip.

    Values stay int16 where they are whole; axes stay as in the file. A folder of DICOM files gets
    its spacing from the positions of the slices.

    Args:
        path: a file, a folder, or a zip.

    Raises:
        LamellaError: one line: no such file, damaged, no geometry, another modality or unit, a
            series that forms no grid.
    """
    path = Path(path)
    name, raw = _raw_ct(path)
    with named(name):
        refuse_not_hounsfield(raw.values)
        hu = raw.values if raw.values.dtype == np.int16 else raw.values.astype(np.float32)
        return CTVolume(hu=hu, affine=raw.affine, source=name, warnings=raw.warnings)


def write_volume(
    volume: CTVolume | SpineLabels,
    path: str | Path,
    *,
    synthetic: bool = False,
    force: bool = False,
) -> None:
    """Write a CT as int16 or labels as uint8 (VerSe numbers), NIfTI, with sform and qform.

    Args:
        volume: HU are rounded, and clipped to what int16 holds.
        path: ends in ``.nii.gz`` or ``.nii``.
        synthetic: mark the header as synthetic, for research use only.
        force: True allows overwriting.

    Raises:
        LamellaError: the file exists and ``force`` is False, another suffix, not writable.
    """
    path = Path(path)
    guard_output([path], force)
    values = volume.ids if isinstance(volume, SpineLabels) else _stored_hu(volume)
    text = f"Lamella, {SYNTHETIC_MARK}" if synthetic else "Lamella, research use only"
    with named(printable_name(path)):
        write_nifti(path, values, volume.affine, text)


def _raw_ct(path: Path) -> tuple[str, RawVolume]:
    """A name that is safe to print, and the volume."""
    if path.is_dir() or zipfile.is_zipfile(path):
        series = read_series(path)
        return series.source, series.volume
    name = printable_name(path)
    with named(name), quiet_libraries():
        if starts_as_dicom(path):
            raise LamellaError(
                "expected a CT series, got one DICOM file: give the folder or zip of the series"
            )
        return name, read_raw(path)


def _stored_hu(volume: CTVolume) -> np.ndarray:
    if volume.hu.dtype == np.int16:
        return volume.hu
    stored = np.empty(volume.shape, np.int16, order="F")
    for index in range(volume.shape[2]):
        stored[:, :, index] = np.clip(np.rint(volume.hu[:, :, index]), LEAST_HU, MOST_HU)
    return stored
