"""The column of bodies: its angles are the spec's, and fractures bend and shorten it."""

from dataclasses import replace

import numpy as np
import pytest

from lamella.physics.phantoms.spine import SpinePhantomSpec
from lamella.physics.phantoms.spine.column import column
from lamella.physics.virtual_fracture import FractureSpec

WHOLE = SpinePhantomSpec(
    levels=(*(f"T{n}" for n in range(4, 13)), *(f"L{n}" for n in range(1, 6))), seed=2
)
ARCH = ("T12", "L1", "L2")


def bodies(spec):
    drawn = spec.population.draw(np.random.default_rng(spec.rng_seed(0)), spec.levels)
    return {vertebra.level: vertebra for vertebra in column(spec, drawn)}


def lean_deg(vertebra):
    """Of the axis to the front."""
    cranial = vertebra.frame.cranial
    return np.degrees(np.arctan2(cranial[1], cranial[2]))


def side_deg(vertebra):
    """Of the axis to the right."""
    cranial = vertebra.frame.cranial
    return np.degrees(np.arctan2(cranial[0], cranial[2]))


def test_kyphosis_and_lordosis_are_the_angles_that_were_asked_for():
    made = bodies(replace(WHOLE, kyphosis_deg=30.0, lordosis_deg=44.0))
    assert lean_deg(made["T4"]) - lean_deg(made["T12"]) == pytest.approx(30.0, abs=1e-6)
    assert lean_deg(made["L5"]) - lean_deg(made["L1"]) == pytest.approx(44.0, abs=1e-6)


def test_scoliosis_is_the_coronal_angle_between_the_ends():
    made = bodies(replace(WHOLE, scoliosis_deg=24.0))
    ends = [side_deg(made[level]) for level in ("T4", "L5")]
    assert ends[0] - ends[1] == pytest.approx(24.0, abs=1e-6)


def test_axes_are_at_right_angles_and_left_is_left():
    for vertebra in bodies(replace(WHOLE, scoliosis_deg=30.0)).values():
        np.testing.assert_allclose(
            vertebra.frame.axes @ vertebra.frame.axes.T, np.eye(3), atol=1e-9
        )
        assert vertebra.frame.left[0] < 0.0
        assert vertebra.frame.posterior[1] < 0.0


def test_rims_are_a_disc_apart():
    made = bodies(replace(WHOLE, lordosis_deg=0.0))
    above, below = made["L2"], made["L3"]
    rim = [v.body.height(np.array([-1.0, 1.0]), np.zeros(2)).mean() / 2 for v in (above, below)]
    origins = [v.frame.to_world(np.array(v.body.origin_mm)) for v in (above, below)]
    apart = np.linalg.norm(origins[0] - origins[1])
    assert apart == pytest.approx(sum(rim) + above.norm.disc_mm * above.scale, abs=1e-6)


@pytest.mark.parametrize("kind", ["wedge", "biconcave", "crush"])
def test_a_fracture_loses_exactly_what_was_asked_for(kind):
    fracture = FractureSpec(kind=kind, loss=0.45)
    made = bodies(SpinePhantomSpec(levels=ARCH, fractures={"L1": fracture}))
    hurt = made["L1"]
    losses = [1 - hurt.body.zones.of(z) / hurt.healthy.zones.of(z) for z in
              ("anterior", "middle", "posterior")]  # fmt: skip
    np.testing.assert_allclose(losses, fracture.zone_losses, atol=1e-9)
    assert made["L2"].body.zones == made["L2"].healthy.zones


def test_a_wedge_adds_kyphosis_a_crush_shortens():
    spec = SpinePhantomSpec(levels=ARCH)
    before = bodies(spec)
    wedge = bodies(replace(spec, fractures={"L1": FractureSpec(kind="wedge", loss=0.4)}))
    crush = bodies(replace(spec, fractures={"L1": FractureSpec(kind="crush", loss=0.4)}))
    bend = [lean_deg(m["T12"]) - lean_deg(m["L2"]) for m in (before, wedge, crush)]
    assert bend[1] - bend[0] > 10.0
    assert bend[2] - bend[0] == pytest.approx(0.0, abs=1.5)
    length = [np.linalg.norm(m["T12"].frame.centre_mm - m["L2"].frame.centre_mm)
              for m in (before, crush)]  # fmt: skip
    lost = 0.4 * before["L1"].healthy.zones.whole
    assert length[0] - length[1] == pytest.approx(lost, abs=1.5)
