"""Figures are drawn, and show what they are given."""

import numpy as np
import pytest
from PIL import Image as PillowImage

from lamella.evaluation.narrowing_cases import NarrowingCase
from lamella.evaluation.narrowing_figures import (
    curves,
    error_against_projection,
    measured_against_true,
)

pytestmark = pytest.mark.slow


def rows(error_mm: float, count: int = 2) -> dict[str, list[NarrowingCase]]:
    made = [
        NarrowingCase(
            joint=str(k), known_mm=0.1 * k, measured_mm=0.1 * k + error_mm, projection_deg=k - 3.0
        )
        for k in range(7)
    ]
    refused = NarrowingCase(joint="r", known_mm=0.2, measured_mm=0.9, refused="poor match")
    return {f"method {number}": [*made, refused] for number in range(count)}


def pixels(path):
    assert path.with_suffix(".pdf").stat().st_size > 1000
    return np.asarray(PillowImage.open(path.with_suffix(".png")).convert("L"))


@pytest.mark.parametrize("draw", [measured_against_true, error_against_projection])
def test_points_follow_the_cases(draw, tmp_path):
    draw(rows(0.0), tmp_path / "a")
    draw(rows(0.2), tmp_path / "b")
    draw(rows(0.0), tmp_path / "c")
    first, moved, again = (pixels(tmp_path / name) for name in "abc")
    assert np.array_equal(first, again)
    assert first.shape == moved.shape
    assert (first != moved).any()


def test_every_method_has_a_panel(tmp_path):
    measured_against_true(rows(0.0, 5), tmp_path / "five")
    measured_against_true(rows(0.0, 1), tmp_path / "one")
    assert pixels(tmp_path / "five").shape[0] > pixels(tmp_path / "one").shape[0]


def test_methods_without_answers_are_drawn_empty(tmp_path):
    measured_against_true({"none": []}, tmp_path / "none")
    assert pixels(tmp_path / "none").size


def test_curves_are_drawn(tmp_path):
    line = (np.array([0.0, 50.0, 900.0]), np.array([1.0, 2.0, 3.0]))
    curves({"a": line, "b": line}, ("overlap, px", "MSE"), tmp_path / "curve", log=True)
    assert (pixels(tmp_path / "curve") < 128).sum() > 200
