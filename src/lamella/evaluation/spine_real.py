"""What is said of real spines? ``lamella evaluate spine-real``.

- A CT of a lumbar spine: heights beside another tool's; grades of vertebrae that look healthy;
  its vertebrae fractured on purpose and the losses told from the fractured CT alone.
- Labels of one spine without CT: which vertebrae are flagged, and by what loss.
- Scans that show one whole vertebra: refused, and why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.progress import track

from lamella.evaluation.narrowing_scores import plain
from lamella.evaluation.results import markdown_table, save
from lamella.evaluation.spine_beside import beside_table, heights_beside
from lamella.evaluation.spine_cases import Cases
from lamella.evaluation.spine_drawers import Drawer, standing_drawers
from lamella.evaluation.spine_drawn import DrawnCase
from lamella.evaluation.spine_drawn_scores import drawn_scores, drawn_table
from lamella.evaluation.spine_one import calibrated_references
from lamella.evaluation.spine_phantoms import CONDITIONAL
from lamella.evaluation.spine_scores import loss_score, loss_table
from lamella.evaluation.spine_virtual import (
    LOSSES,
    broken,
    drawn_cases,
    fractures_of,
    loss_cases,
)
from lamella.io.volume import read_ct, read_labels
from lamella.records import ZONES, CTVolume, LamellaError, Vertebra
from lamella.tasks.spine import MeasuredSpine, compared, measured_spine
from lamella.zoo.spine import assess_spine

NAME = "spine_real"
ABDOMEN = "abdomen_3mm"
ABDOMEN_LABELS = f"{ABDOMEN}/totalseg_vertebrae_pp_refined.nii.gz"
REPORT = f"{ABDOMEN}/spine_report.json"
LABELS_ALONE = "healthivert_0007/0007_msk.nii.gz"
SINGLE = {
    "thorax_1p5mm": ("thorax_1p5mm/ct.nii.gz", "thorax_1p5mm/vertebrae_T12.nii.gz"),
    "crop_l3_1p5mm": ("crop_l3_1p5mm/ct.nii.gz", "crop_l3_1p5mm/vertebrae.nii.gz"),
}
BROKEN = ("L2", "L3", "L4")
DRAWN_LOSS = 0.3


def evaluate(
    data: Path,
    out: Path,
    drawers: Mapping[str, Drawer] | None = None,
    losses: Sequence[float] = LOSSES,
) -> str:
    """Everything that can be said of the real spines.

    Args:
        data: folder that holds the spines.
        out: folder for ``spine_real.json`` and ``.md``.
        drawers: what draws fractured vertebrae; the standing ones when None.
        losses: of the virtual fractures.
    """
    ct = read_ct(data / ABDOMEN / "ct.nii.gz")
    abdomen = measured_spine(read_labels(data / ABDOMEN_LABELS), ct)
    alone = measured_spine(read_labels(data / LABELS_ALONE))
    beside = heights_beside(abdomen, data / REPORT)
    said, drawn = virtual(abdomen, ct, losses, standing_drawers() if drawers is None else drawers)
    scores = {name: loss_score(cases) for name, cases in said.items()}
    drawings = drawn_scores(drawn)
    outcomes = {name: outcome(data, *paths) for name, paths in SINGLE.items()}
    result = {
        "heights": [asdict(each) | {"remark": each.remark} for each in beside],
        "virtual": plain(scores),
        "drawn": plain(drawings),
        "outcomes": outcomes,
    }
    tables = [
        beside_table(beside),
        vertebra_table(f"{ABDOMEN}, as it is", abdomen),
        loss_table(f"{ABDOMEN}, {', '.join(BROKEN)} fractured", scores),
        drawn_table(f"drawn again, {100 * DRAWN_LOSS:.0f} % lost", drawings),
        vertebra_table("healthivert_0007, labels alone", alone),
        markdown_table(["scan", "outcome"], list(outcomes.items())),
    ]
    return save(out, NAME, result, "\n".join(tables))


def virtual(
    spine: MeasuredSpine, ct: CTVolume, losses: Sequence[float], drawers: Mapping[str, Drawer]
) -> tuple[Cases, dict[str, list[DrawnCase]]]:
    """What every method says of vertebrae fractured on purpose, and what is drawn of some."""
    references = calibrated_references()
    fractures = fractures_of([level for level in BROKEN if level in spine.usable], losses)
    said: Cases = {}
    drawn: dict[str, list[DrawnCase]] = {}
    made = broken(spine, ct, fractures)
    for case in track(made, "fracturing", total=len(fractures), transient=True):
        for name, one in loss_cases(case, references).items():
            said.setdefault(name, []).append(one)
        if case.fracture.spec.loss == DRAWN_LOSS:
            for name, drawing in drawn_cases(case, references[CONDITIONAL], drawers).items():
                drawn.setdefault(name, []).append(drawing)
    return said, drawn


def outcome(data: Path, ct: str, labels: str) -> str:
    """What comes of a scan, in words."""
    try:
        found = assess_spine(data / ct, data / labels, method=CONDITIONAL)
    except LamellaError as error:
        return f"refused: {error}"
    return "; ".join(_words(one) for one in found.vertebrae)


def vertebra_table(title: str, spine: MeasuredSpine) -> str:
    """Losses and grades of a spine by the default reference."""
    rows = []
    for one in compared(spine, calibrated_references()[CONDITIONAL]):
        if one.loss is None:
            rows.append([one.level, one.refused or "-", *["-"] * 5])
            continue
        losses = [
            f"{100 * one.loss.rhlv.of(zone):+.0f} +- {100 * one.loss.rhlv_sd.of(zone):.0f}"
            for zone in ZONES
        ]
        sure = f"{one.loss.grade_probabilities[one.loss.grade]:.2f}"
        rows.append(
            [one.level, "", *losses, f"{one.loss.grade} {one.loss.kind or ''}".strip(), sure]
        )
    columns = [title, "refused", *[f"{zone} loss %" for zone in ZONES], "grade", "its probability"]
    return markdown_table(columns, rows)


def _words(one: Vertebra) -> str:
    if one.loss is None:
        return f"{one.level} refused: {one.refused}"
    return f"{one.level} grade {one.loss.grade}"
