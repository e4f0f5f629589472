"""Figures of the comparisons: curves against overlap size, and panels of separated joints.

Drawn without pyplot, so nothing global is touched, and saved as PNG and PDF without dates, so
the same figures are the same files. Colours are Okabe and Ito's, told apart by colour-blind
readers; every line carries its name at its end.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from scipy.optimize import isotonic_regression

from lamella.evaluation.rows import Separated, Separator
from lamella.records import Radiograph
from lamella.types import Image, Mask

COLOURS = (
    "#7F7F7F", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#0072B2", "#000000",
)  # fmt: skip
DASHES = ("-", "--", ":", "-.")
MARKERS = "osD^vPX*"
BIN_CASES = 9
MOST_BINS = 8
LABEL_GAP = 0.058
ERROR_RANGE = 0.2
CELL_INCH = 1.45
MARGIN_INCH = (0.3, 0.8, 0.05, 0.3)
"""Left, right, bottom and top of the cells."""
GAP = 0.03
SHOWN_MARGIN_PX = 16
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "pdf.fonttype": 42,
}


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What one plot shows.

    Args:
        title: above the plot, with unit.
        values: row name -> value per joint, (joint,).
        log: logarithmic axis.
        exact_below: values up to here are rounding: their row is named at the edge, not drawn.
        exact_above: the same from here on.
    """

    title: str
    values: Mapping[str, Float[np.ndarray, "joints"]]
    log: bool = False
    exact_below: float = -np.inf
    exact_above: float = np.inf

    def is_exact(self, name: str) -> bool:
        """True when at least half of a row's joints lie in the rounding."""
        middle = float(np.median(self.values[name]))
        return middle <= self.exact_below or middle >= self.exact_above


@dataclass(frozen=True, kw_only=True)
class Binned:
    """Medians and quartiles over joints of similar overlap, one entry per bin."""

    overlap_px: Float[np.ndarray, "bins"]
    median: Float[np.ndarray, "bins"]
    low: Float[np.ndarray, "bins"]
    high: Float[np.ndarray, "bins"]


@dataclass(frozen=True, kw_only=True)
class PanelCase:
    """A joint to show.

    Args:
        name: of the file; names of patients or joints do not belong here.
        radiograph: the joint.
        masks: upper and lower bone.
        true_layers: upper and lower layer image where they are known.
    """

    name: str
    radiograph: Radiograph
    masks: Mapping[str, Mask]
    true_layers: Sequence[Image] = field(default=())


def binned(overlap_px: Float[np.ndarray, "joints"], values: Float[np.ndarray, "joints"]) -> Binned:
    """Equally filled bins of about nine joints, at most eight, smallest overlaps first."""
    count = int(np.clip(len(values) // BIN_CASES, 1, MOST_BINS))
    parts = np.array_split(np.argsort(overlap_px, kind="stable"), count)
    low, median, high = np.array([np.percentile(values[part], (25, 50, 75)) for part in parts]).T
    at = np.array([np.median(overlap_px[part]) for part in parts], np.float64)
    return Binned(overlap_px=at, median=median, low=low, high=high)


def overlap_curves(
    quantities: Sequence[Quantity], overlap_px: Float[np.ndarray, "joints"], path: Path
) -> None:
    """Draw each quantity against overlap size (BLS-GAN Fig. 3 and 5), two plots per line.

    Args:
        quantities: with the same rows each.
        overlap_px: pixels in both masks, one per joint.
        path: of the files without suffix: PNG and PDF.
    """
    with rc_context(STYLE):
        lines = -(-len(quantities) // 2)
        figure = Figure(figsize=(10.2, 3.1 * lines), layout="constrained")
        axes = np.atleast_1d(figure.subplots(lines, 2)).ravel()
        for axis, quantity in itertools.zip_longest(axes, quantities):
            if quantity is None:
                axis.set_axis_off()
            else:
                _curves(axis, quantity, overlap_px)
        _save(figure, path)


def panels(rows: Mapping[str, Separator], cases: Sequence[PanelCase], folder: Path) -> list[Path]:
    """Draw joint, recomposition, layers and error of every row (BLS-GAN Fig. 4 and 6).

    One figure per case, a PNG and a PDF. Joints of patients stay on the machine of whoever
    asks for them: choose the folder accordingly.

    Args:
        rows: separators by name.
        cases: joints to show.
        folder: for the figures; made where it is missing.

    Returns:
        the PNG files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for case in cases:
        shown = {
            name: separator(case.radiograph, dict(case.masks)) for name, separator in rows.items()
        }
        with rc_context(STYLE):
            _save(_panel(case, shown), folder / case.name)
    return [folder / f"{case.name}.png" for case in cases]


def _curves(axis: Axes, quantity: Quantity, overlap_px: np.ndarray) -> None:
    axis.set(title=quantity.title, xscale="log", xlabel="overlap, px")
    axis.grid(visible=True, color="0.9", linewidth=0.6)
    if quantity.log:
        axis.set_yscale("log")
    ends: list[tuple[str, Any, float]] = []
    exact = [name for name in quantity.values if quantity.is_exact(name)]
    for number, (name, values) in enumerate(quantity.values.items()):
        if name in exact:
            continue
        curve = binned(overlap_px, values)
        colour = COLOURS[number % len(COLOURS)]
        axis.plot(
            curve.overlap_px,
            curve.median,
            color=colour,
            linestyle=DASHES[number // len(COLOURS) % len(DASHES)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=3.2,
            linewidth=1.4,
        )
        axis.fill_between(
            curve.overlap_px, curve.low, curve.high, color=colour, alpha=0.10, linewidth=0
        )
        ends.append((name, colour, float(curve.median[-1])))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    _label_ends(axis, ends, float(binned(overlap_px, overlap_px).overlap_px[-1]))
    _name_exact(axis, quantity, exact)


def _label_ends(axis: Axes, ends: Sequence[tuple[str, Any, float]], last_px: float) -> None:
    """Names beside the right edge, moved apart where lines end close together."""
    if not ends:
        axis.set_yticks([])
        return
    axis.set_ylim(*axis.get_ylim())
    to_axes = axis.transData + axis.transAxes.inverted()
    heights = [float(to_axes.transform((last_px, value))[1]) for _, _, value in ends]
    for (name, colour, value), height in zip(ends, spread_apart(heights, LABEL_GAP), strict=True):
        axis.annotate(
            name,
            xy=(last_px, value),
            xytext=(1.04, height),
            xycoords="data",
            textcoords="axes fraction",
            color=colour,
            fontsize=7.2,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkB": 3},
        )


def spread_apart(heights: Sequence[float], gap: float) -> list[float]:
    """The nearest heights (least squares) in the same order that are at least a gap apart."""
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(heights))
    placed = np.empty(len(heights))
    placed[order] = isotonic_regression(np.asarray(heights)[order] - steps).x + steps
    return [float(height) for height in placed]


def _name_exact(axis: Axes, quantity: Quantity, exact: Sequence[str]) -> None:
    if not exact:
        return
    above = np.isfinite(quantity.exact_above)
    bound = (
        f"> {quantity.exact_above:g}"
        if above
        else f"< $10^{{{np.log10(quantity.exact_below):.0f}}}$"
    )
    axis.text(
        0.985,
        0.97 if above else 0.03,
        f"{'↑' if above else '↓'} {', '.join(exact)}: {bound} (exact)",
        transform=axis.transAxes,
        ha="right",
        va="top" if above else "bottom",
        fontsize=7.2,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5},
    )


def _panel(case: PanelCase, shown: Mapping[str, Separated]) -> Figure:
    joint = case.radiograph.pixels
    lines: dict[str, Sequence[Image | None]] = {}
    if case.true_layers:
        lines["truth"] = (joint, None, *case.true_layers, None)
    for name, made in shown.items():
        lines[name] = (joint, made.recomposed, *made.layers, made.recomposed - joint)
    figure, axes = _cells(len(lines))
    overlap = np.asarray(np.stack(list(case.masks.values())).all(axis=0))
    window = shown_window(overlap)
    for line, (name, images) in zip(axes, lines.items(), strict=True):
        line[0].set_ylabel(name, fontsize=7.0)
        for axis, image in zip(line[:-1], images[:-1], strict=True):
            _picture(axis, image, window, {"cmap": "gray", "vmin": 0.0, "vmax": 1.0})
        if overlap.any():
            line[0].contour(overlap[window], levels=[0.5], colors=COLOURS[1], linewidths=0.7)
        error = {"cmap": "RdBu_r", "vmin": -ERROR_RANGE, "vmax": ERROR_RANGE}
        mapped = _picture(line[-1], images[-1], window, error)
    _colour_bar(figure, mapped, axes[-1][-1])
    return figure


def shown_window(overlap: Mask) -> tuple[slice, slice]:
    """Rows and columns to show: a square around the overlap, half of the image or more."""
    smallest = min(overlap.shape)
    if not overlap.any():
        return slice(None), slice(None)
    places = np.argwhere(overlap)
    extent = int(np.ptp(places, axis=0).max()) + 2 * SHOWN_MARGIN_PX
    side = min(smallest, max(smallest // 2, extent))
    middle = (places.min(axis=0) + places.max(axis=0)) / 2.0
    rows, cols = (
        int(np.clip(round(at) - side // 2, 0, length - side))
        for at, length in zip(middle, overlap.shape, strict=True)
    )
    return slice(rows, rows + side), slice(cols, cols + side)


def _cells(lines: int) -> tuple[Figure, Any]:
    """Square cells without ticks under their headings."""
    columns = ("joint J", "recomposed R", "upper layer", "lower layer", "error R − J")
    left, right, bottom, top = MARGIN_INCH
    spans = [(1 + GAP) * CELL_INCH * count - GAP * CELL_INCH for count in (len(columns), lines)]
    width, height = spans[0] + left + right, spans[1] + bottom + top
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        bottom=bottom / height,
        top=1 - top / height,
        wspace=GAP,
        hspace=GAP,
    )
    axes = figure.subplots(lines, len(columns), squeeze=False)
    for axis, title in zip(axes[0], columns, strict=True):
        axis.set_title(title, loc="center", fontsize=8, fontweight="normal")
    return figure, axes


def _picture(
    axis: Axes, image: Image | None, window: tuple[slice, slice], look: Mapping[str, Any]
) -> Any:
    axis.set(xticks=[], yticks=[], facecolor="none")
    axis.spines[:].set_visible(False)
    return None if image is None else axis.imshow(image[window], interpolation="nearest", **look)


def _colour_bar(figure: Figure, mapped: Any, beside: Axes) -> None:
    box = beside.get_position()
    place = figure.add_axes((box.x1 + 0.012, box.y0, 0.014, box.height))
    bar = figure.colorbar(mapped, cax=place, extend="both", ticks=[-ERROR_RANGE, 0, ERROR_RANGE])
    bar.set_label("R − J, intensity", fontsize=7)
    bar.ax.tick_params(labelsize=6.5)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path.with_suffix(".png"), dpi=150, metadata={"Software": None})
    figure.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None})
