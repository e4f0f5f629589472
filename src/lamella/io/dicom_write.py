r"""Synthetic radiographs as DICOM: secondary captures that say everywhere what they are.

Conversion Type SYN, Image Type DERIVED\SECONDARY\SYNTHETIC, Synthetic Data YES and a Derivation
Description mark them; no element of any source header is copied, so no identifier can be. Dates
are empty and UIDs are digests: the same joint gives the same bytes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from lamella.records import Radiograph, SpacingSource

UUID_BYTES = 16
WHITE_16 = 65535
IMPLEMENTATION = "LAMELLA"
SPACING_KEYWORDS = {SpacingSource.IMAGER: "ImagerPixelSpacing"}
"""Elsewhere than in Pixel Spacing, by the spacing's source."""


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """What a synthetic image states about itself.

    Args:
        description: one sentence without identifiers.
        study: what its study is a digest of: the same for all samples of one joint.
        instance: what the image is a digest of: unlike any other image's.
        number: of the instance in its series, from 1.
    """

    description: str
    study: str
    instance: str
    number: int = 1


def synthetic_dicom(radiograph: Radiograph, derivation: Derivation) -> bytes:
    """A DICOM file of 16 bits, stored value = round(65535 I), bone bright.

    Args:
        radiograph: the synthetic image with its spacing.
        derivation: see :class:`Derivation`.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = digest_uid(f"instance {derivation.instance}")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = digest_uid("implementation lamella")
    meta.ImplementationVersionName = IMPLEMENTATION
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID = meta.MediaStorageSOPClassUID
    image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _say_what_it_is(image, derivation)
    _leave_nameless(image)
    image.Laterality = radiograph.laterality or ""
    _set_pixels(image, radiograph)
    buffer = io.BytesIO()
    dcmwrite(buffer, image, enforce_file_format=True)
    return buffer.getvalue()


def digest_uid(text: str) -> UID:
    """A UID under 2.25 (a 128-bit integer) that depends on the text alone."""
    number = int.from_bytes(sha256(text.encode()).digest()[:UUID_BYTES], "big")
    return UID(f"2.25.{number}")


def _say_what_it_is(image: Dataset, derivation: Derivation) -> None:
    image.ImageType = ["DERIVED", "SECONDARY", "SYNTHETIC"]
    image.SyntheticData = "YES"
    image.ConversionType = "SYN"
    image.ContentQualification = "RESEARCH"
    image.DerivationDescription = derivation.description
    image.SeriesDescription = "SYNTHETIC"
    image.Modality = "DX"
    image.BodyPartExamined = "HAND"
    image.Manufacturer = "Lamella"
    image.BurnedInAnnotation = "NO"
    image.LossyImageCompression = "00"
    image.StudyInstanceUID = digest_uid(f"study {derivation.study}")
    image.SeriesInstanceUID = digest_uid(f"series {derivation.study}")
    image.SeriesNumber = 1
    image.InstanceNumber = derivation.number


def _leave_nameless(image: Dataset) -> None:
    """Elements the standard wants present, empty."""
    image.PatientIdentityRemoved = "YES"
    image.DeidentificationMethod = "synthetic image, no element copied from any header"
    for keyword in (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyDate",
        "StudyTime",
        "StudyID",
        "AccessionNumber",
        "ReferringPhysicianName",
        "PatientOrientation",
    ):
        setattr(image, keyword, "")


def _set_pixels(image: Dataset, radiograph: Radiograph) -> None:
    stored = np.rint(radiograph.pixels.astype(np.float64) * WHITE_16).astype("<u2")
    image.PhotometricInterpretation = "MONOCHROME2"
    image.SamplesPerPixel, image.PixelRepresentation = 1, 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.Rows, image.Columns = stored.shape
    spacing_mm = radiograph.pixel_spacing_mm
    if spacing_mm is not None:
        keyword = SPACING_KEYWORDS.get(
            radiograph.spacing_source or SpacingSource.UNKNOWN, "PixelSpacing"
        )
        text = f"{spacing_mm:.10g}"
        setattr(image, keyword, [text, text])
    image.add_new("PixelData", "OW", stored.tobytes())
