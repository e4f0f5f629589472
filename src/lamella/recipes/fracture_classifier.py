"""The network that sees whether a vertebra is fractured; a part of the recipe ``healthivert``.

It learns from pieces of sagittal slices of straight spines, half of them with a fractured body
in them, and its Grad-CAM++ maps then guide the generators.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lamella.methods.healthivert.classifier import OUTPUTS, Classifier, Verdict
from lamella.recipes.spine_parts import SpineRecipe, run_part
from lamella.training.adversarial import Contest, Stage
from lamella.training.contest import Losses
from lamella.training.loop import seeded
from lamella.training.publish import Release
from lamella.training.spine_fractures import FractureBatch, FractureDrawer
from lamella.training.spine_judge import FractureJudge
from lamella.training.spine_material import SpineMaterial

NAME = "healthivert-classifier"
WATCHED = "auc"


def train_classifier(recipe: SpineRecipe, material: SpineMaterial, out: Path) -> Path:
    """Train, or go on training, and write the ONNX file and its card; returns the card's path.

    Args:
        recipe: of all parts.
        material: crops.
        out: folder of this part.
    """
    plain = replace(recipe, variant="exact", part="classifier")
    contest = contest_of(plain, material)
    about = Release(
        name=NAME,
        purpose="whether a sagittal slice of a straight spine shows a fracture, and where",
        recipe={},
        outputs=OUTPUTS,
        channels=1,
        held_out={},
        extra={"kind": "fracture-classifier"},
    )
    return run_part(plain, material, contest, about, out)


def contest_of(recipe: SpineRecipe, material: SpineMaterial) -> Contest:
    """Network, stage and judge."""
    drawer = FractureDrawer(
        pool=material.training, size=recipe.classifier_batch, real_fraction=recipe.real_fraction
    )
    return Contest(
        generator=seeded(Classifier, recipe.pace.seed),
        supervisor=None,
        make=judged,
        stages=(
            Stage(
                name="classifier",
                steps=recipe.classifier_steps,
                batches=drawer,
                learning_rate=recipe.classifier_learning_rate,
                generator_objective=fracture_loss,
            ),
        ),
        validate=FractureJudge(pool=material.judged),
        watched=WATCHED,
        panels=None,
        pace=recipe.pace,
    )


def judged(network: nn.Module, batch: FractureBatch) -> Verdict:
    """What the network says of each slice."""
    verdict: Verdict = network(batch.slices)
    return verdict


def fracture_loss(said: Verdict, _: nn.Module | None, batch: FractureBatch) -> Losses:
    """Binary cross-entropy of "fractured", mean over slices."""
    loss: Tensor = binary_cross_entropy_with_logits(said.logit[:, 0].float(), batch.fractured)
    right = ((said.logit[:, 0] > 0) == (batch.fractured > 0.5)).float().mean()
    parts: dict[str, Any] = {"right": right}
    return loss, parts
