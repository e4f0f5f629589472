"""The spine strip: every vertebra, in order, with its grade."""

import base64
import io
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageDraw

from assessed_spines import assessed
from lamella.report.spine_strip import strip


def picture(uri: str) -> np.ndarray:
    return np.asarray(PillowImage.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_levels_run_down_with_their_grades():
    drawn = strip(assessed())
    marks = drawn["marks"]
    assert [mark["level"] for mark in marks] == ["T12", "L1", "L2"]
    assert [mark["status"] for mark in marks] == ["g0", "g2", "refused"]
    rows = [mark["name_row"] for mark in marks]
    assert all(low + 20 < high for low, high in pairwise(rows))
    assert all(mark["path"].startswith("M") and "Z" in mark["path"] for mark in marks)
    assert marks[1]["words"].startswith("L1 wedge fracture, grade 2. RHLV")


def test_outlines_lie_on_the_bones_of_the_picture():
    drawn = strip(assessed())
    grey = picture(drawn["before"]).astype(float)
    assert grey.shape == (-(-drawn["rows"] // 2), -(-drawn["cols"] // 2))
    inside = PillowImage.new("1", grey.shape[::-1])
    for mark in drawn["marks"]:
        for loop in mark["path"].strip("MZ").split("ZM"):
            places = [tuple(float(part) / 2 for part in point.split()) for point in loop.split("L")]
            ImageDraw.Draw(inside).polygon(places, fill=1)
    bone = np.asarray(inside)
    assert grey[bone].mean() > grey[~bone].mean() + 30
    assert drawn["after"] != drawn["before"]


def test_labels_alone_have_outlines_only():
    drawn = strip(assessed(with_ct=False))
    assert (drawn["before"], drawn["after"]) == (None, None)
    assert len(drawn["marks"]) == 3


@pytest.mark.parametrize("turn", [(1, 0, 2), (2, 1, 0)])
def test_the_order_of_the_file_s_axes_does_not_matter(turn):
    spine = assessed(with_ct=False)
    labels = spine.labels
    columns = labels.affine.copy()
    columns[:, :3] = labels.affine[:, list(turn)]
    turned = replace(labels, ids=np.ascontiguousarray(labels.ids.transpose(turn)), affine=columns)
    other = strip(replace(spine, labels=turned))
    assert other["marks"] == strip(spine)["marks"]
