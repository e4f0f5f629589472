"""Layer fidelity: are the separated layers the true ones? ``lamella evaluate layers``.

Real joints without overlap are closed on purpose, so their true layers are known; phantoms
add joints whose soft tissue comes from another generator. PSNR is that of the mean squared
error over cases (each case weighs the same), inside the overlap, over both layers.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from rich.progress import track

from lamella.evaluation.baselines import (
    LayerImages,
    biharmonic,
    equal_split,
    no_separation,
    opencv_inpainting,
)
from lamella.evaluation.cases import closed_joints, phantom_joints
from lamella.evaluation.fidelity import LayerFidelity, bin_names, layer_fidelity, psnr_db, size_bin
from lamella.evaluation.results import markdown_table, save
from lamella.prepare.overlap import KnownLayers
from lamella.records import LamellaError, Radiograph
from lamella.types import Image, Mask
from lamella.zoo.verbs import separate

PHANTOMS = 100

Cases = Iterable[tuple[KnownLayers, Radiograph]]
Summary = dict[str, int | float]


def lamella_layers(radiograph: Radiograph, masks: Mapping[str, Mask]) -> list[Image]:
    """Lamella's own separation, the masks given."""
    layers = separate(radiograph, masks)
    return [layers.bone_image(name) for name in masks]


def methods() -> dict[str, LayerImages]:
    """Every row of the table."""
    return {
        "no separation": no_separation,
        "Telea inpainting": opencv_inpainting("telea"),
        "Navier-Stokes inpainting": opencv_inpainting("navier-stokes"),
        "biharmonic inpainting": biharmonic,
        "equal split": equal_split,
        "Lamella": lamella_layers,
    }


def measure(cases: Cases, rows: dict[str, LayerImages]) -> dict[str, list[LayerFidelity]]:
    """Fidelity of each method on each case."""
    scores: dict[str, list[LayerFidelity]] = defaultdict(list)
    for known, radiograph in cases:
        true = [known.bone_image(name) for name in known.bones]
        for name, method in rows.items():
            found = method(radiograph, dict(known.masks))
            scores[name].append(layer_fidelity(found, true, known.overlap))
    return scores


def summary(scores: list[LayerFidelity]) -> Summary:
    """Mean-MSE PSNR (dB), median PSNR, 5th percentile, SSIM, and PSNR by overlap size."""
    each = np.array([psnr_db(score.mse) for score in scores])
    by_bin = defaultdict(list)
    for score in scores:
        by_bin[size_bin(score.overlap_px)].append(score.mse)
    return {
        "cases": len(scores),
        "psnr": psnr_db(float(np.mean([score.mse for score in scores]))),
        "psnr_median": float(np.median(each)),
        "psnr_5th_percentile": float(np.percentile(each, 5)),
        "ssim": float(np.mean([score.ssim for score in scores])),
        **{
            f"psnr_{name}": psnr_db(float(np.mean(by_bin[name])))
            for name in bin_names()
            if by_bin[name]
        },
        **{f"cases_{name}": len(by_bin[name]) for name in bin_names() if by_bin[name]},
    }


def evaluate(data: Path, out: Path) -> str:
    """Run the benchmark on a manifest and on phantoms; returns the printed tables.

    Args:
        data: manifest (``dev.json``).
        out: folder for ``layers.json`` and ``layers.md``.
    """
    rows = methods()
    sets = {
        "closed joints": list(closed_joints(data)),
        "phantoms": list(phantom_joints(PHANTOMS)),
    }
    result, tables = {}, []
    for name, cases in sets.items():
        if not cases:
            raise LamellaError(f"{data.name} holds no joint without overlap to close")
        scores = measure(track(cases, name), rows)
        summaries = {method: summary(score) for method, score in scores.items()}
        result[name] = summaries
        tables.append(_table(name, summaries))
    return save(out, "layers", result, "\n".join(tables))


def _table(name: str, summaries: dict[str, Summary]) -> str:
    first = next(iter(summaries.values()))
    bins = [key for key in bin_names() if f"psnr_{key}" in first]
    columns = ["PSNR in the overlap, dB", "all", "median", "5th pct", "SSIM"]
    columns += [f"{key} px (n={first[f'cases_{key}']})" for key in bins]
    rows = [
        [
            method,
            score["psnr"],
            score["psnr_median"],
            score["psnr_5th_percentile"],
            f"{score['ssim']:.4f}",
            *[score[f"psnr_{key}"] for key in bins],
        ]
        for method, score in summaries.items()
    ]
    return f"**{name}**, {first['cases']} cases\n\n" + markdown_table(columns, rows)
