"""Agreement of a layer with its reference, by formula."""

from pathlib import Path

import numpy as np
import pytest

from lamella.evaluation.bone_pairs import BonePair
from lamella.evaluation.visit_agreement import VisitAgreement, pooled, visit_agreement
from lamella.io.datasets import JointRow, LoadedJoint

SHAPE = (24, 24)


def pair(reference: np.ndarray) -> BonePair:
    """All of a square usable, its middle compared."""
    inside, usable = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    inside[8:16, 8:16] = True
    usable[6:18, 6:18] = True
    row = JointRow(joint="00001_R_2", image=Path("a"), upper=Path("b"), lower=Path("c"))
    visit = LoadedJoint(row=row, pixels=reference, upper=usable, lower=usable)
    return BonePair(
        joint=row.joint,
        bone="upper",
        visit=visit,
        reference=reference,
        inside=inside,
        usable=usable,
        ncc=1.0,
        gain=1.0,
    )


@pytest.fixture
def reference():
    return np.random.default_rng(0).random(SHAPE).astype(np.float32)


def test_the_reference_itself_agrees_wholly(reference):
    found = visit_agreement(reference, pair(reference))
    assert found.ncc == pytest.approx(1.0)
    assert found.gradient_correlation == pytest.approx(1.0)
    assert (found.mse, found.signed_error, found.pixels) == (0.0, 0.0, 64)


def test_an_offset_is_seen_by_the_errors_alone(reference):
    found = visit_agreement(reference + np.float32(0.1), pair(reference))
    assert found.ncc == pytest.approx(1.0)
    assert found.gradient_correlation == pytest.approx(1.0)
    assert found.mse == pytest.approx(0.01, rel=1e-4)
    assert found.signed_error == pytest.approx(0.1, rel=1e-4)


def test_the_negative_disagrees_wholly(reference):
    found = visit_agreement(1 - reference, pair(reference))
    assert found.ncc == pytest.approx(-1.0)
    assert found.gradient_correlation == pytest.approx(-1.0)


def test_a_ghost_edge_at_the_border_of_the_overlap_counts(reference):
    """A constant step inside leaves the NCC at 1 but not the gradients across the border."""
    stepped = reference + np.float32(0.8) * pair(reference).inside
    found = visit_agreement(stepped, pair(reference))
    assert found.ncc == pytest.approx(1.0)
    assert found.gradient_correlation < 0.95


def test_unusable_pixels_do_not_count(reference):
    nan = np.where(pair(reference).usable, reference, np.float32(np.nan))
    found = visit_agreement(reference, pair(nan))
    assert found.gradient_correlation == pytest.approx(1.0)
    beyond = np.where(pair(reference).usable, reference, np.float32(7.0))
    assert visit_agreement(beyond, pair(reference)) == found


def test_constant_layers_correlate_with_nothing(reference):
    found = visit_agreement(np.full(SHAPE, 0.5, np.float32), pair(reference))
    assert found.ncc == found.gradient_correlation == 0.0


def test_other_pixels_can_be_compared(reference):
    corner = np.zeros(SHAPE, bool)
    corner[6:8, 6:8] = True
    assert visit_agreement(reference, pair(reference), corner).pixels == 4


def test_pooling_weighs_by_pixels():
    parts = [
        VisitAgreement(ncc=0.0, gradient_correlation=1.0, mse=0.4, signed_error=0.1, pixels=30),
        VisitAgreement(ncc=1.0, gradient_correlation=0.0, mse=0.0, signed_error=-0.1, pixels=10),
    ]
    found = pooled(parts)
    assert found.ncc == pytest.approx(0.25)
    assert found.gradient_correlation == pytest.approx(0.75)
    assert found.mse == pytest.approx(0.3)
    assert found.signed_error == pytest.approx(0.05)
    assert found.pixels == 40
