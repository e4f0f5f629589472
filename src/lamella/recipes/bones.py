"""Recipe: the segmentation network, on real joints and phantoms, for two CPU cores."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lamella.io.datasets import LoadedJoint, joint_grouped_fold
from lamella.io.write import sha256_of
from lamella.methods.bones.infer import largest_part, normalised
from lamella.methods.bones.networks import BonesNetwork, BonesOutput
from lamella.methods.bones.objective import bones_loss
from lamella.prepare.grid import NETWORK_SPACING_MM
from lamella.records import LamellaError
from lamella.tasks.joint_width import measure_joint_space
from lamella.training.bones_data import (
    BonesPool,
    bones_batch,
    closed_on_purpose,
    joints_in_memory,
    moved_on_purpose,
)
from lamella.training.export import load_weights
from lamella.training.loop import Job, Schedule, fit, seeded
from lamella.training.outlines import fitted_outline_error
from lamella.training.publish import Release, plain, release
from lamella.training.sources import everyday_images, phantoms, sound_joints


@dataclass(frozen=True, kw_only=True)
class BonesRecipe:
    """Complete configuration of the segmentation network's training.

    Args:
        data: folder with ``train.json`` (:mod:`lamella.io.datasets`).
        phantom_count: random phantoms beside the real joints.
        even_fraction: part of the phantoms whose widths are spread evenly.
        closings_per_joint: overlaps made from each real joint without one: their outlines are
            known where hand-drawn ones are guesses.
        poses_per_joint: each real joint at so many other joint space widths.
        batch: images per step.
        widths: channels per level.
        schedule: steps and rates.
    """

    data: Path
    phantom_count: int = 1200
    even_fraction: float = 0.5
    closings_per_joint: int = 1
    poses_per_joint: int = 3
    batch: int = 16
    widths: tuple[int, ...] = (24, 48, 72, 96)
    schedule: Schedule = Schedule(steps=2000, chunk_steps=250, workers=1)  # noqa: RUF009 - frozen


def train(data: Path, out: Path, steps: int | None = None, *, start: Path | None = None) -> Path:
    """Train, or go on training, and write ``bones.onnx`` with its model card to ``out``.

    Args:
        data: folder with ``train.json``.
        out: folder of the run.
        steps: instead of the recipe's.
        start: ONNX file of the same network to start from.
    """
    recipe = BonesRecipe(data=data)
    if steps is not None:
        recipe = replace(recipe, schedule=replace(recipe.schedule, steps=steps))
    training, judging = _split(recipe)
    job = _job(recipe, training, judging)
    if start is not None:
        load_weights(job.network, start).train()
    network = fit(job, out)
    about = Release(
        name="bones",
        purpose="masks of the upper and the lower bone of a finger joint, which may overlap",
        recipe=plain(recipe),
        outputs=("masks", "whole"),
        channels=1,
        held_out=job.validate(network),
        extra={
            "outline_error": outline_error(judging, network),
            **({} if start is None else {"started_from_sha256": sha256_of(start)}),
        },
    )
    return release(network, out, about)


def bones_job(recipe: BonesRecipe) -> Job:
    """The job of a recipe: a joint-grouped fifth of ``train.json`` judges, the rest trains."""
    return _job(recipe, *_split(recipe))


def _split(recipe: BonesRecipe) -> tuple[list[LoadedJoint], list[LoadedJoint]]:
    joints = sound_joints(recipe.data / "train.json")
    train_rows, _ = joint_grouped_fold([joint.row for joint in joints])
    names = {row.joint for row in train_rows}
    training = [joint for joint in joints if joint.row.joint in names]
    return training, [joint for joint in joints if joint.row.joint not in names]


def _job(recipe: BonesRecipe, training: list[LoadedJoint], judging: list[LoadedJoint]) -> Job:
    return Job(
        network=seeded(partial(BonesNetwork, recipe.widths), recipe.schedule.seed),
        objective=bones_loss,
        batches=partial(bones_batch, _pool(training, recipe), size=recipe.batch),
        validate=partial(mean_dice, judging),
        schedule=recipe.schedule,
    )


BONES = ("upper", "lower")


def mean_dice(joints: list[LoadedJoint], network: nn.Module) -> dict[str, float]:
    """Mean Dice coefficient of each bone, accuracy of joint and thumb, and of the width in mm."""
    totals = {"upper_dice": 0.0, "lower_dice": 0.0, "thumb_right": 0.0, "joint_right": 0.0}
    widths = []
    for joint, output in _outputs(joints, network):
        parts = _parts(output)
        for name, truth in joint.masks.items():
            shared = (parts[name] & truth).sum()
            totals[f"{name}_dice"] += 2 * shared / (parts[name].sum() + truth.sum())
        totals["joint_right"] += float(output.image[0, 0] > 0)
        totals["thumb_right"] += float((output.image[0, 1] > 0) == joint.row.is_thumb)
        widths.append(_width_difference_mm(parts, joint))
    known = np.array([width for width in widths if width is not None])
    figures = {name: float(total / len(joints)) for name, total in totals.items()}
    figures["jsw_mean_difference_mm"] = float(known.mean()) if known.size else float("nan")
    figures["jsw_sd_of_difference_mm"] = float(known.std()) if known.size else float("nan")
    return figures


def outline_error(joints: list[LoadedJoint], network: nn.Module) -> dict[str, Any]:
    """Standard deviations of the network's outlines (:mod:`lamella.training.outlines`)."""
    outputs = _outputs(joints, network)
    return fitted_outline_error((_parts(output), joint.masks) for joint, output in outputs)


def _outputs(
    joints: list[LoadedJoint], network: nn.Module
) -> Iterator[tuple[LoadedJoint, BonesOutput]]:
    network.eval()
    for joint in joints:
        image = torch.from_numpy(normalised(joint.pixels))[None, None]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            output = network(image.to(memory_format=torch.channels_last))
        yield joint, output
    network.train()


def _parts(output: BonesOutput) -> dict[str, np.ndarray]:
    """Largest part of each mask."""
    found = output.masks[0].float().numpy() > 0
    return {name: largest_part(mask) for name, mask in zip(BONES, found, strict=True)}


def _width_difference_mm(parts: dict[str, np.ndarray], joint: LoadedJoint) -> float | None:
    """Joint space width of the found masks minus that of the drawn ones."""
    try:
        widths = [measure_joint_space(masks, NETWORK_SPACING_MM) for masks in (parts, joint.masks)]
    except LamellaError:
        return None
    return (widths[0].jsw_px - widths[1].jsw_px) * NETWORK_SPACING_MM


def _pool(joints: list[LoadedJoint], recipe: BonesRecipe) -> BonesPool:
    seed = recipe.schedule.seed
    made = list(phantoms(recipe.phantom_count, seed, recipe.even_fraction))
    apart = [joint for joint in joints if not joint.is_overlapping]
    shut = list(closed_on_purpose(apart, recipe.closings_per_joint, seed))
    shut += moved_on_purpose(joints, recipe.poses_per_joint, seed)
    return joints_in_memory(
        [joint.pixels for joint in (*joints, *shut)] + [phantom.intensity for phantom in made],
        [(joint.upper, joint.lower) for joint in (*joints, *shut)]
        + [(phantom.masks["upper"], phantom.masks["lower"]) for phantom in made],
        [joint.row.is_thumb for joint in (*joints, *shut)] + [False] * len(made),
        everyday_images(),
    )
