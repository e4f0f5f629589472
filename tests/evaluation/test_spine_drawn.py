"""Drawn vertebrae against true ones."""

from dataclasses import replace

import numpy as np
import pytest

import cohorts
from lamella.evaluation.spine_drawn import (
    dice,
    drawn_case,
    healthy_phantom,
    likeness,
    plain_drawn,
    read_drawn,
    true_vertebra,
)
from lamella.prepare.spine.curve import curve_of
from lamella.prepare.spine.straight import straighten
from lamella.records import LamellaError


@pytest.fixture(scope="module")
def healthy():
    return healthy_phantom(cohorts.SPEC)


@pytest.fixture(scope="module")
def true(healthy):
    curve = curve_of(healthy.labels, healthy.bodies)
    return {
        level: true_vertebra(healthy, cohorts.phantom(), level, curve) for level in ("L1", "L2")
    }


@pytest.fixture(scope="module")
def straight():
    spine = cohorts.measured()
    return straighten(cohorts.phantom().ct, spine.labels, spine.bodies, curve=spine.curve)


def moved(frame, cranial_mm):
    return replace(frame, centre_mm=frame.centre_mm + cranial_mm * frame.cranial)


def test_the_truth_is_the_same_person_unfractured(healthy):
    assert healthy.heights == cohorts.phantom().healthy_heights
    assert healthy.ct.spacing_mm == (1.0, 1.0, 1.0)


def test_a_vertebra_is_like_itself(true):
    read = true["L2"].read
    alike = likeness(read, read.frame, read)
    assert alike.dice == 1.0
    assert alike.ssim == pytest.approx(1.0)
    assert alike.psnr_db > 90.0


def test_reading_it_elsewhere_costs_what_geometry_says(true):
    """A shift by d along a body of height h leaves a Dice of 1 - d / h."""
    read = true["L2"].read
    for shift_mm in (2.0, 5.0):
        found = likeness(read, moved(read.frame, shift_mm), read).dice
        expected = 1.0 - shift_mm / read.heights_mm.whole
        assert found == pytest.approx(expected, abs=0.04)


def test_an_unfractured_vertebra_needs_no_restoring_and_a_fractured_one_does(true, straight):
    cases = {
        level: drawn_case(
            cohorts.case(cohorts.flat(0.0), cohorts.flat(0.0), level=level), each, straight
        )
        for level, each in true.items()
    }
    assert cases["L2"].aligned.dice > 0.93
    assert np.abs(cases["L2"].height_error_mm).max() < 0.8
    assert cases["L1"].aligned.dice < 0.9
    lost = 0.4 * true["L1"].heights_mm.anterior
    assert cases["L1"].height_error_mm[0] == pytest.approx(-lost, abs=0.8)
    assert cases["L2"].aligned.psnr_db > cases["L1"].aligned.psnr_db + 3.0


def test_what_was_not_drawn_keeps_its_reason_in_its_file(true):
    known = cohorts.case(cohorts.flat(0.0), cohorts.flat(0.0))
    case = drawn_case(known, true["L1"], LamellaError("nothing drawn"))
    assert case.refused == "nothing drawn"
    again = read_drawn(plain_drawn(case))
    assert again.refused == case.refused
    assert again.known == case.known


def test_dice_of_nothing_is_none():
    assert dice(np.zeros(3, bool), np.zeros(3, bool)) == 0.0
    assert dice(np.array([True, False]), np.array([False, True])) == 0.0
