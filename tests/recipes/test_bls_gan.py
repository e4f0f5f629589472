"""The recipe of BLS-GAN and its variants, end to end on a handful of phantoms."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import goldens
from lamella.methods.bls_gan.networks import BlsGan, Supervisor
from lamella.methods.shares.networks import SharesNetwork, SharesOf
from lamella.recipes import bls_gan
from lamella.recipes.bls_gan import (
    RECIPES,
    VARIANTS,
    BlsGanRecipe,
    contest_of,
    generator,
    run,
    stages,
    tiny,
    train,
)
from lamella.recipes.two_stages import ingredients, shortened
from lamella.records import LamellaError
from lamella.training import ingredients as training_ingredients
from lamella.training.bls_gan_data import Drawer
from lamella.training.export import load_weights
from lamella.training.overlaps import NOBODY
from lamella.training.publish import plain

TOLERANCE = 1e-3
"""Other instruction sets, and no oneDNN, change a loss by less than 1e-5 of itself."""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return goldens.write_data(tmp_path_factory.mktemp("mcp"))


@pytest.fixture(scope="module")
def published(data, tmp_path_factory) -> Path:
    """The card of the tiny recipe's whole run, as published."""
    return train(data, tmp_path_factory.mktemp("run"), recipe="tiny")


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


def test_the_loss_trace_is_the_golden_one(published):
    """Fifty steps in 32-bit; see :mod:`goldens` for how the trace is written anew."""
    found, golden = goldens.trace(published.parent), goldens.load()
    assert list(found) == list(golden) == list(range(5, 51, 5))
    for step, losses in golden.items():
        assert found[step] == pytest.approx(losses, rel=TOLERANCE), f"step {step}"


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_writes_weights_their_card_and_the_recipe(trained, data, variant):
    path = trained(variant)
    card = json.loads(path.read_text())
    exact = VARIANTS[variant].exact
    assert path.name == f"{variant}.json"
    assert card["kind"] == ("shares" if exact else "bls-gan")
    assert card["outputs"] == (["shares"] if exact else ["layers", "k"])
    assert card["recipe"] == json.loads((path.parent / "recipe.json").read_text())
    assert card["recipe"]["variant"] == variant
    assert card["recipe"]["data"] == f"{data.name}/train.json"
    steps = card["recipe"]["pretraining_steps"] + card["recipe"]["main_steps"]
    assert steps == (50 if variant == "as-published" else 4)
    (held_out,) = card["metrics"].values()
    assert 5 < held_out["layer_psnr"] < 60
    assert (path.parent / "last.ckpt").is_file()


def outputs_of(path: Path, seen: torch.Tensor) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path.with_suffix(".onnx"))
    return session.run(None, {"input": seen.numpy()})


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_shipped_file_and_its_weights_in_the_network_say_the_same(trained, data, variant):
    path = trained(variant)
    network = generator(replace(tiny(data), variant=variant))
    seen = torch.rand(2, 4 if VARIANTS[variant].exact else 3, 48, 64)
    with torch.no_grad():
        before = network(seen)
        after = load_weights(network, path.with_suffix(".onnx"))(seen)
    before, after = (out if isinstance(out, tuple) else (out,) for out in (before, after))
    found = outputs_of(path, seen)
    assert np.abs(found[0] - before[0].numpy()).max() > 1e-3
    for one, two in zip(found, after, strict=True):
        np.testing.assert_allclose(one, two.numpy(), atol=1e-5)
    if variant == "without-k":
        np.testing.assert_array_equal(found[1], 1.0)


def test_training_again_in_the_same_folder_goes_on_and_changes_nothing(trained, data):
    path = trained("exact")
    before = path.with_suffix(".onnx").read_bytes()
    again = train(data, path.parent, 4, recipe="tiny", variant="exact")
    assert again.with_suffix(".onnx").read_bytes() == before


class StoppedError(Exception):
    """Someone pulled the plug."""


def test_a_run_that_stopped_between_chunks_goes_on_to_the_same_weights(
    trained, data, tmp_path, monkeypatch
):
    """Stopped at the main stage of a run of four steps: the two of pre-training were kept."""
    whole = trained("exact")
    shutil.copytree(whole.parent / "pool", tmp_path / "pool")
    real = Drawer.__call__

    def stops(drawer, rng):
        if drawer.drawing.real_fraction:
            raise StoppedError
        return real(drawer, rng)

    with monkeypatch.context() as patch:
        patch.setattr(Drawer, "__call__", stops)
        with pytest.raises(StoppedError):
            train(data, tmp_path, 4, recipe="tiny", variant="exact")
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["standing"]["step"] == 2
    again = train(data, tmp_path, 4, recipe="tiny", variant="exact")
    assert again.with_suffix(".onnx").read_bytes() == whole.with_suffix(".onnx").read_bytes()


def test_another_variant_is_not_trained_on_top(trained, data, tmp_path):
    shutil.copytree(trained("without-k").parent, tmp_path, dirs_exist_ok=True)
    with pytest.raises(LamellaError, match="holds a run of another recipe"):
        train(data, tmp_path, 4, recipe="tiny", variant="as-published")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"recipe": "huge"}, r"expected one of tiny, cpu, full, got 'huge'"),
        ({"variant": "best"}, r"expected one of as-published, .*exact.*, got 'best'"),
    ],
)
def test_unknown_names_are_refused_before_anything_is_written(data, tmp_path, given, message):
    with pytest.raises(LamellaError, match=message):
        train(data, tmp_path / "run", 4, **({"recipe": "tiny"} | given))
    assert not (tmp_path / "run").exists()


# --- what a recipe means -----------------------------------------------------------------------


@pytest.mark.parametrize("steps", [2, 4, 7, 100, 5000])
@pytest.mark.parametrize("name", RECIPES)
def test_fewer_steps_are_shared_out_in_proportion(name, steps):
    whole = RECIPES[name](Path("data"))
    short = shortened(whole, steps)
    assert short.pretraining_steps + short.main_steps == steps
    ratio = whole.main_steps / (whole.pretraining_steps + whole.main_steps)
    assert abs(short.main_steps - ratio * steps) <= max(0.5, 1 - ratio * steps)
    assert short.main_steps >= 1
    assert short.pretraining_steps >= 1


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_complete_and_plain(name):
    recipe = RECIPES[name](Path("/somewhere/mcp"))
    entries = json.loads(json.dumps(plain(recipe)))
    assert entries["data"] == "mcp/train.json"
    assert entries["pace"]["seed"] == recipe.pace.seed
    assert entries["amounts"]["seed"] == recipe.amounts.seed


@pytest.fixture(scope="module")
def learns_from(data, published):
    return ingredients(tiny(data), published.parent / "pool")


@pytest.mark.parametrize("variant", VARIANTS)
def test_stages_and_networks_of_every_variant(data, learns_from, variant):
    """All have the same number of steps; the first stage sees known layers alone."""
    recipe = replace(tiny(data), variant=variant)
    about = VARIANTS[variant]
    made = list(stages(recipe, learns_from))
    assert [stage.name for stage in made] == ["pre-training", "main"][not about.with_pretraining :]
    assert sum(stage.steps for stage in made) == 50
    for stage in made:
        known = stage.batches(np.random.default_rng(0)).known.tolist()
        assert known == ([1.0, 1.0] if stage.name == "pre-training" else [1.0, 0.0])
    contest = contest_of(recipe, learns_from)
    assert isinstance(contest.generator, SharesNetwork if about.exact else BlsGan)
    assert (contest.supervisor is not None) is about.with_adversary
    if not about.exact:
        assert (contest.generator.reconstructor is not None) is about.with_k


def test_variants_start_from_the_same_weights_and_batches(data, learns_from):
    """An ablation differs in what it ablates alone."""
    contests = [
        contest_of(replace(tiny(data), variant=variant), learns_from)
        for variant in ("as-published", "without-k", "as-published")
    ]
    states = [contest.generator.generator.state_dict() for contest in contests]
    judges = [contest.supervisor.state_dict() for contest in contests]
    for name, weight in states[0].items():
        assert torch.equal(weight, states[2][name])
        assert torch.equal(weight, states[1][name])
    assert all(torch.equal(weight, judges[1][name]) for name, weight in judges[0].items())
    batches = [contest.stages[0].batches(np.random.default_rng(5)) for contest in contests]
    assert torch.equal(batches[0].absorbance, batches[1].absorbance)


def test_any_backbone_serves_both_variants(data):
    small = replace(tiny(data), backbone="unet")
    assert isinstance(generator(replace(small, variant="exact")), SharesOf)
    network = generator(small)
    assert isinstance(network, BlsGan)
    assert sum(weight.numel() for weight in network.parameters()) > 1e6


def test_the_selecting_joints_do_not_train_and_alone_judge(data, learns_from, monkeypatch):
    """By the samples that every drawer may draw and by those the judge is given."""
    material, training = learns_from.materials[0]
    _, selecting = learns_from.judged
    assert not training & selecting
    drawers, judges = [], []
    real = bls_gan.layer_psnr

    def drawer(**fields):
        drawers.append(Drawer(**fields))
        return drawers[-1]

    def judge(pool, at, make):
        judges.append((pool, at))
        return real(pool, at, make)

    monkeypatch.setattr(training_ingredients, "Drawer", drawer)
    monkeypatch.setattr(bls_gan, "layer_psnr", judge)
    contest_of(tiny(data), learns_from)
    for made in drawers:
        for pool, at in ((made.closed, made.closed_at), (made.real, made.real_at)):
            assert set(pool.joints[at].ravel().tolist()) <= training | {NOBODY}
            assert len(at)
    ((pool, at),) = judges
    assert set(pool.joints[at].ravel().tolist()) <= selecting
    assert pool is material.judged


def test_a_run_can_start_from_other_weights(data, learns_from, published, tmp_path, monkeypatch):
    started: list[BlsGan] = []

    def compete(contest, _):
        started.append(contest.generator)
        return contest.generator.eval()

    monkeypatch.setattr(bls_gan, "compete", compete)
    recipe: BlsGanRecipe = tiny(data)
    with torch.no_grad():
        run(recipe, learns_from, tmp_path, start=published.with_suffix(".onnx"))
    expected = load_weights(generator(recipe), published.with_suffix(".onnx")).state_dict()
    assert all(
        torch.equal(weight, expected[name]) for name, weight in started[0].state_dict().items()
    )


def test_the_supervisor_judges_the_sizes_that_are_drawn():
    for recipe in RECIPES.values():
        rows, cols = recipe(Path("data")).crop_px
        with torch.no_grad():
            assert Supervisor()(torch.zeros(1, 2, rows, cols)).place.upper.shape == (1, rows, cols)
