"""Widths of real and synthetic joints: measured, exact, and from the annotated images alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import joints
from lamella.io.datasets import joint_rows
from lamella.records import LamellaError
from lamella.training import width_images
from lamella.training.width_images import (
    SyntheticPool,
    WidthImages,
    annotated,
    binned,
    narrowing_class,
    real_images,
    segmented,
)

KNOWN_MM = {"00001_R_1": 1.2, "00002_R_2": 0.4, "00003_L_13": -0.5}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three joints of known width, and a row whose masks are swapped."""
    wrong = joints.phantom(noise_seed=1)
    swapped = {"upper": wrong.masks["lower"], "lower": wrong.masks["upper"]}
    sound = {
        name: [joints.phantom(jsw_mm=width, seed=seed)]
        for seed, (name, width) in enumerate(KNOWN_MM.items())
    }
    return joints.write_manifest(
        tmp_path_factory.mktemp("widths") / "train.json",
        {"00000_R_2": [replace(wrong, masks=swapped)], **sound},
    )


@pytest.fixture(scope="module")
def real(manifest) -> WidthImages:
    """All sound rows."""
    return real_images(manifest)


def many(names: list[str]) -> WidthImages:
    """Images of joints by name, black."""
    return WidthImages(
        images=np.zeros((len(names), 4, 4), np.uint8),
        width_mm=np.zeros(len(names), np.float32),
        joints=np.array(names),
        numbers=np.arange(len(names)),
    )


def test_classes_count_the_cuts_a_width_stays_below():
    widths = np.array([2.0, 0.75, 0.7499, 0.5, 0.25, 0.1, 0.0, -3.0])
    assert narrowing_class(widths).tolist() == [0, 0, 1, 1, 2, 3, 3, 4]


def test_binning_takes_means_of_four_and_keeps_grey_levels():
    pixels = np.zeros((256, 256), np.float32)
    pixels[:2, :2] = np.array([[0.0, 4.0], [8.0, 12.0]], np.float32) / 255.0
    grey = binned(pixels)
    assert grey.shape == (128, 128)
    assert grey[0, 0] == 6
    assert grey[1:].max() == 0
    with pytest.raises(LamellaError, match="256 x 256"):
        binned(np.zeros((100, 256), np.float32))


def test_labels_are_the_phantoms_widths_and_wrong_masks_are_left_out(real):
    assert real.joints.tolist() == list(KNOWN_MM)
    assert real.numbers.tolist() == [1, 2, 3]
    # The spacing assumed is 0.0820, the phantom's 0.082; the mask's pixels round the rest.
    assert np.allclose(real.width_mm, list(KNOWN_MM.values()), atol=0.06)


def test_kept_labels_are_taken_up_unless_they_are_measured_otherwise_now(manifest, tmp_path):
    kept = tmp_path / "labels.npz"
    first = real_images(manifest, kept)
    assert np.array_equal(real_images(manifest, kept).images, first.images)
    replace(first, width_mm=first.width_mm + np.float32(0.1)).save(kept)
    with pytest.raises(LamellaError, match="another way"):
        real_images(manifest, kept)


def test_parts_are_of_joints_and_nested_and_differ_between_seeds():
    images = many([f"{number:03d}_R_2" for number in range(40) for _ in range(3)])
    parts = {percent: annotated(images, percent, 0) for percent in (1.0, 10.0, 50.0, 100.0)}
    names = {percent: set(part.joints.tolist()) for percent, part in parts.items()}
    assert [len(names[percent]) for percent in parts] == [2, 4, 20, 40]
    assert names[1.0] < names[10.0] < names[50.0] < names[100.0]
    assert all(len(part) == 3 * len(names[percent]) for percent, part in parts.items())
    assert names[10.0] != set(annotated(images, 10.0, 1).joints.tolist())


def test_synthetic_widths_are_what_the_moved_contours_say(manifest, real, tmp_path):
    made = SyntheticPool(folder=tmp_path, rows=joint_rows(manifest)).of([1, 3], 6)
    assert made.numbers.tolist() == [1, 1, 1, 3, 3, 3]
    assert set(made.joints.tolist()) == {"00001_R_1", "00003_L_13"}
    assert np.abs(made.width_mm).max() <= 1.5
    assert len(set(made.width_mm.tolist())) == 6
    # A joint whose space widens by d mm: its space darkens, since bone leaves it.
    order = np.argsort(made.width_mm[:3])
    middle = made.images[:3, 58:72, 54:74].mean(axis=(1, 2))
    assert middle[order[0]] > middle[order[-1]]


def test_a_source_gives_the_same_images_whatever_else_is_made(manifest, tmp_path):
    rows = joint_rows(manifest)
    alone = SyntheticPool(folder=tmp_path / "alone", rows=rows).of([2], 2)
    beside = SyntheticPool(folder=tmp_path / "beside", rows=rows).of([1, 2, 3], 9)
    assert np.array_equal(alone.images, beside.of_joints(["00002_R_2"]).first(2).images)
    again = SyntheticPool(folder=tmp_path / "beside", rows=rows).of([2], 2)
    assert np.array_equal(alone.width_mm, again.width_mm)


def test_a_pool_is_read_back_and_only_missing_images_are_made(manifest, tmp_path, monkeypatch):
    pool = SyntheticPool(folder=tmp_path, rows=joint_rows(manifest))
    first = pool.of([1], 2)
    monkeypatch.setattr(width_images, "separate", None)
    assert np.array_equal(pool.of([1], 2).images, first.images)
    with pytest.raises(TypeError):
        pool.of([1], 3)


def test_sources_that_cannot_be_taken_apart_are_left_out(manifest, tmp_path):
    def refusing(_):
        raise LamellaError("no joint")

    pool = SyntheticPool(folder=tmp_path, rows=joint_rows(manifest), masks_of=refusing)
    with pytest.raises(LamellaError, match="got none"):
        pool.of([1], 1)
    assert (tmp_path / "00001.refused").exists()


def test_segmented_masks_find_the_phantoms_bones():
    found = segmented(joints.loaded(joints.phantom(jsw_mm=1.2)))
    truth = joints.phantom(jsw_mm=1.2).masks
    for name in ("upper", "lower"):
        both = (found[name] & truth[name]).sum() / (found[name] | truth[name]).sum()
        assert both > 0.85
