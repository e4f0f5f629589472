"""The drawings are to scale."""

import numpy as np
import pytest

from lamella.report.narrowing_figures import Point, chart, contours
from lamella.report.narrowing_words import Detectable
from narrowings import SPACING_MM, compared

BAND = Detectable(mm=0.1, words="")


def places(path):
    return np.array([part.split() for part in path[1:].split("L")], float)


def test_the_arrow_is_the_displacement():
    found = compared(0.5)
    figure = contours(found)
    head = np.array(figure["arrow"]["head"]).reshape(3, 2)
    moved = head[0] - np.array(figure["arrow"]["from"])
    assert np.hypot(*moved) == pytest.approx(np.hypot(found.jsn_px, found.lateral_px), abs=2e-3)
    assert moved[1] == pytest.approx(0.5 / SPACING_MM, abs=0.05)
    start = np.array(figure["arrow"]["from"])
    assert np.hypot(*(places(figure["paths"]["upper"]) - start).T).min() < 1.5


def test_the_whisker_is_the_interval():
    found = compared(0.5, 0.05)
    low, high = np.array(contours(found)["whisker"]).reshape(2, 2)
    wide_mm = np.hypot(*(high - low)) * SPACING_MM
    assert wide_mm == pytest.approx(2 * 1.6449 * 0.05, rel=1e-2)
    assert contours(compared(sd_mm=None))["whisker"] is None


def test_later_contours_come_home_with_the_lower_bone():
    found = compared()
    drawn = places(contours(found)["paths"]["lower-later"])
    arc = found.followup.ends["lower"].arc_px
    np.testing.assert_allclose(drawn[0], arc[0][::-1] + 0.5, atol=0.006)


def test_everything_lies_in_the_box_and_the_close_up_about_the_arrow():
    figure = contours(compared())
    left, top, cols, rows = figure["box"]
    for path in figure["paths"].values():
        x, y = places(path).T
        assert left < x.min() < x.max() < left + cols
        assert top < y.min() < y.max() < top + rows
    x, y, size, _ = figure["close"]
    middle = 0.5 * (np.array(figure["arrow"]["from"]) + np.array(figure["arrow"]["head"][:2]))
    np.testing.assert_allclose([x + size / 2, y + size / 2], middle, atol=0.02)


@pytest.mark.parametrize("found", [compared(refused="other joint"), compared(spacing_mm=None)])
def test_nothing_is_drawn_without_an_answer(found):
    assert contours(found) is None


def test_the_chart_is_linear_in_mm_and_days():
    points = [
        Point(visit=2, days=100, jsn_mm=0.2, interval_mm=(0.1, 0.3)),
        Point(visit=3, days=400, jsn_mm=0.4, interval_mm=(0.3, 0.5)),
    ]
    plot = chart(points, BAND)
    first, second = plot["points"]
    assert (first["x"] - plot["start"]) * 4 == pytest.approx(second["x"] - plot["start"], abs=0.05)
    per_mm = (plot["zero"] - second["y"]) / 0.4
    assert plot["zero"] - first["y"] == pytest.approx(0.2 * per_mm, abs=0.02)
    assert first["ends"] == pytest.approx(
        [plot["zero"] - end * per_mm for end in (0.1, 0.3)], abs=0.03
    )
    assert plot["band"] == pytest.approx(
        [plot["zero"] - 0.1 * per_mm, plot["zero"] + 0.1 * per_mm], abs=0.03
    )
    assert plot["days"]
    for y, text in plot["ticks"]:
        assert y == pytest.approx(plot["zero"] - float(text.replace("−", "-")) * per_mm, abs=0.05)


@pytest.mark.parametrize("days", [(100, 100), (100, 105), (5, 400)])
def test_labels_of_near_days_do_not_cover_each_other(days):
    points = [Point(visit=number, days=day, jsn_mm=0.2) for number, day in enumerate(days, 2)]
    plot = chart(points, BAND)
    first, second = plot["points"]
    assert not plot["days"]
    assert (first["x"] - plot["start"]) * 2 == pytest.approx(second["x"] - plot["start"], abs=0.05)


def test_a_visit_without_an_answer_stays_in_its_place():
    plot = chart([Point(visit=2), Point(visit=3, jsn_mm=-0.2)], Detectable(mm=None, words=""))
    assert (plot["points"][0]["y"], plot["band"], plot["days"]) == (None, None, False)
    assert plot["line"].count("L") == 1
    assert plot["words"] == "visit 2: no answer; visit 3: −0.20 mm narrower"
    steps = np.diff([plot["start"], *(point["x"] for point in plot["points"])])
    assert steps[0] == pytest.approx(steps[1])
