"""The recipe of the segmentation network, end to end on a handful of phantoms."""

import json
from functools import partial

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import joints
from lamella.methods.bones.networks import BonesNetwork, BonesOutput
from lamella.prepare.grid import NETWORK_SPACING_MM
from lamella.recipes import bones
from lamella.recipes.bones import BonesRecipe, bones_job, mean_dice
from lamella.training.export import load_weights
from lamella.training.loop import Schedule

WIDTHS = (8, 8, 8, 8)
TINY = partial(
    BonesRecipe, phantom_count=1, poses_per_joint=0, closings_per_joint=2, batch=4, widths=WIDTHS
)
FIGURES = {
    "upper_dice",
    "lower_dice",
    "joint_right",
    "thumb_right",
    "jsw_mean_difference_mm",
    "jsw_sd_of_difference_mm",
}


@pytest.fixture
def trained(data, tmp_path, monkeypatch):
    """The card of a run of two steps."""
    monkeypatch.setattr(bones, "BonesRecipe", TINY)
    return bones.train(data, tmp_path, steps=2)


def test_training_writes_weights_and_their_card(trained, data):
    card = json.loads(trained.read_text())
    assert trained.name == "bones.json"
    assert card["outputs"] == ["masks", "whole"]
    assert card["recipe"]["schedule"]["steps"] == 2
    assert card["recipe"]["data"] == f"{data.name}/train.json"
    (held_out,) = card["metrics"].values()
    assert set(held_out) == FIGURES
    assert all(0 <= value <= 1 for name, value in held_out.items() if "jsw" not in name)
    session = onnxruntime.InferenceSession(trained.with_suffix(".onnx"))
    masks, whole = session.run(None, {"input": np.zeros((1, 1, 64, 64), np.float32)})
    assert masks.shape == (1, 2, 64, 64)
    assert whole.shape == (1, 2)


def test_training_again_in_the_same_folder_goes_on_and_changes_nothing(trained, data):
    before = trained.with_suffix(".onnx").read_bytes()
    again = bones.train(data, trained.parent, steps=2)
    assert again.with_suffix(".onnx").read_bytes() == before
    load_weights(BonesNetwork(WIDTHS), again.with_suffix(".onnx"))


class Knows(nn.Module):
    """Finds exactly what it was told."""

    def __init__(self, joint, upper: np.ndarray, thumb: float) -> None:
        super().__init__()
        masks = np.stack([upper, joint.lower])[None].astype(np.float32)
        self.output = BonesOutput(torch.from_numpy(20 * masks - 10), torch.tensor([[9.0, thumb]]))

    def forward(self, _: torch.Tensor) -> BonesOutput:
        return self.output


def test_mean_dice_by_hand():
    joint = joints.loaded(joints.phantom())
    perfect = mean_dice([joint], Knows(joint, joint.upper, -9.0))
    assert perfect == pytest.approx(
        {name: 0.0 if "jsw" in name else 1.0 for name in FIGURES}, abs=1e-9
    )
    half = joint.upper.copy()
    half[:, :128] = False
    expected = 2 * half.sum() / (half.sum() + joint.upper.sum())
    worse = mean_dice([joint], Knows(joint, half, 9.0))
    assert worse["upper_dice"] == pytest.approx(expected, abs=1e-3)
    assert worse["lower_dice"] == 1.0
    assert worse["thumb_right"] == 0.0


def test_the_judge_knows_a_width_that_is_wrong():
    joint = joints.loaded(joints.phantom())
    raised = np.roll(joint.upper, -5, axis=0)
    judged = mean_dice([joint], Knows(joint, raised, -9.0))
    assert judged["jsw_mean_difference_mm"] == pytest.approx(5 * NETWORK_SPACING_MM, abs=1e-3)


def test_the_judging_joints_do_not_train(data, monkeypatch):
    taken = []
    real = bones.joints_in_memory

    def watched(pixels, masks, is_thumb, others):
        taken.append(len(pixels))
        return real(pixels, masks, is_thumb, others)

    monkeypatch.setattr(bones, "joints_in_memory", watched)
    recipe = TINY(data=data, closings_per_joint=0, schedule=Schedule(steps=1))
    judged = bones_job(recipe).validate.args[0]
    assert {joint.row.joint for joint in judged} == {"00001_R_1"}
    assert taken == [2 + 2 + recipe.phantom_count]
