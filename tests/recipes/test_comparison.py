"""The comparison's recipes: one budget for all rows, and folds that leave their joints out."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import goldens
import joints
from lamella.io.datasets import joint_grouped_fold
from lamella.recipes import bls_gan, comparison
from lamella.recipes.comparison import CROSS_FITTED, FOLDS, both_manifests, fold_ingredients
from lamella.training.material import Amounts

FEW = Amounts(closings_per_image=1, exchanges_per_image=0, phantoms=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``train.json`` and ``dev.json`` of phantoms."""
    folder = goldens.write_data(tmp_path_factory.mktemp("mcp"))
    others = {f"1000{k}_R_{k}": [joints.phantom(jsw_mm=1.2, seed=10 + k)] for k in range(3)}
    joints.write_manifest(folder / "dev.json", others)
    return folder


@pytest.fixture
def tiny_recipes(monkeypatch):
    """Every run is the tiny recipe's."""
    monkeypatch.setattr(bls_gan, "cpu", lambda data: replace(bls_gan.tiny(data), amounts=FEW))


def test_every_joint_is_left_out_of_one_fold_and_of_no_other(data, tmp_path):
    recipe = replace(bls_gan.tiny(data), amounts=FEW)
    rows = both_manifests(data)
    for fold in range(FOLDS):
        left_out = {row.joint for row in joint_grouped_fold(rows, fold, FOLDS)[1]}
        made = fold_ingredients(recipe, tmp_path, fold)
        for material, numbers in made.materials:
            trains = {name for name, n in material.joint_numbers.items() if n in numbers}
            assert trains == set(material.joint_numbers) - left_out


@pytest.mark.slow
def test_every_row_is_trained_once_with_the_same_steps(data, tmp_path, tiny_recipes):
    out = comparison.train(data, tmp_path, steps=2)
    names = [*bls_gan.VARIANTS, "inpainting"]
    cards = {name: out / name / f"{name}.json" for name in names}
    steps = set()
    for card in cards.values():
        recipe = json.loads(card.read_text())["recipe"]
        budget = recipe.get("budget", recipe)
        steps.add(budget["pretraining_steps"] + budget["main_steps"])
    assert steps == {2}
    times = {name: card.stat().st_mtime_ns for name, card in cards.items()}
    comparison.train(data, tmp_path, steps=2)
    assert {name: card.stat().st_mtime_ns for name, card in cards.items()} == times


@pytest.mark.slow
def test_a_cross_fit_has_every_row_in_every_fold(data, tmp_path, tiny_recipes, monkeypatch):
    monkeypatch.setattr(comparison, "FOLDS", 2)
    comparison.cross_fit(data, tmp_path, steps=2)
    for fold in range(2):
        for name in CROSS_FITTED:
            assert (tmp_path / f"fold-{fold}" / name / f"{name}.onnx").is_file()
