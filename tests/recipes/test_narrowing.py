"""The trust of a method, fitted on cases whose kind and error are known."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import comparing
import joints
from lamella.evaluation.narrowing_cases import NAN, NarrowingCase
from lamella.evaluation.narrowing_failures import FINGER, MIRRORED, PATIENT, SAME
from lamella.evaluation.narrowing_visit_cases import VisitCase
from lamella.recipes import narrowing as recipe
from lamella.recipes.narrowing import (
    FILE,
    LEAST_AGREEMENT,
    fitted_mismatch,
    fitted_spread,
    fitted_trust,
    smallest_detectable,
    train,
)
from lamella.records import LamellaError

STATED_MM = 0.02


def correlated(upper: float, lower: float, count: int = 200, seed: int = 0) -> list[NarrowingCase]:
    """Correlations scattered about two means, each on Fisher's scale with an SD of 0.3."""
    rng = np.random.default_rng(seed)
    z = np.arctanh([upper, lower]) + 0.3 * rng.standard_normal((count, 2))
    return [
        NarrowingCase(joint="a", measured_mm=0.0, agreement=0.5, ncc=(float(a), float(b)))
        for a, b in np.tanh(z)
    ]


def missed(ratio: float, count: int = 2000, seed: int = 1) -> list[NarrowingCase]:
    """Normal errors whose deviation is so many times the stated one."""
    errors = ratio * STATED_MM * np.random.default_rng(seed).standard_normal(count)
    return [
        NarrowingCase(
            joint="a", known_mm=0.3, measured_mm=0.3 + float(error), computed_sd_mm=STATED_MM
        )
        for error in errors
    ]


@lru_cache(maxsize=1)
def classes() -> dict[str, list[NarrowingCase]]:
    return {
        SAME: correlated(0.95, 0.9, seed=1),
        PATIENT: correlated(0.4, 0.5, seed=2),
        FINGER: correlated(0.3, 0.4, seed=3),
        MIRRORED: correlated(0.5, 0.3, seed=4),
    }


def refused(cases: list[NarrowingCase], trust: recipe.Trust) -> float:
    return float(np.mean([trust.agreement(*case.ncc) < trust.least for case in cases]))


def test_different_joints_are_told_from_the_same():
    trust = fitted_trust(classes(), missed(1.0))
    assert trust.upper > 0.0
    assert trust.lower > 0.0
    for kind, cases in classes().items():
        agreements = np.array([trust.agreement(*case.ncc) for case in cases])
        assert np.mean(agreements > 0.5) == pytest.approx(1.0 if kind == SAME else 0.0, abs=0.03)
        if kind != SAME:
            assert refused(cases, trust) > 0.95


def test_no_answer_where_another_joint_is_likelier():
    trust = fitted_trust(classes(), missed(1.0))
    assert trust.least == LEAST_AGREEMENT == 0.5
    assert refused(classes()[SAME], trust) < 0.03


def test_a_bone_that_tells_nothing_weighs_nothing():
    silent = {SAME: correlated(0.8, 0.5, seed=1), PATIENT: correlated(0.3, 0.5, seed=2)}
    trust = fitted_trust(silent, missed(1.0))
    assert trust.upper > 5.0 * abs(trust.lower)


def test_both_sides_weigh_the_same_whatever_their_numbers():
    """Thrice the strangers, the same fit: agreement is for even odds."""
    few = {SAME: correlated(0.7, 0.7, seed=1), PATIENT: correlated(0.4, 0.4, seed=2)}
    many = few | {FINGER: few[PATIENT], MIRRORED: few[PATIENT]}
    found = [fitted_trust(each, missed(1.0)) for each in (few, many)]
    weights = [(trust.upper, trust.lower, trust.constant) for trust in found]
    assert weights[0] == pytest.approx(weights[1], rel=0.02)


def test_agreement_is_a_probability():
    """Of the pairs that agree to 0.7 or so, both kinds as frequent, 0.7 or so are of one joint."""
    kinds = {
        SAME: correlated(0.6, 0.6, 3000, seed=1),
        PATIENT: correlated(0.4, 0.4, 3000, seed=2),
    }
    trust = fitted_trust(kinds, missed(1.0))
    same, other = (
        np.array([trust.agreement(*case.ncc) for case in kinds[kind]]) for kind in (SAME, PATIENT)
    )
    for low in (0.2, 0.4, 0.6, 0.8):
        hits = [np.sum((each > low) & (each < low + 0.1)) for each in (same, other)]
        assert hits[0] / sum(hits) == pytest.approx(low + 0.05, abs=0.08)


def test_pairs_that_were_not_compared_are_left_out():
    nothing = [NarrowingCase(joint="a", refused="no joint")] * 50
    both = {kind: [*cases, *nothing] for kind, cases in classes().items()}
    assert fitted_trust(both, missed(1.0)) == fitted_trust(classes(), missed(1.0))


@pytest.mark.parametrize("kind", [SAME, PATIENT])
def test_one_kind_alone_is_refused(kind):
    with pytest.raises(LamellaError, match="expected compared pairs of one joint and of different"):
        fitted_trust({SAME: [], PATIENT: [], kind: classes()[kind]}, [])


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_the_spread_is_the_true_deviation_over_the_stated_one(ratio):
    assert fitted_spread(missed(ratio)) == pytest.approx(ratio, rel=0.05)
    assert fitted_trust(classes(), missed(ratio)).spread == pytest.approx(ratio, rel=0.05)


def test_the_widest_spread_of_any_kind_counts():
    kinds = (missed(1.0), missed(2.0, seed=3), missed(0.5))
    assert fitted_trust(classes(), *kinds).spread == fitted_spread(kinds[1])


def test_nine_of_ten_errors_lie_inside_the_widened_interval():
    errors = np.random.default_rng(5).standard_t(3, 2000)
    cases = [
        NarrowingCase(joint="a", known_mm=0.0, measured_mm=float(error), computed_sd_mm=0.5)
        for error in errors
    ]
    wide = recipe.WIDE_90 * fitted_spread(cases) * 0.5
    assert np.mean(np.abs(errors) < wide) == pytest.approx(0.9, abs=0.002)


def test_a_method_that_states_no_deviation_is_not_widened():
    silent = [NarrowingCase(joint="a", known_mm=0.0, measured_mm=0.1)] * 9
    assert fitted_spread(silent) == 1.0
    assert fitted_spread([]) == 1.0
    sound = [*silent, NarrowingCase(joint="a", known_mm=0.0, measured_mm=NAN, computed_sd_mm=0.1)]
    assert fitted_spread([*sound, *missed(2.0)]) == pytest.approx(2.0, rel=0.05)


@lru_cache(maxsize=4)
def visited(sd_mm: float, joints_seen: int = 400) -> list[VisitCase]:
    """Joints of three visits, every narrowing measured with that standard deviation."""
    rng = np.random.default_rng(6)
    cases = []
    for joint in range(joints_seen):
        widths = rng.normal(1.5, 0.3, 3)
        for first, last in ((0, 1), (0, 2), (1, 2)):
            measured = widths[first] - widths[last] + sd_mm * rng.standard_normal()
            case = NarrowingCase(joint=f"{joint}", measured_mm=float(measured), agreement=1.0)
            cases.append(
                VisitCase(joint=f"{joint}", first=first, last=last, overlap_px=0, case=case)
            )
    return cases


@pytest.mark.parametrize("sd_mm", [0.02, 0.05])
def test_the_smallest_detectable_change_is_twice_the_deviation_of_a_narrowing(sd_mm):
    assert smallest_detectable(visited(sd_mm)) == pytest.approx(1.96 * sd_mm, rel=0.08)


@pytest.mark.parametrize("mismatch_mm", [0.0, 0.1, 0.3])
def test_the_mismatch_is_what_closures_have_beyond_the_computed_deviation(mismatch_mm):
    trust = replace(fitted_trust(classes(), missed(1.0)), least=0.0, spread=2.0)
    rng = np.random.default_rng(9)
    cases = []
    for each in visited(0.0):
        ncc = (float(rng.uniform(0.6, 0.99)), float(rng.uniform(0.6, 0.99)))
        sd_mm = np.hypot(2.0 * 0.01, mismatch_mm * np.hypot(1.0 - ncc[0], 1.0 - ncc[1]))
        measured_mm = each.case.measured_mm + sd_mm * rng.standard_normal()
        case = replace(each.case, measured_mm=measured_mm, computed_sd_mm=0.01, ncc=ncc)
        cases.append(replace(each, case=case))
    assert fitted_mismatch(cases, trust) == pytest.approx(mismatch_mm, abs=0.03)
    assert fitted_mismatch(cases, replace(trust, least=1.1)) == 0.0


def test_two_visits_close_nothing():
    assert smallest_detectable([case for case in visited(0.05) if case.last == 1]) is None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``train.json`` with two visits of each of three joints."""
    data = tmp_path_factory.mktemp("narrowing")
    seeds = {"00001_R_2": 6, "00002_R_2": 7, "00003_R_5": 8}
    made = {name: [joints.phantom(jsw_mm=0.7, seed=seed)] * 2 for name, seed in seeds.items()}
    joints.write_manifest(data / "train.json", made)
    return data


def test_the_recipe_fits_what_it_measures(folder, tmp_path, monkeypatch):
    """Half a pixel off on every pair of known answer, correlations of the images themselves."""
    known = comparing.truth_of(comparing.pairs(1), 0.5)

    def half_a_pixel_off(first, last):
        try:
            return known(first, last)
        except KeyError:
            return 0.0

    looks = comparing.answering(half_a_pixel_off, along_sd_px=0.2, looking=True)
    comparing.use(monkeypatch, good=looks, other=looks)
    monkeypatch.setattr(recipe, "phantom_pairs", comparing.pairs)
    monkeypatch.setattr(recipe, "known_pairs", lambda _, count: comparing.pairs(count))
    path = train(folder, tmp_path / "out", steps=1, variant="good")
    assert path == tmp_path / "out" / FILE
    found = json.loads(path.read_text())
    assert list(found["methods"]) == ["good"]
    fitted = found["methods"]["good"]
    assert fitted["upper"] + fitted["lower"] > 0.0
    assert fitted["least"] == 0.5
    assert fitted["pairs_of_each_class"] == 1
    assert fitted["smallest_detectable_mm"] is None  # two visits of a joint close no triangle
    stated_px = 0.2 * np.sqrt(2.0)
    assert fitted["spread"] == pytest.approx(0.5 / stated_px / recipe.WIDE_90, rel=1e-3)
    assert "no licence is stated" in found["licence"]


def test_one_method_keeps_what_was_fitted_of_the_others(tmp_path, monkeypatch):
    """Fitted on cases that are given here; only the file is of interest."""
    comparing.use(monkeypatch, good=comparing.answering(lambda *_: 0.0))
    monkeypatch.setattr(recipe, "failure_cases", lambda _, methods, __: _each(methods, classes()))
    monkeypatch.setattr(recipe, "visit_cases", lambda _, methods, __: _each(methods, visited(0.05)))
    monkeypatch.setattr(recipe, "known_pairs", lambda *_: [])
    monkeypatch.setattr(recipe, "phantom_pairs", lambda *_, **__: [])
    monkeypatch.setattr(
        recipe, "measured_pairs", lambda _, methods, *__: _each(methods, missed(1.0))
    )
    held = {"good": {"upper": -9.0}, "other": {"upper": 3.0}}
    (tmp_path / FILE).write_text(json.dumps({"methods": held}), encoding="utf-8")
    found = json.loads(train(tmp_path, tmp_path, variant="good").read_text())["methods"]
    assert found["other"] == held["other"]
    expected = fitted_trust(classes(), missed(1.0))
    assert found["good"]["upper"] == pytest.approx(expected.upper)
    assert found["good"]["smallest_detectable_mm"] == smallest_detectable(visited(0.05))
    everything = json.loads(train(tmp_path, tmp_path).read_text())["methods"]
    assert list(everything) == ["good"]


def _each(methods: Sequence[str], cases: Any) -> dict[str, Any]:
    return dict.fromkeys(methods, cases)


def test_an_unknown_method_is_refused_before_anything_is_measured(tmp_path):
    with pytest.raises(LamellaError, match="expected a method of exact"):
        train(tmp_path, tmp_path / "out", variant="guess")
    assert not (tmp_path / "out").exists()
