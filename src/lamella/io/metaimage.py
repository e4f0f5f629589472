"""NRRD and MetaImage volumes, through SimpleITK (the extra ``itk``).

SimpleITK invents an identity where a header tells no geometry; such headers are refused here.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from lamella.io.boundary import quiet_native_code
from lamella.io.raw_volume import DAMAGED, LPS_TO_RAS, RawVolume, refuse_voxels, rescaled
from lamella.records import LamellaError
from lamella.types import Affine

SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")
HEADER_BYTES = 1 << 16
GEOMETRY_KEYS = (b"space directions:", b"TransformMatrix", b"Orientation", b"Rotation")


def read_metaimage(path: Path) -> RawVolume:
    """A volume from an NRRD or MetaImage file.

    Args:
        path: ends in ``.nrrd``, ``.nhdr``, ``.mha`` or ``.mhd``.

    Raises:
        LamellaError: SimpleITK is not installed, no geometry in the header, several values per
            voxel, not three-dimensional, truncated.
    """
    itk = simple_itk()
    _refuse_without_geometry(path)
    with quiet_native_code():
        image = _image(itk, path)
        values = np.transpose(itk.GetArrayFromImage(image))
    return RawVolume(values=rescaled(values, 1.0, 0.0), affine=_affine(image))


def simple_itk() -> Any:
    """The module SimpleITK.

    Raises:
        LamellaError: it is not installed.
    """
    try:
        return importlib.import_module("SimpleITK")
    except ImportError:
        raise LamellaError(
            "expected SimpleITK to read NRRD and MetaImage, got none: install lamella[itk] or "
            "convert the volume to NIfTI"
        ) from None


def _refuse_without_geometry(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    if not any(key in head for key in GEOMETRY_KEYS):
        raise LamellaError(
            "expected the orientation in the header, got none: save the volume with its geometry"
        )


def _image(itk: Any, path: Path) -> Any:
    reader = itk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        shape = tuple(int(side) for side in reader.GetSize())
    except Exception:  # noqa: BLE001 -- damaged files fail with any exception
        raise LamellaError(DAMAGED) from None
    refuse_voxels(shape)
    if len(shape) != 3 or reader.GetNumberOfComponents() != 1:
        raise LamellaError(
            f"expected a volume of 3 dimensions and one value per voxel, got {len(shape)} "
            f"dimensions and {reader.GetNumberOfComponents()} values: give one volume"
        )
    try:
        return reader.Execute()
    except Exception:  # noqa: BLE001 -- truncated files fail with any exception
        raise LamellaError(DAMAGED) from None


def _affine(image: Any) -> Affine:
    affine = np.eye(4)
    direction = np.reshape(image.GetDirection(), (3, 3))
    affine[:3, :3] = direction * np.asarray(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return np.asarray(LPS_TO_RAS @ affine)
