"""A CT series in DICOM, from a folder or a zip, as one volume in Hounsfield units.

Headers are read twice: once for the places of all slices, then slice by slice with pixels, so
that memory holds one volume and one slice. Axes are (column, row, slice), slices along their
normal. ``HU = slope * stored + intercept`` with each slice's own rescale; pixels of the padding
value become air.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from lamella.io.boundary import named, printable_name, quiet_libraries
from lamella.io.dicom_decode import open_dicom, stored_values
from lamella.io.dicom_files import DicomFile, dicom_files
from lamella.io.dicom_header import number, safe_source
from lamella.io.dicom_stack import SliceFacts, facts_of, stack_of
from lamella.io.raw_volume import RawVolume, refuse_voxels
from lamella.records import LamellaError

AIR_HU = -1024
LEAST_SLICES = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class DicomSeries:
    """A volume and a name that is safe to print."""

    volume: RawVolume
    source: str


@dataclass(frozen=True, kw_only=True)
class _Slice:
    file: DicomFile
    facts: SliceFacts


def read_series(path: Path) -> DicomSeries:
    """One CT series from a folder (with its subfolders) or a zip.

    When several series lie there, the only CT of at least ``LEAST_SLICES`` slices is taken, with a
    warning.

    Raises:
        LamellaError: no CT, several, a stack that :func:`lamella.io.dicom_stack.stack_of`
            refuses, or a slice that cannot be decoded.
    """
    with quiet_libraries(), dicom_files(path) as files:
        source = _safe_name(files[0], printable_name(path.resolve()))
        slices = _slices(files)
        with named(source):
            volume = _volume(slices)
    return DicomSeries(volume=volume, source=source)


def _volume(slices: Sequence[_Slice]) -> RawVolume:
    chosen, about_choice = _chosen_series(slices)
    chosen, about_copies = _without_copies(chosen)
    stack = stack_of([each.facts for each in chosen])
    if len(chosen) < LEAST_SLICES:
        raise LamellaError(
            f"expected at least {LEAST_SLICES} slices, got {len(chosen)}: give the whole series"
        )
    values = _values([chosen[index] for index in stack.order])
    return RawVolume(values=values, affine=stack.affine, warnings=(*about_choice, *about_copies))


def _safe_name(file: DicomFile, folder: str) -> str:
    """Name of the folder or archive, unless the first file's header says it names the patient."""
    with named(file.name):
        data = file.contents()
        return safe_source(open_dicom(data), folder, hashlib.sha256(data).hexdigest())


def _slices(files: Sequence[DicomFile]) -> list[_Slice]:
    slices = []
    for file in files:
        with named(file.name):
            facts = facts_of(open_dicom(file.contents()))
        if facts is not None:
            slices.append(_Slice(file=file, facts=facts))
    return slices


def _chosen_series(slices: Sequence[_Slice]) -> tuple[list[_Slice], tuple[str, ...]]:
    series = _by_series(slices)
    images = _ct_series(series.values())
    if not images:
        kinds = sorted({_kind(each.facts) for each in slices})
        raise LamellaError(
            f"expected a CT series, got {', '.join(kinds) or 'no image'}: give the CT"
        )
    if len(images) > 1:
        images = [group for group in images if len(group) >= LEAST_SLICES] or images
    if len(images) > 1:
        raise LamellaError(
            f"expected one CT series, got {len(images)}: give the folder of one of them"
        )
    note = f"{len(series)} series lie there: the one that is a CT of the body was taken"
    return images[0], (note,) if len(series) > 1 else ()


def _by_series(slices: Sequence[_Slice]) -> Mapping[str, list[_Slice]]:
    series: dict[str, list[_Slice]] = {}
    for each in slices:
        if not each.facts.localizer:
            series.setdefault(each.facts.series, []).append(each)
    return series


def _ct_series(groups: Iterable[list[_Slice]]) -> list[list[_Slice]]:
    """Series of modality CT; those without positions (screenshots) only if there are no others."""
    images = [group for group in groups if group[0].facts.modality == "CT"]
    placed = [group for group in images if all(each.facts.position_mm for each in group)]
    return placed or images


def _kind(facts: SliceFacts) -> str:
    return f"modality {facts.modality or 'unknown'}{' (scout view)' if facts.localizer else ''}"


def _without_copies(slices: Sequence[_Slice]) -> tuple[list[_Slice], tuple[str, ...]]:
    """One file per image, the first by name: the same instance may lie there twice."""
    firsts: dict[str, _Slice] = {}
    for place, each in enumerate(slices):
        firsts.setdefault(each.facts.instance or str(place), each)
    count = len(slices) - len(firsts)
    note = f"{count} files that repeat an image were left out"
    return list(firsts.values()), (note,) if count else ()


def _values(slices: Sequence[_Slice]) -> NDArray[Any]:
    """(column, row, slice), int16 where every rescale is whole, else float32."""
    rows, cols = slices[0].facts.shape
    shape = (cols, rows, len(slices))
    refuse_voxels(shape)
    whole = all(float(part).is_integer() for each in slices for part in each.facts.rescale)
    values = np.empty(shape, np.int16 if whole else np.float32, order="F")
    for index, each in enumerate(slices):
        values[:, :, index] = _decoded(each, values.dtype).T
    return values


def _decoded(each: _Slice, dtype: np.dtype[Any]) -> NDArray[Any]:
    data = each.file.contents()
    header = open_dicom(data)
    try:
        return hounsfield_slice(header, each.facts.rescale, dtype)
    except LamellaError as error:
        name = safe_source(header, each.file.name, hashlib.sha256(data).hexdigest())
        raise LamellaError(f"{name}: {error}") from None


def hounsfield_slice(
    header: Dataset, rescale: tuple[float, float], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """One slice in HU, (row, col); an integer type is clipped to its limits.

    Raises:
        LamellaError: see :func:`lamella.io.dicom_decode.stored_values`.
    """
    stored = stored_values(header)
    if stored.ndim != 2:
        raise LamellaError("expected grey slices, got colour: give the original series")
    hu = stored.astype(np.float32) * np.float32(rescale[0]) + np.float32(rescale[1])
    hu[_padding(header, stored)] = AIR_HU
    if dtype.kind == "i":
        limits = np.iinfo(dtype)
        hu = np.clip(hu, limits.min, limits.max)
    return hu.astype(dtype)


def _padding(header: Dataset, stored: NDArray[Any]) -> NDArray[np.bool_]:
    first = number(header, "PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, dtype=bool)
    limit = number(header, "PixelPaddingRangeLimit")
    low, high = sorted((first, first if limit is None else limit))
    return np.asarray((stored >= low) & (stored <= high))
