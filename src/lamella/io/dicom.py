"""DICOM radiographs: from stored values to intensity with bone bright.

Physics uses stored values, as Pixel Intensity Relationship (0028,1040) defines it on them; a
VOI LUT or window is for display only and never applied.

* LOG: the stored value is affine in absorbance. Offset and scale are unknown, so the 0.5th
  percentile is taken as air (a = 0) and the 99.5th as a = 1.4: ``I = 1 - exp(-a)``.
* LIN: the stored value is proportional to the transmitted intensity. Air is measured in the
  image as the 99.9th percentile of transmission: ``I = 1 - t / air``.
* Absent (or DISP): modality LUT, then a linear display proxy, recorded as such.

Which end is bone. With LOG and LIN, Pixel Intensity Relationship Sign says it: +1 means that
lower values saw less beam, so bone is low. Otherwise the display convention does: low values
are bright when Photometric Interpretation is MONOCHROME1 *or* Presentation LUT Shape is INVERSE.
The standard requires MONOCHROME1 and INVERSE together, so both state one inversion and never
cancel; a file in which they contradict each other is inverted once, with a warning.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut

from lamella.io.boundary import named, printable_name
from lamella.io.dicom_decode import open_dicom, stored_values
from lamella.io.dicom_header import (
    code,
    header_warnings,
    number,
    numbers,
    resolve_spacing,
    safe_source,
)
from lamella.io.raster import appearance_warnings, grey_of
from lamella.records import IntensityScale, LamellaError, Radiograph
from lamella.types import Image, Mask

LOG_AIR_PERCENTILE = 0.5
LOG_DENSE_PERCENTILE = 99.5
LOG_DENSE_ABSORBANCE = 1.4
LINEAR_AIR_PERCENTILE = 99.9
CT_WINDOW_HU = (-1024.0, 3071.0)
DISPLAY_BITS = 8
RELATIONSHIPS = {"LOG": IntensityScale.LOGARITHMIC, "LIN": IntensityScale.LINEAR}

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """Intensity (row, col), the step between grey levels, and warnings about the scaling."""

    pixels: Image
    grey_level: float
    warnings: tuple[str, ...] = ()


def read_dicom(data: bytes, path: Path, sha256: str, spacing_mm: float | None) -> Radiograph:
    """One radiograph from a DICOM file.

    Args:
        data: the whole file.
        path: where it lies, for its base name.
        sha256: SHA-256 of the file in hexadecimal: its name when the base name is not safe.
        spacing_mm: pixel spacing the user gave, in mm, or None.

    Raises:
        LamellaError: see :func:`lamella.io.dicom_decode.stored_values`; pixels that are not
            square; a colour photograph; anything :class:`Radiograph` refuses.
    """
    name = printable_name(path)
    with named(name):
        header = open_dicom(data)
    source = safe_source(header, name, sha256)
    with named(source):
        stored, colour_warnings = grey_of(stored_values(header))
        spacing = resolve_spacing(header, spacing_mm)
        scaled = intensity(header, stored)
        about_header = (*header_warnings(header), *spacing.warnings, *colour_warnings)
        about_pixels = appearance_warnings(scaled.pixels, scaled.grey_level)
        return Radiograph(
            pixels=scaled.pixels,
            pixel_spacing_mm=spacing.mm,
            spacing_source=spacing.source,
            intensity_scale=intensity_scale(header),
            grey_level=scaled.grey_level,
            source=source,
            laterality=laterality(header),
            warnings=(*about_header, *scaled.warnings, *about_pixels),
        )


def laterality(header: Dataset) -> Literal["R", "L"] | None:
    """Side of the body by Image Laterality (0020,0062), or by Laterality (0020,0060)."""
    for name in ("ImageLaterality", "Laterality"):
        found = code(header, name)
        if found in ("R", "L"):
            return "R" if found == "R" else "L"
    return None


def intensity_scale(header: Dataset) -> IntensityScale:
    """What the pixel values of this file are, by Pixel Intensity Relationship."""
    return RELATIONSHIPS.get(code(header, "PixelIntensityRelationship"), IntensityScale.DISPLAY)


def intensity(header: Dataset, stored: NDArray[Any]) -> Scaled:
    """Intensity in [0, 1] with bone bright, from stored values (row, col).

    Pixels of the header's padding value become 0 and take no part in any percentile.
    """
    padding = _padding(header, stored)
    scale = intensity_scale(header)
    if scale is IntensityScale.DISPLAY:
        scaled = _display(header, stored, padding)
    elif scale is IntensityScale.LOGARITHMIC:
        scaled = _logarithmic(header, stored, padding)
    else:
        scaled = _linear(header, stored, padding)
    return Scaled(
        pixels=np.where(padding, np.float32(0.0), scaled.pixels),
        grey_level=scaled.grey_level,
        warnings=scaled.warnings,
    )


def shows_low_bright(header: Dataset) -> bool:
    """True when low values are displayed bright: MONOCHROME1, INVERSE, or (the rule) both."""
    inverse = code(header, "PresentationLUTShape") == "INVERSE"
    return inverse or code(header, "PhotometricInterpretation") == "MONOCHROME1"


def dense_is_high(header: Dataset) -> bool:
    """True when a higher stored value of a LOG or LIN image saw less beam (bone is high)."""
    sign = number(header, "PixelIntensityRelationshipSign")
    if sign in (1.0, -1.0):
        return sign == -1.0
    return not shows_low_bright(header)


def _orientation_warnings(header: Dataset) -> tuple[str, ...]:
    warnings = []
    photometric = code(header, "PhotometricInterpretation")
    shape = code(header, "PresentationLUTShape")
    if (photometric, shape) in {("MONOCHROME1", "IDENTITY"), ("MONOCHROME2", "INVERSE")}:
        warnings.append("photometric interpretation and presentation contradict: inverted once")
    is_physical = intensity_scale(header) is not IntensityScale.DISPLAY
    if is_physical and dense_is_high(header) == shows_low_bright(header):
        warnings.append("the file asks for bone dark on display: read by its detector sign instead")
    return tuple(warnings)


def _padding(header: Dataset, stored: NDArray[Any]) -> Mask:
    """Pixels outside the exposed field, unless that would be all of them."""
    first = number(header, "PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, dtype=bool)
    limit = number(header, "PixelPaddingRangeLimit")
    low, high = sorted((first, first if limit is None else limit))
    padding = np.asarray((stored >= low) & (stored <= high))
    return padding & ~padding.all()


def _stored_range(header: Dataset, stored: NDArray[Any]) -> tuple[float, float]:
    """Lowest and highest value that BitsStored can hold, widened to what was found."""
    bits = _bits_stored(header, stored)
    low = -(2.0 ** (bits - 1)) if number(header, "PixelRepresentation") == 1 else 0.0
    high = low + 2.0**bits - 1.0
    return min(low, float(stored.min())), max(high, float(stored.max()))


def _bits_stored(header: Dataset, stored: NDArray[Any]) -> int:
    allocated = 8 * stored.dtype.itemsize
    return min(max(int(number(header, "BitsStored") or allocated), 1), allocated)


def _logarithmic(header: Dataset, stored: NDArray[Any], padding: Mask) -> Scaled:
    """LOG: ``a = 1.4 (v - v_air) / (v_dense - v_air)``, ``I = 1 - exp(-a)``."""
    dense = np.asarray(stored, dtype=np.float64) * (1.0 if dense_is_high(header) else -1.0)
    percentiles = (LOG_AIR_PERCENTILE, LOG_DENSE_PERCENTILE)
    air, reference = np.percentile(dense[~padding], percentiles)
    span = float(reference - air) or float(dense.max() - dense.min()) or 1.0
    per_value = LOG_DENSE_ABSORBANCE / span
    absorbance = np.clip((dense - air) * per_value, 0.0, None)
    pixels = np.clip(-np.expm1(-absorbance), 0.0, 1.0)
    warnings = _orientation_warnings(header)
    return Scaled(pixels=pixels.astype(np.float32), grey_level=per_value, warnings=warnings)


def _linear(header: Dataset, stored: NDArray[Any], padding: Mask) -> Scaled:
    """LIN: ``I = 1 - t / air``; pixels that received nothing are 1, hence saturated."""
    transmitted = np.asarray(stored, dtype=np.float64)
    warnings = _orientation_warnings(header)
    if dense_is_high(header):
        transmitted = _stored_range(header, stored)[1] - transmitted
        warnings = (*warnings, "transmission is counted from the highest value that can be stored")
    air = float(np.percentile(transmitted[~padding], LINEAR_AIR_PERCENTILE))
    if air <= 0.0:
        raise LamellaError("the detector values hold no air: nothing to normalise them by")
    pixels = np.clip(1.0 - transmitted / air, 0.0, 1.0).astype(np.float32)
    return Scaled(pixels=pixels, grey_level=1.0 / air, warnings=warnings)


def _display(header: Dataset, stored: NDArray[Any], padding: Mask) -> Scaled:
    """Display proxy: modality values over their range, inverted once where low is bright."""
    values = _modality(header, stored)
    step = abs(number(header, "RescaleSlope") or 1.0)
    if code(header, "Modality") == "CT" and "RescaleIntercept" in header:
        low, high = CT_WINDOW_HU
        window = np.clip((values - low) / (high - low), 0.0, 1.0).astype(np.float32)
        return Scaled(pixels=window, grey_level=step / (high - low))
    low, high, warnings = _display_range(header, stored, values[~padding])
    pixels = (values - low) / (high - low)
    if shows_low_bright(header):
        pixels = 1.0 - pixels
    grey_level = step / (high - low)
    if warnings:
        pixels = pixels * (1.0 - 0.5 * grey_level)
    return Scaled(
        pixels=np.clip(pixels, 0.0, 1.0).astype(np.float32),
        grey_level=grey_level,
        warnings=(*_orientation_warnings(header), *warnings),
    )


def _display_range(
    header: Dataset, stored: NDArray[Any], used: Values
) -> tuple[float, float, tuple[str, ...]]:
    """Values that mean black and white: the stored range if at least half of it is used.

    Up to 8 bits are always a finished display image, and so is what Lamella wrote. Otherwise
    (10 bits in a 16-bit header, signed headers) the image's own minimum and maximum serve, with
    a warning, because two images are then scaled differently.
    """
    low, high = _full_range(header, stored)
    found_low, found_high = float(used.min()), float(used.max())
    is_own = code(header, "SyntheticData") == "YES" and code(header, "Manufacturer") == "LAMELLA"
    is_display = is_own or _bits_stored(header, stored) <= DISPLAY_BITS
    is_full = is_display or found_high - found_low >= 0.5 * (high - low)
    if high > low and is_full:
        return low, high, ()
    if found_high <= found_low:
        raise LamellaError(f"the image is constant ({found_low:.4g}): nothing to take apart")
    message = "few of the possible grey values are used: scaled from the lowest to the highest"
    return found_low, found_high, (message,)


def _full_range(header: Dataset, stored: NDArray[Any]) -> tuple[float, float]:
    """Lowest and highest modality value the header allows: of the rescale, or of the LUT."""
    if header.get("ModalityLUTSequence"):
        descriptor = numbers(header["ModalityLUTSequence"].value[0], "LUTDescriptor") or (0.0,)
        return 0.0, 2.0 ** min(max(descriptor[-1], 1.0), 16.0) - 1.0
    ends = np.asarray(_stored_range(header, stored), dtype=stored.dtype)
    low, high = sorted(float(end) for end in _modality(header, ends))
    return low, high


def _modality(header: Dataset, stored: NDArray[Any]) -> Values:
    """Stored values through the modality LUT or rescale, float64."""
    try:
        values = np.asarray(apply_modality_lut(stored, header), dtype=np.float64)
    except Exception:  # noqa: BLE001 -- a malformed LUT fails with any exception
        raise LamellaError("the modality rescale is damaged: export it again") from None
    if not np.isfinite(values).all():
        raise LamellaError("the modality rescale gives NaN or infinite values: export it again")
    return values
