"""Endplates, heights in space, and stretching to size."""

import numpy as np
import pytest

from lamella.methods.healthivert.gap import site_of
from lamella.methods.healthivert.shape import (
    drawing_of,
    heights_mm,
    largest,
    matched,
    zones_of,
)
from lamella.records import LamellaError
from lamella.records.vertebra import ZONES, Zones
from straight_spines import Block, drawn_body, spine

BLOCKS = {"T12": Block(), "L1": Block(), "L2": Block()}
WANTED = Zones(anterior=27.0, middle=23.5, posterior=25.0, whole=25.1)


def drawing(probability, radius_mm=None):
    straight = spine(BLOCKS, radius_mm)
    return drawing_of(probability, straight, site_of(straight, "L1"))


def test_zone_heights_of_a_wedge_are_those_of_its_thirds():
    found = zones_of(drawing(drawn_body(18.0, 24.0)))
    assert found.middle == pytest.approx(21.0, abs=0.05)
    step = 6.0 / 32.0 * 0.7 * 31.0 / 3.0  # slope times a third of the depth without its rims
    assert found.posterior - found.middle == pytest.approx(step, abs=0.03)
    assert found.middle - found.anterior == pytest.approx(step, abs=0.03)


def test_a_tilted_body_is_measured_along_its_own_axis():
    level = drawn_body(24.0, 24.0)
    tilted = np.stack(
        [
            np.stack(
                [
                    np.interp(np.arange(160) - 0.2 * (b - 47), np.arange(160), column)
                    for b, column in enumerate(plane.T)
                ],
                axis=1,
            )
            for plane in level
        ]
    ).astype(np.float32)
    found = zones_of(drawing(tilted))
    for zone in ZONES:
        assert found.of(zone) == pytest.approx(24.0 * np.cos(np.arctan(0.2)), abs=0.05)


@pytest.mark.parametrize("radius_mm", [150.0, 400.0])
def test_on_a_bent_axis_heights_are_measured_in_space(radius_mm):
    """Rows are arc length: a column at b spans the chord 2 (R - b) sin(h / 2R), no more."""
    figure = drawing(drawn_body(24.0, 24.0), radius_mm)
    found = heights_mm(figure)[31]
    known = np.flatnonzero(figure.central[31])
    back_mm = figure.straight.back_mm[figure.site.back] + known - 47
    chord = 2 * (radius_mm - back_mm) * np.sin(24.0 / 2 / radius_mm)
    assert found[known] == pytest.approx(chord, abs=0.02)


def test_a_drawing_is_stretched_to_the_wanted_heights_and_keeps_its_endplates():
    figure = drawing(drawn_body(20.0, 24.0, dome_mm=1.5))
    fitted, factors = matched(figure, WANTED)
    found = zones_of(fitted)
    for zone in ZONES:
        assert found.of(zone) == pytest.approx(WANTED.of(zone), abs=0.005)
    assert np.abs(np.diff(factors)).max() < 0.05
    row = 47
    depth = [np.nanmax(f.upper[:, row]) - np.nanmin(f.upper[:, row]) for f in (figure, fitted)]
    assert depth[1] == pytest.approx(depth[0] * factors[row], rel=1e-3)


def test_wanted_heights_are_reached_on_a_bent_axis():
    fitted, _ = matched(drawing(drawn_body(20.0, 24.0, dome_mm=1.0), 200.0), WANTED)
    for zone in ZONES:
        assert zones_of(fitted).of(zone) == pytest.approx(WANTED.of(zone), abs=0.005)


def test_a_drawing_of_the_wanted_heights_is_left_alone():
    figure = drawing(drawn_body(20.0, 24.0))
    _, factors = matched(figure, zones_of(figure))
    assert factors == pytest.approx(1.0)


def test_stray_islands_are_left_out():
    probability = drawn_body(24.0, 24.0)
    stray = probability.copy()
    stray[31, 20:25, 47] = 1.0
    assert np.array_equal(largest(stray), probability)


def test_nothing_drawn_is_refused():
    with pytest.raises(LamellaError, match="expected a body of L1 to be drawn"):
        drawing(np.zeros((64, 160, 96), np.float32))
