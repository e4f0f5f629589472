"""Bars, probabilities and the map of loss, in numbers."""

import base64
import io

import numpy as np
import pytest
from PIL import Image as PillowImage

from assessed_spines import HEALTHY_SD_MM, HEIGHT_SD_MM, assessed
from lamella.records import Vertebra
from lamella.report import spine_figures as figures
from lamella.tasks.vertebra_height import loss_map


@pytest.fixture(scope="module")
def broken() -> Vertebra:
    return assessed()["L1"]


def height_mm(drawn, row):
    """Back from a row of the drawing to mm, by two of its ticks."""
    (low, zero), (high, ten) = drawn["ticks"][:2]
    return float(zero) + (row - low) / (high - low) * (float(ten) - float(zero))


def test_bars_stand_at_their_heights_with_90_percent_intervals(broken):
    drawn = figures.bars(broken)
    for group in drawn["groups"]:
        observed, healthy = group["bars"]
        told = broken.body.heights_mm.of(group["name"])
        was = broken.healthy.heights_mm.of(group["name"])
        assert height_mm(drawn, observed["y"]) == pytest.approx(told, abs=0.01)
        assert height_mm(drawn, healthy["y"]) == pytest.approx(was, abs=0.01)
        for bar, sd in ((observed, HEIGHT_SD_MM), (healthy, HEALTHY_SD_MM)):
            span = height_mm(drawn, bar["high"]) - height_mm(drawn, bar["low"])
            assert span == pytest.approx(2 * 1.645 * sd, abs=0.02)
        assert observed["text"] == f"{told:.1f}"


def test_bars_stay_inside_the_drawing(broken):
    drawn = figures.bars(broken)
    rows = [bar[key] for group in drawn["groups"] for bar in group["bars"] for key in ("y", "high")]
    assert min(rows) >= figures.BARS_TOP
    lefts = [bar["x"] for group in drawn["groups"] for bar in group["bars"]]
    assert min(lefts) >= figures.BARS_LEFT
    assert max(lefts) + figures.BAR_WIDTH <= figures.BARS_COLS


def test_without_an_answer_there_is_nothing_to_draw():
    refused = Vertebra(level="T10", refused="cement")
    assert figures.bars(refused) is None
    assert figures.probabilities(refused) == []
    assert figures.lost(refused) is None


def test_probabilities_fill_their_track_and_mark_the_grade(broken):
    rows = figures.probabilities(broken)
    assert sum(row["width"] for row in rows) == pytest.approx(100.0, abs=0.2)
    assert [row["grade"] for row in rows if row["chosen"]] == [broken.grade]


def test_the_map_shows_the_loss_of_every_column(broken):
    drawn = figures.lost(broken)
    values = loss_map(broken.body, broken.healthy)
    known = np.isfinite(values)
    codes = np.array(drawn["codes"])
    told = codes[codes != figures.NOTHING]
    np.testing.assert_allclose(np.sort(told), np.sort(np.rint(100 * values[known])), atol=1)
    raw = base64.b64decode(drawn["image"].partition(",")[2])
    picture = np.asarray(PillowImage.open(io.BytesIO(raw)))
    assert picture.shape == codes.shape
    np.testing.assert_array_equal(picture == figures.TRANSPARENT, codes == figures.NOTHING)
    signed = (picture[codes != figures.NOTHING].astype(float) - 128) / 127 * 50
    np.testing.assert_allclose(signed, np.clip(told, -50, 50), atol=0.8)


def test_the_map_lies_in_mm_about_the_body(broken):
    drawn = figures.lost(broken)
    left, top, width, height = drawn["box"]
    assert width == pytest.approx(broken.body.width_mm, abs=2.5)
    assert height == pytest.approx(broken.body.depth_mm, abs=2.5)
    zone = drawn["zones"]["box"]
    assert zone[3] == pytest.approx(0.7 * broken.body.depth_mm, abs=0.02)
    assert zone[2] == pytest.approx(0.6 * broken.body.width_mm, abs=0.02)
    assert left < zone[0] < zone[0] + zone[2] < left + width
    assert top < zone[1] < drawn["zones"]["cuts"][0] < drawn["zones"]["cuts"][1]


def test_colours_are_light_at_zero_and_apart_in_hue():
    colours = figures.loss_colours().astype(int)
    assert colours[128].min() > 235
    assert colours[1][1] > colours[1][0] + 40  # green
    assert colours[255][0] > colours[255][1] + 80  # magenta
    light = colours.sum(axis=1)
    assert (np.diff(light[:128]) >= 0).all()
    assert (np.diff(light[128:]) <= 0).all()


def test_the_scale_marks_the_grades():
    assert figures.scale_marks() == [
        (0.0, "\u221250"),
        (50.0, "0"),
        (70.0, "20"),
        (75.0, ""),
        (90.0, "40"),
        (100.0, "50"),
    ]
