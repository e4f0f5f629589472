"""Pictures of cross-visit pairs, to look at on the machine that holds the data.

They show patients: nothing here is drawn unless asked for, and nothing drawn may be published.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lamella.evaluation.bone_pairs import BONES, BonePair, bone_masks
from lamella.evaluation.cross_visit import SeparatorOf, separated
from lamella.types import Image, Mask

MARGIN_PX = 24
CELL_INCH = 2.2
ERROR_RANGE = 0.25


def panels(pairs: Sequence[BonePair], rows: Mapping[str, SeparatorOf], file: Path) -> Path:
    """Draw each pair on one line: joint, the other visit, every row's layer and its error.

    The joint carries the outlines of both masks (this bone yellow, the other cyan) and of the
    compared pixels (red). Errors are layer minus other visit, red where the layer is too bright,
    ``ERROR_RANGE`` at full colour, where this bone is alone at the other visit.

    Args:
        pairs: to draw.
        rows: name -> separator by joint.
        file: PNG to write.
    """
    columns = 2 + 2 * len(rows)
    figure = Figure(figsize=(CELL_INCH * columns, CELL_INCH * len(pairs)), layout="tight")
    axes = figure.subplots(len(pairs), columns, squeeze=False)
    for line, pair in zip(axes, pairs, strict=True):
        _line(line, pair, rows)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=80)
    return file


def _line(line: np.ndarray, pair: BonePair, rows: Mapping[str, SeparatorOf]) -> None:
    window = _window(pair.inside)
    mask, other = bone_masks(pair.visit, pair.bone)
    _grey(line[0], pair.visit.pixels[window], f"{pair.bone}, NCC {pair.ncc:.3f}")
    for outlined, colour in ((mask, "yellow"), (other, "cyan"), (pair.inside, "red")):
        line[0].contour(outlined[window].astype(float), [0.5], colors=colour, linewidths=0.8)
    _grey(line[1], pair.reference[window], "other visit")
    for number, (name, separator_of) in enumerate(rows.items()):
        found = separated(separator_of(pair.joint), pair.visit)
        layer = found.layers[BONES.index(pair.bone)]
        _grey(line[2 + 2 * number], layer[window], name)
        error = np.where(pair.usable, layer - pair.reference, np.nan)[window]
        _error(line[3 + 2 * number], error)


def _grey(axes: Axes, image: Image, title: str) -> None:
    axes.imshow(image, cmap="gray", vmin=0.1, vmax=0.95)
    axes.set_title(title, fontsize=7)
    axes.axis("off")


def _error(axes: Axes, error: Image) -> None:
    axes.imshow(error, cmap="RdBu_r", vmin=-ERROR_RANGE, vmax=ERROR_RANGE)
    axes.set_title("error", fontsize=7)
    axes.axis("off")


def _window(inside: Mask) -> tuple[slice, slice]:
    rows, cols = np.nonzero(inside)
    return (
        slice(max(int(rows.min()) - MARGIN_PX, 0), int(rows.max()) + MARGIN_PX),
        slice(max(int(cols.min()) - MARGIN_PX, 0), int(cols.max()) + MARGIN_PX),
    )
