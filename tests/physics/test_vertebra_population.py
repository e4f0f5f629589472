"""Heights of vertebrae: published means, drawn people, and the covariance between them."""

import numpy as np
import pytest

from lamella.physics.vertebra_population import (
    DISH,
    LEVEL_NORMS,
    ZONE_DISTANCE,
    HeightPopulation,
    zones_of,
)
from lamella.records import LamellaError

LEVELS = ("T7", "T8", "L3")


def test_zone_heights_of_a_norm_follow_its_wedge_and_dish():
    norm = LEVEL_NORMS["T9"]
    anterior, middle, posterior = norm.heights_mm
    assert posterior == 19.3
    lower = np.tan(np.radians(3.8)) * ZONE_DISTANCE * norm.depth_mm
    assert anterior == pytest.approx(19.3 - lower)
    assert middle == pytest.approx((anterior + posterior) / 2 - DISH * 19.3)


def test_thoracic_bodies_are_lower_in_front_and_the_last_lumbar_one_behind():
    ratio = {level: norm.heights_mm[0] / norm.heights_mm[2] for level, norm in LEVEL_NORMS.items()}
    assert all(0.85 < ratio[f"T{number}"] < 1.0 for number in range(4, 13))
    assert ratio["L3"] == pytest.approx(1.0, abs=0.01)
    assert ratio["L5"] > 1.05


def test_drawn_people_have_the_mean_and_covariance_that_are_stated():
    population = HeightPopulation()
    rng = np.random.default_rng(0)
    people = np.array([population.draw(rng, LEVELS).log.ravel() for _ in range(1500)])
    mean, covariance = population.covariance(LEVELS)
    spread = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(people.mean(axis=0), mean, atol=4 * spread.max() / np.sqrt(1500))
    np.testing.assert_allclose(np.cov(people.T), covariance, atol=0.15 * spread.max() ** 2)


def test_covariance_is_the_sum_of_its_four_sources():
    population = HeightPopulation(
        scale_sd=0.06, trend_sd=0.02, trend_length=2.0, vertebra_sd=0.03, zone_sd=0.01
    )
    _, covariance = population.covariance(LEVELS)
    trend = 0.02**2 * np.exp(-0.5 * (1 / 2.0) ** 2)
    assert covariance[0, 0] == pytest.approx(0.06**2 + 0.02**2 + 0.03**2 + 0.01**2)
    assert covariance[0, 1] == pytest.approx(0.06**2 + 0.02**2 + 0.03**2)
    assert covariance[0, 3] == pytest.approx(0.06**2 + trend)
    assert np.linalg.eigvalsh(covariance).min() > 0.0


def test_neighbours_differ_by_what_the_literature_says():
    """The ratio of neighbouring posterior heights varies by 4 to 5 %."""
    _, covariance = HeightPopulation().covariance(("T8", "T9"))
    between = np.array([0, 0, 1, 0, 0, -1])
    assert 0.035 < np.sqrt(between @ covariance @ between) < 0.055


def test_a_person_is_the_same_whatever_levels_are_asked_for():
    population = HeightPopulation()
    one = population.draw(np.random.default_rng(5), ("L3",))
    many = population.draw(np.random.default_rng(5), LEVELS)
    np.testing.assert_array_equal(one.heights_mm("L3"), many.heights_mm("L3"))
    assert many.scale == one.scale


def test_residuals_alone_separate_a_person_from_what_is_expected():
    population = HeightPopulation(vertebra_sd=0.0, zone_sd=0.0)
    drawn = population.draw(np.random.default_rng(2), LEVELS)
    np.testing.assert_allclose(drawn.log, drawn.expected_log)
    still = HeightPopulation(scale_sd=0.0, trend_sd=0.0).draw(np.random.default_rng(2), LEVELS)
    np.testing.assert_allclose(still.expected_log, HeightPopulation().mean_log(LEVELS))


def test_zones_of_heights():
    assert zones_of(np.array([1.0, 2.0, 6.0])).whole == 3.0


def test_an_unknown_level_is_refused():
    with pytest.raises(LamellaError, match="got 'C3'"):
        HeightPopulation().norm("C3")
