"""Realism: same sets have no distance, other ones have; tables hold every row."""

import json
from dataclasses import replace

import numpy as np
import pytest

import joints
from lamella.evaluation import reader, realism, told_apart
from lamella.evaluation.realism import SUSPECTS, VIEWINGS, is_strong, judge, kernel_finding
from lamella.evaluation.realism_pairs import RealismPair, View, rounded
from lamella.evaluation.told_apart import Told
from lamella.records import BoneMasks, LamellaError


def channels(shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, 1.0, (40, 12))


def test_joints_of_the_same_kind_lie_within_the_real_ones(monkeypatch):
    monkeypatch.setattr(realism, "SPLITS", 100)
    real = channels()
    same = kernel_finding(real, real + 0.05 * channels(seed=1))
    other = kernel_finding(real, real + 2.0)
    assert same.is_within
    assert abs(same.real) < same.bound
    assert not other.is_within
    assert other.percentile == 100.0


def test_strong_means_every_control():
    def told(auc):
        return Told(auc=auc, interval=(0.0, 1.0), pictures=2, tells={})

    assert is_strong({"synthetic": told(0.5), "published": told(0.95), "blurred": told(0.9)})
    assert not is_strong({"synthetic": told(0.99), "published": told(0.95), "blurred": told(0.8)})


@pytest.fixture(scope="module")
def pairs():
    """Two noise draws of the same joint are a pair nobody can tell; one control is blank."""
    made = []
    for number in range(10):
        views = []
        phantom = joints.coarse_phantom(jsw_mm=1.0, seed=number % 2)
        for noise_seed in (1, 2):
            noise = np.random.default_rng([number, noise_seed]).normal(0, 0.01, (128, 128))
            pixels = rounded(phantom.intensity + noise.astype(np.float32), joints.GREY)
            views.append(View(pixels=pixels, masks=BoneMasks(masks=phantom.masks)))
        coarse = rounded(np.repeat(views[0].pixels[:, ::2], 2, axis=1), joints.GREY)
        made.append(
            RealismPair(
                joint=str(number),
                real=views[0],
                synthetic=views[1],
                published=replace(views[0], pixels=coarse),
                blurred=replace(views[0], pixels=coarse.T.copy()),
            )
        )
    return made


def test_every_row_is_judged_at_both_viewings(pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(told_apart, "TREES", 20)
    monkeypatch.setattr(reader, "RESAMPLES", 50)
    monkeypatch.setattr(realism, "SPLITS", 30)
    table = judge(pairs, tmp_path)
    result = json.loads((tmp_path / "realism.json").read_text())
    assert set(result["classifier"]) == set(VIEWINGS)
    files = result["classifier"]["files"]
    assert files["published"]["auc"] > 0.9
    assert files["synthetic"]["auc"] < 0.8
    assert set(result["kernel"]) == set(SUSPECTS)
    assert all(name in table for name in SUSPECTS.values())


def test_too_few_joints_are_refused(pairs, tmp_path):
    with pytest.raises(LamellaError, match="expected 10 joints or more that can be moved, got 3"):
        judge(pairs[:3], tmp_path)
