"""Is the soft tissue under a bone free of it? ``lamella evaluate soft-tissue``.

For a sample of joints with drawn masks, one visit each: the soft layer as it shows when the bones
leave (:mod:`lamella.evaluation.revealed`). Neither a ghost nor a smear may pass: gradients along
the old contour over those of the tissue beside it (:mod:`lamella.evaluation.old_contour`), power
under the former bone over power beside it (:mod:`lamella.evaluation.grain_power`), and a
classifier that tries to find the former bone (:mod:`lamella.evaluation.bone_finder`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from lamella.evaluation.bone_finder import CONTRASTS, Windows, found_by, windows_of
from lamella.evaluation.bootstrap import Interval, mean_interval
from lamella.evaluation.grain_power import BANDS_PER_MM, mean_of, power_ratios
from lamella.evaluation.joint_sample import one_visit_a_joint, with_spacing
from lamella.evaluation.old_contour import contour_figures
from lamella.evaluation.results import markdown_table, save
from lamella.evaluation.revealed import Former, Revealed, revealed_rows
from lamella.evaluation.told_apart import Told
from lamella.io.datasets import LoadedJoint
from lamella.records import LamellaError

NAME = "soft_tissue"
JOINTS = 60
WANTED = (0.9, 1.1)
CONTOUR_RATIOS = ("energy", "normal", "tangential")
POWER_RATIOS = (*BANDS_PER_MM, *map(mean_of, BANDS_PER_MM))
SMALLEST_RATIO = 1e-4
NOTE = (
    "Ratios: geometric mean over joints (95 % interval by joint), wanted "
    f"{WANTED[0]} to {WANTED[1]}. Power: of the median window; 'mean' also counts edges of "
    "anatomy. Relief: of the mean profile across the contour; in brackets the same 1.5 mm outside "
    "it, what grain and anatomy alone give. AUC 0.5: cannot be found; 'beside, near' tells "
    "visible tissue near the bone from tissue farther off: what place alone gives away."
)


@dataclass(frozen=True, kw_only=True)
class RowFindings:
    """One row on all joints.

    Args:
        figures: per joint, by name; NaN where a joint is too small for a figure.
        windows: for the classifier.
        refused: joints that the row refuses.
    """

    figures: list[dict[str, float]] = field(default_factory=list)
    windows: list[Windows] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def values(self, name: str) -> np.ndarray:
        """Finite values of a figure, (joint,)."""
        every = np.array([figures[name] for figures in self.figures], np.float64)
        return np.asarray(every[np.isfinite(every)])

    def ratio(self, name: str) -> Interval:
        """Geometric mean of a ratio over joints, its interval by joint; at least 1e-4 each."""
        logs = mean_interval(np.log(np.maximum(self.values(name), SMALLEST_RATIO)))
        return Interval(**{end: float(np.exp(value)) for end, value in asdict(logs).items()})

    def told(self) -> dict[str, Told]:
        """What the classifier found, by contrast; none with too few joints."""
        found = {name: found_by(self.windows, name) for name in CONTRASTS}
        return {name: told for name, told in found.items() if told is not None}


def evaluate(data: Path, out: Path, networks: Path | None = None) -> str:
    """Measure every row's soft tissue; returns the printed tables.

    Args:
        data: manifest (``dev.json``).
        out: folder for ``soft_tissue.json`` and ``soft_tissue.md``.
        networks: folder of trained networks, further rows.

    Raises:
        LamellaError: too few joints.
    """
    return compare(revealed_rows(networks), one_visit_a_joint(data, JOINTS), out)


def compare(rows: Mapping[str, Revealed], joints: Sequence[LoadedJoint], out: Path) -> str:
    """Measure named rows on joints and write the tables.

    Args:
        rows: name -> soft layer.
        joints: at the networks' spacing.
        out: folder for the results.
    """
    findings = {name: RowFindings() for name in rows}
    for number, joint in enumerate(track(joints, "looking for bones")):
        for name, revealed in rows.items():
            _measure(findings[name], revealed, joint, number)
    told = {name: row.told() for name, row in findings.items()}
    result = {
        "joints": len(joints),
        "wanted_ratio": WANTED,
        "rows": {name: _record(row, told[name]) for name, row in findings.items()},
    }
    return save(out, NAME, result, _tables(findings, told))


def _measure(found: RowFindings, revealed: Revealed, joint: LoadedJoint, number: int) -> None:
    radiograph = with_spacing(joint)
    former = Former.of(radiograph, joint.masks)
    try:
        soft = revealed(radiograph, joint.masks)
    except LamellaError as error:
        found.refused.append(str(error))
        return
    found.figures.append(asdict(contour_figures(soft, former)) | power_ratios(soft, former))
    windows = windows_of(soft, former, number)
    if windows is not None:
        found.windows.append(windows)


def _record(row: RowFindings, told: Mapping[str, Told]) -> dict[str, Any]:
    return {
        "joints": len(row.figures),
        "refused": row.refused,
        "ratios": {
            name: asdict(row.ratio(name))
            for name in (*CONTOUR_RATIOS, *POWER_RATIOS)
            if row.values(name).size
        },
        "relief": {
            name: asdict(mean_interval(row.values(name)))
            for name in ("relief", "relief_beside")
            if row.values(name).size
        },
        "found": {name: one.as_record() for name, one in told.items()},
    }


def _tables(findings: Mapping[str, RowFindings], told: Mapping[str, Mapping[str, Told]]) -> str:
    finder = ["found by a classifier, AUC", *CONTRASTS, "tells of the bone"]
    refused = {name: len(row.refused) for name, row in findings.items() if row.refused}
    parts = [
        _contour_table(findings),
        _power_table(findings),
        markdown_table(finder, [[name, *_areas(one)] for name, one in told.items()]),
        NOTE + (f" Refused: {refused}." if refused else "") + "\n",
    ]
    return "\n".join(parts)


def _contour_table(findings: Mapping[str, RowFindings]) -> str:
    columns = ["old contour over beside", "energy", "across", "along", "relief, SD of the grain"]
    rows = [
        [name, *[_ratio(row, one) for one in CONTOUR_RATIOS], _relief(row)]
        for name, row in findings.items()
    ]
    return markdown_table(columns, rows)


def _power_table(findings: Mapping[str, RowFindings]) -> str:
    bands = [f"{low:g} to {high:g} per mm" for low, high in BANDS_PER_MM.values()]
    columns = ["power under the bone over beside", *bands, *map(mean_of, bands)]
    rows = [[name, *[_ratio(row, one) for one in POWER_RATIOS]] for name, row in findings.items()]
    return markdown_table(columns, rows)


def _ratio(row: RowFindings, name: str) -> str:
    if not row.values(name).size:
        return "-"
    found = row.ratio(name)
    return f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"


def _relief(row: RowFindings) -> str:
    here, beside = row.values("relief"), row.values("relief_beside")
    if not min(here.size, beside.size):
        return "-"
    return f"{np.median(here):.2f} ({np.median(beside):.2f})"


def _areas(told: Mapping[str, Told]) -> list[str]:
    cells = {name: one.cells() for name, one in told.items()}
    tells = cells["former bone"][1] if "former bone" in cells else "-"
    return [*[cells[name][0] if name in cells else "-" for name in CONTRASTS], tells]
