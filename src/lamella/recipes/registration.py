"""Recipe: the published deep registration network on layer images or on plain radiographs.

``lamella train registration --variant layers --recipe cpu``. As published there are two stages:
pre-training on pairs whose motions are known, and a main stage on the image's error alone, here
on known pairs and real visits. Steps follow the project's cosine instead of halving rates.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lamella.io.datasets import PUBLISHED_SPACING_MM
from lamella.methods.deep_registration.infer import BONES, PER_BONE, motion_of
from lamella.methods.deep_registration.networks import SEEN, RegistrationNetwork
from lamella.methods.deep_registration.objective import (
    Losses,
    RegistrationBatch,
    main_loss,
    pretraining_loss,
)
from lamella.recipes.two_stages import accelerated, refuse_unknown, shortened
from lamella.tasks.joint_narrowing import displacement
from lamella.training.adversarial import Contest, Pace, Stage, compete
from lamella.training.loop import Validator, seeded
from lamella.training.processes import is_first
from lamella.training.publish import Release, keep_recipe, plain, release
from lamella.training.registration_data import (
    LAYERS,
    RADIOGRAPH,
    Drawn,
    PairDrawer,
    PairDrawing,
    drawn,
)
from lamella.training.registration_visits import VisitAmounts, VisitMaterial, VisitPool

VARIANTS = {"layers": LAYERS, "plain": RADIOGRAPH}
JUDGED_SEED = 61
JUDGED_AT_ONCE = 32
WATCHED = "minus_jsn_rms_mm"


@dataclass(frozen=True, kw_only=True)
class RegistrationRecipe:
    """Complete configuration of a run.

    Args:
        data: folder with ``train.json``.
        variant: ``layers`` or ``plain``.
        width: factor on the published channels.
        amounts: visits made of each joint.
        pretraining_steps: of the stage on known pairs.
        main_steps: of the stage on the image's error.
        batch: inputs of the network per step.
        learning_rates: peak of each stage.
        real_fraction: part of the main stage's pairs that are real visits.
        judged_pairs: known pairs of held-out joints that judge.
        pace: how the run goes.
    """

    data: Path
    variant: str = "layers"
    width: float = 0.125
    amounts: VisitAmounts = VisitAmounts()  # noqa: RUF009
    pretraining_steps: int = 2400
    main_steps: int = 600
    batch: int = 32
    learning_rates: tuple[float, float] = (2e-3, 2e-4)
    real_fraction: float = 0.5
    judged_pairs: int = 192
    pace: Pace = Pace(chunk_steps=300)  # noqa: RUF009


def tiny(data: Path) -> RegistrationRecipe:
    """A few steps of a very small network: shows that everything works, learns nothing."""
    return RegistrationRecipe(
        data=data,
        width=0.03125,
        amounts=VisitAmounts(poses_per_visit=1, phantoms=1),
        pretraining_steps=3,
        main_steps=2,
        batch=2,
        judged_pairs=2,
        pace=Pace(chunk_steps=3, warmup_steps=1, precision="32-true", log_every_steps=1),
    )


def cpu(data: Path) -> RegistrationRecipe:
    """One CPU core, about twenty minutes."""
    return RegistrationRecipe(data=data)


def full(data: Path) -> RegistrationRecipe:
    """A GPU: channels, batch, rates and lengths as published (100 and 200 epochs)."""
    return RegistrationRecipe(
        data=data,
        width=1.0,
        amounts=VisitAmounts(visits_per_joint=4, poses_per_visit=6, phantoms=500),
        pretraining_steps=6300,
        main_steps=16_800,
        batch=48,
        learning_rates=(1e-4, 1e-5),
        pace=accelerated(),
    )


RECIPES: dict[str, Callable[[Path], RegistrationRecipe]] = {
    "tiny": tiny,
    "cpu": cpu,
    "full": full,
}


def train(
    data: Path,
    out: Path,
    steps: int | None = None,
    *,
    recipe: str = "cpu",
    variant: str = "layers",
) -> Path:
    """Train a variant, or go on training, and write its ONNX file and card to ``out``.

    Args:
        data: folder with ``train.json``.
        out: folder of the run.
        steps: of both stages together, instead of the recipe's.
        recipe: ``tiny``, ``cpu`` or ``full``.
        variant: ``layers`` or ``plain``.

    Raises:
        LamellaError: no such recipe or variant, or the folder holds a run of another recipe.
    """
    refuse_unknown(((recipe, RECIPES), (variant, VARIANTS)))
    chosen = replace(RECIPES[recipe](data), variant=variant)
    if steps is not None:
        chosen = shortened(chosen, steps)
    material = VisitMaterial(
        manifest=data / "train.json", cache=out / "pool", amounts=chosen.amounts
    )
    return run(chosen, material, out)


def run(recipe: RegistrationRecipe, material: VisitMaterial, out: Path) -> Path:
    """Train and write the release; returns the card's path.

    Args:
        recipe: what and how.
        material: visits.
        out: folder of the run; ``recipe.json`` is written there.
    """
    keep_recipe(plain(recipe), out)
    contest = contest_of(recipe, material)
    network = compete(contest, out)
    about = _release(recipe, contest.validate(network))
    if is_first():
        release(network, out, about)
    return out / f"{about.name}.json"


def contest_of(recipe: RegistrationRecipe, material: VisitMaterial) -> Contest:
    """Network, stages and judge of a recipe."""
    return Contest(
        generator=seeded(partial(RegistrationNetwork, recipe.width), recipe.pace.seed),
        supervisor=None,
        make=said_by,
        stages=tuple(stages(recipe, material.training())),
        validate=judge(recipe, material.held_out()),
        watched=WATCHED,
        panels=None,
        pace=recipe.pace,
    )


def stages(recipe: RegistrationRecipe, pool: VisitPool) -> Iterable[Stage]:
    """Pre-training on known pairs, then the main stage."""
    parts = zip(
        ("pre-training", "main"),
        (recipe.pretraining_steps, recipe.main_steps),
        recipe.learning_rates,
        (0.0, recipe.real_fraction),
        (_pretraining, _main),
        strict=True,
    )
    for name, steps, rate, real, objective in parts:
        drawing = PairDrawing(maps=VARIANTS[recipe.variant], size=recipe.batch, real_fraction=real)
        yield Stage(
            name=name,
            steps=steps,
            batches=PairDrawer.of(pool, drawing),
            learning_rate=rate,
            generator_objective=objective,
        )


def said_by(network: nn.Module, batch: RegistrationBatch) -> Tensor:
    """Parameters that a network says, (B, 8)."""
    said: Tensor = network(batch.seen)
    return said


def judge(recipe: RegistrationRecipe, pool: VisitPool) -> Validator:
    """Errors on known pairs of held-out joints, the same pairs every time."""
    rng = np.random.default_rng([JUDGED_SEED, recipe.amounts.seed])
    pairs = rng.permutation(pool.known_pairs)[: recipe.judged_pairs]
    judged = drawn(pool, pairs, VARIANTS[recipe.variant], rng)
    return partial(errors_on, judged)


def errors_on(judged: Drawn, network: Callable[[Tensor], Tensor]) -> dict[str, float]:
    """Mean and standard deviation of the error of narrowing in mm, and of the other measures.

    Errors are of what :mod:`lamella.methods.deep_registration.infer` reads off the parameters,
    at the joint line's midpoint, against the known motions; the slope is that of measured on
    true narrowing.
    """
    seen = judged.batch().seen
    said = torch.cat([network(part) for part in torch.split(seen, JUDGED_AT_ONCE)])
    own = own_parameters(said.double().cpu().numpy(), judged.seen.shape[1])
    rows = zip(own, judged.motions, judged.frames, strict=True)
    true, found = [], []
    for parameters, motions, frame in rows:
        true.append(displacement(motions[0], motions[1], frame))
        found.append(displacement(motion_of(parameters[0]), motion_of(parameters[1]), frame))
    measured, known = np.array(found), np.array(true)
    return _figures(measured, known)


def own_parameters(said: np.ndarray, maps: int) -> np.ndarray:
    """Each bone's parameters, (pair, bone, 4), from what the network says of each input, (B, 8).

    Args:
        said: pair by pair, with layers bone by bone.
        maps: inputs per pair: 1, or with layers 2.
    """
    shaped = said.reshape(-1, maps, BONES, PER_BONE)
    if maps == 1:
        return np.asarray(shaped[:, 0])
    return np.stack([shaped[:, bone, bone] for bone in range(BONES)], axis=1)


def _figures(measured: np.ndarray, known: np.ndarray) -> dict[str, float]:
    """Of (along px, across px, angle) measured and known, (pair, 3); narrowing is minus along."""
    wrong = measured - known
    jsn_mm, lateral_mm = -PUBLISHED_SPACING_MM * wrong[:, 0], PUBLISHED_SPACING_MM * wrong[:, 1]
    spread = known[:, 0] - known[:, 0].mean()
    slope = float((spread * measured[:, 0]).sum() / max(float((spread**2).sum()), 1e-12))
    return {
        WATCHED: -float(np.sqrt(np.square(jsn_mm).mean())),
        "jsn_error_mean_mm": float(jsn_mm.mean()),
        "jsn_error_sd_mm": float(jsn_mm.std()),
        "jsn_slope": slope,
        "jsn_true_sd_mm": float(PUBLISHED_SPACING_MM * known[:, 0].std()),
        "lateral_error_sd_mm": float(lateral_mm.std()),
        "angle_error_sd_deg": float(wrong[:, 2].std()),
    }


def _pretraining(said: Tensor, _: nn.Module | None, batch: RegistrationBatch) -> Losses:
    return pretraining_loss(said, batch)


def _main(said: Tensor, _: nn.Module | None, batch: RegistrationBatch) -> Losses:
    return main_loss(said, batch)


def _release(recipe: RegistrationRecipe, held_out: dict[str, float]) -> Release:
    shown = "its layer images" if recipe.variant == "layers" else "the radiographs"
    return Release(
        name=f"registration-{recipe.variant}",
        purpose=f"scale, rotation and translation of each bone between two visits, from {shown}",
        recipe=plain(recipe),
        outputs=("parameters",),
        channels=SEEN,
        held_out=held_out,
        extra={"kind": "registration"},
    )
