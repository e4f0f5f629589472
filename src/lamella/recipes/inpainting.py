"""Recipe: learned inpainting on BLS-GAN's pools, batches, steps and rates, to compare with it.

``lamella train inpainting --recipe cpu``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from lamella.methods.bls_gan.networks import Bones
from lamella.methods.inpainting.networks import (
    CRITIC_WIDTHS,
    WIDTHS,
    InpaintingNetwork,
    PatchCritic,
)
from lamella.methods.inpainting.objective import (
    BoneBatch,
    Completed,
    Losses,
    Pair,
    bones_of,
    completed,
    critic_loss,
    painter_loss,
)
from lamella.physics.formation import intensity
from lamella.recipes import bls_gan
from lamella.recipes.bls_gan import BlsGanRecipe
from lamella.recipes.two_stages import ingredients, shortened
from lamella.records import LamellaError
from lamella.training.adversarial import Contest, Stage, compete
from lamella.training.bls_gan_data import OverlapBatch
from lamella.training.ingredients import Ingredients, judging
from lamella.training.loop import seeded
from lamella.training.processes import is_first
from lamella.training.publish import Release, keep_recipe, plain, release
from lamella.training.variants import layer_psnr, sample_panel

NOT_OF_THE_BUDGET = ("variant", "backbone", "widths")


@dataclass(frozen=True, kw_only=True)
class InpaintingRecipe:
    """Complete configuration of a run.

    Args:
        budget: the recipe it is compared with: its data, pools, batches, steps, rates and pace
            are used, its networks and losses are not.
        widths: channels per level of the network.
        critic_widths: likewise of the critic.
    """

    budget: BlsGanRecipe
    widths: tuple[int, ...] = WIDTHS
    critic_widths: tuple[int, ...] = CRITIC_WIDTHS


def tiny(data: Path) -> InpaintingRecipe:
    """Fifty steps of a very small network: shows that everything works, learns little."""
    return InpaintingRecipe(
        budget=bls_gan.tiny(data), widths=(8, 16, 16, 16), critic_widths=(8, 16)
    )


def cpu(data: Path) -> InpaintingRecipe:
    """Two CPU cores, under an hour."""
    return like(bls_gan.cpu(data))


def full(data: Path) -> InpaintingRecipe:
    """A GPU: wider, with the longer budget."""
    return InpaintingRecipe(
        budget=bls_gan.full(data), widths=(64, 96, 128, 192), critic_widths=(64, 128, 128)
    )


def like(budget: BlsGanRecipe) -> InpaintingRecipe:
    """The network for CPUs on the budget of another method's run."""
    return InpaintingRecipe(budget=budget)


RECIPES: dict[str, Callable[[Path], InpaintingRecipe]] = {"tiny": tiny, "cpu": cpu, "full": full}


class Made(NamedTuple):
    """What the network made of a batch: layer images as they stand, and bone by bone."""

    upper: Tensor
    lower: Tensor
    completed: Completed

    @property
    def layers(self) -> Bones:
        """The layer images by bone."""
        return Bones(self.upper, self.lower)


def train(data: Path, out: Path, steps: int | None = None, *, recipe: str = "cpu") -> Path:
    """Train, or go on training, and write ``inpainting.onnx`` and its card to ``out``.

    Args:
        data: folder with ``train.json``.
        out: folder of the run.
        steps: of both stages together, instead of the recipe's.
        recipe: ``tiny``, ``cpu`` or ``full``.

    Raises:
        LamellaError: no such recipe.
    """
    if recipe not in RECIPES:
        raise LamellaError(f"expected one of {', '.join(RECIPES)}, got {recipe!r}: choose one")
    chosen = RECIPES[recipe](data)
    if steps is not None:
        chosen = replace(chosen, budget=shortened(chosen.budget, steps))
    return run(chosen, ingredients(chosen.budget, out / "pool"), out)


def run(recipe: InpaintingRecipe, learns_from: Ingredients, out: Path) -> Path:
    """Train and write the release; returns the card's path.

    Args:
        recipe: what and how.
        learns_from: pools.
        out: folder of the run; ``recipe.json`` is written there.
    """
    keep_recipe(told(recipe), out)
    contest = contest_of(recipe, learns_from)
    network = compete(contest, out)
    if is_first():
        release(network, out, _release(recipe, contest.validate(network)))
    return out / "inpainting.json"


def contest_of(recipe: InpaintingRecipe, learns_from: Ingredients) -> Contest:
    """Networks, stages and judge of a recipe."""
    pool, at = judging(learns_from)
    pace = recipe.budget.pace
    return Contest(
        generator=seeded(partial(InpaintingNetwork, recipe.widths), pace.seed),
        supervisor=seeded(partial(PatchCritic, recipe.critic_widths), pace.seed),
        make=made_by,
        stages=tuple(stages(recipe, learns_from)),
        validate=layer_psnr(pool, at, made_by),
        watched="layer_psnr",
        panels=sample_panel(pool, at, made_by),
        pace=pace,
    )


def stages(recipe: InpaintingRecipe, learns_from: Ingredients) -> Iterable[Stage]:
    """The stages of the budget, with what inpainting minimises."""
    for stage in bls_gan.stages(recipe.budget, learns_from):
        yield replace(
            stage, generator_objective=_painter_objective, supervisor_objective=_critic_objective
        )


def made_by(network: nn.Module, batch: OverlapBatch) -> Made:
    """Complete both bones of every joint of a batch."""
    made = completed(network, bones_in(batch))
    return Made(*Pair.as_they_stand(made.image), made)


def bones_in(batch: OverlapBatch) -> BoneBatch:
    """The bones of a batch of overlaps; a true layer image is ``1 - exp(-(a_soft + a_i))``."""
    lower = batch.absorbance - batch.true_soft - batch.true_upper
    truth = Pair(*(intensity(batch.true_soft + bone) for bone in (batch.true_upper, lower)))
    masks = Pair(batch.upper_mask, batch.lower_mask)
    return bones_of(intensity(batch.absorbance), masks, truth, batch.known)


def told(recipe: InpaintingRecipe) -> dict[str, Any]:
    """The recipe as plain values, without what its budget says of other networks."""
    budget = {
        name: value for name, value in plain(recipe.budget).items() if name not in NOT_OF_THE_BUDGET
    }
    return budget | {"widths": list(recipe.widths), "critic_widths": list(recipe.critic_widths)}


def _painter_objective(made: Made, critic: nn.Module | None, _: OverlapBatch) -> Losses:
    return painter_loss(made.completed, critic)


def _critic_objective(critic: nn.Module, made: Made, _: OverlapBatch) -> Losses:
    return critic_loss(critic, made.completed)


def _release(recipe: InpaintingRecipe, held_out: dict[str, float]) -> Release:
    return Release(
        name="inpainting",
        purpose="layer image of a bone painted where another bone hides it",
        recipe=told(recipe),
        outputs=("layer",),
        channels=3,
        held_out=held_out,
        extra={"kind": "inpainting"},
    )
