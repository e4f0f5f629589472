"""A vertebra's own axes, its zones, and what an assessed one shows."""

import numpy as np
import pytest

from lamella.records import (
    HeightLoss,
    LamellaError,
    SpineAssessment,
    SpineLabels,
    Vertebra,
    VertebraFrame,
)
from spines import alike, body, told, zones


def test_world_and_own_axes_are_inverse():
    turn = np.array([[0.0, -1.0, 0.0], [0.8, 0.0, -0.6], [0.6, 0.0, 0.8]])
    frame = VertebraFrame(
        centre_mm=np.array([3.0, -5.0, 80.0]), posterior=turn[0], left=turn[1], cranial=turn[2]
    )
    places = np.random.default_rng(0).normal(size=(7, 3)) * 20
    np.testing.assert_allclose(frame.from_world(frame.to_world(places)), places, atol=1e-12)
    cranial = frame.to_world(np.array([0.0, 0.0, 1.0])) - frame.centre_mm
    np.testing.assert_allclose(cranial, turn[2])


def test_zones_are_asked_by_name_and_told_in_order():
    heights = zones(20.0, 23.0, 26.0)
    assert heights.of("posterior") == 26.0
    assert [name for name, _ in heights] == ["anterior", "middle", "posterior", "whole"]


def test_an_assessed_vertebra_shows_its_measures_and_a_refused_one_none():
    loss = HeightLoss(
        rhlv=alike(0.3),
        rhlv_sd=alike(0.03),
        grade=2,
        kind="crush",
        grade_probabilities=(0.0, 0.1, 0.9, 0.0),
    )
    seen = Vertebra(level="L1", body=body("L1", alike(14.0)), healthy=told(alike(20.0)), loss=loss)
    assert seen.heights_mm == alike(14.0)
    assert seen.healthy_heights_mm == alike(20.0)
    assert (seen.rhlv, seen.rhlv_sd, seen.grade) == (alike(0.3), alike(0.03), 2)
    refused = Vertebra(level="T9", refused="cut off by the border")
    measures = (refused.heights_mm, refused.healthy_heights_mm, refused.rhlv, refused.grade)
    assert measures == (None,) * 4


def test_vertebrae_are_asked_by_level():
    ids = np.zeros((8, 8, 8), np.uint8)
    ids[2:5, 2:5, 2:5] = 20
    spine = SpineAssessment(
        vertebrae=(Vertebra(level="L1"),), labels=SpineLabels(ids=ids, affine=np.eye(4))
    )
    assert spine["L1"].level == "L1"
    with pytest.raises(LamellaError, match=r"\['L1'\]"):
        spine["L2"]
