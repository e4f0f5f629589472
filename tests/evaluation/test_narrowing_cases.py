"""Pairs measured by registrations whose error is known."""

import numpy as np
import pytest

import comparing
from lamella.evaluation import narrowing_cases
from lamella.evaluation.narrowing_cases import (
    NarrowingCase,
    PreparedVisits,
    all_methods,
    case_of,
    compared_pair,
    measured_pairs,
    prepared,
)
from lamella.prepare.grid import NETWORK_SPACING_MM
from lamella.records import JointVisit, LamellaError, Radiograph
from lamella.zoo.narrowing import prepare_visit

pytestmark = pytest.mark.slow


def test_the_error_of_a_registration_is_found_in_its_cases(monkeypatch):
    made = comparing.pairs(2)
    comparing.use(
        monkeypatch,
        right=comparing.answering(comparing.truth_of(made)),
        wrong=comparing.answering(comparing.truth_of(made, 2.0), along_sd_px=3.0),
    )
    cases = measured_pairs(made, all_methods(), "comparing", len(made))
    assert list(cases) == ["right", "wrong"]
    assert [case.error_mm for case in cases["right"]] == pytest.approx([0.0, 0.0], abs=1e-6)
    off_mm = 2.0 * NETWORK_SPACING_MM
    assert [case.error_mm for case in cases["wrong"]] == pytest.approx([off_mm, off_mm], abs=1e-6)
    stated_mm = 3.0 * np.sqrt(2.0) * NETWORK_SPACING_MM
    assert cases["wrong"][0].sd_mm == pytest.approx(stated_mm)
    assert cases["wrong"][1].exposure == made[1].exposure


def test_visits_are_prepared_once_for_each_separator(monkeypatch):
    asked = []

    def counted(radiograph, masks, method):
        asked.append(method)
        return prepare_visit(radiograph, masks, method)

    same = comparing.answering(comparing.width_lost())
    comparing.use(monkeypatch, first=same, second=same)
    monkeypatch.setattr(narrowing_cases, "prepare_visit", counted)
    visits = prepared(comparing.pair(0).baseline, ["first", "second"])
    assert asked == ["first"]
    assert isinstance(visits["first"], JointVisit)
    assert visits["first"] is visits["second"]


def test_only_the_latest_visits_are_kept(monkeypatch):
    made = []

    def counted(radiograph, methods):
        made.append(radiograph)
        return {}

    monkeypatch.setattr(narrowing_cases, "prepared", counted)
    kept = PreparedVisits(["only"], most=2)
    radiographs = {key: comparing.pair(0).baseline for key in "abc"}
    for key in "ababcba":
        kept.of(key, radiographs[key])
    assert len(made) == 4


def test_an_image_that_is_no_joint_is_refused_by_every_method(monkeypatch):
    comparing.use(monkeypatch, only=comparing.answering(comparing.width_lost()))
    rng = np.random.default_rng(0)
    nothing = Radiograph(pixels=rng.random((256, 256)).astype(np.float32))
    ((_, found),) = compared_pair(comparing.pair(0).baseline, nothing, ["only"])
    assert isinstance(found, LamellaError)
    case = case_of(found, "a")
    assert not case.is_accepted
    assert case.agreement == -1.0
    assert np.isnan(case.measured_mm)


def test_a_method_that_fails_is_a_refusal(monkeypatch):
    def fails(*_):
        raise LamellaError("expected a bone, got none: look again")

    comparing.use(monkeypatch, only=fails)
    pair = comparing.pair(0)
    ((_, found),) = compared_pair(pair.baseline, pair.followup, ["only"])
    assert case_of(found, "a").refused == "expected a bone, got none: look again"


def test_refused_cases_keep_what_was_measured():
    case = NarrowingCase(joint="a", known_mm=1.0, measured_mm=1.5, refused="poor match")
    assert not case.is_accepted
    assert case.error_mm == 0.5


def test_every_comparator_is_a_method():
    assert all_methods()[0] == "exact"
    assert all_methods(["lsn"]) == ("lsn",)
