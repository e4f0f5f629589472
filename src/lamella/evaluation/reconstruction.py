"""Does the joint come back, and are the layers bones? ``lamella evaluate reconstruction``.

BLS-GAN's Table 2 and its figures, for every row, on the overlapping joints of a manifest:
recomposed joint R against joint J (:mod:`lamella.evaluation.agreement`), as a whole and inside
the overlap; distances of encoder features (:mod:`lamella.evaluation.encoder`) between R and J,
and between separated layers and real bones that lie alone; fidelity of the layers on joints
closed on purpose (:mod:`lamella.evaluation.layers`).

Any split of the overlap that adds up meets J: agreement says nothing about the layers. The
layer table does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from lamella.evaluation.agreement import PSNR_CAP_DB, Agreement
from lamella.evaluation.cases import closed_joints, phantom_joints
from lamella.evaluation.encoder import encoder_card
from lamella.evaluation.fidelity import LayerFidelity, psnr_db
from lamella.evaluation.figures import PanelCase, Quantity, overlap_curves, panels
from lamella.evaluation.joint_scores import (
    JointScore,
    NumberedJoint,
    RealFeatures,
    floors_of,
    manifest_in,
    numbered_joints,
    overlapping,
    score_closed,
    score_joints,
)
from lamella.evaluation.published import NOTE, TABLE_2, TABLE_3
from lamella.evaluation.reconstruction_tables import (
    RowSummary,
    Table,
    per_image_csv,
    summary_csv,
    tables,
)
from lamella.evaluation.results import save
from lamella.evaluation.rows import Separator
from lamella.evaluation.trained import all_rows
from lamella.records import LamellaError

NAME = "reconstruction"
PANEL_PHANTOMS = 3
ROUNDING_MSE = 1e-12


def evaluate(data: Path, out: Path, networks: Path | None = None) -> str:
    """Compare every row on a manifest; returns the printed tables.

    Args:
        data: manifest (``dev.json``), or a folder with one.
        out: folder for ``reconstruction.*``, the curves and the panels of phantoms.
        networks: folder of trained networks, further rows.
    """
    return compare(all_rows(networks), manifest_in(data), out)


def compare(rows: Mapping[str, Separator], manifest: Path, out: Path) -> str:
    """Measure named separators side by side and write all tables and figures.

    ``reconstruction.json``, ``.md`` and ``.tex`` hold the tables, ``reconstruction.csv`` one
    line per row, ``reconstruction_images.csv`` one per row and image (known by its row number
    in the manifest); ``reconstruction_whole``, ``_overlap`` and ``_layers`` (PNG, PDF) the
    curves against overlap size; ``panels/`` phantoms only, no patient.

    Args:
        rows: separators by name.
        manifest: in a layout that :func:`lamella.io.datasets.joint_rows` reads.
        out: folder for the results.

    Raises:
        LamellaError: the manifest holds no overlapping joint with sound masks.
    """
    joints = numbered_joints(manifest)
    scores = score_joints(rows, _to_recompose(joints, manifest))
    cases = list(closed_joints(manifest))
    closed = score_closed(rows, cases)
    real = RealFeatures.of(joints)
    floors = floors_of(real, cases)
    summaries = {name: RowSummary.of(scores[name], closed[name], real) for name in rows}
    written = tables(summaries, floors)
    result = {
        "rows": {name: asdict(row) for name, row in summaries.items()},
        "floors": asdict(floors),
        "published": {"note": NOTE, "rows": [asdict(row) for row in (*TABLE_2, *TABLE_3)]},
        "encoder": encoder_card(),
        "psnr_cap_db": PSNR_CAP_DB,
    }
    printed = _write(out, result, written)
    (out / f"{NAME}.csv").write_text(summary_csv(summaries), encoding="utf-8")
    (out / f"{NAME}_images.csv").write_text(per_image_csv(scores), encoding="utf-8")
    _draw_curves(out, scores, {name: row.fidelity for name, row in closed.items()})
    panels(rows, phantom_cases(PANEL_PHANTOMS), out / "panels")
    return printed


def phantom_cases(count: int) -> list[PanelCase]:
    """Phantoms to show where no patient may be."""
    return [
        PanelCase(
            name=f"phantom_{number}",
            radiograph=radiograph,
            masks=known.masks,
            true_layers=tuple(known.bone_image(name) for name in known.masks),
        )
        for number, (known, radiograph) in enumerate(phantom_joints(count), start=1)
    ]


def real_cases(manifest: Path, numbers: Sequence[int]) -> list[PanelCase]:
    """Joints of a manifest to show, by row number: for :func:`panels` in a folder of your own."""
    joints = numbered_joints(manifest)
    return [
        PanelCase(
            name=f"row_{number}", radiograph=joints[number].radiograph, masks=joints[number].masks
        )
        for number in numbers
    ]


def _to_recompose(joints: Sequence[NumberedJoint], manifest: Path) -> list[NumberedJoint]:
    found = overlapping(joints)
    if not any(joint.is_sound for joint in found):
        raise LamellaError(
            f"expected overlapping joints with sound masks, got none in {manifest.name!r}: "
            "give another manifest"
        )
    return found


def _write(out: Path, result: Mapping[str, Any], written: Sequence[Table]) -> str:
    printed = save(out, NAME, result, "\n".join(table.markdown() for table in written))
    tex = "\n".join(table.latex() for table in written)
    (out / f"{NAME}.tex").write_text(tex, encoding="utf-8")
    return printed


def _draw_curves(
    out: Path,
    scores: Mapping[str, Sequence[JointScore]],
    fidelity: Mapping[str, Sequence[LayerFidelity]],
) -> None:
    """Curves over the joints that have sound masks and that no row refuses."""
    sound = [{one.number: one for one in row if one.is_sound} for row in scores.values()]
    common = sorted(set.intersection(*[set(row) for row in sound]))
    if common:
        overlap_px = np.array([sound[0][number].overlap_px for number in common], np.float64)
        for region in ("whole", "overlap"):
            figures = {
                name: [getattr(row[number].agreement, region) for number in common]
                for name, row in zip(scores, sound, strict=True)
            }
            overlap_curves(_agreement_quantities(figures), overlap_px, out / f"{NAME}_{region}")
    if any(fidelity.values()):
        first = next(iter(fidelity.values()))
        overlap_px = np.array([one.overlap_px for one in first], np.float64)
        overlap_curves(_layer_quantities(fidelity), overlap_px, out / f"{NAME}_layers")


def _agreement_quantities(figures: Mapping[str, Sequence[Agreement]]) -> list[Quantity]:
    def values(key: str) -> dict[str, np.ndarray]:
        return {
            name: np.array([getattr(one, key) for one in row], np.float64)
            for name, row in figures.items()
        }

    return [
        Quantity(title="MSE", values=values("mse"), log=True, exact_below=ROUNDING_MSE),
        Quantity(title="SSIM", values=values("ssim")),
        Quantity(title="PSNR, dB", values=values("psnr_db"), exact_above=PSNR_CAP_DB),
        Quantity(title="pixel-row FID", values=values("row_fid"), log=True, exact_below=1e-9),
    ]


def _layer_quantities(fidelity: Mapping[str, Sequence[LayerFidelity]]) -> list[Quantity]:
    return [
        Quantity(
            title="PSNR of the layers in the overlap, dB",
            values={
                name: np.array([psnr_db(one.mse) for one in row]) for name, row in fidelity.items()
            },
        ),
        Quantity(
            title="SSIM of the layers in the overlap",
            values={name: np.array([one.ssim for one in row]) for name, row in fidelity.items()},
        ),
    ]
