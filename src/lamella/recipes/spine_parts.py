"""What the networks of the recipe ``healthivert`` share: their recipe, their run, their card."""

from dataclasses import dataclass, replace
from pathlib import Path

from lamella.methods.healthivert.networks import folded
from lamella.training.adversarial import Contest, Pace, compete
from lamella.training.processes import is_first
from lamella.training.publish import Release, keep_recipe, plain, release
from lamella.training.spine_material import SpineAmounts, SpineMaterial


@dataclass(frozen=True, kw_only=True)
class SpineRecipe:
    """Complete configuration of the training of one part.

    Args:
        data: folder of a graded cohort or of the healthy scans, or None: phantoms alone.
        variant: of the generators; the classifier has one.
        part: ``classifier``, ``sagittal`` or ``coronal``.
        amounts: of vertebrae.
        width: channels of the generator's finest level, None: the variant's own.
        classifier_steps: optimiser steps.
        generator_steps: likewise, of each generator.
        classifier_batch: slices per step.
        batch: slices per step of a generator.
        classifier_learning_rate: at the peak.
        learning_rate: of a generator, likewise.
        critics_learning_rate: of its critics, where the variant has them.
        real_fraction: of slices of real CTs, where there are, beside phantoms.
        judged_crops: healthy vertebrae that judge a generator.
        pace: how a run goes.
    """

    data: Path | None
    variant: str = "exact"
    part: str = "sagittal"
    amounts: SpineAmounts = SpineAmounts()  # noqa: RUF009
    width: int | None = None
    classifier_steps: int = 1500
    generator_steps: int = 1600
    classifier_batch: int = 32
    batch: int = 8
    classifier_learning_rate: float = 5e-4
    learning_rate: float = 2e-3
    critics_learning_rate: float = 2e-4
    real_fraction: float = 0.08
    judged_crops: int = 12
    pace: Pace = Pace(chunk_steps=400, warmup_steps=60)  # noqa: RUF009


def run_part(
    recipe: SpineRecipe, material: SpineMaterial, contest: Contest, about: Release, out: Path
) -> Path:
    """Train one network and write its release; returns the card's path.

    Args:
        recipe: of the part.
        material: crops.
        contest: of the part.
        about: its card; recipe, licence and held-out metrics are filled in.
        out: folder of the run; ``recipe.json`` is written there.

    Raises:
        LamellaError: the folder holds a run of another recipe.
    """
    told = plain(recipe, material.named)
    keep_recipe(told, out)
    network = compete(contest, out)
    held_out = contest.validate(network)
    if is_first():
        card = replace(
            about,
            recipe=told,
            held_out=held_out,
            licence=material.licence,
            judged_on=material.judged_on,
        )
        release(folded(network), out, card)
    return out / f"{about.name}.json"
