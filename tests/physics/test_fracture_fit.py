"""Fitting a fracture map: the thirds lose their shares, rims carry the neighbours."""

import numpy as np
import pytest

from fracturable import fracturable
from lamella.physics.fracture_fit import CLOSEST, fracture_map
from lamella.physics.vertebra_zones import zone_heights
from lamella.physics.virtual_fracture import FractureSpec
from lamella.records import HeightMap, LamellaError
from spines import body, zones

ZONES = ("anterior", "middle", "posterior")


def fitted(kind, loss):
    spine = fracturable()
    losses = FractureSpec(kind=kind, loss=loss).zone_losses
    phantom = spine.phantom
    return fracture_map(phantom.bodies, phantom.ct.affine, "T12", spine.height_map, losses), losses


@pytest.mark.parametrize("kind", ["wedge", "biconcave", "crush"])
@pytest.mark.parametrize("loss", [0.0, 0.25, 0.6])
def test_thirds_lose_their_shares(kind, loss):
    fracture, losses = fitted(kind, loss)
    found = [1 - fracture.heights_mm.of(z) / fracture.healthy_heights_mm.of(z) for z in ZONES]
    np.testing.assert_allclose(found, losses, atol=1e-9)


def test_healthy_heights_are_those_of_the_map():
    fracture, _ = fitted("wedge", 0.3)
    truth = fracturable().phantom.heights["T12"]
    for zone in ZONES:
        assert fracture.healthy_heights_mm.of(zone) == pytest.approx(truth.of(zone), abs=0.05)


def test_the_neighbour_above_follows_the_rims():
    fracture, _ = fitted("wedge", 0.5)
    front, back = fracture.lost_mm[0, 0] / 2, fracture.lost_mm[-1, 0] / 2
    ends = fracture.healthy.posterior_mm[[0, -1]]
    rim = np.stack([ends, np.zeros(2), np.full(2, fracture.above.pivot_mm[2])], axis=1)
    sunk = rim[:, 2] - fracture.above(rim)[:, 2]
    np.testing.assert_allclose(sunk, [front, back], atol=0.4)


def test_no_neighbour_comes_nearer_than_the_disc_allows():
    fracture, _ = fitted("wedge", 0.6)
    columns = fracture.healthy.posterior_mm
    rigid = fracture.above
    sunk = -(rigid.shift_mm + np.tan(rigid.angle) * (columns - rigid.pivot_mm[0]))
    nearest = (sunk - fracture.lost_mm[:, 0] / 2).max()
    assert nearest <= CLOSEST * fracture.disc_above_mm + 1e-6


def test_disc_is_the_space_between_the_bodies():
    fracture, _ = fitted("crush", 0.2)
    phantom = fracturable().phantom
    apart = [
        np.linalg.norm(phantom.frames["T12"].centre_mm - phantom.frames[level].centre_mm)
        for level in ("T11", "L1")
    ]
    for found, level, distance in zip(
        (fracture.disc_above_mm, fracture.disc_below_mm), ("T11", "L1"), apart, strict=True
    ):
        half = (phantom.heights["T12"].whole + phantom.heights[level].whole) / 2
        assert 1.0 < found < distance - half + 0.5


def test_a_lone_vertebra_can_be_fractured():
    spine = fracturable()
    alone = np.where(spine.phantom.bodies == 19, np.uint8(19), np.uint8(0))
    fracture = fracture_map(
        alone, spine.phantom.ct.affine, "T12", spine.height_map, np.array([0.3, 0.3, 0.3])
    )
    assert fracture.disc_above_mm == fracture.disc_below_mm == 4.0


def test_any_height_map_will_do():
    drawn = body("L1", zones(20.0, 19.0, 22.0)).height_map
    bodies = np.zeros((30, 30, 30), np.uint8)
    bodies[10:20, 10:20, 10:20] = 20
    fracture = fracture_map(bodies, np.eye(4), "L1", drawn, np.array([0.4, 0.2, 0.0]))
    after = drawn.heights_mm - fracture.lost_mm
    box = ((-15.5, 15.5), (-20.5, 20.5))
    found = zone_heights(drawn.posterior_mm, drawn.left_mm, after, *box)
    assert found.anterior == pytest.approx(0.6 * fracture.healthy_heights_mm.anterior)


def test_an_empty_map_and_an_absent_level_are_refused():
    spine = fracturable()
    full = spine.height_map
    nothing = np.full_like(full.upper_mm, np.nan)
    empty = HeightMap(
        frame=full.frame, posterior_mm=full.posterior_mm, left_mm=full.left_mm,
        upper_mm=nothing, lower_mm=nothing,
    )  # fmt: skip
    losses, affine = np.full(3, 0.3), spine.phantom.ct.affine
    with pytest.raises(LamellaError, match="no body"):
        fracture_map(spine.phantom.bodies, affine, "T12", empty, losses)
    with pytest.raises(LamellaError, match="no T4"):
        fracture_map(spine.phantom.bodies, affine, "T4", full, losses)
