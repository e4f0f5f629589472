"""The classifier finds a difference, finds none where there is none, and never peeks."""

import numpy as np
import pytest

from lamella.evaluation import reader
from lamella.evaluation import told_apart as module
from lamella.evaluation.told_apart import FOLDS, Lineup, folds_of, told_apart


@pytest.fixture(autouse=True)
def small_forest(monkeypatch):
    monkeypatch.setattr(module, "TREES", 40)
    monkeypatch.setattr(reader, "RESAMPLES", 100)


def lineup(shift, joints=40, seed=0):
    """Two pictures a joint, which share most of what they look like."""
    rng = np.random.default_rng(seed)
    own = rng.normal(0, 1, (joints, 3))
    numbers = np.concatenate([own, own]) + rng.normal(0, 0.3, (2 * joints, 3))
    suspect = np.repeat([True, False], joints)
    numbers[suspect, 1] += shift
    return Lineup(
        names=("a", "tell", "b"),
        numbers=numbers,
        is_suspect=suspect,
        joints=np.tile(np.arange(joints), 2),
    )


def test_a_difference_is_found_and_named():
    told = told_apart(lineup(4.0))
    assert told.auc > 0.95
    assert told.interval[0] > 0.9
    assert next(iter(told.tells)) == "tell"
    assert told.pictures == 80


def test_none_is_found_where_there_is_none():
    areas = [told_apart(lineup(0.0, seed=seed)).auc for seed in range(3)]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.15)


def test_pictures_of_a_joint_share_a_fold_and_all_folds_are_used():
    joints = np.tile(np.arange(12), 3)
    fold = folds_of(joints)
    assert all(len(set(fold[joints == joint])) == 1 for joint in range(12))
    assert set(fold) == set(range(FOLDS))


def test_a_cell_has_area_interval_and_tells():
    told = told_apart(lineup(4.0))
    area, tells = told.cells()
    assert area.startswith(f"{told.auc:.3f} ({told.interval[0]:.3f} to")
    assert tells.startswith("tell (")
    assert told.as_record()["pictures"] == 80
