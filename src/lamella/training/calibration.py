"""Fit the calibration of the share network's standard deviations on held-out joints."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from rich.progress import track
from torch import nn

from lamella.io.datasets import LoadedJoint
from lamella.methods.shares.calibrate import NOMINAL_COVERAGE, NORMAL_QUANTILE, Calibration
from lamella.methods.shares.infer import SharesRunner, scene, separate_scene, spread_of_layers
from lamella.physics.formation import intensity, split_by_shares
from lamella.physics.soft_tissue import NOMINAL_SPACING_MM
from lamella.prepare.overlap import (
    SMALLEST_OVERLAP_PX,
    KnownLayers,
    closed,
    closing,
    layers_without_overlap,
)
from lamella.records import Radiograph

CLOSINGS = 4
LARGEST_CLOSING_PX = 24
SIZE_EDGES_PX = (0, 200, 500, 1000, 2000, 1_000_000)
SD_BINS = 8
FEWEST_PIXELS = 400


def fitted_calibration(network: nn.Module, joints: Sequence[LoadedJoint], seed: int) -> Calibration:
    """Factors by overlap size and raw SD, from closings of joints that never trained."""
    runner = torch_runner(network)
    measured = []
    for number, joint in enumerate(track(joints, "calibrating")):
        rng = np.random.default_rng([seed, 11, number])
        radiograph = Radiograph(pixels=joint.pixels, grey_level=1 / 255)
        known = layers_without_overlap(radiograph, {"upper": joint.upper, "lower": joint.lower})
        for _ in range(CLOSINGS):
            closing_px = int(rng.integers(2, LARGEST_CLOSING_PX + 1))
            made = closed(known, closing(("upper", "lower"), closing_px))
            if made.overlap.sum() >= SMALLEST_OVERLAP_PX:
                measured.append(_measured(made, runner))
    return fit_table(measured)


def fit_table(measured: Sequence[tuple[float, np.ndarray, np.ndarray]]) -> Calibration:
    """Quantiles of |error| / SD in bins.

    Args:
        measured: per joint, overlap (px), raw SD (pixel,) and |error| (pixel,) of intensity.
    """
    spread = np.concatenate([raw for _, raw, _ in measured])
    edges = np.quantile(spread, np.linspace(0, 1, SD_BINS + 1))
    knots = [float(np.median(spread[_within(spread, edges, k)])) for k in range(SD_BINS)]
    sizes, factors = [], []
    for low, high in itertools.pairwise(SIZE_EDGES_PX):
        part = [entry for entry in measured if low <= entry[0] < high]
        if not part:
            continue
        sizes.append(float(np.median([size for size, _, _ in part])))
        raw = np.concatenate([entry[1] for entry in part])
        error = np.concatenate([entry[2] for entry in part])
        factors.append([_factor(raw, error, _within(raw, edges, k)) for k in range(SD_BINS)])
    return Calibration(
        sd_knots=np.array(knots), size_knots=np.array(sizes), factors=np.array(factors)
    )


def torch_runner(network: nn.Module) -> SharesRunner:
    """A PyTorch network as the runner that inference expects."""
    network = network.float().eval()

    def run(features: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(network(torch.from_numpy(features)).numpy())

    return run


def _measured(known: KnownLayers, runner: SharesRunner) -> tuple[float, np.ndarray, np.ndarray]:
    radiograph = known.radiograph()
    observed = -np.log1p(-np.clip(radiograph.pixels, 0, 1 - 0.5 * radiograph.grey_level))
    joint = scene(observed, list(known.masks.values()), NOMINAL_SPACING_MM)
    soft, shares, share_sd = separate_scene(joint, runner, Calibration.none())
    raw = share_sd * spread_of_layers(observed, soft, shares)
    soft, bones = split_by_shares(observed, soft, shares)
    inside = known.overlap
    errors = [
        np.abs(intensity(soft + bone) - known.bone_image(name))[inside]
        for name, bone in zip(known.bones, bones, strict=True)
    ]
    both = np.concatenate(errors)
    return float(joint.both.sum()), np.tile(raw[inside], 2), both


def _within(raw: np.ndarray, edges: np.ndarray, number: int) -> np.ndarray:
    above = raw >= edges[number] if number > 0 else np.ones(raw.shape, bool)
    below = raw < edges[number + 1] if number < SD_BINS - 1 else np.ones(raw.shape, bool)
    return above & below


def _factor(raw: np.ndarray, error: np.ndarray, chosen: np.ndarray) -> float:
    if chosen.sum() < FEWEST_PIXELS:
        chosen = np.ones(raw.shape, bool)
    ratio = error[chosen] / np.maximum(raw[chosen], 1e-5)
    return float(np.quantile(ratio, NOMINAL_COVERAGE) / NORMAL_QUANTILE)
