"""The cohort: what it is drawn from, and that nothing has learned from it."""

import pickle

import numpy as np
import pytest

import cohorts
from lamella.evaluation.spine_cohort import (
    CLASSES,
    COARSE,
    FINE,
    FIRST_SEED,
    MIDDLE,
    SPINES,
    TARGETS,
    replace_fractures,
    spacing_class,
    spine_cohort,
)

FIRST_SPINES = spine_cohort(8, vertebrae=(4, 5))


def test_there_are_more_than_two_hundred_targets():
    assert SPINES * TARGETS > 200
    assert all(len(spine.targets) == TARGETS for spine in FIRST_SPINES)


@pytest.mark.slow
def test_targets_are_of_every_kind():
    targets = [(spine, level) for spine in spine_cohort() for level in spine.targets]
    fractures = [spine.spec.fractures.get(level) for spine, level in targets]
    losses = np.array([fracture.loss for fracture in fractures if fracture])
    assert len(losses) / len(targets) == pytest.approx(0.6, abs=0.08)
    assert losses.min() < 0.05
    assert losses.max() > 0.55
    assert losses.mean() == pytest.approx(0.3, abs=0.05)
    kinds = [fracture.kind for fracture in fractures if fracture]
    assert min(kinds.count(kind) for kind in set(kinds)) > len(kinds) / 5
    assert len(set(kinds)) == 3


def test_half_of_the_spines_are_fine_and_every_class_occurs():
    classes = [spacing_class(spine.spec.spacing) for spine in FIRST_SPINES]
    assert classes.count(FINE) == len(classes) / 2
    assert set(classes) == set(CLASSES)
    assert (1.0, 1.0, 3.0) in {spine.spec.spacing for spine in FIRST_SPINES}


@pytest.mark.parametrize(
    ("spacing", "name"), [((1.0,), FINE), ((0.7, 2.0), MIDDLE), ((1.0, 1.0, 3.0), COARSE)]
)
def test_a_voxel_is_as_coarse_as_its_longest_edge(spacing, name):
    assert spacing_class(spacing) == name


def test_no_person_is_drawn_in_training_or_twice():
    """Training draws seeds below 2^31."""
    seeds = [spine.spec.seed for spine in FIRST_SPINES]
    assert min(seeds) >= FIRST_SEED > 2**31
    assert len(set(seeds)) == len(seeds)


def test_a_spine_is_the_same_again_and_in_another_process():
    first, again = spine_cohort(3, vertebrae=(4, 5))[2], FIRST_SPINES[2]
    assert repr(first.spec) == repr(again.spec)
    assert pickle.loads(pickle.dumps(first)) == first
    assert set(first.targets) <= set(first.spec.levels)
    assert 4 <= len(first.spec.levels) <= 5


def test_the_same_person_without_fractures():
    whole = replace_fractures(cohorts.SPEC, {})
    assert whole.fractures == {}
    assert whole.seed == cohorts.SPEC.seed
    assert whole.levels == cohorts.SPEC.levels
