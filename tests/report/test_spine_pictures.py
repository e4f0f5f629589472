"""Volumes as the page's script gets them, and lines as long as they say."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image as PillowImage

from assessed_spines import assessed
from lamella.report import spine_pictures as pictures
from lamella.report.spine_case import SpineCase, spine_case


@pytest.fixture(scope="module")
def case() -> SpineCase:
    return spine_case(assessed())


def unpacked(uri: str, shape: tuple[int, int, int]) -> np.ndarray:
    raw = base64.b64decode(uri.partition(",")[2])
    flat = np.asarray(PillowImage.open(io.BytesIO(raw)))
    left, down, back = shape
    return np.moveaxis(flat.reshape(down, left, back), 0, 1)


def test_tiles_hold_every_voxel(case):
    ids = case.pictures.ids
    np.testing.assert_array_equal(unpacked(pictures.tiles(ids), ids.shape), ids)


def test_shades_are_the_documented_formula():
    hu = np.array([[[-1000.0, -400.0, -394.0, 0.0, 1130.0, 3000.0]]], np.float32)
    expected = np.clip(np.rint((hu + 400) / 6), 0, 255)
    np.testing.assert_array_equal(pictures.shades(hu), expected)
    assert pictures.shades(None) is None


def test_the_change_added_gives_what_is_after(case):
    before = pictures.shades(case.pictures.hu)
    after = pictures.shades(case.pictures.hu_after)
    change = unpacked(pictures.changed(before, after), before.shape)
    np.testing.assert_array_equal((before + change).astype(np.uint8), after)
    assert pictures.changed(before, None) is None


def test_lines_are_as_long_as_their_words(case):
    vertebra = case.assessment["L1"]
    lines = pictures.height_lines(vertebra, case.pictures)
    assert [line["zone"] for line in lines] == ["anterior", "middle", "posterior"]
    for line in lines:
        zone = line["zone"]
        told = {"before": vertebra.body.heights_mm, "after": vertebra.healthy.heights_mm}
        for side, words in (("before", "text"), ("after", "told")):
            start, end = np.array(line[side])
            assert line[words] == f"{told[side].of(zone):.1f}"
            assert np.linalg.norm(end - start) == pytest.approx(told[side].of(zone), rel=0.03)
            assert end[1] > start[1]  # from the upper endplate down
    backs = [line["before"][0][2] for line in lines]
    assert backs == sorted(backs)


def test_without_a_pseudo_healthy_image_the_healthy_height_is_stated_only(case):
    lines = pictures.height_lines(case.assessment["T12"], case.pictures)
    assert all(line["after"] is None and line["told"] for line in lines)
    assert pictures.height_lines(case.assessment["L2"], case.pictures) == []


def test_the_payload_is_json_and_says_what_was_made(case):
    data = json.loads(json.dumps(pictures.payload(case)))
    assert data["size"] == list(case.pictures.ids.shape)
    assert {each["level"]: each["made"] for each in data["vertebrae"]} == {
        "L1": True,
        "T12": False,
        "L2": False,
    }
    refused = data["vertebrae"][-1]
    assert refused["lines"] == []
    row = case.pictures.index(np.array([0.0, refused["middle"][1], 0.0]))[1]
    assert 25 in np.unique(case.pictures.ids) or refused["id"] in np.unique(
        case.pictures.ids[:, round(float(row))]
    )
