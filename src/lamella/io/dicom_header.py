"""What a DICOM header says about size, orientation and safety, and what it may not say aloud.

Values are read one by one and defensively: a malformed element counts as absent. Nothing here
returns text from the header, so no identifier can travel further than this module.
"""

from __future__ import annotations

import math
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from pydicom.dataset import Dataset

from lamella.records import LamellaError, SpacingSource

IDENTIFIERS = (
    "PatientName",
    "PatientID",
    "OtherPatientNames",
    "OtherPatientIDs",
    "PatientBirthName",
    "PatientMotherBirthName",
    "PatientBirthDate",
    "PatientAddress",
    "PatientTelephoneNumbers",
    "MedicalRecordLocator",
    "AccessionNumber",
    "AdmissionID",
    "StudyID",
    "RequestedProcedureID",
    "ReferringPhysicianName",
    "PerformingPhysicianName",
    "OperatorsName",
)
WHOLE_IDENTIFIERS = ("InstitutionName", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
RADIOGRAPHS = ("CR", "DX", "DR", "RG", "RF", "XA", "MG", "IO", "PX")
OTHER_MODALITIES = ("CT", "MR", "US", "NM", "PT", "OT", "SC", "ES", "XC", "SM", "SEG", "SR")
VOLUME_MODALITIES = ("CT", "MR", "PT")
CALIBRATION_TYPES = ("GEOMETRY", "FIDUCIAL")
SQUARE_TOLERANCE = 0.01
DISAGREEMENT = 0.02
EQUAL_SPACINGS = 0.001
LARGEST_MAGNIFICATION = 5.0
SHORTEST_TOKEN = 3
DATES = ("AcquisitionDate", "ContentDate", "SeriesDate", "StudyDate")
DATE = re.compile(r"\d{8}")


@dataclass(frozen=True, kw_only=True)
class Spacing:
    """Pixel spacing in mm or None, where it came from, and warnings about it."""

    mm: float | None
    source: SpacingSource
    warnings: tuple[str, ...] = ()


def code(header: Dataset, keyword: str) -> str:
    """A code string in upper case, "" when absent or malformed. Compare it, never print it."""
    try:
        value = header.get(keyword)
    except Exception:  # noqa: BLE001 -- malformed elements fail with any exception
        return ""
    return "" if value is None else str(value).strip().upper()


def numbers(header: Dataset, keyword: str) -> tuple[float, ...] | None:
    """The finite numbers of an element, () when it is absent or empty, None when malformed."""
    try:
        value = header.get(keyword)
        if value is None or value == "":
            return ()
        values = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else value
        found = tuple(float(item) for item in values)
    except Exception:  # noqa: BLE001 -- malformed elements fail with any exception
        return None
    return found if all(math.isfinite(number) for number in found) else None


def number(header: Dataset, keyword: str) -> float | None:
    """The first number of an element, None when it is absent or malformed."""
    found = numbers(header, keyword)
    return found[0] if found else None


def safe_source(header: Dataset, base_name: str, sha256: str) -> str:
    """A name to record: the base name, unless it holds a part of the patient's identifiers.

    Parts are runs of at least ``SHORTEST_TOKEN`` letters or digits, compared without case,
    accents or punctuation; the birth date in any order. Of ``WHOLE_IDENTIFIERS`` only the whole
    counts: "hospital" and the root of a UID name nobody. The replacement is ``dicom-`` and eight
    digits of the file's SHA-256.
    """
    squeezed = "".join(_tokens(base_name, 1))
    texts = [code(item, keyword) for item in _with_other_ids(header) for keyword in IDENTIFIERS]
    tokens = {token for text in texts for token in _tokens(text, SHORTEST_TOKEN)}
    wholes = ["".join(_tokens(text, 1)) for text in texts]
    wholes += ["".join(_tokens(code(header, keyword), 1)) for keyword in WHOLE_IDENTIFIERS]
    wholes += _reordered(code(header, "PatientBirthDate"))
    tokens.update(whole for whole in wholes if len(whole) >= SHORTEST_TOKEN)
    return f"dicom-{sha256[:8]}" if any(token in squeezed for token in tokens) else base_name


def acquisition_date(header: Dataset) -> date | None:
    """The day the image was taken, to order visits by and for nothing else; None when unknown."""
    for keyword in DATES:
        text = code(header, keyword)
        if DATE.fullmatch(text):
            with suppress(ValueError):
                return date.fromisoformat(text)
    return None


def header_warnings(header: Dataset) -> tuple[str, ...]:
    """Warnings about the kind of image: modality and burned-in text."""
    warnings = []
    modality = code(header, "Modality")
    if not modality:
        warnings.append("the header states no modality: it may not be a radiograph")
    elif modality not in RADIOGRAPHS:
        shown = f"modality {modality}" if modality in OTHER_MODALITIES else "the stated modality"
        warnings.append(f"{shown} is not a radiograph")
    if code(header, "BurnedInAnnotation") == "YES":
        warnings.append("text is burned into the pixels: it may identify the patient")
    return tuple(warnings)


def resolve_spacing(header: Dataset, given_mm: float | None) -> Spacing:
    """Pixel spacing by order of trust: given, calibrated, detector plane over magnification.

    * given by the user, with a warning when the header disagrees by more than 2 %;
    * PixelSpacing with a calibration type, or of a CT or MR slice: calibrated;
    * PixelSpacing that differs from ImagerPixelSpacing, or alone: not stated as calibrated;
    * ImagerPixelSpacing divided by the magnification M = SID / SOD, where the header has
      EstimatedRadiographicMagnificationFactor or both distances; else at the detector plane.

    Raises:
        LamellaError: pixels that are not square to 1 %.
    """
    stated = _stated_spacing(header)
    if given_mm is None:
        return stated
    warnings = stated.warnings
    if stated.mm is not None and abs(given_mm - stated.mm) > DISAGREEMENT * stated.mm:
        warnings = (
            *warnings,
            f"the given pixel spacing {given_mm:.4g} mm disagrees with the header's "
            f"{stated.mm:.4g} mm ({stated.source.value}): the given one is used",
        )
    return Spacing(mm=given_mm, source=SpacingSource.GIVEN, warnings=warnings)


def _stated_spacing(header: Dataset) -> Spacing:
    _refuse_aspect_ratio(header)
    pixel, pixel_warnings = _square_spacing(header, "PixelSpacing")
    imager, imager_warnings = _square_spacing(header, "ImagerPixelSpacing")
    warnings = (*pixel_warnings, *imager_warnings)
    if pixel is not None and _is_calibrated(header):
        return Spacing(mm=pixel, source=SpacingSource.CALIBRATED, warnings=warnings)
    if pixel is not None and (imager is None or abs(pixel - imager) > EQUAL_SPACINGS * imager):
        return Spacing(mm=pixel, source=SpacingSource.DETECTOR, warnings=warnings)
    if imager is None:
        return Spacing(mm=None, source=SpacingSource.UNKNOWN, warnings=warnings)
    magnification, more = _magnification(header)
    if magnification is None:
        return Spacing(mm=imager, source=SpacingSource.IMAGER, warnings=(*warnings, *more))
    source = SpacingSource.IMAGER_MAGNIFIED
    return Spacing(mm=imager / magnification, source=source, warnings=(*warnings, *more))


def _is_calibrated(header: Dataset) -> bool:
    calibrated = code(header, "PixelSpacingCalibrationType") in CALIBRATION_TYPES
    return calibrated or code(header, "Modality") in VOLUME_MODALITIES


def _square_spacing(header: Dataset, keyword: str) -> tuple[float | None, tuple[str, ...]]:
    """Mean of the row and column spacing in mm, None when absent or malformed."""
    pair = numbers(header, keyword)
    if pair == ():
        return None, ()
    if pair is None or len(pair) != 2 or min(pair) <= 0:
        return None, (f"{keyword} in the header is malformed and was ignored",)
    if abs(pair[0] - pair[1]) > SQUARE_TOLERANCE * max(pair):
        raise LamellaError(
            f"expected square pixels, got {pair[0]:.4g} x {pair[1]:.4g} mm: "
            "resample the image to square pixels"
        )
    return (pair[0] + pair[1]) / 2.0, ()


def _refuse_aspect_ratio(header: Dataset) -> None:
    ratio = numbers(header, "PixelAspectRatio")
    if not ratio or len(ratio) != 2 or min(ratio) <= 0:
        return
    if abs(ratio[0] - ratio[1]) > SQUARE_TOLERANCE * max(ratio):
        raise LamellaError(
            f"expected square pixels, got an aspect of {ratio[0]:g} to {ratio[1]:g}: "
            "resample the image to square pixels"
        )


def _magnification(header: Dataset) -> tuple[float | None, tuple[str, ...]]:
    """M = source-detector over source-object distance, at least 1, or None."""
    factor = number(header, "EstimatedRadiographicMagnificationFactor")
    if factor is None:
        detector = number(header, "DistanceSourceToDetector")
        patient = number(header, "DistanceSourceToPatient")
        if not detector or not patient:
            return None, ()
        factor = detector / patient
    if 1.0 <= factor <= LARGEST_MAGNIFICATION:
        return factor, ()
    return None, (f"a magnification of {factor:.4g} in the header is implausible: ignored",)


def _reordered(date: str) -> list[str]:
    """A date YYYYMMDD with its day or its month first."""
    year, month, day = date[:4], date[4:6], date[6:]
    return [f"{day}{month}{year}", f"{month}{day}{year}"] if len(date) == 8 else []


def _with_other_ids(header: Dataset) -> list[Dataset]:
    """The header and the items of its further patient identifiers."""
    try:
        return [header, *(header.get("OtherPatientIDsSequence") or ())]
    except Exception:  # noqa: BLE001 -- malformed elements fail with any exception
        return [header]


def _tokens(text: str, shortest: int) -> list[str]:
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return [token for token in re.findall(r"[^\W_]+", plain) if len(token) >= shortest]
