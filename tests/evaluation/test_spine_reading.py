"""Vertebrae read from phantoms and from straight spines."""

from dataclasses import replace

import numpy as np
import pytest

import cohorts
from lamella.evaluation.spine_cases import triple
from lamella.evaluation.spine_reading import read_phantom, read_straight
from lamella.prepare.spine.straight import straighten
from lamella.records import LamellaError


@pytest.fixture(scope="module")
def straight():
    spine = cohorts.measured()
    return straighten(cohorts.phantom().ct, spine.labels, spine.bodies, curve=spine.curve)


@pytest.mark.parametrize("level", ["L1", "L2"])
def test_both_ways_read_the_same_vertebra(straight, level):
    curve, phantom = cohorts.measured().curve, cohorts.phantom()
    exact = phantom.frames[level]
    for read in (read_phantom(phantom, level, curve), read_straight(straight, level)):
        assert triple(read.heights_mm) == pytest.approx(triple(phantom.heights[level]), abs=1.0)
        assert read.frame.cranial @ exact.cranial > np.cos(np.radians(4))
        assert np.linalg.norm(read.frame.centre_mm - exact.centre_mm) < 1.2
        assert read.body_at(exact.centre_mm[None])[0]
        assert 80 < read.hu_at(exact.centre_mm[None])[0] < 260


def test_samples_cover_the_box_around_the_body(straight):
    read = read_straight(straight, "L2")
    reach = np.abs(read.samples(0.0)).max(axis=(0, 1, 2))
    expected = (cohorts.phantom().depths_mm["L2"], cohorts.phantom().widths_mm["L2"])
    assert 2 * reach[:2] == pytest.approx(expected, abs=3.0)
    assert np.abs(read.samples(9.0)).max(axis=(0, 1, 2)) == pytest.approx(reach + 9.0, abs=1.0)


def test_what_is_not_there_cannot_be_read(straight):
    with pytest.raises(LamellaError, match="no body of T9"):
        read_straight(straight, "T9")
    with pytest.raises(LamellaError, match="no CT"):
        read_straight(replace(straight, hu=None), "L1")
