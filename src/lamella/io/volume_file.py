"""A volume from one file, whatever its format: NIfTI, or NRRD and MetaImage."""

from __future__ import annotations

from pathlib import Path

from lamella.io import metaimage, nifti
from lamella.io.dicom_decode import META_START, is_dicom
from lamella.io.raw_volume import RawVolume, refuse_unusable_volume
from lamella.records import LamellaError


def starts_as_dicom(path: Path) -> bool:
    """Whether a file holds DICOM, by its first bytes.

    Raises:
        LamellaError: no file worth opening, or one that cannot be read.
    """
    refuse_unusable_volume(path)
    try:
        with path.open("rb") as file:
            return is_dicom(file.read(META_START))
    except OSError:
        raise LamellaError("the file cannot be read: check its permissions") from None


def read_raw(path: Path) -> RawVolume:
    """Values and geometry of a NIfTI, NRRD or MetaImage file.

    Raises:
        LamellaError: another suffix, or see the readers.
    """
    refuse_unusable_volume(path)
    lowered = path.name.lower()
    if lowered.endswith(nifti.SUFFIXES):
        return nifti.read_nifti(path)
    if lowered.endswith(metaimage.SUFFIXES):
        return metaimage.read_metaimage(path)
    raise LamellaError(
        f"expected {', '.join((*nifti.SUFFIXES, *metaimage.SUFFIXES))} or DICOM, got "
        f"{path.suffix or 'no suffix'!r}: convert the volume to NIfTI"
    )
