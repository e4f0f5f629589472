"""Does pre-training on synthetic joints help? ``lamella evaluate few-labels --networks DIR``.

Reads the runs of ``lamella train few-labels`` (:mod:`lamella.recipes.few_labels`), lets each
network read the images of a manifest that none of them saw, and compares them with the widths
measured on its drawn masks and with the narrowing classes cut from those
(:mod:`lamella.training.width_images`): no reader scored anything. Scores and intervals:
:mod:`lamella.evaluation.width_scores`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import track

from lamella.evaluation.bootstrap import RESAMPLES, Interval
from lamella.evaluation.few_labels_figure import draw
from lamella.evaluation.results import markdown_table, save
from lamella.evaluation.width_scores import (
    BETTER_ABOVE,
    Draws,
    Reading,
    Scores,
    Truth,
    draws,
    gain,
    helps,
    intervals,
    scores,
)
from lamella.records import LamellaError
from lamella.training.width_images import CUTS_MM, WidthImages, narrowing_class, real_images
from lamella.training.width_network import new_network, predict

NAME = "few_labels"
WITHOUT = "without"
FIRST_STAGE, LAST_STAGE = 0, 1
ARMS = {
    WITHOUT: "without pre-training",
    "with": "pre-trained, synthetic from the annotated images",
    "segmented": "pre-trained, synthetic from all images, segmented masks",
}
HEADINGS = {
    "mae_mm": "MAE, mm",
    "mae_over_sd": "MAE / SD",
    "r2": "R²",
    "balanced": "balanced accuracy",
    "kappa": "weighted κ",
}
PUBLISHED = (
    ("LSN without pre-training, labels of SD 0.37 mm", 0.180, 0.49, 0.518),
    ("LSN with pre-training", 0.152, 0.42, 0.566),
    ("LSN, best run", 0.130, 0.36, 0.741),
)
"""Name, MAE in mm, MAE over label SD, R2, all on 100 % (LSN's notebooks)."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """An arm at one part of the joints: readings of its seeds, in the seeds' order."""

    images: tuple[int, ...]
    first: Sequence[Reading]
    last: Sequence[Reading]


Grid = dict[str, dict[float, Cell]]
"""Arm -> percent -> cell."""


def evaluate(data: Path, out: Path, networks: Path | None = None) -> str:
    """Score every run and compare arms.

    Args:
        data: manifest whose joints trained nothing (``dev.json``).
        out: folder for ``few_labels.json``, ``.md``, ``.png`` and ``.pdf``.
        networks: folder that ``lamella train few-labels`` wrote.

    Raises:
        LamellaError: no runs there, or an arm without its counterpart.
    """
    runs = _runs(networks)
    images = real_images(data)
    truth = Truth(
        width_mm=images.width_mm.astype("float64"),
        narrowing=narrowing_class(images.width_mm),
        joints=images.joints,
    )
    result = judged(_read(runs, images), truth)
    draw(result["arms"], out / NAME)
    return save(out, NAME, result, _tables(result))


def judged(grid: Grid, truth: Truth) -> dict[str, Any]:
    """Scores of every cell, of its first stage alone, and its paired gain over no pre-training."""
    result: dict[str, Any] = {
        "label_sd_mm": truth.sd_mm,
        "images": len(truth.joints),
        "joints": len(set(truth.joints.tolist())),
        "cuts_mm": list(CUTS_MM),
        "arms": {},
        "first_stage": {},
        "gain": {},
    }
    for arm, cells in grid.items():
        for percent, cell in cells.items():
            drawn = draws(truth.joints, len(cell.last))
            own = scores(truth, cell.last, drawn)
            part = {"seeds": len(cell.last), "training_images": list(cell.images)}
            _put(result["arms"], arm, percent, part | _plain(intervals(own)))
            if arm == WITHOUT:
                continue
            first = intervals(scores(truth, cell.first, drawn))
            _put(result["first_stage"], arm, percent, _plain(first))
            bare = _counterpart(grid, percent, truth, drawn)
            _put(result["gain"], arm, percent, _gain(own, bare))
    return result


def _counterpart(grid: Grid, percent: float, truth: Truth, drawn: Draws) -> Scores:
    bare = grid.get(WITHOUT, {}).get(percent)
    if bare is None or len(bare.last) != drawn.seeds.shape[1]:
        raise LamellaError(
            f"expected as many runs without pre-training at {percent:g} %: finish the grid first"
        )
    return scores(truth, bare.last, drawn)


def _gain(own: Scores, bare: Scores) -> dict[str, Any]:
    found = gain(own, bare)
    return _plain(found) | {"helps": {name: helps(found, name) for name in BETTER_ABOVE}}


def _runs(networks: Path | None) -> list[dict[str, Any]]:
    files = sorted((networks / "runs").glob("*.pt")) if networks is not None else []
    if not files:
        raise LamellaError(
            "expected runs to judge: train them with lamella train few-labels -o DIR, then give "
            "--networks DIR"
        )
    runs = [torch.load(file, weights_only=True) for file in files]
    return sorted(runs, key=lambda run: (list(ARMS).index(run["arm"]), run["percent"], run["seed"]))


def _read(runs: Sequence[dict[str, Any]], images: WidthImages) -> Grid:
    """Only seeds that every arm of a part has: a grid under way compares like with like."""
    parts: dict[tuple[str, float], dict[int, dict[str, Any]]] = defaultdict(dict)
    for run in runs:
        parts[run["arm"], run["percent"]][run["seed"]] = run
    grid: Grid = defaultdict(dict)
    for (arm, percent), by_seed in track(list(parts.items()), "reading widths"):
        shared = set.intersection(
            *(set(seeds) for (_, other), seeds in parts.items() if other == percent)
        )
        chosen = [by_seed[seed] for seed in sorted(shared)]
        if chosen:
            grid[arm][percent] = Cell(
                images=tuple(run["about"]["images"] for run in chosen),
                first=[_reading(run["states"][FIRST_STAGE], images) for run in chosen],
                last=[_reading(run["states"][LAST_STAGE], images) for run in chosen],
            )
    return dict(grid)


def _reading(state: Mapping[str, torch.Tensor], images: WidthImages) -> Reading:
    network = new_network(0, _widths(state))
    network.load_state_dict(state)
    read = predict(network, images)
    return Reading(width_mm=read.width_mm, narrowing=read.narrowing)


def _widths(state: Mapping[str, torch.Tensor]) -> tuple[int, ...]:
    """Channels of the network that a state belongs to."""
    names = ("fine.0.0.weight", "fine.1.0.weight", "fine.2.0.weight", "coarse.0.0.weight")
    return tuple(state[name].shape[0] for name in names)


def _put(into: dict[str, Any], arm: str, percent: float, entries: dict[str, Any]) -> None:
    into.setdefault(arm, {})[f"{percent:g}"] = entries


def _plain(found: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: asdict(each) for name, each in found.items()}


def _tables(result: Mapping[str, Any]) -> str:
    gains = [
        [ARMS[arm], f"{percent} %", *(_cell(entry[name]) for name in HEADINGS), _verdict(entry)]
        for arm, cells in result["gain"].items()
        for percent, entry in cells.items()
    ]
    columns = ["pre-trained minus without", "joints annotated", *HEADINGS.values(), "better in"]
    published = [
        [name, f"{mm:.3f}", f"{part:.2f}", f"{r2:.3f}"] for name, mm, part, r2 in PUBLISHED
    ]
    return "\n".join(
        [
            _about(result) + "\n\n" + _score_table(result["arms"]),
            "Paired difference, same seeds and joints:\n\n" + markdown_table(columns, gains),
            "After pre-training alone, before any real image is learned from:\n\n"
            + _score_table(result["first_stage"]),
            "Published, on other labels and images; compare R² and MAE / SD:\n\n"
            + markdown_table(["all labels", "MAE, mm", "MAE / SD", "R²"], published),
        ]
    )


def _about(result: Mapping[str, Any]) -> str:
    cuts = ", ".join(f"{cut:g}" for cut in result["cuts_mm"])
    return (
        f"**Joint space width and narrowing class from few annotated joints**, {result['images']} "
        f"images of {result['joints']} joints that trained nothing; labels measured on drawn "
        f"masks, SD {result['label_sd_mm']:.3f} mm; classes cut at {cuts} mm, not readers' scores. "
        f"Means over seeds; 95 % intervals, {RESAMPLES} resamples of joints and seeds; patients "
        "cannot be told apart, so they are optimistic."
    )


def _score_table(arms: Mapping[str, Any]) -> str:
    rows = [
        [
            ARMS[arm],
            f"{percent} %",
            *(_cell(entry[name]) for name in HEADINGS),
        ]
        for arm, cells in arms.items()
        for percent, entry in cells.items()
    ]
    return markdown_table(["training", "joints annotated", *HEADINGS.values()], rows)


def _verdict(entry: Mapping[str, Any]) -> str:
    better = [HEADINGS[name] for name, yes in entry["helps"].items() if yes]
    return ", ".join(better) or "nothing"


def _cell(found: Mapping[str, float]) -> str:
    return f"{found['mean']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
