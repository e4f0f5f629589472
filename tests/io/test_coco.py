"""COCO files: exact masks, landmarks where they are, both lists whole."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lamella.io.annotation import annotation_of
from lamella.io.coco import CocoFile, bone_entries, image_entry, mask_of_runs, run_lengths


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_run_lengths_give_the_mask_again(mask):
    lengths = run_lengths(mask)
    assert sum(lengths) == mask.size
    assert all(length > 0 for length in lengths[1:])
    np.testing.assert_array_equal(mask_of_runs(lengths, mask.shape), mask)


def test_run_lengths_go_down_the_columns():
    mask = np.zeros((3, 2), bool)
    mask[1:, 0] = True
    mask[0, 1] = True
    assert run_lengths(mask) == [1, 3, 2]
    assert run_lengths(~mask) == [0, 1, 3, 2]


def test_an_image_and_its_bones(synthetic):
    record = {"id": "a_w001_0000", **annotation_of(synthetic)}
    image = json.loads(image_entry(record, "samples/a/a.png", 7))
    assert (image["id"], image["width"], image["height"]) == (7, 128, 128)
    assert image["jsw_mm"] == synthetic.jsw_mm
    bones = [json.loads(entry) for entry in bone_entries(record, synthetic.masks, 7)]
    assert [bone["category_id"] for bone in bones] == [1, 2]
    assert len({bone["id"] for bone in bones}) == 2
    for bone, (name, mask) in zip(bones, synthetic.masks.items(), strict=True):
        again = mask_of_runs(bone["segmentation"]["counts"], tuple(bone["segmentation"]["size"]))
        np.testing.assert_array_equal(again, mask)
        x, y, width, height = bone["bbox"]
        box = np.zeros_like(mask)
        box[y : y + height, x : x + width] = True
        assert not (mask & ~box).any()
        assert bone["area"] == mask.sum()
        row, col = synthetic.landmarks[f"{name}_middle"]
        assert bone["keypoints"][3:5] == pytest.approx([col, row], abs=1e-3)
        assert bone["num_keypoints"] == 3


def test_a_landmark_outside_the_image_is_not_labelled(synthetic):
    record = {"id": "a", **annotation_of(synthetic)}
    record["landmarks"] = record["landmarks"] | {"upper_left": [-4.0, 3.0]}
    bone = json.loads(bone_entries(record, synthetic.masks, 1)[0])
    assert bone["keypoints"][:3] == [0.0, 0.0, 0]
    assert bone["num_keypoints"] == 2


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_file_is_whole(tmp_path, count):
    with CocoFile(tmp_path / "coco.json", "a notice") as coco:
        for number in range(count):
            coco.add("images", [f'{{"id": {number}}}'])
            coco.add("annotations", ['{"id": 1}', '{"id": 2}'])
        coco.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["coco.json"]
    found = json.loads((tmp_path / "coco.json").read_text())
    assert found["images"] == [{"id": number} for number in range(count)]
    assert len(found["annotations"]) == 2 * count
    assert [entry["name"] for entry in found["categories"]] == ["upper", "lower"]
    assert found["info"]["description"] == "a notice"


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), CocoFile(tmp_path / "coco.json", "a notice"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
