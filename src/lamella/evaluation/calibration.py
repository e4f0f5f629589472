"""Do the stated intervals hold? ``lamella evaluate calibration``.

Nominal 90 % intervals of the layer images, ``L_i +- 1.645 SD``, are compared with the true
layers of closed joints, inside the overlap.
"""

from pathlib import Path

import numpy as np
from rich.progress import track

from lamella.evaluation.cases import closed_joints
from lamella.evaluation.fidelity import bin_names, size_bin
from lamella.evaluation.results import markdown_table, save
from lamella.methods.shares.calibrate import NORMAL_QUANTILE
from lamella.prepare.overlap import KnownLayers
from lamella.records import LamellaError, Radiograph
from lamella.zoo.verbs import separate

DECILES = 10


def errors_and_sd(known: KnownLayers, radiograph: Radiograph) -> tuple[np.ndarray, np.ndarray]:
    """Error and stated SD of the layer intensities in the overlap, both bones, (2 n,) each."""
    layers = separate(radiograph, known.masks)
    inside = known.overlap
    names = list(known.bones)
    errors = [(layers.bone_image(name) - known.bone_image(name))[inside] for name in names]
    spread = [layers.share_sd_in_intensity(name)[inside] for name in names]
    return np.concatenate(errors), np.concatenate(spread)


def coverage(errors: np.ndarray, spread: np.ndarray) -> float:
    """Fraction of errors inside the nominal 90 % interval."""
    return float((np.abs(errors) <= NORMAL_QUANTILE * spread).mean())


def evaluate(data: Path, out: Path) -> str:
    """Coverage by overlap size and by decile of stated SD, and how wide the intervals are.

    Args:
        data: manifest (``dev.json``).
        out: folder for ``calibration.json`` and ``calibration.md``.
    """
    by_bin: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in bin_names()}
    for known, radiograph in track(list(closed_joints(data)), "measuring intervals"):
        by_bin[size_bin(int(known.overlap.sum()))].append(errors_and_sd(known, radiograph))
    if not any(by_bin.values()):
        raise LamellaError(f"{data.name} holds no joint without overlap to close")
    joined = {
        name: tuple(np.concatenate(part) for part in zip(*pairs, strict=True))
        for name, pairs in by_bin.items()
        if pairs
    }
    errors, spread = (np.concatenate([pair[k] for pair in joined.values()]) for k in (0, 1))
    rows = [("all", coverage(errors, spread), _width(spread))]
    rows += [(f"{name} px", coverage(*pair), _width(pair[1])) for name, pair in joined.items()]
    rows += _decile_rows(errors, spread)
    result = {
        name: {"coverage": covered, "width_grey_levels": width} for name, covered, width in rows
    }
    table = markdown_table(
        ["nominal 90 % intervals", "coverage", "mean width, grey levels of 255"],
        [[name, f"{covered:.3f}", f"{width:.1f}"] for name, covered, width in rows],
    )
    return save(out, "calibration", {"intervals": result}, table)


def _decile_rows(errors: np.ndarray, spread: np.ndarray) -> list[tuple[str, float, float]]:
    ranks = np.argsort(np.argsort(spread, kind="stable"), kind="stable") * DECILES // spread.size
    return [
        (
            f"SD decile {k + 1}",
            coverage(errors[ranks == k], spread[ranks == k]),
            _width(spread[ranks == k]),
        )
        for k in range(DECILES)
    ]


def _width(spread: np.ndarray) -> float:
    return float(2 * NORMAL_QUANTILE * 255 * spread.mean())
