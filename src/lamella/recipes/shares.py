"""Recipe: the share network, on closed real joints and phantoms, for two CPU cores."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import nn

from lamella import __version__
from lamella.io.datasets import LoadedJoint, joint_grouped_fold
from lamella.io.write import sha256_of
from lamella.methods.shares.networks import SharesNetwork
from lamella.methods.shares.objective import shares_loss
from lamella.training.calibration import fitted_calibration
from lamella.training.loop import Job, Schedule, fit, seeded
from lamella.training.publish import Release, plain, release
from lamella.training.shares_data import (
    SharesPool,
    as_batch,
    closed_samples,
    phantom_sample,
    shares_batch,
)
from lamella.training.sources import sound_joints

FOLD_SEED = 1


@dataclass(frozen=True, kw_only=True)
class SharesRecipe:
    """Complete configuration of the share network's training.

    Args:
        data: folder with ``train.json`` (:mod:`lamella.io.datasets`).
        closings_per_joint: overlaps made from each real joint.
        phantom_count: phantoms tried; those that overlap are used.
        batch: crops per step.
        widths: channels per level.
        schedule: steps and rates.
    """

    data: Path
    closings_per_joint: int = 10
    phantom_count: int = 700
    batch: int = 8
    widths: tuple[int, ...] = (48, 64, 96, 128)
    schedule: Schedule = Schedule(steps=17000, chunk_steps=500, ema_decay=0.999)  # noqa: RUF009


def train(data: Path, out: Path, steps: int | None = None) -> Path:
    """Train, or go on training, calibrate, and write ``shares.onnx`` with its card to ``out``.

    Args:
        data: folder with ``train.json``.
        out: folder of the run.
        steps: instead of the recipe's.
    """
    recipe = SharesRecipe(data=data)
    if steps is not None:
        recipe = replace(recipe, schedule=replace(recipe.schedule, steps=steps))
    job = shares_job(recipe, out)
    network = fit(job, out)
    _, held_out = split_joints(data)
    about = Release(
        name="shares",
        purpose="share of the bone absorbance that belongs to each of two overlapping bones",
        recipe=plain(recipe),
        outputs=("shares",),
        channels=4,
        held_out=job.validate(network),
        extra={"calibration": fitted_calibration(network, held_out, recipe.schedule.seed).table()},
    )
    return release(network, out, about)


def shares_job(recipe: SharesRecipe, cache: Path) -> Job:
    """The job of a recipe; its overlaps are made once and kept in ``cache``."""
    pool = training_pool(recipe, cache / "pool")
    judged = held_out_pool(recipe, cache / "judge")
    return Job(
        network=seeded(partial(SharesNetwork, recipe.widths), recipe.schedule.seed),
        objective=shares_loss,
        batches=partial(shares_batch, pool, size=recipe.batch),
        validate=partial(layer_psnr, judged),
        schedule=recipe.schedule,
    )


def split_joints(data: Path) -> tuple[list[LoadedJoint], list[LoadedJoint]]:
    """Joints without overlap of ``train.json``: to train on, and a joint-grouped fifth to judge."""
    joints = [joint for joint in sound_joints(data / "train.json") if not joint.is_overlapping]
    training_rows, _ = joint_grouped_fold([joint.row for joint in joints])
    names = {row.joint for row in training_rows}
    return (
        [joint for joint in joints if joint.row.joint in names],
        [joint for joint in joints if joint.row.joint not in names],
    )


def training_pool(recipe: SharesRecipe, folder: Path) -> SharesPool:
    """Closed real joints and overlapping phantoms, from the recipe's seed alone."""
    closings = recipe.closings_per_joint
    real = _kept(folder / f"real-{_key(recipe)}", lambda: _real(recipe, 0, closings))
    made = _kept(folder / f"phantoms-{_key(recipe)}", lambda: _phantoms(recipe))
    return SharesPool(
        maps=np.concatenate([real.maps, made.maps]),
        overlap=np.concatenate([real.overlap, made.overlap]),
        scale=np.concatenate([real.scale, made.scale]),
    )


def held_out_pool(recipe: SharesRecipe, folder: Path) -> SharesPool:
    """Closed joints of the fifth that never trains: for selection and calibration."""
    return _kept(folder / f"held-out-{_key(recipe)}", lambda: _real(recipe, FOLD_SEED, 1))


def layer_psnr(pool: SharesPool, network: nn.Module) -> dict[str, float]:
    """PSNR of the mean squared error of both layers inside the overlap, over a whole pool."""
    network.eval()
    errors = []
    for first in range(0, len(pool.maps), 8):
        part = slice(first, first + 8)
        batch = as_batch(pool.maps[part], pool.overlap[part], pool.scale[part])
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            _, parts = shares_loss(network, batch)
        errors.append((10 ** (-0.1 * float(parts["psnr"])), len(batch.scale)))
    network.train()
    mse, count = np.array(errors).T
    return {"held_out_psnr": float(-10 * np.log10(np.average(mse, weights=count)))}


def _real(recipe: SharesRecipe, part: int, count: int) -> SharesPool:
    joints = split_joints(recipe.data)[part]
    seed = recipe.schedule.seed
    samples = []
    for number, joint in enumerate(track(joints, "closing joints")):
        samples += closed_samples(joint, count, np.random.default_rng([seed, part, number]))
    return SharesPool.of(samples)


def _phantoms(recipe: SharesRecipe) -> SharesPool:
    seeds = [(recipe.schedule.seed, 7, number) for number in range(recipe.phantom_count)]
    tried = (phantom_sample(seed) for seed in track(seeds, "making phantoms"))
    return SharesPool.of(sample for sample in tried if sample is not None)


def _key(recipe: SharesRecipe) -> str:
    """Short digest of all that a pool depends on: data, counts, seed, version of the package."""
    data = sha256_of(recipe.data / "train.json")
    depends = (data, recipe.closings_per_joint, recipe.phantom_count, recipe.schedule.seed)
    return hashlib.sha256(repr((*depends, __version__)).encode()).hexdigest()[:12]


def _kept(folder: Path, make: Callable[[], SharesPool]) -> SharesPool:
    names = ("maps", "overlap", "scale")
    if not (folder / "scale.npy").exists():
        pool = make()
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            np.save(folder / f"{name}.npy", getattr(pool, name))
    return SharesPool(**{name: np.load(folder / f"{name}.npy") for name in names})
