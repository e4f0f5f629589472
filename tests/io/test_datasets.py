"""Finger-joint data sets: both layouts, faults of masks, folds through no joint."""

import json

import numpy as np
import pytest
from PIL import Image as PillowImage

from lamella.io.datasets import (
    JointRow,
    joint_grouped_fold,
    joint_rows,
    load_joint,
    mask_faults,
)
from lamella.records import LamellaError


def box(first, last, shape=(64, 64), cols=slice(10, 50)):
    mask = np.zeros(shape, dtype=bool)
    mask[first:last, cols] = True
    return mask


@pytest.fixture
def joint(tmp_path):
    """A manifest of one made-up joint: its path and the two masks."""
    folder = tmp_path / "images" / "00001_R_13"
    folder.mkdir(parents=True)
    ramp = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    masks = {"upper": box(0, 34), "lower": box(30, 64)}
    PillowImage.fromarray(ramp).save(folder / "a.png")
    for name, mask in masks.items():
        PillowImage.fromarray(mask).save(folder / f"a_mask_{name}.png")
    row = {"joint": "00001_R_13", "image": "images/00001_R_13/a.png", "overlap_px": 160}
    row |= {name: f"images/00001_R_13/a_mask_{name}.png" for name in masks}
    manifest = tmp_path / "dev.json"
    manifest.write_text(json.dumps([row]))
    return manifest, masks


def test_a_row_loads_its_image_and_masks(joint):
    manifest, masks = joint
    (row,) = joint_rows(manifest)
    loaded = load_joint(row)
    assert row.is_thumb
    assert row.laterality == row.joint.split("_")[1]
    assert load_joint(row).radiograph.laterality == row.laterality
    assert row.background is None
    assert loaded.pixels.dtype == np.float32
    assert loaded.pixels.max() == np.float32(63 / 255)
    np.testing.assert_array_equal(loaded.upper, masks["upper"])
    np.testing.assert_array_equal(loaded.lower, masks["lower"])
    assert loaded.overlap_px == 4 * 40
    assert loaded.is_overlapping


def test_fewer_than_20_pixels_do_not_count_as_overlap(joint):
    manifest, _ = joint
    (row,) = joint_rows(manifest)
    PillowImage.fromarray(box(33, 64, cols=slice(31, 50))).save(row.lower)
    loaded = load_joint(row)
    assert loaded.overlap_px == 19
    assert not loaded.is_overlapping


def test_a_mask_of_another_size_is_refused(joint):
    manifest, _ = joint
    (row,) = joint_rows(manifest)
    PillowImage.fromarray(box(30, 64, shape=(64, 70))).save(row.lower)
    with pytest.raises(LamellaError, match=r"a_mask_lower\.png: mask of shape"):
        load_joint(row)


@pytest.mark.parametrize(
    ("text", "match"),
    [("{", "is not JSON"), ("{}", "list of rows"), ('[{"image": "a.png"}]', "list of rows")],
)
def test_a_manifest_that_is_none_is_refused(tmp_path, text, match):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(LamellaError, match=match):
        joint_rows(tmp_path / "m.json")


def test_a_missing_manifest_is_refused(tmp_path):
    with pytest.raises(LamellaError, match=r"found no file 'm.json'"):
        joint_rows(tmp_path / "m.json")


@pytest.mark.parametrize("root", ["", "/elsewhere/"])
def test_missing_files_are_listed_at_once(tmp_path, root):
    row = {"image": f"{root}a.png", "upper": f"{root}b.png", "lower": f"{root}c.png"}
    (tmp_path / "m.json").write_text(json.dumps([row]))
    with pytest.raises(LamellaError, match=r"names 3 missing files: .*a\.png, .*b\.png, .*c\.png"):
        joint_rows(tmp_path / "m.json")


def test_a_damaged_image_is_named(tmp_path):
    damaged = tmp_path / "a.bmp"
    damaged.write_bytes(b"BM, cut short")
    row = JointRow(joint="00001_L_2", image=damaged, upper=damaged, lower=damaged)
    with pytest.raises(LamellaError, match=r"a\.bmp: not an image, or truncated"):
        load_joint(row)


def test_faultless_masks_have_no_faults():
    assert mask_faults(box(0, 34), box(30, 64)) == ()


@pytest.mark.parametrize(
    ("upper", "lower", "fault"),
    [
        (box(0, 0), box(30, 64), "empty mask"),
        (box(0, 60), box(2, 64), "both masks are on the same bone"),
        (box(0, 45), box(20, 64), "implausibly large overlap"),
        (box(30, 64), box(0, 34), "the upper mask lies below the lower one"),
        (box(10, 30), box(40, 64), "a mask reaches no border of the crop"),
    ],
)
def test_each_fault_of_masks_is_named(upper, lower, fault):
    assert fault in mask_faults(upper, lower)


def test_folds_share_no_joint_and_lose_no_row(tmp_path):
    path = tmp_path / "a.png"
    rows = [
        JointRow(joint=f"{joint:05d}_L_2", image=path, upper=path, lower=path)
        for joint in range(11)
        for _ in range(3)
    ]
    held_out_joints = []
    for fold in range(5):
        kept, held_out = joint_grouped_fold(rows, fold=fold)
        assert {row.joint for row in kept}.isdisjoint(row.joint for row in held_out)
        assert len(kept) + len(held_out) == len(rows)
        held_out_joints += sorted({row.joint for row in held_out})
    assert sorted(held_out_joints) == sorted({row.joint for row in rows})


def test_the_mcp_layout(lamella_data):
    entries = json.loads((lamella_data / "mcp" / "dev.json").read_text())
    rows = joint_rows(lamella_data / "mcp" / "dev.json")
    assert len(rows) == len(entries) == 195
    for row, entry in list(zip(rows, entries, strict=True))[::20]:
        assert row.joint == entry["joint"]
        assert load_joint(row).overlap_px == entry["overlap_px"]


def test_the_published_layout(lamella_data):
    rows = joint_rows(lamella_data / "mcp_published_layout" / "Data" / "LS_K1_all_train")
    assert len({row.joint for row in rows}) == 4
    loaded = [load_joint(row) for row in rows]
    assert all(joint.pixels.shape == (256, 256) for joint in loaded)
    assert all(row.background is not None and row.background.is_file() for row in rows)
    assert all(mask_faults(joint.upper, joint.lower) == () for joint in loaded)
