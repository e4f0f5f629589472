"""The recipe of the inpainting network, end to end on a handful of phantoms."""

import json
from dataclasses import fields, replace

import numpy as np
import onnxruntime
import pytest
import torch

from lamella.methods.inpainting.infer import PX_MULTIPLE, complete
from lamella.methods.inpainting.networks import InpaintingNetwork
from lamella.recipes import bls_gan, inpainting
from lamella.recipes.bls_gan import Ingredients, shortened
from lamella.records import LamellaError
from lamella.training.bls_gan_data import whole_batch

STEPS = 4


@pytest.fixture(scope="module")
def recipe(data) -> inpainting.InpaintingRecipe:
    made = inpainting.tiny(data)
    return replace(made, budget=shortened(made.budget, STEPS))


@pytest.fixture(scope="module")
def learns_from(recipe, tmp_path_factory) -> Ingredients:
    return bls_gan.ingredients(recipe.budget, tmp_path_factory.mktemp("pool"))


@pytest.fixture(scope="module")
def trained(recipe, learns_from, tmp_path_factory):
    """The card of a run of a few steps."""
    return inpainting.run(recipe, learns_from, tmp_path_factory.mktemp("run"))


def test_training_writes_weights_and_their_card(trained, data):
    card = json.loads(trained.read_text())
    assert trained.name == "inpainting.json"
    assert (card["kind"], card["outputs"]) == ("inpainting", ["layer"])
    assert card["recipe"]["data"] == f"{data.name}/train.json"
    assert card["recipe"]["pretraining_steps"] + card["recipe"]["main_steps"] == STEPS
    assert card["recipe"]["widths"] == [8, 16, 16, 16]
    assert not {"variant", "backbone"} & set(card["recipe"])
    (held_out,) = card["metrics"].values()
    assert 5 < held_out["layer_psnr"] < 60
    assert json.loads((trained.parent / "recipe.json").read_text()) == card["recipe"]


def test_the_released_network_is_judged_by_what_inference_makes_of_it(trained, learns_from):
    """PSNR through ONNX and the inference of users, sample by sample, equals the card's."""
    session = onnxruntime.InferenceSession(trained.with_suffix(".onnx"))
    pool, selecting = learns_from.judged[0].judged, learns_from.judged[1]
    errors = []
    for number in pool.of_joints(selecting):
        batch = whole_batch(pool, np.array([number]))
        masks = [mask[0].numpy() > 0 for mask in (batch.upper_mask, batch.lower_mask)]
        joint = 1 - np.exp(-batch.absorbance[0].numpy())
        layers = complete(joint, masks, lambda seen: session.run(None, {"input": seen})[0])
        lower = batch.absorbance - batch.true_soft - batch.true_upper
        inside = batch.overlap[0].numpy() > 0
        for layer, bone in zip(layers, (batch.true_upper, lower), strict=True):
            true = 1 - np.exp(-(batch.true_soft + bone)[0].numpy())
            errors.append(np.square(layer - true)[inside].mean())
    (held_out,) = json.loads(trained.read_text())["metrics"].values()
    assert -10 * np.log10(np.mean(errors)) == pytest.approx(held_out["layer_psnr"], abs=0.1)


def test_training_again_goes_on_and_changes_nothing(trained, recipe, learns_from):
    before = trained.with_suffix(".onnx").read_bytes()
    again = inpainting.run(recipe, learns_from, trained.parent)
    assert again.with_suffix(".onnx").read_bytes() == before


def test_stages_batches_and_rates_are_those_of_the_other_method(recipe, learns_from):
    ours = list(inpainting.stages(recipe, learns_from))
    theirs = list(bls_gan.stages(recipe.budget, learns_from))
    for one, other in zip(ours, theirs, strict=True):
        own = {"batches", "generator_objective", "supervisor_objective"}
        for name in {field.name for field in fields(one)} - own:
            assert getattr(one, name) == getattr(other, name)
        drawn = [stage.batches(np.random.default_rng(3)) for stage in (one, other)]
        assert all(torch.equal(mine, yours) for mine, yours in zip(*drawn, strict=True))


def test_layers_are_the_joint_outside_the_holes_and_upright(recipe, learns_from):
    contest = inpainting.contest_of(recipe, learns_from)
    batch = contest.stages[-1].batches(np.random.default_rng(0))
    made = contest.make(contest.generator.eval(), batch)
    joint = 1 - torch.exp(-batch.absorbance)
    for layer, mask, other in (
        (made.layers.upper, batch.upper_mask, batch.lower_mask),
        (made.layers.lower, batch.lower_mask, batch.upper_mask),
    ):
        changed = (layer - joint).abs() > 1e-6
        assert (changed & (mask * other > 0)).any()
        assert not (changed & (other == 0)).any()


def test_the_truth_of_a_closed_joint_is_its_layer_image(learns_from):
    pool = learns_from.judged[0].judged
    batch = whole_batch(pool, np.arange(2))
    bones = inpainting.bones_in(batch)
    joints = batch.joints()
    turned = torch.cat([joints.truth.upper, joints.truth.lower.flip(1)])
    torch.testing.assert_close(bones.truth * bones.mask, turned)
    assert torch.equal(bones.known, torch.ones(4))


def test_the_usual_network_fits_every_crop(data):
    recipe = inpainting.cpu(data)
    assert recipe == inpainting.like(bls_gan.cpu(data))
    for make in inpainting.RECIPES.values():
        assert all(length % PX_MULTIPLE == 0 for length in make(data).budget.crop_px)
    assert sum(weight.numel() for weight in InpaintingNetwork().parameters()) < 1.5e6


def test_an_unknown_recipe_is_refused(data, tmp_path):
    with pytest.raises(LamellaError, match="expected one of tiny, cpu, full, got 'huge'"):
        inpainting.train(data, tmp_path, recipe="huge")
