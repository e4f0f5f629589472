"""Heights beside those of another tool, and why the two differ.

The other tool states one height for the front, the middle and the back of each body in steps of
1.5 mm; Lamella the mean of each third. Where they are more than a step apart, the third's own
columns of voxels are counted: a figure that is one such column, or one less a step, can be
explained by being a single column and not by another idea of the vertebra's edge. Where no column
of the grid is as high, lines along the body's own axis are followed in the tool's steps.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamella.evaluation.results import markdown_table
from lamella.prepare.spine.centroids import indexed, placed
from lamella.records import VERSE_IDS, ZONES, MeasuredBody
from lamella.tasks.spine import MeasuredSpine

STEP_MM = 1.5
MIDLINE_VOXELS = 1.5


@dataclass(frozen=True, kw_only=True)
class Beside:
    """One third's height by Lamella and by another tool.

    Args:
        level, zone: which.
        lamella_mm, sd_mm: the third's mean height and its standard deviation from the voxels.
        other_mm: what the other tool says.
        columns_mm: heights that columns of voxels of that third have near the midline.
        lines_mm: lengths of lines along the body's axis there, in steps.
    """

    level: str
    zone: str
    lamella_mm: float
    sd_mm: float
    other_mm: float
    columns_mm: tuple[float, ...]
    lines_mm: tuple[float, ...] = ()

    @property
    def difference_mm(self) -> float:
        """Lamella minus the other."""
        return self.lamella_mm - self.other_mm

    @property
    def remark(self) -> str:
        """Why the two differ by more than a step, as far as columns of voxels tell."""
        if abs(self.difference_mm) <= STEP_MM:
            return ""
        found = {
            "one column of voxels": np.array(self.columns_mm),
            "one column less a step": np.array(self.columns_mm) - STEP_MM,
            "one line along the body's axis": np.array(self.lines_mm),
        }
        for words, heights_mm in found.items():
            if np.isclose(heights_mm, self.other_mm, atol=0.01).any():
                return words
        return "not explained"


def heights_beside(spine: MeasuredSpine, report: Path) -> list[Beside]:
    """Every third that the other tool measured, too.

    Args:
        spine: measured.
        report: the other tool's JSON.
    """
    other = json.loads(report.read_text(encoding="utf-8"))["results"]
    named = [
        (body, rank, f"vertebrae_{level}_height_{zone}_mm")
        for level, body in spine.usable.items()
        for rank, zone in enumerate(ZONES)
    ]
    return [
        Beside(
            level=body.level,
            zone=ZONES[rank],
            lamella_mm=body.heights_mm.of(ZONES[rank]),
            sd_mm=body.heights_sd_mm.of(ZONES[rank]),
            other_mm=float(other[key]),
            columns_mm=voxel_columns(spine, body, rank),
            lines_mm=axis_lines(spine, body, rank),
        )
        for body, rank, key in named
        if key in other
    ]


def voxel_columns(spine: MeasuredSpine, body: MeasuredBody, rank: int) -> tuple[float, ...]:
    """Heights of columns of voxels near the midline in one third of the depth, mm, ascending.

    Args:
        spine: with the body's voxels.
        body: measured.
        rank: 0 in front, 1 in the middle, 2 behind.
    """
    where = np.argwhere(spine.bodies == VERSE_IDS[body.level])
    spacing = np.array(spine.labels.spacing_mm)
    turned = spine.labels.affine[:3, :3] / spacing
    upright = int(np.abs(turned.T @ body.frame.cranial).argmax())
    beside = [axis for axis in range(3) if axis != upright]
    _, group = np.unique(where[:, beside], axis=0, return_inverse=True)
    count = np.bincount(group.ravel())
    places = body.frame.from_world(placed(spine.labels.affine, where.astype(np.float64)))
    back, left = (np.bincount(group.ravel(), places[:, axis]) / count for axis in (0, 1))
    low, high = places[:, 0].min(), places[:, 0].max()
    third = np.clip(((back - low) / (high - low) * len(ZONES)).astype(int), 0, len(ZONES) - 1)
    reach = MIDLINE_VOXELS * float(spacing[beside].max())
    near = (third == rank) & (np.abs(left - np.median(left)) <= reach)
    return tuple(float(height) for height in np.unique(count[near] * spacing[upright]))


def axis_lines(spine: MeasuredSpine, body: MeasuredBody, rank: int) -> tuple[float, ...]:
    """Lengths of lines along a body's axis near its midline, in steps of 1.5 mm, ascending.

    Args:
        spine: with the body's voxels.
        body: measured.
        rank: of the third, from the front.
    """
    solid = spine.bodies == VERSE_IDS[body.level]
    affine = spine.labels.affine
    places = body.frame.from_world(placed(affine, np.argwhere(solid).astype(np.float64)))
    (front, lowest), (behind, highest) = (
        end(places[:, (0, 2)], axis=0) for end in (np.min, np.max)
    )
    third = (behind - front) / len(ZONES)
    middle = float(np.median(places[:, 1]))
    reach = MIDLINE_VOXELS * float(max(spine.labels.spacing_mm))
    axes = (
        np.arange(front + rank * third, front + (rank + 1) * third, STEP_MM),
        np.arange(middle - reach, middle + reach + STEP_MM / 2, STEP_MM),
        np.arange(lowest - STEP_MM, highest + 2 * STEP_MM, STEP_MM),
    )
    lines = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    at = np.rint(indexed(affine, body.frame.to_world(lines))).astype(int)
    within = ((at >= 0) & (at < solid.shape)).all(axis=-1)
    inside = within & solid[tuple(np.moveaxis(np.clip(at, 0, np.array(solid.shape) - 1), -1, 0))]
    lengths = STEP_MM * inside.sum(axis=-1)
    return tuple(float(length) for length in np.unique(lengths[lengths > 0]))


def beside_table(found: Sequence[Beside]) -> str:
    """Heights by both tools."""
    rows = [
        [
            f"{each.level} {each.zone}",
            f"{each.lamella_mm:.1f} +- {each.sd_mm:.1f}",
            f"{each.other_mm:.1f}",
            f"{each.difference_mm:+.1f}",
            each.remark,
        ]
        for each in found
    ]
    columns = ["height, mm", "Lamella", "other tool", "difference", "the other figure is"]
    return markdown_table(columns, rows)
