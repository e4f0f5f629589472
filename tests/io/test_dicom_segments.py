"""DICOM segmentations made by highdicom: levels by name, places by frame positions."""

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

import volumes
from lamella.io.dicom_segments import is_segmentation, read_segments
from lamella.io.label_files import read_labels
from lamella.io.label_grid import on_grid
from lamella.records import VERSE_IDS, LamellaError

LABELS = {"T12": "vertebrae_T12", "L1": "First lumbar vertebra", "L2": "L2"}


def segment(number, label):
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=codes.SCT.Vertebra,
        algorithm_type="MANUAL",
    )


def segmentation(masks, kind="BINARY", slices=None):
    """A segmentation of (level's label -> volume on the phantom's grid)."""
    sources = volumes.series() if slices is None else slices
    stacked = np.stack(list(masks.values()), axis=-1)
    frames = np.transpose(stacked, (2, 1, 0, 3))[: len(sources)]
    if kind == "LABELMAP":
        frames = (frames * np.arange(1, len(masks) + 1)).max(axis=-1)
    return hd.seg.Segmentation(
        source_images=sources,
        pixel_array=np.ascontiguousarray(frames).astype(np.uint8),
        segmentation_type=kind,
        segment_descriptions=[segment(n + 1, label) for n, label in enumerate(masks)],
        series_instance_uid="2.25.500",
        series_number=5,
        sop_instance_uid="2.25.501",
        instance_number=1,
        manufacturer="Lamella",
        manufacturer_model_name="test",
        software_versions="0",
        device_serial_number="0",
    )


def masks(names=LABELS):
    return {text: volumes.ids() == VERSE_IDS[level] for level, text in names.items()}


def saved(made, path):
    pydicom.dcmwrite(path, made, enforce_file_format=True)
    return path


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_levels_and_places_survive(tmp_path, kind):
    labels = read_labels(saved(segmentation(masks(), kind), tmp_path / "a.dcm"))
    assert (labels.levels, labels.scheme) == (("T12", "L1", "L2"), "DICOM segments")
    moved = on_grid(labels, volumes.ct())
    np.testing.assert_array_equal(moved.ids, volumes.ids())
    assert labels.ids.shape != volumes.SHAPE
    assert moved.warnings == ("the labels were turned or cropped to the CT's grid",)


def test_segments_that_name_no_vertebra_are_left_out(tmp_path):
    with_liver = masks() | {"liver": np.roll(volumes.ids() > 0, 2, axis=0)}
    labels = read_labels(saved(segmentation(with_liver), tmp_path / "a.dcm"))
    np.testing.assert_array_equal(on_grid(labels, volumes.ct()).ids, volumes.ids())
    assert labels.warnings == ()


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_vertebrae_that_overlap_are_told(tmp_path, kind):
    made = masks()
    made["L2"] = np.roll(made["L2"], 5, axis=2)
    shared = int((made["L2"] & masks()["First lumbar vertebra"]).sum())
    labels = read_labels(saved(segmentation(made, kind), tmp_path / "a.dcm"))
    assert shared > 0
    assert labels.warnings == (f"segments overlap in {shared} voxels: the last one keeps them",)
    moved = on_grid(labels, volumes.ct())
    np.testing.assert_array_equal(moved.ids == VERSE_IDS["L2"], made["L2"])


def test_numbers_serve_when_no_name_does(tmp_path):
    names = [f"structure {number}" for number in range(1, 25)]
    made = {name: volumes.ids() == number + 1 for number, name in enumerate(names)}
    labels = read_labels(saved(segmentation(made), tmp_path / "a.dcm"))
    assert labels.scheme == "VerSe"
    assert labels.levels == ("T12", "L1", "L2")


def test_an_image_is_no_segmentation(tmp_path):
    path = volumes.written(volumes.series()[:1], tmp_path / "a") / "IM0000.dcm"
    assert not is_segmentation(pydicom.dcmread(path))
    with pytest.raises(LamellaError, match=r"^IM0000\.dcm: expected a DICOM segmentation"):
        read_labels(path)


def test_a_damaged_segmentation_is_refused_in_one_line():
    made = segmentation(masks())
    assert is_segmentation(made)
    del made.PerFrameFunctionalGroupsSequence
    with pytest.raises(LamellaError, match="expected a segmentation with frames") as refusal:
        read_segments(made)
    assert "\n" not in str(refusal.value)


def test_the_file_name_is_replaced_when_it_names_the_patient(tmp_path):
    labels = read_labels(saved(segmentation(masks()), tmp_path / "Quatermain.dcm"))
    assert labels.source.startswith("dicom-")
