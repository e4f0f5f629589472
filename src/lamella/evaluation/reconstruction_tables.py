"""Tables and CSV files of the reconstruction evaluation."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from lamella.evaluation.agreement import PSNR_CAP_DB, Agreement
from lamella.evaluation.encoder import SetDistance
from lamella.evaluation.joint_scores import (
    BONES,
    ClosedScores,
    Floors,
    JointScore,
    RealFeatures,
    bone_distances,
    set_distances,
)
from lamella.evaluation.latex import latex_table
from lamella.evaluation.layers import summary
from lamella.evaluation.published import NOTE, TABLE_2, TABLE_3, PublishedRow
from lamella.evaluation.results import markdown_table

NOTHING = "–"
ROUNDING = 1e-6
BONE_HEADINGS = tuple(f"{kind} {bone}" for bone in BONES for kind in ("Fréchet", "kernel"))


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A column: field of :class:`Agreement`, heading, and the unit it is printed in."""

    key: str
    heading: str
    unit: float = 1.0


FIGURES = (
    Figure(key="mse", heading="MSE (1e-4)", unit=1e-4),
    Figure(key="ssim", heading="SSIM (1e-2)", unit=1e-2),
    Figure(key="psnr_db", heading="PSNR, dB"),
    Figure(key="row_fid", heading="pixel-row FID (1e-2)", unit=1e-2),
)
"""The paper's Table 2."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Mean and standard deviation over images (``n - 1``)."""

    mean: float
    sd: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of no image NaN; of one image a deviation of 0."""
        if not values:
            return cls(mean=float("nan"), sd=float("nan"))
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        return cls(mean=float(np.mean(values)), sd=sd)


@dataclass(frozen=True, kw_only=True)
class RowSummary:
    """One row of the tables.

    Args:
        joints: with sound masks, not refused.
        whole: key of a figure -> its spread over them.
        overlap: the same inside the overlap.
        joints_with_faulty: all joints, faulty masks included.
        whole_with_faulty: figures over all of them.
        overlap_with_faulty: the same inside the overlap.
        distances: of encoder features of overlapping joints, by part.
        closed_distances: of the layers of joints closed on purpose, by bone.
        layers: fidelity on joints closed on purpose (:func:`lamella.evaluation.layers.summary`).
    """

    joints: int
    whole: Mapping[str, Spread]
    overlap: Mapping[str, Spread]
    joints_with_faulty: int
    whole_with_faulty: Mapping[str, Spread]
    overlap_with_faulty: Mapping[str, Spread]
    distances: Mapping[str, SetDistance]
    closed_distances: Mapping[str, SetDistance]
    layers: Mapping[str, float]

    @classmethod
    def of(
        cls, scores: Sequence[JointScore], closed: ClosedScores, real: RealFeatures
    ) -> "RowSummary":
        """Summary of a row on overlapping joints and on joints closed on purpose."""
        sound = [score for score in scores if score.is_sound]
        return cls(
            joints=len(sound),
            whole=_spreads([score.agreement.whole for score in sound]),
            overlap=_spreads([score.agreement.overlap for score in sound]),
            joints_with_faulty=len(scores),
            whole_with_faulty=_spreads([score.agreement.whole for score in scores]),
            overlap_with_faulty=_spreads([score.agreement.overlap for score in scores]),
            distances=set_distances(scores, real),
            closed_distances=bone_distances(closed.features, real.alone),
            layers=_plain(summary(closed.fidelity)) if closed.fidelity else {},
        )


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with its caption, to be printed as Markdown or LaTeX."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Caption and table."""
        return f"**{self.caption}**\n\n{markdown_table(self.columns, self.rows)}"

    def latex(self) -> str:
        """A ``table`` environment."""
        return latex_table(self.columns, self.rows, self.caption, f"tab:{self.name}")


def tables(summaries: Mapping[str, RowSummary], floors: Floors) -> tuple[Table, ...]:
    """All tables: as a whole, inside the overlap, layers, and with faulty masks.

    Args:
        summaries: by row.
        floors: distances that no separation causes.
    """
    return (
        Table(
            name="whole",
            caption="R against J, both times the union of the masks, whole image; mean ± SD; "
            f"Fréchet and kernel ± standard error. (published): {NOTE}",
            columns=("method", "joints", *_headings(), "Fréchet", "kernel"),
            rows=(
                *(
                    (
                        name,
                        str(row.joints),
                        *_cells(row.whole),
                        *_distance_cells(row.distances, "joint"),
                    )
                    for name, row in summaries.items()
                ),
                *(_published(row) for row in (*TABLE_2, *TABLE_3)),
            ),
        ),
        Table(
            name="overlap",
            caption="R against J inside the overlap only; mean ± SD",
            columns=("method", "joints", *_headings(), "Fréchet", "kernel"),
            rows=tuple(
                (
                    name,
                    str(row.joints),
                    *_cells(row.overlap),
                    *_distance_cells(row.distances, "overlap"),
                )
                for name, row in summaries.items()
            ),
        ),
        _layer_table(summaries, floors),
        _real_layer_table(summaries, floors),
        _with_faulty(summaries),
    )


def per_image_csv(scores: Mapping[str, Sequence[JointScore]]) -> str:
    """One line per row and image, in plain units, images by their row in the manifest."""
    regions: dict[str, Callable[[JointScore], Agreement]] = {
        "whole": lambda score: score.agreement.whole,
        "overlap": lambda score: score.agreement.overlap,
    }
    heading = ["method", "manifest_row", "overlap_px", "sound_masks"]
    heading += [f"{region}_{figure.key}" for region in regions for figure in FIGURES]
    lines = [
        [name, score.number, score.overlap_px, int(score.is_sound)]
        + [
            f"{getattr(region(score), figure.key):.9g}"
            for region in regions.values()
            for figure in FIGURES
        ]
        for name, of_row in scores.items()
        for score in of_row
    ]
    return _csv([heading, *lines])


def summary_csv(summaries: Mapping[str, RowSummary]) -> str:
    """One line per row, one column per figure, in plain units; empty where there is none."""
    flat = {name: _flat(asdict(row)) for name, row in summaries.items()}
    heading = list(dict.fromkeys(key for row in flat.values() for key in row))
    lines = [[name, *[row.get(key, "") for key in heading]] for name, row in flat.items()]
    return _csv([["method", *heading], *lines])


def cell(mean: float, sd: float | None = None, digits: int = 2) -> str:
    """``mean ± sd``; one significant digit where the digits would show 0; a dash for NaN."""
    if np.isnan(mean):
        return NOTHING
    if abs(mean) < ROUNDING:
        return f"< {ROUNDING:.0e}"
    if abs(mean) < 0.5 * 10.0**-digits:
        return f"{mean:.1g}"
    return f"{mean:.{digits}f}" if sd is None else f"{mean:.{digits}f} ± {sd:.{digits}f}"


def psnr_cell(spread: Spread) -> str:
    """PSNR, ``> 120`` where every image is at the cap."""
    return f"> {PSNR_CAP_DB:g}" if spread.mean >= PSNR_CAP_DB else cell(spread.mean, spread.sd)


def _plain(numbers: Mapping[str, int | float]) -> dict[str, float]:
    return {key: float(value) for key, value in numbers.items()}


def _headings() -> list[str]:
    return [figure.heading for figure in FIGURES]


def _spreads(figures: Sequence[Agreement]) -> dict[str, Spread]:
    return {
        figure.key: Spread.of([getattr(one, figure.key) for one in figures]) for figure in FIGURES
    }


def _cells(spreads: Mapping[str, Spread]) -> list[str]:
    return [
        psnr_cell(spreads[figure.key])
        if figure.key == "psnr_db"
        else cell(spreads[figure.key].mean / figure.unit, spreads[figure.key].sd / figure.unit)
        for figure in FIGURES
    ]


def _distance_cells(distances: Mapping[str, SetDistance], part: str) -> list[str]:
    if part not in distances:
        return [NOTHING, NOTHING]
    found = distances[part]
    return [
        cell(found.frechet, found.frechet_sd),
        cell(found.kernel, found.kernel_sd),
    ]


def _published(row: PublishedRow) -> tuple[str, ...]:
    figures = [
        cell(found.mean / figure.unit, None if found.sd is None else found.sd / figure.unit)
        for figure in FIGURES
        for found in [getattr(row, figure.key)]
    ]
    return (f"{row.method} (published)", "154", *figures, NOTHING, NOTHING)


def _layer_table(summaries: Mapping[str, RowSummary], floors: Floors) -> Table:
    closed = max((int(row.layers.get("cases", 0)) for row in summaries.values()), default=0)
    rows = [
        (
            name,
            *_bone_cells(row.closed_distances),
            *[cell(row.layers.get(key, float("nan"))) for key in ("psnr", "psnr_median")],
            cell(row.layers.get("ssim", float("nan")), digits=4),
        )
        for name, row in summaries.items()
    ]
    return Table(
        name="layers",
        caption=f"Layers of {closed} joints closed on purpose: features against those of real "
        "bones that lie alone, ± standard error; PSNR and SSIM inside the overlap",
        columns=("method", *BONE_HEADINGS, "PSNR, dB", "median PSNR, dB", "SSIM"),
        rows=(*rows, ("true layers", *_bone_cells(floors.true_layers), *[NOTHING] * 3)),
    )


def _real_layer_table(summaries: Mapping[str, RowSummary], floors: Floors) -> Table:
    rows = [(name, *_bone_cells(row.distances)) for name, row in summaries.items()]
    floor = ("real bones, one half against the other", *_bone_cells(floors.real_halves))
    return Table(
        name="real_layers",
        caption="Layers of overlapping joints: features against those of real bones that lie "
        "alone, ± standard error. These are other joints in other positions, outlined by hand: "
        "part of every distance is no error of the separation",
        columns=("method", *BONE_HEADINGS),
        rows=(*rows, floor),
    )


def _bone_cells(distances: Mapping[str, SetDistance]) -> list[str]:
    return [text for part in BONES for text in _distance_cells(distances, part)]


def _with_faulty(summaries: Mapping[str, RowSummary]) -> Table:
    return Table(
        name="faulty",
        caption="R against J as above, joints with faulty masks included",
        columns=(
            "method",
            "joints",
            *_headings(),
            *[f"{heading}, overlap" for heading in _headings()],
        ),
        rows=tuple(
            (
                name,
                str(row.joints_with_faulty),
                *_cells(row.whole_with_faulty),
                *_cells(row.overlap_with_faulty),
            )
            for name, row in summaries.items()
        ),
    )


def _flat(nested: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}_")
        else:
            flat[prefix + key] = value
    return flat


def _csv(lines: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
