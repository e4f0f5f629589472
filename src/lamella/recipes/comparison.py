"""Recipe: every learned row of the comparison on one budget, and the networks of its cross-fit.

``lamella train comparison`` trains all variants of BLS-GAN and the inpainting network with the
same steps and batches; ``lamella train cross-fit`` the rows of the cross-visit test in five
folds over ``train.json`` and ``dev.json`` together, each joint left out once. What is finished
is skipped, what was interrupted goes on.
"""

from dataclasses import replace
from pathlib import Path

from lamella.io.datasets import JointRow, joint_grouped_fold, joint_rows
from lamella.recipes import bls_gan, inpainting
from lamella.recipes.bls_gan import BlsGanRecipe
from lamella.recipes.inpainting import InpaintingRecipe
from lamella.recipes.two_stages import ingredients, shortened
from lamella.training.ingredients import Ingredients
from lamella.training.material import Material

ABLATION_STEPS = 450
CROSS_FIT_STEPS = 450
FOLDS = 5
CROSS_FITTED = ("as-published", "inpainting", "exact")
"""Rows of the cross-visit test that learn."""


def train(data: Path, out: Path, steps: int | None = None) -> Path:
    """Train every learned row of the comparison on the same budget; returns ``out``.

    Args:
        data: folder with ``train.json``.
        out: one folder per row is written there.
        steps: of each row, instead of ``ABLATION_STEPS``.
    """
    recipe = budget(data, steps or ABLATION_STEPS)
    learns_from = ingredients(recipe, out / "pool")
    for name in (*bls_gan.VARIANTS, "inpainting"):
        train_row(name, recipe, learns_from, out / name)
    return out


def cross_fit(data: Path, out: Path, steps: int | None = None) -> Path:
    """Train the rows of the cross-visit test in five folds; returns ``out``.

    Args:
        data: folder with ``train.json`` and ``dev.json``.
        out: ``fold-K/ROW/`` is written there.
        steps: of each network, instead of ``CROSS_FIT_STEPS``.
    """
    recipe = budget(data, steps or CROSS_FIT_STEPS)
    for fold in range(FOLDS):
        learns_from = fold_ingredients(recipe, out / "pool", fold)
        for name in CROSS_FITTED:
            train_row(name, recipe, learns_from, out / f"fold-{fold}" / name)
    return out


def budget(data: Path, steps: int) -> BlsGanRecipe:
    """The recipe for two cores with so many steps, of which the last weights count."""
    recipe = shortened(bls_gan.cpu(data), steps)
    return replace(recipe, pace=replace(recipe.pace, patience_chunks=None))


def train_row(name: str, recipe: BlsGanRecipe, learns_from: Ingredients, out: Path) -> Path:
    """Train one row unless its card is there already; returns the card's path."""
    card = out / f"{name}.json"
    if card.exists():
        return card
    if name == "inpainting":
        return inpainting.run(InpaintingRecipe(budget=recipe), learns_from, out)
    return bls_gan.run(replace(recipe, variant=name), learns_from, out)


def fold_ingredients(recipe: BlsGanRecipe, cache: Path, fold: int) -> Ingredients:
    """Pools of both manifests without the joints of one fold.

    Nothing is selected here; the validation that the loop prints is of joints that train.
    """
    rows = both_manifests(recipe.data)
    training, _ = joint_grouped_fold(rows, fold, FOLDS)
    names = {row.joint for row in training}
    phantoms = replace(recipe.amounts, phantoms=0)
    materials = (
        Material(recipe.data / "train.json", cache, recipe.amounts),
        Material(recipe.data / "dev.json", cache, phantoms),
    )
    chosen = tuple((material, material.numbers_of(names)) for material in materials)
    return Ingredients(materials=chosen, judged=chosen[0])


def both_manifests(data: Path) -> list[JointRow]:
    """Rows of ``train.json`` and ``dev.json``, which share no joint."""
    return [row for name in ("train.json", "dev.json") for row in joint_rows(data / name)]
