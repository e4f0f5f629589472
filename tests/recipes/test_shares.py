"""The recipe of the share network, end to end on a handful of phantoms."""

import json
from functools import partial

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from lamella.methods.shares.calibrate import Calibration
from lamella.methods.shares.networks import SharesNetwork
from lamella.methods.shares.objective import shares_loss
from lamella.recipes import shares
from lamella.recipes.shares import (
    SharesRecipe,
    held_out_pool,
    layer_psnr,
    split_joints,
    training_pool,
)
from lamella.training.loop import Schedule
from lamella.training.shares_data import as_batch

WIDTHS = (8, 8, 8, 8)
TINY = partial(SharesRecipe, closings_per_joint=2, phantom_count=2, batch=2, widths=WIDTHS)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """The card of a run of two steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares, "SharesRecipe", TINY)
        return shares.train(data, tmp_path_factory.mktemp("run"), steps=2)


def test_training_writes_weights_and_their_card(trained, data):
    card = json.loads(trained.read_text())
    assert trained.name == "shares.json"
    assert card["recipe"]["schedule"]["steps"] == 2
    assert card["recipe"]["data"] == f"{data.name}/train.json"
    (held_out,) = card["metrics"].values()
    assert 0 < held_out["held_out_psnr"] < 60
    assert (Calibration.of(card["calibration"]).factors > 0).all()
    session = onnxruntime.InferenceSession(trained.with_suffix(".onnx"))
    (output,) = session.run(None, {"input": np.zeros((1, 4, 32, 32), np.float32)})
    assert output.shape == (1, 3, 32, 32)


def test_overlapping_joints_are_left_out_and_the_judging_fifth_is_grouped_by_joint(data):
    training, judging = ({joint.row.joint for joint in part} for part in split_joints(data))
    assert judging == {"00001_R_1"}
    assert training == {"00002_R_2", "00003_R_3"}


@pytest.fixture(scope="module")
def recipe(data) -> SharesRecipe:
    return TINY(data=data, phantom_count=3, schedule=Schedule(steps=1))


@pytest.fixture(scope="module")
def pool_folder(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pool")
    training_pool(recipe, folder)
    return folder


def test_the_pool_is_made_once_and_kept(recipe, pool_folder, monkeypatch):
    def again(*_: object) -> None:
        pytest.fail("made again")

    monkeypatch.setattr(shares, "closed_samples", again)
    monkeypatch.setattr(shares, "phantom_sample", again)
    pool = training_pool(recipe, pool_folder)
    assert 1 < len(pool.maps) == len(pool.overlap) == len(pool.scale)
    assert pool.overlap.any(axis=(1, 2)).all()


def test_the_pool_comes_from_the_recipes_seed_alone(recipe, tmp_path):
    one, two = (held_out_pool(recipe, tmp_path / name) for name in ("one", "two"))
    np.testing.assert_array_equal(one.maps, two.maps)
    np.testing.assert_array_equal(one.scale, two.scale)


def test_layer_psnr_is_that_of_the_mean_error_over_samples(recipe, pool_folder):
    """Sample by sample through the loss: the mean squared errors average, not the decibels."""
    torch.manual_seed(0)
    network = SharesNetwork(WIDTHS)
    nn.init.normal_(network.share.weight, std=0.3)
    pool = training_pool(recipe, pool_folder)
    errors = []
    for number in range(len(pool.maps)):
        part = slice(number, number + 1)
        one = as_batch(pool.maps[part], pool.overlap[part], pool.scale[part])
        with torch.no_grad():
            errors.append(10 ** (-0.1 * float(shares_loss(network, one)[1]["psnr"])))
    expected = -10 * np.log10(np.mean(errors))
    assert layer_psnr(pool, network)["held_out_psnr"] == pytest.approx(expected, abs=0.1)
    assert network.training
