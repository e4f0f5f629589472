"""Height loss, grade, kind, and which vertebrae may be rested on."""

from collections.abc import Mapping, Set
from dataclasses import replace

import numpy as np
import pytest

from lamella.physics.vertebra_zones import zone_heights
from lamella.records import HealthyHeights, LamellaError, MeasuredBody
from lamella.tasks.vertebra_height import (
    flagged_levels,
    foreign_material,
    fracture_kind,
    genant_grade,
    grade_probabilities,
    healthy_levels,
    height_loss,
    loss_map,
)
from spines import alike, body, told, zones


def test_a_vertebra_against_itself_has_lost_nothing():
    heights = zones(24.0, 23.0, 25.0)
    loss = height_loss(body("L1", heights), told(heights))
    assert [value for _, value in loss.rhlv] == pytest.approx([0.0] * 4)
    assert (loss.grade, loss.kind) == (0, None)


def test_loss_is_relative_to_the_healthy_height_and_negative_when_higher():
    loss = height_loss(body("L1", zones(18.0, 25.0, 20.0)), told(alike(20.0)))
    assert loss.rhlv.anterior == pytest.approx(0.1)
    assert loss.rhlv.middle == pytest.approx(-0.25)
    assert loss.rhlv.whole == pytest.approx(1 - 21.0 / 20.0)


def test_its_uncertainty_is_that_of_drawn_heights():
    rng = np.random.default_rng(3)
    seen = rng.normal(15.0, 0.3, 200_000)
    was = rng.normal(22.0, 0.8, 200_000)
    loss = height_loss(body("T8", alike(15.0), sd_mm=0.3), told(alike(22.0), sd_mm=0.8))
    assert loss.rhlv_sd.middle == pytest.approx(np.std(1 - seen / was), rel=0.03)


@pytest.mark.parametrize(
    ("largest", "grade"),
    [(0.0, 0), (0.199, 0), (0.20, 1), (0.249, 1), (0.25, 2), (0.399, 2), (0.40, 3), (0.8, 3)],
)
def test_genant_grades(largest: float, grade: int):
    assert genant_grade(zones(0.0, largest, 0.0)) == grade


def test_kinds():
    assert fracture_kind(zones(0.35, 0.2, 0.05)) == "wedge"
    assert fracture_kind(zones(0.1, 0.3, 0.05)) == "biconcave"
    assert fracture_kind(zones(0.4, 0.4, 0.3)) == "crush"
    assert fracture_kind(zones(0.6, 0.4, 0.22)) == "wedge"
    assert fracture_kind(zones(0.1, 0.1, 0.2)) == "crush"


def test_probabilities_of_one_certain_third_are_those_of_a_normal_distribution():
    from scipy.stats import norm

    found = grade_probabilities(zones(0.22, -5.0, -5.0), alike(0.03), 0.5)
    edges = norm.cdf([0.20, 0.25, 0.40], 0.22, 0.03)
    assert found == pytest.approx(np.diff([0.0, *edges, 1.0]), abs=0.02)
    assert sum(found) == pytest.approx(1.0)


def test_thirds_that_err_together_make_a_false_grade_less_likely():
    apart = grade_probabilities(alike(0.12), alike(0.05), 0.0)
    together = grade_probabilities(alike(0.12), alike(0.05), 1.0)
    assert together[0] > apart[0] + 0.03


def interpolated(
    level: str, bodies: Mapping[str, MeasuredBody], healthy: Set[str]
) -> HealthyHeights:
    """Mean of all that may be rested on."""
    return told(alike(float(np.mean([bodies[name].heights_mm.whole for name in healthy]))))


def test_fractured_neighbours_are_found_one_after_the_other():
    heights = {"T11": 22.0, "T12": 13.0, "L1": 16.0, "L2": 23.0, "L3": 22.5}
    bodies = {level: body(level, alike(height)) for level, height in heights.items()}
    assert healthy_levels(bodies, interpolated) == {"T11", "L2", "L3"}


def test_two_vertebrae_always_stay():
    bodies = {level: body(level, alike(height)) for level, height in [("L1", 10.0), ("L2", 25.0)]}
    assert healthy_levels(bodies, interpolated) == {"L1", "L2"}


def test_flagged_levels_run_from_the_skull_down():
    fractured = height_loss(body("L1", alike(10.0)), told(alike(20.0)))
    sound = height_loss(body("L1", alike(19.0)), told(alike(20.0)))
    assert flagged_levels({"L1": fractured, "T9": fractured, "L2": sound}) == ("T9", "L1")


def test_the_map_shows_each_column_against_its_own_third():
    shown = loss_map(body("L1", zones(12.0, 18.0, 20.0)), told(alike(20.0)))
    assert shown[2].mean() == pytest.approx(0.4)
    assert shown[15].mean() == pytest.approx(0.1)
    assert shown[28].mean() == pytest.approx(0.0)


def test_a_body_as_it_was_has_lost_nothing_anywhere_between_its_thirds():
    """Heights that rise evenly from front to back: thirds' means lie at the thirds' middles."""
    flat = body("L1", alike(20.0))
    depth_mm, width_mm = flat.height_map.posterior_mm, flat.height_map.left_mm
    heights = np.repeat(20.0 + depth_mm[:, None] / 5.0, len(width_mm), axis=1)
    was = zone_heights(depth_mm, width_mm, heights, (-15.0, 15.0), (-20.0, 20.0))
    rising = replace(flat.height_map, upper_mm=heights / 2, lower_mm=-heights / 2)
    shown = loss_map(replace(flat, height_map=rising), told(was))
    assert np.abs(shown[8:23]).max() < 0.003


def test_a_map_of_nothing_is_refused():
    empty = body("L1", zones(np.nan, np.nan, np.nan))
    with pytest.raises(LamellaError, match="measured columns"):
        loss_map(empty, told(alike(20.0)))


@pytest.mark.parametrize(("value", "word"), [(300.0, None), (1400.0, "cement"), (3000.0, "metal")])
def test_cement_and_metal_are_named(value: float, word: str | None):
    hu = np.full(1000, 150.0, np.float32)
    hu[:64] = value
    found = foreign_material(hu)
    assert (found is None) if word is None else word in str(found)
