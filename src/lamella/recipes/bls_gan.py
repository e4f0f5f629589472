"""Recipe: BLS-GAN as published and exact, with their ablations, in three sizes.

``lamella train bls-gan --variant exact --recipe cpu``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from lamella.io.write import sha256_of
from lamella.methods.bls_gan.networks import BlsGan, Supervisor
from lamella.methods.shares.networks import SharesNetwork, SharesOf
from lamella.nets.backbones import LIGHT_WIDTHS, Backbone, backbone
from lamella.recipes.two_stages import (
    accelerated,
    calibration,
    ingredients,
    refuse_unknown,
    shortened,
)
from lamella.training.adversarial import Contest, Pace, Stage, compete
from lamella.training.bls_gan_data import Drawing
from lamella.training.export import load_weights
from lamella.training.ingredients import Ingredients, drawer, judging
from lamella.training.loop import seeded
from lamella.training.material import Amounts
from lamella.training.processes import is_first
from lamella.training.publish import Release, keep_recipe, plain, release
from lamella.training.variants import (
    exact_generator,
    exact_made,
    exact_supervisor,
    layer_psnr,
    published_generator,
    published_made,
    published_supervisor,
    sample_panel,
)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What is trained.

    Args:
        exact: shares of the bone absorbance instead of layer images.
        with_pretraining: a first stage on overlaps whose layers are known.
        with_k: the correction parameter of Eq. 1 (as published only).
        with_adversary: the supervisor.
    """

    exact: bool = False
    with_pretraining: bool = True
    with_k: bool = True
    with_adversary: bool = True


VARIANTS = {
    "as-published": Variant(),
    "without-pretraining": Variant(with_pretraining=False),
    "without-k": Variant(with_k=False),
    "exact": Variant(exact=True),
    "exact-without-adversary": Variant(exact=True, with_adversary=False),
}


@dataclass(frozen=True, kw_only=True)
class BlsGanRecipe:
    """Complete configuration of a run.

    Args:
        data: folder with ``train.json``.
        variant: name in ``VARIANTS``.
        backbone: name of the generator's (:func:`lamella.nets.backbones.names`).
        widths: channels per level, of the light backbone.
        amounts: overlaps made from each image.
        pretraining_steps: of the stage on known layers; without it the main stage is as long.
        main_steps: of the stage on real and closed joints.
        batch: crops per step.
        crop_px: rows and columns of a crop.
        learning_rates: peak of each stage; without pre-training the main stage has the first.
        supervisor_learning_rates: likewise.
        real_fraction: part of the main stage's batches from real overlaps.
        pace: how the run goes.
        authentic_as_in_code: the published code's target for real joints; False: the paper's.
        calibrated: fit the standard deviations of the exact variant on the joints that select.
    """

    data: Path
    variant: str = "as-published"
    backbone: str = "light"
    widths: tuple[int, ...] = LIGHT_WIDTHS
    amounts: Amounts = Amounts()  # noqa: RUF009
    pretraining_steps: int = 3300
    main_steps: int = 700
    batch: int = 8
    crop_px: tuple[int, int] = (96, 144)
    learning_rates: tuple[float, float] = (2e-3, 2e-5)
    supervisor_learning_rates: tuple[float, float] = (5e-4, 2e-5)
    real_fraction: float = 0.5
    pace: Pace = Pace(chunk_steps=500, patience_chunks=4)  # noqa: RUF009
    authentic_as_in_code: bool = True
    calibrated: bool = False


def tiny(data: Path) -> BlsGanRecipe:
    """Fifty steps of a very small network: shows that everything works, learns little."""
    return BlsGanRecipe(
        data=data,
        widths=(8, 16, 16, 16),
        amounts=Amounts(closings_per_image=2, exchanges_per_image=1, phantoms=2),
        pretraining_steps=30,
        main_steps=20,
        batch=2,
        crop_px=(64, 96),
        pace=Pace(chunk_steps=25, warmup_steps=5, precision="32-true", log_every_steps=1),
    )


def cpu(data: Path) -> BlsGanRecipe:
    """Two CPU cores, under an hour."""
    return BlsGanRecipe(data=data)


def full(data: Path) -> BlsGanRecipe:
    """GPUs: wider, longer, larger batches; the paper's two stages in its proportion of 5 : 1."""
    return BlsGanRecipe(
        data=data,
        widths=(64, 96, 128, 192),
        amounts=Amounts(closings_per_image=10, exchanges_per_image=10, phantoms=1500),
        pretraining_steps=50_000,
        main_steps=10_000,
        batch=32,
        crop_px=(160, 192),
        learning_rates=(4e-3, 4e-5),
        supervisor_learning_rates=(1e-3, 4e-5),
        pace=accelerated(),
    )


RECIPES: dict[str, Callable[[Path], BlsGanRecipe]] = {"tiny": tiny, "cpu": cpu, "full": full}


def train(
    data: Path,
    out: Path,
    steps: int | None = None,
    *,
    recipe: str = "cpu",
    variant: str = "as-published",
) -> Path:
    """Train a variant, or go on training, and write its ONNX file and card to ``out``.

    Args:
        data: folder with ``train.json``.
        out: folder of the run.
        steps: of both stages together, instead of the recipe's.
        recipe: ``tiny``, ``cpu`` or ``full``.
        variant: a name in ``VARIANTS``.

    Raises:
        LamellaError: no such recipe or variant.
    """
    refuse_unknown(((recipe, RECIPES), (variant, VARIANTS)))
    chosen = replace(RECIPES[recipe](data), variant=variant)
    if VARIANTS[variant].exact and recipe != "tiny":
        chosen = replace(chosen, calibrated=True)
    if steps is not None:
        chosen = shortened(chosen, steps)
    return run(chosen, ingredients(chosen, out / "pool"), out)


def run(
    recipe: BlsGanRecipe, learns_from: Ingredients, out: Path, start: Path | None = None
) -> Path:
    """Train and write the release; returns the card's path.

    Args:
        recipe: what and how.
        learns_from: pools.
        out: folder of the run; ``recipe.json`` is written there.
        start: ONNX file of the same network to start from.

    Raises:
        LamellaError: the folder holds a run of another recipe.
    """
    keep_recipe(plain(recipe), out)
    contest = contest_of(recipe, learns_from)
    if start is not None:
        load_weights(contest.generator, start).train()
    network = compete(contest, out)
    if is_first():
        extra = calibration(network, learns_from) if recipe.calibrated else {}
        extra |= {} if start is None else {"started_from_sha256": sha256_of(start)}
        release(network, out, _release(recipe, contest.validate(network), extra))
    return out / f"{recipe.variant}.json"


def contest_of(recipe: BlsGanRecipe, learns_from: Ingredients) -> Contest:
    """Networks, stages and judge of a recipe."""
    variant = VARIANTS[recipe.variant]
    make = exact_made if variant.exact else published_made
    pool, at = judging(learns_from)
    seed = recipe.pace.seed
    return Contest(
        generator=seeded(partial(generator, recipe), seed),
        supervisor=seeded(Supervisor, seed) if variant.with_adversary else None,
        make=make,
        stages=tuple(stages(recipe, learns_from)),
        validate=layer_psnr(pool, at, make),
        watched="layer_psnr",
        panels=sample_panel(pool, at, make),
        pace=recipe.pace,
    )


def generator(recipe: BlsGanRecipe) -> nn.Module:
    """The network that separates: with the reconstructor, or of shares."""
    variant = VARIANTS[recipe.variant]
    settings: dict[str, Any] = {"widths": recipe.widths} if recipe.backbone == "light" else {}
    made: Backbone = backbone(recipe.backbone, **settings)
    if not variant.exact:
        return BlsGan(made, with_k=variant.with_k)
    return SharesNetwork(recipe.widths) if recipe.backbone == "light" else SharesOf(made)


def stages(recipe: BlsGanRecipe, learns_from: Ingredients) -> Iterable[Stage]:
    """Pre-training on known layers, then the main stage on real and closed joints."""
    variant = VARIANTS[recipe.variant]
    steps = (recipe.pretraining_steps, recipe.main_steps)
    rates, supervisor_rates = recipe.learning_rates, recipe.supervisor_learning_rates
    if not variant.with_pretraining:
        steps = (0, sum(steps))
        rates, supervisor_rates = (rates[0],) * 2, (supervisor_rates[0],) * 2
    for number, name in enumerate(("pre-training", "main")):
        if steps[number]:
            pretraining = number == 0
            drawing = Drawing(
                size=recipe.batch,
                crop_px=recipe.crop_px,
                real_fraction=0.0 if pretraining else recipe.real_fraction,
            )
            exact = variant.exact
            yield Stage(
                name=name,
                steps=steps[number],
                batches=drawer(learns_from, drawing),
                learning_rate=rates[number],
                supervisor_learning_rate=supervisor_rates[number],
                generator_objective=exact_generator
                if exact
                else published_generator(pretraining=pretraining),
                supervisor_objective=exact_supervisor
                if exact
                else published_supervisor(
                    pretraining=pretraining, authentic_as_in_code=recipe.authentic_as_in_code
                ),
            )


def _release(recipe: BlsGanRecipe, held_out: dict[str, float], extra: dict[str, Any]) -> Release:
    exact = VARIANTS[recipe.variant].exact
    return Release(
        name=recipe.variant,
        purpose="share of the bone absorbance that belongs to each of two overlapping bones"
        if exact
        else "layer images of two overlapping bones and the transmittance k of their soft tissue",
        recipe=plain(recipe),
        outputs=("shares",) if exact else ("layers", "k"),
        channels=4 if exact else 3,
        held_out=held_out,
        extra={"kind": "shares" if exact else "bls-gan", **extra},
    )
