"""Fit the calibration of the share network's standard deviations on held-out joints."""

from collections.abc import Sequence

import numpy as np
import torch
from rich.progress import track
from torch import nn

from lamella.io.datasets import LoadedJoint
from lamella.methods.shares.calibrate import NOMINAL_COVERAGE, NORMAL_QUANTILE, Calibration
from lamella.methods.shares.infer import SharesRunner, separate_scene, spread_of_layers
from lamella.physics.formation import absorbance, intensity, split_by_shares
from lamella.physics.soft_tissue import NOMINAL_SPACING_MM
from lamella.prepare.overlap import (
    SMALLEST_OVERLAP_PX,
    KnownLayers,
    closed,
    closing,
    layers_without_overlap,
)
from lamella.prepare.scene import scene

CLOSINGS = 4
LARGEST_CLOSING_PX = 24
SIZE_BINS = 5
SD_BINS = 10
FEWEST_PIXELS = 400
SMALLEST_SD = 1e-5


def fitted_calibration(network: nn.Module, joints: Sequence[LoadedJoint], seed: int) -> Calibration:
    """Factors by overlap size and raw SD, from closings of joints that never trained."""
    runner = torch_runner(network)
    measured = []
    for number, joint in enumerate(track(joints, "calibrating")):
        rng = np.random.default_rng([seed, 11, number])
        known = layers_without_overlap(joint.radiograph, joint.masks)
        for _ in range(CLOSINGS):
            closing_px = int(rng.integers(2, LARGEST_CLOSING_PX + 1))
            made = closed(known, closing(("upper", "lower"), closing_px))
            if made.overlap.sum() >= SMALLEST_OVERLAP_PX:
                measured.append(_measured(made, runner))
    return fit_table(measured)


def fit_table(measured: Sequence[tuple[float, np.ndarray, np.ndarray]]) -> Calibration:
    """Quantiles of |error| / SD in bins that hold equally many cases and pixels.

    Args:
        measured: per joint, overlap (px), raw SD (pixel,) and |error| (pixel,) of intensity.
    """
    sizes = np.array([size for size, _, _ in measured])
    rows = _equal_parts(sizes, SIZE_BINS)
    spread = np.concatenate([raw for _, raw, _ in measured])
    parts = _equal_parts(spread, SD_BINS)
    edges = [float(spread[part].max()) for part in parts[:-1]]
    return Calibration(
        sd_knots=np.array([np.median(spread[part]) for part in parts]),
        size_knots=np.array([np.median(sizes[chosen]) for chosen in rows]),
        factors=np.array([_row(measured, chosen, edges) for chosen in rows]),
    )


def _equal_parts(values: np.ndarray, count: int) -> list[np.ndarray]:
    """Masks of up to ``count`` parts of rising value, equal values kept together."""
    edges = np.unique(np.quantile(values, np.arange(1, count) / count, method="lower"))
    which = np.searchsorted(edges, values)
    return [which == part for part in range(len(edges) + 1) if (which == part).any()]


def _row(
    measured: Sequence[tuple[float, np.ndarray, np.ndarray]],
    chosen: np.ndarray,
    edges: Sequence[float],
) -> list[float]:
    entries = [entry for entry, wanted in zip(measured, chosen, strict=True) if wanted]
    raw = np.concatenate([entry[1] for entry in entries])
    ratio = np.concatenate([entry[2] for entry in entries]) / np.maximum(raw, SMALLEST_SD)
    which = np.searchsorted(edges, raw)
    return [_factor(ratio, which == column) for column in range(len(edges) + 1)]


def _factor(ratio: np.ndarray, chosen: np.ndarray) -> float:
    if chosen.sum() < FEWEST_PIXELS:
        chosen = np.ones(ratio.shape, bool)
    return float(np.quantile(ratio[chosen], NOMINAL_COVERAGE) / NORMAL_QUANTILE)


def torch_runner(network: nn.Module) -> SharesRunner:
    """A PyTorch network as the runner that inference expects."""
    network = network.float().eval()

    def run(features: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(network(torch.from_numpy(features)).numpy())

    return run


def _measured(known: KnownLayers, runner: SharesRunner) -> tuple[float, np.ndarray, np.ndarray]:
    radiograph = known.radiograph()
    observed = np.asarray(absorbance(radiograph.pixels, radiograph.grey_level))
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
    return joint.overlap_px, np.tile(raw[inside], 2), both
