"""Do LSN's three layers make the joint again? ``lamella evaluate three-layers``.

The recomposition ``1 - (1 - L_soft) prod (1 - L_i)`` against the joint, for every row and every
joint of a manifest with sound masks: mean squared error, structural similarity, peak
signal-to-noise ratio and pixel-row FID, over the whole frame as published and over the overlap.
Any split that adds up meets the joint: the figures say nothing about the layers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track
from skimage.metrics import structural_similarity

from lamella.evaluation.agreement import Agreement
from lamella.evaluation.bootstrap import mean_interval
from lamella.evaluation.distances import pixel_row_fid
from lamella.evaluation.fidelity import psnr_db
from lamella.evaluation.joint_sample import with_spacing
from lamella.evaluation.joint_scores import manifest_in
from lamella.evaluation.results import markdown_table, save
from lamella.evaluation.three_layer_rows import LayersOf, three_layer_rows
from lamella.io.datasets import LoadedJoint, joint_rows, load_joint, mask_faults
from lamella.records import LamellaError
from lamella.types import Image

NAME = "three_layers"
PUBLISHED = Agreement(mse=2.19e-4, ssim=0.9502, psnr_db=36.66, row_fid=3.03e-2)
"""LSN, arXiv 2502.01972, on its own test list of whole 256 x 256 frames."""

GREY_LEVELS = 255
SMALLEST_OVERLAP_PX = 20
KEYS = ("mse", "ssim", "psnr_db", "row_fid")


@dataclass(frozen=True, kw_only=True)
class ThreeLayerScores:
    """One row on all joints.

    Args:
        joints: name of each image's joint.
        frames: agreement over the whole frame, one per image.
        overlap_mse: mean squared error inside the overlap, of the images that have one.
        refused: reasons of images that the row refuses.
    """

    joints: list[str] = field(default_factory=list)
    frames: list[Agreement] = field(default_factory=list)
    overlap_mse: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def mean(self, key: str) -> float:
        """Over images, as published."""
        return float(np.mean([getattr(frame, key) for frame in self.frames]))

    def by_joint(self, key: str) -> np.ndarray:
        """Mean over each joint's images, (joint,)."""
        names = np.array(self.joints)
        values = np.array([getattr(frame, key) for frame in self.frames])
        return np.array([values[names == name].mean() for name in np.unique(names)])


def evaluate(data: Path, out: Path, networks: Path | None = None) -> str:
    """Compare every row with the published figures; returns the printed table.

    Args:
        data: manifest (``dev.json``), or a folder with one.
        out: folder for ``three_layers.json`` and ``three_layers.md``.
        networks: folder of trained networks, further rows.

    Raises:
        LamellaError: no joint with sound masks, or no network of LSN in the folder.
    """
    joints = [load_joint(row) for row in joint_rows(manifest_in(data))]
    sound = [joint for joint in joints if not mask_faults(joint.upper, joint.lower)]
    return compare(three_layer_rows(networks), sound, out)


def compare(rows: Mapping[str, LayersOf], joints: Sequence[LoadedJoint], out: Path) -> str:
    """Measure named rows on joints and write the table.

    Raises:
        LamellaError: no joints.
    """
    if not joints:
        raise LamellaError("expected joints with sound masks, got none: give another manifest")
    scores = {name: ThreeLayerScores() for name in rows}
    for joint in track(joints, "recomposing"):
        for name, layers_of in rows.items():
            _score(scores[name], layers_of, joint)
    result = {
        "images": len(joints),
        "published": asdict(PUBLISHED),
        "rows": {name: _record(row) for name, row in scores.items()},
    }
    return save(out, NAME, result, _table(scores))


def frame_agreement(recomposed: Image, joint: Image) -> Agreement:
    """Figures over a whole frame, the recomposition rounded to 8 bit as published."""
    pair = [np.asarray(image, np.float64) for image in (_eight_bit(recomposed), joint)]
    mse = float(np.square(pair[0] - pair[1]).mean())
    return Agreement(
        mse=mse,
        ssim=float(structural_similarity(*pair, data_range=1.0)),
        psnr_db=psnr_db(mse),
        row_fid=pixel_row_fid(*pair),
    )


def _eight_bit(image: Image) -> Image:
    return (np.round(np.clip(image, 0.0, 1.0) * GREY_LEVELS) / GREY_LEVELS).astype(np.float32)


def _score(scores: ThreeLayerScores, layers_of: LayersOf, joint: LoadedJoint) -> None:
    try:
        recomposed = layers_of(with_spacing(joint), joint.masks).recompose()
    except LamellaError as error:
        scores.refused.append(str(error))
        return
    scores.joints.append(joint.row.joint)
    scores.frames.append(frame_agreement(recomposed, joint.pixels))
    overlap = joint.upper & joint.lower
    if overlap.sum() >= SMALLEST_OVERLAP_PX:
        squares = np.square(_eight_bit(recomposed) - joint.pixels)
        scores.overlap_mse.append(float(squares[overlap].mean()))


def _record(row: ThreeLayerScores) -> dict[str, Any]:
    if not row.frames:
        return {"images": 0, "refused": row.refused}
    means = {key: row.mean(key) for key in KEYS}
    intervals = {key: asdict(mean_interval(row.by_joint(key))) for key in KEYS}
    overlap = float(np.mean(row.overlap_mse)) if row.overlap_mse else None
    return {
        "images": len(row.frames),
        "mean": means,
        "by_joint": intervals,
        "overlap_mse": overlap,
        "refused": row.refused,
    }


def _table(scores: Mapping[str, ThreeLayerScores]) -> str:
    columns = ["whole frame", "images", "MSE, 1e-4", "SSIM", "PSNR, dB", "pixel-row FID, 1e-2"]
    rows = [
        [name, str(len(row.frames)), *_cells(row.mean), _overlap(row)]
        for name, row in scores.items()
        if row.frames
    ]
    published = ["LSN, published", "-", *_cells(lambda key: getattr(PUBLISHED, key)), "-"]
    return (
        f"{markdown_table([*columns, 'MSE in the overlap, 1e-4'], [*rows, published])}\n"
        "Published figures are of LSN's own test list (arXiv 2502.01972). PSNR is the mean over "
        "images, at most 120 dB: exact recomposition.\n"
    )


def _cells(value_of: Callable[[str], float]) -> list[str]:
    mse, ssim, psnr, fid = (value_of(key) for key in KEYS)
    return [f"{1e4 * mse:.3f}", f"{ssim:.4f}", f"{psnr:.2f}", f"{1e2 * fid:.3f}"]


def _overlap(row: ThreeLayerScores) -> str:
    return f"{1e4 * np.mean(row.overlap_mse):.3f}" if row.overlap_mse else "-"
