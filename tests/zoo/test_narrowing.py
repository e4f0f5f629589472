"""Narrowing by every comparator that ships, and its verb."""

from dataclasses import fields, replace

import numpy as np
import pytest

import comparing
import lamella
from lamella.records import JointVisit, LamellaError, Narrowing, Radiograph
from lamella.tasks.joint_narrowing import UNTRIED, Trust
from lamella.zoo import models
from lamella.zoo import narrowing as zoo
from lamella.zoo.narrowing import (
    comparator,
    comparators,
    narrowing,
    prepare_visit,
    smallest_detectable_mm,
    trust_in,
)

EXPECTED = ("exact", "lsn", "bls-gan", "no-separation", "overlap-left-out")
TOLERANCE_MM = {"exact": 0.03, "lsn": 0.03, "no-separation": 0.03, "overlap-left-out": 0.03}
ROUGH_MM = 0.2


@pytest.fixture(scope="module")
def visits() -> tuple[JointVisit, JointVisit]:
    """A phantom that narrowed by 0.59 mm, moved and exposed otherwise in between."""
    pair = comparing.pair(1)
    return prepare_visit(pair.baseline), prepare_visit(pair.followup)


def test_the_package_offers_it():
    assert lamella.narrowing is narrowing
    assert lamella.Narrowing is Narrowing
    assert {"narrowing", "Narrowing"} <= set(lamella.__all__)


def test_the_default_comes_first_and_deep_ones_where_they_ship():
    names = tuple(comparators())
    assert names[: len(EXPECTED)] == EXPECTED
    assert {"phase-only", "contours"} <= set(names)
    for name, network in {
        "deep-layers": "registration-layers",
        "deep-plain": "registration-plain",
    }.items():
        assert (name in names) == (network in models.names())
    assert comparator("exact").separator == "exact"
    assert comparator("no-separation").separator is None


@pytest.mark.parametrize("method", list(comparators()))
def test_every_comparator_measures_a_phantom(method):
    pair = comparing.pair(1)
    found = narrowing(pair.baseline, pair.followup, method)
    assert found.method == method
    assert np.isfinite([found.jsn_px, found.lateral_px, found.angle_deg]).all()
    assert 0.0 <= found.agreement <= 1.0
    error_mm = found.jsn_px * found.pixel_spacing_mm - pair.known_mm
    assert abs(error_mm) < TOLERANCE_MM.get(method, ROUGH_MM)
    separated = comparator(method).separator is not None
    assert (found.baseline.layers is not None) == separated


def test_the_narrowing_of_a_phantom_comes_with_an_interval_that_holds_it(visits):
    found = narrowing(*visits)
    low, high = found.interval_mm
    assert found.refused is None
    assert found.jsn_mm == pytest.approx(comparing.pair(1).known_mm, abs=0.02)
    assert low < comparing.pair(1).known_mm < high
    assert high - low < 0.1
    assert found.lateral_mm == pytest.approx(comparing.pair(1).lateral_mm, abs=0.03)
    assert found.angle_deg == pytest.approx(comparing.pair(1).angle_deg, abs=0.3)


def test_visits_prepared_once_give_the_same_answer(visits):
    prepared, half_afresh = narrowing(*visits), narrowing(visits[0], comparing.pair(1).followup)
    assert half_afresh.figures() == prepared.figures()
    assert half_afresh.agreement == prepared.agreement
    assert half_afresh.baseline is visits[0]
    assert half_afresh.followup is not visits[1]


def test_given_masks_are_used(visits):
    radiograph, masks = comparing.pair(1).baseline, visits[0].masks
    smaller = {name: np.asarray(mask & (np.arange(256) < 200)) for name, mask in masks.items()}
    visit = prepare_visit(radiograph, smaller, "no-separation")
    assert visit.layers is None
    assert not visit.masks["upper"][:, 200:].any()
    assert visit.names == ("upper", "lower")


def test_the_layers_are_those_of_the_methods_separator(visits):
    pair = comparing.pair(1)
    assert visits[0].layers.method.startswith("shares")
    assert prepare_visit(pair.baseline, visits[0].masks, "phase-only").layers is None
    other = prepare_visit(pair.baseline, visits[0].masks, "bls-gan")
    assert other.layers.method.startswith("bls-gan")


@pytest.mark.parametrize(
    "call", [narrowing, lambda first, _, method: prepare_visit(first, None, method)]
)
def test_an_unknown_method_is_refused_in_one_line(call):
    pair = comparing.pair(1)
    with pytest.raises(LamellaError, match=r"^expected a method of exact, .*got 'guess'") as caught:
        call(pair.baseline, pair.followup, "guess")
    assert "\n" not in str(caught.value)


def test_an_image_that_is_no_joint_is_refused():
    noise = np.random.default_rng(0).random((256, 256)).astype(np.float32)
    with pytest.raises(LamellaError):
        narrowing(comparing.pair(1).baseline, Radiograph(pixels=noise, pixel_spacing_mm=0.082))


def test_left_and_right_hands_raise_nothing(visits):
    sided = [
        replace(visit, radiograph=replace(visit.radiograph, laterality=side))
        for visit, side in zip(visits, "RL", strict=True)
    ]
    found = narrowing(*sided)
    assert "right hand" in found.refused
    assert found.jsn_mm is None


def test_without_a_fit_nothing_is_refused_for_its_agreement(monkeypatch):
    monkeypatch.setattr(zoo, "_fitted", lambda: {"methods": {}})
    assert trust_in("exact") is UNTRIED
    assert trust_in("exact").least == 0.0


def test_a_fitted_trust_is_used(visits, monkeypatch):
    """A threshold nothing reaches refuses; the spread widens the error bar."""
    plain = narrowing(*visits)
    was = trust_in("exact")
    strict = {entry.name: getattr(was, entry.name) for entry in fields(Trust)}
    strict |= {"least": 1.01, "spread": 3.0 * was.spread, "known_pairs": 4}
    strict |= {"mismatch_mm": 3.0 * was.mismatch_mm}
    monkeypatch.setattr(zoo, "_fitted", lambda: {"methods": {"exact": strict}})
    found = narrowing(*visits)
    assert "do not match" in found.refused
    assert found.agreement == plain.agreement
    assert found.jsn_px == plain.jsn_px
    assert found.jsn_sd_px == pytest.approx(3.0 * plain.jsn_sd_px)


@pytest.mark.parametrize("method", list(comparators()))
def test_what_ships_about_trust_is_sound(method):
    trust = trust_in(method)
    assert 0.0 <= trust.least < 1.0
    assert 0.1 < trust.spread < 20.0
    assert trust.agreement(0.99, 0.99) > trust.agreement(0.0, 0.0)


def test_the_smallest_detectable_change_is_the_fitted_one(monkeypatch):
    fitted = {"exact": {"smallest_detectable_mm": 0.07}, "lsn": {"smallest_detectable_mm": None}}
    monkeypatch.setattr(zoo, "_fitted", lambda: {"methods": fitted})
    assert smallest_detectable_mm("exact") == 0.07
    assert smallest_detectable_mm("lsn") is None
    assert smallest_detectable_mm("contours") is None
