"""The soft-tissue table: plain tissue passes, a smear does not, refusals are counted."""

import json

import numpy as np
import pytest

import joints
from lamella.evaluation import bone_finder, reader, soft_tissue, told_apart
from lamella.evaluation.revealed import cut_and_inpainted
from lamella.evaluation.soft_tissue import RowFindings, compare
from lamella.physics.formation import intensity
from lamella.records import LamellaError


def bare(joint):
    """Tissue of a phantom without any bone, with noise of its own."""
    noise = np.random.default_rng(5).normal(0, 0.01, joint.intensity.shape)
    return (joint.soft_absorbance + noise).astype(np.float32)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    phantoms = [joints.phantom(jsw_mm=1.0, seed=seed) for seed in range(5)]
    loaded = []
    known = {}
    for number, phantom in enumerate(phantoms):
        soft = bare(phantom)
        one = joints.loaded(phantom, f"{number:05d}_R_2")
        with_bones = intensity(soft + np.sum(list(phantom.bone_absorbance.values()), axis=0))
        object.__setattr__(one, "pixels", np.asarray(with_bones, np.float32))
        known[float(one.pixels.mean())] = soft
        loaded.append(one)

    def truth(radiograph, masks):
        return known[float(radiograph.pixels.mean())]

    def refuses(radiograph, masks):
        raise LamellaError("expected nothing")

    rows = {"truth": truth, "cut": cut_and_inpainted, "refuses": refuses}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(told_apart, "TREES", 20)
        patch.setattr(reader, "RESAMPLES", 30)
        patch.setattr(bone_finder, "WINDOWS", 10)
        out = tmp_path_factory.mktemp("results")
        table = compare(rows, loaded, out)
    return table, json.loads((out / "soft_tissue.json").read_text())["rows"]


def test_true_tissue_passes_every_figure(outcome):
    truth = outcome[1]["truth"]
    for name in (*soft_tissue.CONTOUR_RATIOS, "middle", "fine"):
        assert truth["ratios"][name]["mean"] == pytest.approx(1.0, abs=0.15)
    assert truth["found"]["former bone"]["auc"] < 0.75


def test_a_cut_out_bone_passes_none(outcome):
    cut, truth = outcome[1]["cut"], outcome[1]["truth"]
    assert cut["ratios"]["energy"]["mean"] > 1.5
    assert cut["ratios"]["fine"]["mean"] < 0.5
    assert cut["relief"]["relief"]["mean"] > 3 * truth["relief"]["relief"]["mean"]
    assert cut["found"]["former bone"]["auc"] > 0.95


def test_refusals_are_counted_and_said(outcome):
    table, rows = outcome
    assert rows["refuses"]["joints"] == 0
    assert rows["refuses"]["refused"] == ["expected nothing"] * 5
    assert "Refused: {'refuses': 5}" in table


def test_a_ratio_and_its_inverse_have_inverse_means():
    found = [
        RowFindings(figures=[{"energy": one} for one in (2.0, 0.5, power)]) for power in (4.0, 0.25)
    ]
    assert found[0].ratio("energy").mean == pytest.approx(1 / found[1].ratio("energy").mean)
    assert RowFindings(figures=[{"energy": float("nan")}]).values("energy").size == 0
