"""Heights of thirds: exact on planes, free of rims, blind to what is unknown."""

import numpy as np
import pytest

from lamella.physics.vertebra_zones import RIM, SIDE, inner, zone_heights, zone_weights

DEPTH, WIDTH = (-15.0, 15.0), (-20.0, 20.0)
BACK, LEFT = np.arange(-18.0, 19.0), np.arange(-24.0, 25.0)


def field(function):
    back, left = np.meshgrid(BACK, LEFT, indexing="ij")
    return np.asarray(function(back, left), dtype=np.float64)


def test_thirds_of_a_wedge_are_its_values_at_their_middles() -> None:
    zones = zone_heights(BACK, LEFT, field(lambda p, left: 25 + 0.4 * p), DEPTH, WIDTH)
    third = (1 - 2 * RIM) * 30 / 3
    assert zones.anterior == pytest.approx(25 - 0.4 * third, abs=1e-3)
    assert zones.middle == pytest.approx(25.0)
    assert zones.posterior == pytest.approx(25 + 0.4 * third, abs=1e-3)
    assert zones.whole == pytest.approx(25.0)


def test_rims_do_not_count() -> None:
    front, back = inner(DEPTH, RIM)
    right, left = inner(WIDTH, SIDE)
    heights = field(
        lambda p, x: np.where(
            (p > front - 1) & (p < back + 1) & (x > right - 1) & (x < left + 1), 20, 90
        )
    )
    zones = zone_heights(BACK, LEFT, heights, DEPTH, WIDTH)
    assert [value for _, value in zones] == pytest.approx([20.0] * 4)


def test_unknown_columns_are_left_out_and_an_empty_third_is_unknown() -> None:
    heights = field(lambda p, x: np.where(x > 3, np.nan, 22.0))
    heights[BACK < -3] = np.nan
    zones = zone_heights(BACK, LEFT, heights, DEPTH, WIDTH)
    assert np.isnan(zones.anterior)
    assert (zones.middle, zones.posterior) == (22.0, 22.0)


def test_moving_the_box_moves_the_heights_smoothly() -> None:
    wedge = field(lambda p, left: 25 + 0.4 * p)
    anterior = [
        zone_heights(BACK, LEFT, wedge, (-15 + shift, 15 + shift), WIDTH).anterior
        for shift in np.arange(0.0, 2.0, 0.1)
    ]
    assert np.diff(anterior) == pytest.approx(0.04, abs=0.025)


def test_weights_cover_each_zone_once() -> None:
    weights = zone_weights(BACK, LEFT, field(lambda p, left: 0 * p), DEPTH, WIDTH)
    area = (1 - 2 * RIM) * 30 * (1 - 2 * SIDE) * 40
    assert weights.sum(axis=(1, 2)) == pytest.approx([area / 3] * 3)
    assert weights.sum(axis=0).max() <= 1.0 + 1e-12


def test_another_sampling_says_the_same() -> None:
    fine_back, fine_left = np.arange(-18.0, 18.1, 0.25), np.arange(-24.0, 24.1, 0.25)
    back, left = np.meshgrid(fine_back, fine_left, indexing="ij")
    dish = 24 - 3 * np.cos(back / 12) * np.cos(left / 15)
    coarse = field(lambda p, x: 24 - 3 * np.cos(p / 12) * np.cos(x / 15))
    ours = zone_heights(BACK, LEFT, coarse, DEPTH, WIDTH)
    theirs = zone_heights(fine_back, fine_left, dish, DEPTH, WIDTH)
    assert [v for _, v in ours] == pytest.approx([v for _, v in theirs], abs=0.02)
