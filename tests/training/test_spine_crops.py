"""One vertebra to learn from: what its box holds, and what its neighbours let expect."""

from dataclasses import replace

import numpy as np
import pytest

import spines
from lamella.methods.healthivert.channels import SHAPE, Plane
from lamella.methods.healthivert.gap import centred, site_of
from lamella.physics.virtual_fracture import FractureSpec
from lamella.records import ZONES, LamellaError
from lamella.training.spine_crops import (
    FRACTURED,
    HEALTHY,
    TARGET,
    SpineCrop,
    conditional_prior,
    crop_of,
    crops_of,
    grey_of,
    grey_steps,
    losses,
)
from lamella.training.spine_phantoms import phantom_case


@pytest.fixture(scope="module")
def case():
    """L1 to L3, L1 a wedge."""
    fractures = {"L1": FractureSpec(kind="wedge", loss=0.45)}
    phantom = spines.spine()
    return phantom_case(replace(phantom.spec, fractures=fractures))


@pytest.fixture(scope="module")
def crop(case) -> SpineCrop:
    return crop_of(case, "L2")


def test_the_box_shows_the_straight_spine_in_255_steps(case, crop):
    site = site_of(case.straight, "L2", crop.facts.prior_mm)
    shown = centred(case.straight, site)
    assert crop.grey.shape == crop.parts.shape == SHAPE
    grey = np.clip((shown.hu + 300.0) / 1100.0, 0.0, 1.0)
    assert np.abs(crop.grey / 255.0 - grey).max() <= 0.5 / 255.0 + 1e-6
    assert crop.facts.extent_rows == pytest.approx(site.extent_rows)


def test_parts_tell_the_target_from_healthy_and_fractured_neighbours(case, crop):
    """L1 above is fractured, L3 below healthy; the target's volume is its zones' mean height."""
    rows = {part: np.argwhere(crop.parts == part)[:, 1] for part in (TARGET, HEALTHY, FRACTURED)}
    assert rows[FRACTURED].max() < rows[TARGET].min()
    assert rows[TARGET].max() < rows[HEALTHY].min()
    section = (crop.parts == TARGET).any(axis=1).sum()
    height_mm = len(rows[TARGET]) / section
    assert height_mm == pytest.approx(case.heights["L2"].whole, rel=0.1)


def test_facts_are_of_the_vertebra(case, crop):
    facts = crop.facts
    assert (facts.level, facts.grade, facts.real) == ("L2", 0, 0)
    assert facts.whole_mm == case.heights["L2"].whole
    first, last = facts.span(Plane.SAGITTAL)
    columns = np.flatnonzero((crop.parts == TARGET).any(axis=(1, 2)))
    assert abs(first - columns[0]) <= 2
    assert abs(last - columns[-1]) <= 2
    assert facts.site.push_rows == pytest.approx((40.0 - facts.extent_rows) / 2.0)
    assert facts.prior_rows == facts.prior_mm


def test_a_fractured_vertebra_has_its_grade_and_the_prior_of_healthy_ones(case):
    """Its own height and that of other fractured ones do not enter what is expected of it."""
    broken = crop_of(case, "L1")
    assert broken.facts.grade == 3
    expected = conditional_prior("L1", case.heights, frozenset({"L2", "L3"}))
    assert broken.facts.prior_mm == pytest.approx(expected.whole)
    assert broken.facts.whole_mm < 0.85 * broken.facts.prior_mm


def test_the_prior_follows_a_person_who_is_large():
    """All neighbours 10 % above the norm: nearly so the expectation, more with more of them."""
    norm = {name: conditional_prior(name, {}, frozenset()) for name in ("T12", "L1", "L2")}
    large = {name: losses_to(told, -0.1) for name, told in norm.items()}
    one, both = (
        conditional_prior("L1", large, frozenset(near)).whole / norm["L1"].whole
        for near in (("T12",), ("T12", "L2"))
    )
    assert 1.06 < one < both < 1.1
    assert conditional_prior("L1", large, frozenset({"L1"})) == norm["L1"]


def losses_to(zones, loss: float):
    return type(zones)(**{name: (1.0 - loss) * value for name, value in zones})


def test_losses_are_relative_to_the_healthy_heights():
    lost = losses(spines.zones(15.0, 20.0, 25.0), spines.alike(25.0))
    assert [lost.of(zone) for zone in (*ZONES, "whole")] == pytest.approx([0.4, 0.2, 0.0, 0.2])


def test_a_crop_survives_being_stored(crop):
    again = SpineCrop.of_row(**crop.row())
    assert again.facts == crop.facts
    assert isinstance(again.facts.grade, int)
    np.testing.assert_array_equal(again.grey, crop.grey)


def test_only_measured_vertebrae_are_learnt_from(case):
    few = replace(case, heights={"L3": case.heights["L3"]})
    (only,) = crops_of(few)
    assert only.facts.level == "L3"
    with pytest.raises(LamellaError, match="no body of T12"):
        crop_of(
            replace(
                case,
                heights=case.heights | {"T12": case.heights["L1"]},
                grades=case.grades | {"T12": 0},
            ),
            "T12",
        )


def test_grey_steps_are_undone_to_half_a_step():
    hu = np.linspace(-300.0, 800.0, 64, dtype=np.float32).reshape(4, 4, 4)
    grey = grey_of(grey_steps(hu))
    assert np.abs(grey - (2.0 * (hu + 300.0) / 1100.0 - 1.0)).max() <= 1.0 / 255.0 + 1e-6
