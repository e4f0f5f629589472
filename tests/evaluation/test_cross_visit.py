"""Cross-visit fidelity on phantoms seen at two visits: the truth wins, nothing loses."""

from dataclasses import replace

import numpy as np
import pytest

import joints
from lamella.evaluation import cross_visit
from lamella.evaluation.baselines import equal_split, no_separation
from lamella.evaluation.cross_visit import (
    Compared,
    by_joint,
    compare,
    cross_fitted,
    same_for_all,
)
from lamella.evaluation.results import load
from lamella.evaluation.rows import Separated, painted
from lamella.evaluation.visit_agreement import VisitAgreement
from lamella.io.datasets import joint_rows
from lamella.records import LamellaError

SEEDS = {"00001_R_2": 3, "00002_L_5": 4}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Two joints, overlapping at one visit and open at the other."""
    visits = {
        name: [
            joints.phantom(jsw_mm=-1.0, seed=seed),
            joints.phantom(jsw_mm=1.6, seed=seed, noise_seed=seed + 50),
        ]
        for name, seed in SEEDS.items()
    }
    return joint_rows(joints.write_manifest(tmp_path_factory.mktemp("mcp") / "dev.json", visits))


def truth_of(joint):
    """A separator that knows the phantom's layers."""
    phantom = joints.phantom(jsw_mm=-1.0, seed=SEEDS[joint])
    layers = tuple(
        (1 - np.exp(-(phantom.soft_absorbance + bone))).astype(np.float32)
        for bone in phantom.bone_absorbance.values()
    )
    return lambda radiograph, masks: Separated(layers=layers, recomposed=radiograph.pixels)


def swapped_truth_of(joint):
    def separator(radiograph, masks):
        found = truth_of(joint)(radiograph, masks)
        return Separated(layers=found.layers[::-1], recomposed=found.recomposed)

    return separator


@pytest.fixture(scope="module")
def outcome(images, tmp_path_factory):
    rows = {
        **same_for_all(
            {"no separation": painted(no_separation), "equal split": painted(equal_split)}
        ),
        "swapped": swapped_truth_of,
        "truth": truth_of,
    }
    out = tmp_path_factory.mktemp("results")
    table = compare(rows, images, out, ours="truth")
    return table, load(out / "cross_visit.json")


def test_the_true_layers_beat_everything_on_every_measure(outcome):
    truth = outcome[1]["rows"]["truth"]["all"]
    for row in (row for name, row in outcome[1]["rows"].items() if name != "truth"):
        assert truth["ncc"]["mean"] > row["all"]["ncc"]["mean"]
        assert truth["gradient_correlation"]["mean"] > row["all"]["gradient_correlation"]["mean"]
        assert truth["mse"]["mean"] < 0.5 * row["all"]["mse"]["mean"]


def test_bias_is_seen_bone_by_bone(outcome):
    rows = outcome[1]["rows"]
    for bone in ("upper", "lower"):
        assert rows["no separation"][bone]["signed_error"]["mean"] > 0.05
        assert abs(rows["truth"][bone]["signed_error"]["mean"]) < 0.03


def test_differences_are_paired_with_our_row(outcome):
    result = outcome[1]
    for name, difference in result["minus_truth"].items():
        expected = result["rows"][name]["all"]["mse"]["mean"]
        expected -= result["rows"]["truth"]["all"]["mse"]["mean"]
        assert difference["all"]["mse"]["mean"] == pytest.approx(expected)
        assert difference["all"]["mse"]["low"] <= expected <= difference["all"]["mse"]["high"]


def test_files_and_table_say_how_many(outcome):
    table, result = outcome
    assert result["pairing"]["joints"] == len(SEEDS)
    assert result["pairing"]["pairs"] == 2 * len(SEEDS)
    assert result["beside the overlap"]["all"]["mse"]["mean"] > 0
    for name in (*result["rows"], "beside the overlap, nothing to separate"):
        assert f"| {name} |" in table
    assert "optimistic" in table


def test_joints_that_were_never_seen_both_ways_are_no_data(manifest, tmp_path):
    with pytest.raises(LamellaError, match="with and without overlap"):
        cross_visit.evaluate(manifest, tmp_path)


def test_our_row_has_to_be_there(images, tmp_path):
    with pytest.raises(LamellaError, match="expected 'Lamella'"):
        compare({"truth": truth_of}, images, tmp_path)


def test_each_joint_is_judged_by_the_separator_of_its_fold():
    first, second = painted(no_separation), painted(equal_split)
    chosen = cross_fitted([first, second], {"00001_R_2": 1, "00002_L_5": 0})
    assert chosen("00001_R_2") is second
    assert chosen("00002_L_5") is first


def test_bones_of_a_joint_are_pooled_or_looked_at_alone():
    found = VisitAgreement(ncc=0.5, gradient_correlation=0.5, mse=0.1, signed_error=0.0, pixels=30)
    parts = [
        Compared(joint=joint, bone=bone, agreement=replace(found, mse=mse))
        for joint, bone, mse in (("b", "upper", 0.1), ("a", "lower", 0.2), ("a", "upper", 0.4))
    ]
    assert list(by_joint(parts)) == ["a", "b"]
    assert by_joint(parts)["a"].mse == pytest.approx(0.3)
    assert by_joint(parts, ("upper",))["a"].mse == pytest.approx(0.4)
    assert list(by_joint(parts, ("lower",))) == ["a"]
