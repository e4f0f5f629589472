"""The recipe of the deep registration network, end to end on a handful of phantoms."""

import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

from lamella.io.datasets import PUBLISHED_SPACING_MM
from lamella.methods.deep_registration.infer import parameters_of
from lamella.methods.deep_registration.networks import RegistrationNetwork
from lamella.recipes import registration
from lamella.recipes.registration import (
    JUDGED_SEED,
    VARIANTS,
    errors_on,
    own_parameters,
    run,
    tiny,
    train,
)
from lamella.records import LamellaError
from lamella.training.publish import plain
from lamella.training.registration_data import drawn
from lamella.training.registration_visits import VisitMaterial


@pytest.fixture(scope="module")
def material(data, tmp_path_factory) -> VisitMaterial:
    cache = tmp_path_factory.mktemp("registration-pool")
    return VisitMaterial(manifest=data / "train.json", cache=cache, amounts=tiny(data).amounts)


@pytest.fixture(scope="module", params=list(VARIANTS))
def trained(request, data, material, tmp_path_factory):
    """Recipe and card of a run of a few steps."""
    recipe = replace(tiny(data), variant=request.param)
    return recipe, run(recipe, material, tmp_path_factory.mktemp(request.param))


def judged(recipe, material):
    pool, rng = material.held_out(), np.random.default_rng([JUDGED_SEED, recipe.amounts.seed])
    pairs = rng.permutation(pool.known_pairs)[: recipe.judged_pairs]
    return drawn(pool, pairs, VARIANTS[recipe.variant], rng)


class Knows(torch.nn.Module):
    """Says the truth of the pairs it will be judged by, but for an error in t_y of one bone."""

    def __init__(self, pairs, error_px: float, bone: int) -> None:
        super().__init__()
        self.said = pairs.batch().truth.clone()
        self.said[:, 4 * bone + 3] += error_px / 128.0
        self.asked = 0

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        part = self.said[self.asked : self.asked + len(seen)]
        self.asked += len(seen)
        return part


def test_training_writes_weights_and_their_card(trained, data):
    recipe, card_path = trained
    card = json.loads(card_path.read_text())
    assert card_path.name == f"registration-{recipe.variant}.json"
    assert (card["kind"], card["outputs"]) == ("registration", ["parameters"])
    assert card["recipe"] == json.loads(json.dumps(plain(recipe)))
    assert card["recipe"]["data"] == f"{data.name}/train.json"
    (held_out,) = card["metrics"].values()
    assert 0.0 < held_out["jsn_error_sd_mm"] < 3.0
    assert json.loads((card_path.parent / "recipe.json").read_text()) == card["recipe"]


def test_the_card_holds_what_the_exported_network_does(trained, material):
    """Errors through ONNX, on the same pairs, equal the card's."""
    recipe, card_path = trained
    session = onnxruntime.InferenceSession(card_path.with_suffix(".onnx"))

    def network(seen: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run(None, {"input": seen.numpy()})[0])

    (held_out,) = json.loads(card_path.read_text())["metrics"].values()
    found = errors_on(judged(recipe, material), network)
    for name, value in held_out.items():
        assert found[name] == pytest.approx(value, abs=1e-3)


def test_training_again_goes_on_and_changes_nothing(trained, material):
    recipe, card_path = trained
    before = card_path.with_suffix(".onnx").read_bytes()
    again = run(recipe, material, card_path.parent)
    assert again.with_suffix(".onnx").read_bytes() == before


def test_both_stages_change_the_network(trained, data):
    recipe, card_path = trained
    weights = torch.load(card_path.parent / "last.ckpt", weights_only=True)["networks"][0]
    assert weights["head.weight"].abs().max() > 0
    fresh = RegistrationNetwork(recipe.width).state_dict()
    assert set(fresh) == set(weights)


@pytest.mark.parametrize("variant", VARIANTS)
def test_errors_are_millimetres_of_narrowing_with_the_right_sign(data, material, variant):
    """An upper bone said to lie 2 px too far down is 2 px too much narrowing; lower, too little."""
    recipe = replace(tiny(data), variant=variant, judged_pairs=8)
    pairs = judged(recipe, material)
    right = errors_on(pairs, Knows(pairs, 0.0, 0))
    assert abs(right["jsn_error_mean_mm"]) < 1e-4
    assert right["jsn_error_sd_mm"] < 1e-4
    assert right["jsn_slope"] == pytest.approx(1.0, abs=1e-3)
    assert right["angle_error_sd_deg"] < 1e-3
    for bone, sign in ((0, 1.0), (1, -1.0)):
        wrong = errors_on(pairs, Knows(pairs, 2.0, bone))
        expected_mm = sign * 2.0 * PUBLISHED_SPACING_MM
        assert wrong["jsn_error_mean_mm"] == pytest.approx(expected_mm, rel=0.05)


def test_no_motion_said_is_a_slope_of_zero_and_the_spread_of_the_truth(data, material):
    pairs = judged(replace(tiny(data), judged_pairs=8), material)
    still = errors_on(pairs, lambda seen: torch.zeros(len(seen), 8))
    assert still["jsn_slope"] == pytest.approx(0.0, abs=1e-9)
    assert still["jsn_error_sd_mm"] == pytest.approx(still["jsn_true_sd_mm"])


def test_with_layers_each_bone_is_read_off_its_own_input():
    said = np.arange(32.0).reshape(4, 8)
    np.testing.assert_array_equal(
        own_parameters(said, 2), [[said[0, :4], said[1, 4:]], [said[2, :4], said[3, 4:]]]
    )
    np.testing.assert_array_equal(own_parameters(said, 1)[3], said[3].reshape(2, 4))


def test_the_full_recipe_is_the_published_one(data):
    full = registration.full(data)
    assert (full.width, full.batch, full.learning_rates) == (1.0, 48, (1e-4, 1e-5))
    assert full.main_steps > full.pretraining_steps


def test_truth_in_a_batch_is_the_motions_parameters(data, material):
    pairs = judged(tiny(data), material)
    truth = pairs.batch().truth.numpy()
    np.testing.assert_allclose(truth[0, :4], parameters_of(pairs.motions[0][0]), atol=1e-6)
    np.testing.assert_allclose(truth[0, 4:], parameters_of(pairs.motions[0][1]), atol=1e-6)


@pytest.mark.parametrize("options", [{"recipe": "huge"}, {"variant": "bones"}])
def test_unknown_names_are_refused(data, tmp_path, options):
    with pytest.raises(LamellaError, match="expected one of"):
        train(data, tmp_path, **options)
