"""Figures of the narrowing experiments: measured against true, errors against tilt, curves.

Drawn as the other figures are (:mod:`lamella.evaluation.figures`), as PNG and PDF.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lamella.evaluation.figures import COLOURS, DASHES, MARKERS, STYLE
from lamella.evaluation.narrowing_cases import NarrowingCase

COLUMNS = 4
CELL_INCH = (2.6, 2.5)
SHOWN_ERROR_MM = 0.5
CaseRows = Mapping[str, Sequence[NarrowingCase]]
Curve = tuple[np.ndarray, np.ndarray]
"""Places along the abscissa and values, (n,) each."""


def measured_against_true(rows: CaseRows, path: Path) -> None:
    """One panel per method: accepted pairs filled, refused ones open, the identity as a line."""
    with rc_context(STYLE):
        figure, axes = _panels(rows)
        for axis, (name, cases) in zip(axes, rows.items(), strict=False):
            _identity(axis, cases)
            for accepted, fill in ((False, "none"), (True, COLOURS[6])):
                chosen = [case for case in cases if case.is_accepted is accepted]
                axis.scatter(
                    [case.known_mm for case in chosen],
                    [case.measured_mm for case in chosen],
                    s=7,
                    facecolors=fill,
                    edgecolors=COLOURS[6] if accepted else COLOURS[5],
                    linewidths=0.5,
                )
            axis.set(title=name, xlabel="true narrowing, mm", ylabel="measured, mm")
        _save(figure, path)


def error_against_projection(rows: CaseRows, path: Path) -> None:
    """One panel per method: error of accepted pairs against the change of flexion.

    Errors beyond ``SHOWN_ERROR_MM`` are drawn at the edge.
    """
    with rc_context(STYLE):
        figure, axes = _panels(rows)
        for axis, (name, cases) in zip(axes, rows.items(), strict=False):
            chosen = [case for case in cases if case.is_accepted]
            axis.axhline(0.0, color="0.6", linewidth=0.7)
            axis.scatter(
                [case.projection_deg for case in chosen],
                np.clip([case.error_mm for case in chosen], -SHOWN_ERROR_MM, SHOWN_ERROR_MM),
                s=6,
                color=COLOURS[6],
                linewidths=0,
            )
            axis.set(title=name, xlabel="change of flexion, degrees", ylabel="error, mm")
            axis.set_ylim(-1.05 * SHOWN_ERROR_MM, 1.05 * SHOWN_ERROR_MM)
        _save(figure, path)


def curves(
    shown: Mapping[str, Curve], labels: tuple[str, str], path: Path, *, log: bool = False
) -> None:
    """Lines by name in one panel.

    Args:
        shown: name -> places and values.
        labels: of the abscissa and the ordinate.
        path: of the files, without their endings.
        log: logarithmic abscissa.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.6), layout="constrained")
        axis = figure.subplots()
        for number, (name, (places, values)) in enumerate(shown.items()):
            axis.plot(
                places,
                values,
                label=name,
                color=COLOURS[number % len(COLOURS)],
                linestyle=DASHES[number // len(COLOURS) % len(DASHES)],
                marker=MARKERS[number % len(MARKERS)] if len(places) < 20 else None,
                markersize=3.5,
                linewidth=1.2,
            )
        if log:
            axis.set_xscale("symlog", linthresh=20.0)
        axis.set(xlabel=labels[0], ylabel=labels[1])
        axis.grid(visible=True, color="0.9", linewidth=0.6)
        figure.legend(loc="outside right upper", frameon=False, fontsize=7.0)
        _save(figure, path)


def _panels(rows: CaseRows) -> tuple[Figure, list[Axes]]:
    columns = min(COLUMNS, len(rows))
    lines = -(-len(rows) // columns)
    size = (CELL_INCH[0] * columns, CELL_INCH[1] * lines)
    figure = Figure(figsize=size, layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(lines, columns)).ravel())
    for axis in axes[len(rows) :]:
        axis.set_axis_off()
    return figure, axes


def _identity(axis: Axes, cases: Sequence[NarrowingCase]) -> None:
    known = [case.known_mm for case in cases] or [0.0]
    low, high = min(known), max(known)
    axis.plot([low, high], [low, high], color="0.6", linewidth=0.7)
    axis.set_ylim(low - SHOWN_ERROR_MM, high + SHOWN_ERROR_MM)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path.with_suffix(".png"), dpi=150, metadata={"Software": None})
    figure.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None})
