"""Recipe: LSN as published and exact, with the paper's ablations, in three sizes.

``lamella train lsn --variant exact --recipe cpu``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lamella.io.write import sha256_of
from lamella.methods.lsn.networks import Critics, LayerNetwork, SoftSharesNetwork
from lamella.methods.lsn.shift import CORRECTED, PUBLISHED
from lamella.nets.backbones import LIGHT_WIDTHS, backbone
from lamella.recipes.two_stages import (
    accelerated,
    calibration,
    ingredients,
    refuse_unknown,
    shortened,
)
from lamella.training.adversarial import Contest, Pace, Stage, compete
from lamella.training.bls_gan_data import Drawing
from lamella.training.export import weights_in
from lamella.training.ingredients import Ingredients, drawer, judging
from lamella.training.loop import BatchMaker, seeded
from lamella.training.lsn_data import Moving, moving_batches
from lamella.training.lsn_variants import (
    VARIANTS,
    judge,
    objectives,
    sample_panel,
)
from lamella.training.material import Amounts
from lamella.training.processes import is_first
from lamella.training.publish import Release, keep_recipe, plain, release


@dataclass(frozen=True, kw_only=True)
class LsnRecipe:
    """Complete configuration of a run.

    Args:
        data: folder with ``train.json``.
        variant: name in ``VARIANTS``.
        backbone: of N_G as published (:func:`lamella.nets.backbones.names`).
        widths: channels per level, of its light backbone and of the exact variant's.
        amounts: overlaps made from each image.
        pretraining_steps: of the stage on known layers; without it the main stage is as long.
        main_steps: of the stage on real and closed joints.
        batch: crops per step.
        crop_px: rows and columns of a crop.
        draws: of f_s per batch.
        learning_rates: of N_G, peak of each stage; without pre-training both the first.
        critics_learning_rates: of N_S and N_D, likewise.
        real_fraction: part of the main stage's batches from real overlaps.
        pace: how the run goes.
        calibrated: fit the standard deviations of the exact variant on the joints that select.
    """

    data: Path
    variant: str = "as-published"
    backbone: str = "light"
    widths: tuple[int, ...] = LIGHT_WIDTHS
    amounts: Amounts = Amounts()  # noqa: RUF009
    pretraining_steps: int = 2000
    main_steps: int = 1000
    batch: int = 8
    crop_px: tuple[int, int] = (96, 144)
    draws: int = 2
    learning_rates: tuple[float, float] = (2e-3, 4e-4)
    critics_learning_rates: tuple[float, float] = (1e-3, 2e-4)
    real_fraction: float = 0.5
    pace: Pace = Pace(chunk_steps=250)  # noqa: RUF009
    calibrated: bool = False


def tiny(data: Path) -> LsnRecipe:
    """Forty steps of a very small network: shows that everything works, learns little."""
    return LsnRecipe(
        data=data,
        widths=(8, 16, 16, 16),
        amounts=Amounts(closings_per_image=2, exchanges_per_image=1, phantoms=2),
        pretraining_steps=24,
        main_steps=16,
        batch=2,
        crop_px=(64, 96),
        draws=1,
        pace=Pace(chunk_steps=20, warmup_steps=5, precision="32-true", log_every_steps=1),
    )


def cpu(data: Path) -> LsnRecipe:
    """Two CPU cores, under an hour."""
    return LsnRecipe(data=data)


def full(data: Path) -> LsnRecipe:
    """GPUs: wider, longer, larger batches; the paper's two stages in its proportion of 2 : 1."""
    return LsnRecipe(
        data=data,
        widths=(64, 96, 128, 192),
        amounts=Amounts(closings_per_image=10, exchanges_per_image=10, phantoms=1500),
        pretraining_steps=40_000,
        main_steps=20_000,
        batch=32,
        crop_px=(160, 192),
        learning_rates=(4e-3, 4e-4),
        critics_learning_rates=(1e-3, 2e-4),
        pace=accelerated(),
    )


RECIPES: dict[str, Callable[[Path], LsnRecipe]] = {"tiny": tiny, "cpu": cpu, "full": full}


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
    chosen = of_variant(RECIPES[recipe](data), variant)
    if steps is not None:
        chosen = shortened(chosen, steps)
    return run(chosen, ingredients(chosen, out / "pool"), out)


def of_variant(recipe: LsnRecipe, variant: str) -> LsnRecipe:
    """The recipe for a variant; but for the tiny one, the exact variant is calibrated."""
    calibrated = VARIANTS[variant].exact and recipe.batch >= LsnRecipe.batch
    return replace(recipe, variant=variant, calibrated=calibrated)


def run(recipe: LsnRecipe, learns_from: Ingredients, out: Path, start: Path | None = None) -> Path:
    """Train and write the release; returns the card's path.

    Args:
        recipe: what and how.
        learns_from: pools.
        out: folder of the run; ``recipe.json`` is written there.
        start: ONNX file whose weights start the network, where name and shape agree.

    Raises:
        LamellaError: the folder holds a run of another recipe.
    """
    keep_recipe(plain(recipe), out)
    contest = contest_of(recipe, learns_from)
    if start is not None:
        take_fitting(contest.generator, start)
    network = compete(contest, out)
    about = _release(recipe, contest.validate(network))
    if is_first():
        extra = calibration(network, learns_from) if recipe.calibrated else {}
        extra |= {} if start is None else {"started_from_sha256": sha256_of(start)}
        release(network, out, replace(about, extra={**about.extra, **extra}))
    return out / f"{about.name}.json"


def take_fitting(network: nn.Module, path: Path) -> int:
    """Start a network from those weights of an ONNX file that fit it; returns how many did."""
    state, stored = network.state_dict(), weights_in(path)
    fitting = {
        name: torch.from_numpy(stored[name].copy())
        for name, weight in state.items()
        if name in stored and stored[name].shape == weight.shape
    }
    network.load_state_dict(state | fitting)
    return len(fitting)


def contest_of(recipe: LsnRecipe, learns_from: Ingredients) -> Contest:
    """Networks, stages and judge of a recipe."""
    variant = VARIANTS[recipe.variant]
    pool, at = judging(learns_from)
    seed = recipe.pace.seed
    critics = partial(Critics, with_shadow_finder=variant.with_adversary)
    return Contest(
        generator=seeded(partial(generator, recipe), seed),
        supervisor=seeded(critics, seed) if variant.with_segmenter else None,
        make=variant.make,
        stages=tuple(stages(recipe, learns_from)),
        validate=judge(pool, at, variant.make),
        watched="layer_psnr",
        panels=sample_panel(pool, at, variant.make),
        pace=recipe.pace,
    )


def generator(recipe: LsnRecipe) -> nn.Module:
    """N_G: of layers, or of shares and soft tissue."""
    if VARIANTS[recipe.variant].exact:
        return SoftSharesNetwork(recipe.widths)
    settings: dict[str, Any] = {"widths": recipe.widths} if recipe.backbone == "light" else {}
    return LayerNetwork(backbone(recipe.backbone, **settings))


def stages(recipe: LsnRecipe, learns_from: Ingredients) -> Iterable[Stage]:
    """Pre-training on known layers, then the main stage on real and closed joints."""
    variant = VARIANTS[recipe.variant]
    steps = (recipe.pretraining_steps, recipe.main_steps)
    rates, critics_rates = recipe.learning_rates, recipe.critics_learning_rates
    if not variant.with_pretraining:
        steps = (0, sum(steps))
        rates, critics_rates = (rates[0],) * 2, (critics_rates[0],) * 2
    for number, name in enumerate(("pre-training", "main")):
        if steps[number]:
            pretraining = number == 0
            generator_objective, critics_objective = objectives(variant, pretraining=pretraining)
            yield Stage(
                name=name,
                steps=steps[number],
                batches=_batches(recipe, learns_from, pretraining=pretraining),
                learning_rate=rates[number],
                supervisor_learning_rate=critics_rates[number],
                generator_objective=generator_objective,
                supervisor_objective=critics_objective,
            )


def _batches(recipe: LsnRecipe, learns_from: Ingredients, *, pretraining: bool) -> BatchMaker:
    variant = VARIANTS[recipe.variant]
    real = 0.0 if pretraining else recipe.real_fraction
    drawing = Drawing(size=recipe.batch, crop_px=recipe.crop_px, real_fraction=real)
    reach = CORRECTED if variant.exact else PUBLISHED
    moving = Moving(draws=recipe.draws if variant.with_shift else 0, reach=reach)
    return moving_batches(drawer(learns_from, drawing), moving)


def _release(recipe: LsnRecipe, held_out: dict[str, float]) -> Release:
    exact = VARIANTS[recipe.variant].exact
    return Release(
        name="lsn" if exact else f"lsn-{recipe.variant}",
        purpose="share of the bone absorbance that belongs to each of two bones, and the soft "
        "tissue under both"
        if exact
        else "layer intensities of soft tissue and two bones",
        recipe=plain(recipe),
        outputs=("shares",) if exact else ("layers",),
        channels=4,
        held_out=held_out,
        extra={"kind": "soft-shares" if exact else "lsn"},
    )
