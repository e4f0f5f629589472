"""The plainer references, each on bodies whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from lamella.methods.height_references.plain import (
    six_points,
    told_by_interpolation,
    told_by_min_max,
    told_by_norms,
    told_by_six_points,
)
from lamella.physics.vertebra_population import LEVEL_NORMS, zones_of
from spines import alike, body, zones

FOUR = {
    "T12": body("T12", zones(20.0, 19.0, 22.0)),
    "L1": body("L1", zones(12.0, 15.0, 21.0)),
    "L2": body("L2", zones(24.0, 23.0, 24.0)),
    "L3": body("L3", zones(25.0, 24.0, 25.0)),
}


def test_norms_do_not_look_at_the_person():
    told = told_by_norms("L1", FOUR, frozenset(FOUR))
    assert told.heights_mm.anterior == pytest.approx(LEVEL_NORMS["L1"].heights_mm[0])
    assert told == told_by_norms("L1", {}, frozenset())


def test_interpolation_takes_the_middle_of_the_nearest_healthy_two():
    told = told_by_interpolation("L1", FOUR, frozenset(("T12", "L2", "L3")))
    assert told.heights_mm.anterior == pytest.approx(22.0)
    assert told.neighbours == ("T12", "L2")


def test_interpolation_weighs_by_distance_and_takes_the_only_one_at_an_end():
    far = told_by_interpolation("L1", FOUR, frozenset(("T12", "L3")))
    assert far.heights_mm.anterior == pytest.approx(20.0 + 5.0 / 3.0)
    end = told_by_interpolation("L3", FOUR, frozenset(("L2", "T12")))
    assert end.heights_mm == FOUR["L2"].heights_mm


def test_interpolation_without_a_neighbour_falls_back_on_norms():
    assert told_by_interpolation("L1", FOUR, frozenset()).told_by == "level norms"


def test_six_points_lie_in_front_in_the_middle_and_behind():
    assert six_points(FOUR["L1"]) == pytest.approx(
        {"anterior": 12.0, "middle": 15.0, "posterior": 21.0}
    )


def test_six_points_find_a_wedge_within_the_body():
    normal = zones_of(LEVEL_NORMS["L1"].heights_mm)
    wedged = replace(normal, anterior=0.7 * normal.anterior)
    bodies = {level: body(level, zones_of(LEVEL_NORMS[level].heights_mm)) for level in FOUR}
    bodies["L1"] = body("L1", wedged)
    told = told_by_six_points("L1", bodies, frozenset(("T12", "L2", "L3")))
    beside = (LEVEL_NORMS["T12"].posterior_mm + LEVEL_NORMS["L2"].posterior_mm) / 2
    intact = max(normal.posterior, beside)
    expected = 1 - 0.7 * normal.posterior / intact
    loss = 1 - wedged.anterior / told.heights_mm.anterior
    assert loss == pytest.approx(expected, abs=0.002)


def test_min_over_max_calls_a_crushed_vertebra_healthy():
    told = told_by_min_max("L1", {"L1": body("L1", alike(11.0))}, frozenset())
    assert told.heights_mm == alike(11.0)


def test_min_over_max_expects_every_third_as_high_as_the_highest():
    told = told_by_min_max("L1", FOUR, frozenset())
    assert [told.heights_mm.of(zone) for zone in ("anterior", "middle", "posterior")] == (
        pytest.approx([21.0] * 3)
    )
    assert np.isfinite(told.heights_sd_mm.whole)
