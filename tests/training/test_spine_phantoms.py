"""Random phantoms: all that is said to vary varies, within its range, and can be repeated."""

from dataclasses import replace

import numpy as np
import pytest

import spines
from lamella.methods.healthivert.gap import site_of
from lamella.physics.virtual_fracture import FractureSpec
from lamella.records import VERSE_IDS
from lamella.training.spine_phantoms import PhantomChance, PhantomCrops, phantom_case, random_spec


@pytest.fixture(scope="module")
def specs():
    return [PhantomCrops(seed=3, number=number).spec() for number in range(200)]


def test_specs_vary_within_their_ranges(specs):
    chance = PhantomChance()
    spacings = np.array([spec.spacing for spec in specs])
    assert chance.spacing_mm[0] <= spacings.min() < 0.8
    assert 2.5 < spacings.max() <= chance.spacing_mm[1]
    assert 0.2 < (spacings[:, 2] > spacings[:, 0]).mean() < 0.4
    assert {len(spec.levels) for spec in specs} == {4, 5, 6, 7}
    assert {level for spec in specs for level in spec.levels} >= {"T4", "L5"}
    assert len({spec.seed for spec in specs}) == len(specs)
    assert 0.1 < np.mean([not spec.cropped for spec in specs]) < 0.4


def test_fractures_come_in_all_kinds_and_as_often_as_said(specs):
    made = [fracture for spec in specs for fracture in spec.fractures.values()]
    assert {fracture.kind for fracture in made} == {"wedge", "biconcave", "crush"}
    assert min(fracture.loss for fracture in made) >= 0.2
    assert max(fracture.loss for fracture in made) <= 0.6
    count = sum(len(spec.levels) for spec in specs)
    assert len(made) / count == pytest.approx(PhantomChance().fractured, abs=0.05)


def test_the_same_number_is_the_same_phantom(specs):
    assert PhantomCrops(seed=3, number=7).spec() == specs[7]
    assert PhantomCrops(seed=4, number=7).spec() != specs[7]


def test_one_spacing_is_a_range_too():
    chance = PhantomChance(spacing_mm=(2.0, 2.0))
    rng = np.random.default_rng(0)
    assert {random_spec(rng, chance).spacing for _ in range(20)} == {(2.0, 2.0, 2.0)}


def test_grades_are_those_of_the_true_losses():
    fractures = {
        "L1": FractureSpec(kind="crush", loss=0.22),
        "L3": FractureSpec(kind="biconcave", loss=0.5),
    }
    case = phantom_case(replace(spines.spine().spec, fractures=fractures))
    assert case.grades == {"L1": 1, "L2": 0, "L3": 3}


def test_true_bodies_agree_with_those_found_in_a_coarse_scan():
    """At 3 mm: the bodies of the same person drawn at 1 mm, on the same samples."""
    phantom = spines.spine()
    case = phantom_case(phantom.spec)
    for level in phantom.spec.levels:
        true, found = (v == VERSE_IDS[level] for v in (case.truth, case.straight.bodies))
        dice = 2 * (true & found).sum() / (true.sum() + found.sum())
        assert 0.9 < dice < 1.0
        columns = true.sum(axis=1)
        height = float(np.median(columns[columns > 0]))
        assert height == pytest.approx(phantom.heights[level].whole, rel=0.06)
        assert site_of(case.straight, level).extent_mm > height
