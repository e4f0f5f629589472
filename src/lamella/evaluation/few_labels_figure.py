"""Figure of the few-labels benchmark: scores against the part of the joints that is annotated."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from lamella.evaluation.figures import COLOURS, STYLE

PANELS = {
    "mae_over_sd": "MAE / SD of the widths",
    "r2": "R² of the width",
    "balanced": "Balanced accuracy, 5 classes",
    "kappa": "Quadratic-weighted κ",
}
LOOKS = {
    "without": ("no pre-training", COLOURS[0], "o", "-"),
    "with": ("pre-trained on synthetic joints", COLOURS[5], "s", "-"),
    "segmented": ("likewise, segmented masks of all", COLOURS[6], "^", "--"),
}
"""Arm -> name, colour, marker, dashes."""

FIGURE_INCH = (7.0, 5.2)
SIDESTEP = {"without": 0.97, "with": 1.03, "segmented": 1.0}
"""Factor on the percentage, so that intervals do not hide each other."""


def draw(arms: Mapping[str, Any], path: Path) -> None:
    """Draw four scores against the annotated part, with intervals; PNG and PDF.

    Args:
        arms: arm -> percent -> score -> mean, low, high.
        path: of the files, without their endings.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with rc_context(STYLE):
        figure = Figure(figsize=FIGURE_INCH, layout="constrained")
        for axis, (score, title) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
            _panel(axis, arms, score)
            axis.set_title(title)
        handles, names = axis.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
        figure.savefig(path.with_suffix(".png"), dpi=150, metadata={"Software": None})
        figure.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None})


def _panel(axis: Axes, arms: Mapping[str, Any], score: str) -> None:
    percents = sorted({float(percent) for cells in arms.values() for percent in cells})
    for arm, cells in arms.items():
        name, colour, marker, dashes = LOOKS[arm]
        at = sorted(cells, key=float)
        found = [cells[percent][score] for percent in at]
        means = [each["mean"] for each in found]
        spread = [
            [each["mean"] - each["low"] for each in found],
            [each["high"] - each["mean"] for each in found],
        ]
        axis.errorbar(
            [float(percent) * SIDESTEP[arm] for percent in at],
            means,
            yerr=spread,
            label=name,
            color=colour,
            marker=marker,
            linestyle=dashes,
            markersize=4.0,
            linewidth=1.2,
            elinewidth=0.8,
            capsize=2.0,
        )
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(FixedLocator(percents))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
    axis.set_xlabel("joints annotated")
