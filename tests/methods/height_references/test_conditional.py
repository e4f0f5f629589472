"""The conditional reference against Gaussian algebra and against drawn people."""

import numpy as np
import pytest

from lamella.methods.height_references.conditional import conditioned, told_by_neighbours
from lamella.physics.vertebra_population import HeightPopulation, zones_of
from lamella.records import ZONES, MeasuredBody
from spines import body

LEVELS = ("T10", "T11", "T12", "L1", "L2", "L3", "L4")


def person(seed: int) -> tuple[dict[str, MeasuredBody], np.ndarray, np.ndarray]:
    """Bodies of one person, and of L1 the expected and the true heights."""
    drawn = HeightPopulation().draw(np.random.default_rng(seed), LEVELS)
    bodies = {level: body(level, zones_of(drawn.heights_mm(level)), sd_mm=0.1) for level in LEVELS}
    row = LEVELS.index("L1")
    return bodies, np.exp(drawn.expected_log[row]), np.exp(drawn.log[row])


def test_conditioning_is_that_of_two_correlated_numbers():
    mean, cov = np.array([1.0, 2.0]), np.array([[4.0, 3.0], [3.0, 9.0]])
    told, spread = conditioned(mean, cov, np.array([5.0]), np.array([1.0]))
    assert told == pytest.approx([1.0 + 3.0 / 10.0 * 3.0])
    assert spread.ravel() == pytest.approx([4.0 - 9.0 / 10.0])


def test_without_neighbours_the_norm_is_told_with_the_population_s_spread():
    told = told_by_neighbours("T8", {}, frozenset())
    population = HeightPopulation()
    expected = population.norm("T8").heights_mm
    assert [told.heights_mm.of(zone) for zone in ZONES] == pytest.approx(list(expected))
    sd = np.sqrt(
        population.scale_sd**2
        + population.trend_sd**2
        + population.vertebra_sd**2
        + population.zone_sd**2
    )
    assert told.heights_sd_mm.middle == pytest.approx(sd * expected[1])


def test_it_errs_as_much_as_it_says_and_little_more_than_who_knows_the_person():
    errors, bounds, said = [], [], []
    for seed in range(300):
        bodies, expected, true = person(seed)
        told = told_by_neighbours("L1", bodies, frozenset(LEVELS))
        heights = np.array([told.heights_mm.of(zone) for zone in ZONES])
        errors.append(np.log(heights / true))
        bounds.append(np.log(expected / true))
        said.append([told.heights_sd_mm.of(zone) / told.heights_mm.of(zone) for zone in ZONES])
    ratio = np.std(errors) / np.mean(said)
    assert 0.92 < ratio < 1.08
    assert abs(np.mean(errors)) < 0.005
    assert np.mean(np.abs(errors)) < np.mean(np.abs(bounds)) + 0.005


def test_a_vertebra_never_rests_on_itself_and_names_its_neighbours():
    bodies, _, _ = person(4)
    told = told_by_neighbours("L1", bodies, frozenset(LEVELS))
    flattened = bodies | {"L1": body("L1", zones_of(np.full(3, 5.0)))}
    again = told_by_neighbours("L1", flattened, frozenset(LEVELS))
    assert told == again
    assert told.neighbours == ("T10", "T11", "T12", "L2", "L3", "L4")


def test_neighbours_that_may_not_be_rested_on_change_nothing():
    bodies, _, _ = person(5)
    trusted = frozenset(("T12", "L3"))
    crushed = bodies | {"L2": body("L2", zones_of(np.full(3, 9.0)))}
    assert told_by_neighbours("L1", bodies, trusted) == told_by_neighbours("L1", crushed, trusted)


def test_more_neighbours_make_it_surer_and_the_thirds_err_together():
    bodies, _, _ = person(6)
    few = told_by_neighbours("L1", bodies, frozenset(("L2",)))
    many = told_by_neighbours("L1", bodies, frozenset(LEVELS))
    assert many.heights_sd_mm.whole < few.heights_sd_mm.whole
    assert 0.5 < many.common < 1.0
