"""Recipe: the vertebra before it fractured: classifier, sagittal and coronal generator.

``lamella train healthivert --variant exact --recipe cpu``. With ``--data`` a folder in VerSe's
layout with its grades teaches; without, phantoms and virtual fractures do. The folder of a run
holds ``pool`` and ``classifier``, which all variants share, and each variant's generators. The
three networks are trained one after another, or one alone with ``--variant exact/sagittal``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from lamella.methods.healthivert import networks, objective
from lamella.methods.healthivert.channels import Channel, Plane
from lamella.methods.healthivert.critics import Critics, critics_loss, fooling_loss
from lamella.methods.healthivert.networks import OUTPUTS, Drawn, Generator, GeneratorConfig
from lamella.methods.healthivert.objective import (
    Assembled,
    SliceBatch,
    Terms,
    assembled,
    generator_loss,
)
from lamella.recipes.fracture_classifier import NAME as CLASSIFIER
from lamella.recipes.fracture_classifier import train_classifier
from lamella.recipes.spine_parts import SpineRecipe, run_part
from lamella.recipes.two_stages import accelerated, refuse_unknown
from lamella.training.adversarial import Contest, Pace, Stage
from lamella.training.contest import Losses
from lamella.training.loop import seeded
from lamella.training.publish import Release
from lamella.training.spine_attention import attention_of
from lamella.training.spine_batches import SliceDrawer
from lamella.training.spine_judge import GeneratorJudge, as_floats
from lamella.training.spine_material import SpineAmounts, SpineMaterial
from lamella.training.spine_phantoms import PhantomChance
from lamella.training.spine_pool import SpinePool

PLANES = {"sagittal": Plane.SAGITTAL, "coronal": Plane.CORONAL}
PARTS = ("classifier", *PLANES)
WATCHED = "dice"
COARSE = PhantomChance(fractured=0.5, spacing_mm=(2.5, 3.0), whole_trunk=0.0)


class Made(NamedTuple):
    """What a generator drew of a batch, and the slices put together from it."""

    drawn: Drawn
    slices: Assembled


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A generator and what it minimises.

    Args:
        config: of the network.
        terms: of the loss.
    """

    config: GeneratorConfig = networks.EXACT
    terms: Terms = objective.EXACT


VARIANTS = {
    "exact": Variant(),
    "as-published": Variant(config=networks.AS_PUBLISHED, terms=objective.AS_PUBLISHED),
    "without-edges": Variant(terms=objective.WITHOUT_EDGES),
    "without-height": Variant(config=networks.WITHOUT_HEIGHT),
    "without-attention": Variant(config=networks.WITHOUT_ATTENTION),
    "coarse-only": Variant(config=networks.COARSE_ONLY),
}


def tiny(data: Path | None) -> SpineRecipe:
    """A few steps of small networks on two phantoms: shows that everything works."""
    return SpineRecipe(
        data=data,
        amounts=SpineAmounts(
            phantoms=2, judged_phantoms=1, levels=3, fractures=1, chance=COARSE, processes=1
        ),
        width=8,
        classifier_steps=3,
        generator_steps=3,
        classifier_batch=2,
        batch=2,
        judged_crops=1,
        pace=Pace(chunk_steps=2, warmup_steps=1, precision="32-true", log_every_steps=1),
    )


def cpu(data: Path | None) -> SpineRecipe:
    """One CPU core, under half an hour for each network."""
    return SpineRecipe(data=data)


def full(data: Path | None) -> SpineRecipe:
    """A GPU: wider, more vertebrae, larger batches, longer."""
    return SpineRecipe(
        data=data,
        amounts=SpineAmounts(phantoms=1200, judged_phantoms=40, fractures=12, processes=8),
        width=32,
        classifier_steps=20_000,
        generator_steps=60_000,
        classifier_batch=64,
        batch=32,
        judged_crops=48,
        pace=accelerated(),
    )


RECIPES: dict[str, Callable[[Path | None], SpineRecipe]] = {"tiny": tiny, "cpu": cpu, "full": full}


def train(
    data: Path | None,
    out: Path,
    steps: int | None = None,
    *,
    recipe: str = "cpu",
    variant: str = "exact",
) -> Path:
    """Train the networks, or go on training; each writes its ONNX file and card.

    Args:
        data: folder of a graded cohort in VerSe's layout or of the healthy scans, or None.
        out: folder of the run: ``classifier``, ``VARIANT/sagittal``, ``VARIANT/coronal``.
        steps: of each network, instead of the recipe's.
        recipe: ``tiny``, ``cpu`` or ``full``.
        variant: a name in ``VARIANTS``; with ``/PART`` behind it one network alone, after the
            classifier.

    Returns:
        Path of the last card.

    Raises:
        LamellaError: no such recipe, variant or part, or a cohort without grades.
    """
    name, _, part = variant.partition("/")
    wanted = (part,) if part else PARTS
    refuse_unknown(((recipe, RECIPES), (name, VARIANTS), (wanted[0], dict.fromkeys(PARTS))))
    chosen = replace(RECIPES[recipe](data), variant=name)
    if steps is not None:
        chosen = replace(chosen, classifier_steps=steps, generator_steps=steps)
    material = SpineMaterial(data, out / "pool", chosen.amounts)
    return [run(replace(chosen, part=each), material, out) for each in wanted][-1]


def run(recipe: SpineRecipe, material: SpineMaterial, out: Path) -> Path:
    """Train the part a recipe names, a generator's classifier first; returns the card's path."""
    weights = out / "classifier" / f"{CLASSIFIER}.onnx"
    if recipe.part == "classifier" or not weights.exists():
        card = train_classifier(recipe, material, out / "classifier")
        if recipe.part == "classifier":
            return card
    contest = contest_of(recipe, material, weights)
    return run_part(recipe, material, contest, _release(recipe), out / recipe.variant / recipe.part)


def contest_of(recipe: SpineRecipe, material: SpineMaterial, classifier: Path) -> Contest:
    """Network, critics, stage and judge of one generator.

    Args:
        recipe: of the part.
        material: crops.
        classifier: ONNX file.
    """
    variant, seed = VARIANTS[recipe.variant], recipe.pace.seed
    return Contest(
        generator=seeded(partial(Generator, config_of(recipe)), seed),
        supervisor=seeded(Critics, seed) if variant.terms.adversary else None,
        make=partial(drawn_by, terms=variant.terms),
        stages=(_stage(recipe, material, classifier),),
        validate=GeneratorJudge(
            pool=material.judged,
            attention=_attention(recipe, material.judged, material, classifier),
            plane=PLANES[recipe.part],
            terms=variant.terms,
            most=recipe.judged_crops,
        ),
        watched=WATCHED,
        panels=None,
        pace=recipe.pace,
    )


def config_of(recipe: SpineRecipe) -> GeneratorConfig:
    """The variant's network, in the recipe's width."""
    config = VARIANTS[recipe.variant].config
    return config if recipe.width is None else replace(config, width=recipe.width)


def drawn_by(network: nn.Module, batch: SliceBatch, terms: Terms) -> Made:
    """What a generator makes of a batch."""
    drawn = as_floats(network(batch.seen))
    return Made(drawn, assembled(drawn, batch, terms))


def drawing_loss(
    made: Made, critics: nn.Module | None, batch: SliceBatch, terms: Terms
) -> tuple[Tensor, dict[str, Tensor]]:
    """Sum of the variant's terms, that of its critics included."""
    parts = generator_loss(made.drawn, batch, terms)
    if isinstance(critics, Critics):
        parts["adversary"] = terms.adversary * fooling_loss(critics, made.slices)
    return sum(parts.values(), start=batch.height.new_zeros(())), parts


def judging_loss(critics: nn.Module, made: Made, batch: SliceBatch) -> Losses:
    """What the critics minimise."""
    assert isinstance(critics, Critics)
    return critics_loss(critics, made.slices, batch), {}


def _stage(recipe: SpineRecipe, material: SpineMaterial, classifier: Path) -> Stage:
    terms = VARIANTS[recipe.variant].terms
    pool = material.training
    drawer = SliceDrawer(
        pool=pool,
        attention=_attention(recipe, pool, material, classifier),
        plane=PLANES[recipe.part],
        size=recipe.batch,
        real_fraction=recipe.real_fraction,
    )
    return Stage(
        name=recipe.part,
        steps=recipe.generator_steps,
        batches=drawer,
        learning_rate=recipe.learning_rate,
        supervisor_learning_rate=recipe.critics_learning_rate,
        generator_objective=partial(drawing_loss, terms=terms),
        supervisor_objective=judging_loss if terms.adversary else None,
    )


def _attention(
    recipe: SpineRecipe, pool: SpinePool, material: SpineMaterial, classifier: Path
) -> np.ndarray | None:
    """Maps for the variants that look at them."""
    guided = VARIANTS[recipe.variant].config.guided
    return attention_of(pool, classifier, material.cache) if guided else None


def _release(recipe: SpineRecipe) -> Release:
    variant = "" if recipe.variant == "exact" else f"-{recipe.variant}"
    extra: dict[str, Any] = {"kind": "healthivert", "plane": recipe.part}
    return Release(
        name=f"healthivert{variant}-{recipe.part}",
        purpose=f"a vertebra as it was before it fractured, on {recipe.part} slices of a "
        "straight spine",
        recipe={},
        outputs=OUTPUTS,
        channels=len(Channel),
        held_out={},
        extra=extra,
    )
