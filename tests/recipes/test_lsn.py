"""The recipe of LSN and its variants, end to end on a handful of phantoms."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from lamella.methods.lsn.networks import LayerNetwork, SoftSharesNetwork
from lamella.methods.shares.networks import SharesNetwork
from lamella.recipes import lsn
from lamella.recipes.lsn import (
    RECIPES,
    VARIANTS,
    contest_of,
    generator,
    of_variant,
    run,
    stages,
    take_fitting,
    tiny,
    train,
)
from lamella.recipes.two_stages import ingredients, shortened
from lamella.records import LamellaError
from lamella.training.export import export_onnx, load_weights
from lamella.training.publish import plain


@pytest.fixture(scope="module")
def published(data, tmp_path_factory) -> Path:
    """The card of four steps as published."""
    return train(data, tmp_path_factory.mktemp("run"), 4, recipe="tiny")


@pytest.fixture(scope="module")
def trained(data, published, tmp_path_factory) -> Callable[[str], Path]:
    """The card of a few steps of any variant on the same pools."""
    cards = {"as-published": published}

    def card(variant: str) -> Path:
        if variant not in cards:
            folder = tmp_path_factory.mktemp(variant)
            shutil.copytree(published.parent / "pool", folder / "pool")
            cards[variant] = train(data, folder, 4, recipe="tiny", variant=variant)
        return cards[variant]

    return card


@pytest.fixture(scope="module")
def learns_from(data, published):
    return ingredients(tiny(data), published.parent / "pool")


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_writes_weights_their_card_and_the_recipe(trained, data, variant):
    path = trained(variant)
    card = json.loads(path.read_text())
    exact = VARIANTS[variant].exact
    assert path.name == ("lsn.json" if exact else f"lsn-{variant}.json")
    assert card["name"] == path.stem
    assert card["kind"] == ("soft-shares" if exact else "lsn")
    assert card["outputs"] == (["shares"] if exact else ["layers"])
    assert card["recipe"] == json.loads((path.parent / "recipe.json").read_text())
    assert card["recipe"]["variant"] == variant
    assert card["recipe"]["data"] == f"{data.name}/train.json"
    (held_out,) = card["metrics"].values()
    assert 3 < held_out["layer_psnr"] < 60
    assert 3 < held_out["soft_psnr"] < 80
    assert (held_out["recomposition_psnr"] > 55) is exact
    assert (path.parent / "last.ckpt").is_file()


@pytest.mark.parametrize("variant", ["as-published", "exact"])
def test_the_shipped_file_and_its_weights_in_the_network_say_the_same(trained, data, variant):
    path = trained(variant).with_suffix(".onnx")
    network = generator(replace(tiny(data), variant=variant))
    seen = torch.rand(2, 4, 48, 64)
    with torch.no_grad():
        before = network(seen).numpy()
        after = load_weights(network, path)(seen).numpy()
    (found,) = onnxruntime.InferenceSession(path).run(None, {"input": seen.numpy()})
    assert np.abs(found - before).max() > 1e-3
    np.testing.assert_allclose(found, after, atol=1e-5)


def test_training_again_in_the_same_folder_goes_on_and_changes_nothing(trained, data):
    path = trained("exact")
    before = path.with_suffix(".onnx").read_bytes()
    again = train(data, path.parent, 4, recipe="tiny", variant="exact")
    assert again.with_suffix(".onnx").read_bytes() == before


def test_another_variant_is_not_trained_on_top(trained, data, tmp_path):
    shutil.copytree(trained("without-shift").parent, tmp_path, dirs_exist_ok=True)
    with pytest.raises(LamellaError, match="holds a run of another recipe"):
        train(data, tmp_path, 4, recipe="tiny")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"recipe": "huge"}, r"expected one of tiny, cpu, full, got 'huge'"),
        ({"variant": "best"}, r"expected one of as-published, exact, .*, got 'best'"),
    ],
)
def test_unknown_names_are_refused_before_anything_is_written(data, tmp_path, given, message):
    with pytest.raises(LamellaError, match=message):
        train(data, tmp_path / "run", 4, **({"recipe": "tiny"} | given))
    assert not (tmp_path / "run").exists()


# --- what a recipe means ------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [2, 4, 7, 100, 5000])
@pytest.mark.parametrize("name", RECIPES)
def test_fewer_steps_are_shared_out_in_proportion(name, steps):
    short = shortened(RECIPES[name](Path("data")), steps)
    assert short.pretraining_steps + short.main_steps == steps
    assert short.main_steps == pytest.approx(steps / 3, abs=1 + steps * 0.07)
    assert min(short.main_steps, short.pretraining_steps) >= 1


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_complete_and_plain(name):
    recipe = RECIPES[name](Path("/somewhere/mcp"))
    entries = json.loads(json.dumps(plain(recipe)))
    assert entries["data"] == "mcp/train.json"
    assert entries["pace"]["seed"] == recipe.pace.seed


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", RECIPES)
def test_only_the_exact_variant_of_the_larger_recipes_is_calibrated(name, variant):
    recipe = of_variant(RECIPES[name](Path("data")), variant)
    assert recipe.variant == variant
    assert recipe.calibrated is (variant == "exact" and name != "tiny")


@pytest.mark.parametrize("variant", VARIANTS)
def test_stages_networks_and_critics_of_every_variant(data, learns_from, variant):
    """All have the same number of steps; the first stage sees known layers alone."""
    recipe, about = replace(tiny(data), variant=variant), VARIANTS[variant]
    made = list(stages(recipe, learns_from))
    assert [stage.name for stage in made] == ["pre-training", "main"][not about.with_pretraining :]
    assert sum(stage.steps for stage in made) == 40
    for stage in made:
        batch = stage.batches(np.random.default_rng(0))
        pretraining = stage.name == "pre-training"
        assert batch.overlaps.known.tolist() == ([1.0, 1.0] if pretraining else [1.0, 0.0])
        assert len(batch.draws) == about.with_shift
        if about.with_shift:
            whole = batch.draws[0].upper.down_px
            assert bool((whole == whole.round()).all()) is not about.exact
    contest = contest_of(recipe, learns_from)
    assert isinstance(contest.generator, SoftSharesNetwork if about.exact else LayerNetwork)
    assert (contest.supervisor is not None) is about.with_segmenter
    if contest.supervisor is not None:
        assert (contest.supervisor.shadow_finder is not None) is about.with_adversary


def test_the_ablations_add_one_thing_at_a_time():
    def has(variant: str) -> tuple[bool, ...]:
        about = VARIANTS[variant]
        return (about.with_shift, about.with_adversary, about.with_pretraining)

    assert has("reconstruction") == (False, False, False)
    assert has("reconstruction-shift") == (True, False, False)
    assert has("reconstruction-shift-adversary") == (True, True, False)
    assert has("without-shift") == (False, True, True)
    assert has("as-published") == (True, True, True)


def test_variants_start_from_the_same_weights_and_joints(data, learns_from):
    """An ablation differs in what it ablates alone."""
    contests = [
        contest_of(replace(tiny(data), variant=variant), learns_from)
        for variant in ("as-published", "without-shift", "reconstruction")
    ]
    states = [contest.generator.state_dict() for contest in contests]
    for other in states[1:]:
        assert all(torch.equal(weight, other[name]) for name, weight in states[0].items())
    batches = [contest.stages[0].batches(np.random.default_rng(5)) for contest in contests[:2]]
    assert torch.equal(batches[0].overlaps.absorbance, batches[1].overlaps.absorbance)


def test_any_backbone_serves_the_published_variant(data):
    network = generator(replace(tiny(data), backbone="unet"))
    assert sum(weight.numel() for weight in network.parameters()) > 1e6


def test_weights_of_the_share_network_start_the_exact_one(tmp_path):
    """All but the head of the soft tissue, which has another shape."""
    other, path = SharesNetwork((8, 16, 24, 24)), tmp_path / "shares.onnx"
    with torch.no_grad():  # equal weights would share one entry of the file
        for weight in other.parameters():
            weight.add_(torch.randn_like(weight))
    export_onnx(other, path, 4, ("shares",))
    network = SoftSharesNetwork((8, 16, 24, 24))
    assert take_fitting(network, path) >= len(network.state_dict()) - 2
    assert torch.equal(network.share.weight, other.share.weight)
    assert torch.equal(network.unet.stem[0].weight, other.unet.stem[0].weight)
    assert network.soft.weight.abs().max() == 0


def test_a_run_that_started_from_other_weights_says_so(
    data, learns_from, trained, tmp_path, monkeypatch
):
    start = trained("exact").with_suffix(".onnx")
    begun = []

    def compete(contest, _):
        begun.append(contest.generator.state_dict()["share.weight"].clone())
        return contest.generator.eval()

    monkeypatch.setattr(lsn, "compete", compete)
    with torch.no_grad():
        card = run(replace(tiny(data), variant="exact"), learns_from, tmp_path, start=start)
    expected = load_weights(generator(replace(tiny(data), variant="exact")), start)
    assert torch.equal(begun[0], expected.state_dict()["share.weight"])
    sha = json.loads(trained("exact").read_text())["sha256"]
    assert json.loads(card.read_text())["started_from_sha256"] == sha
