"""Recipe: how much a drawing counts beside neighbours and own voxels, and how sure they are.

``lamella train spine-heights -o DIR`` measures phantom spines that neither a network nor a
benchmark has seen and fits the figures of :class:`lamella.zoo.spine.Fusion`:

* *drawn weight*: with t what healthy neighbours tell of a third's log height, d what the networks
  drew and h the truth, ``w = sum (h - t)(d - t) / sum (d - t)^2``, within 0 and 1;
* *drawn shape*: of :data:`PARTS`, the part of the drawing with which restored bodies overlap best
  with the bodies before the fracture (mean Dice, spines of 1 mm and finer);
* *spread*: the factor on the stated standard deviation of t with which nine tenths of the errors
  of RHLV lie within 1.645 of theirs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from lamella.evaluation.spine_cohort import FINE, SPACINGS, CohortSpine, spacing_class
from lamella.evaluation.spine_drawers import redrawn_with
from lamella.evaluation.spine_one import SpineWork
from lamella.io.write import write_json
from lamella.methods.healthivert.infer import Networks, generate
from lamella.methods.height_references.conditional import told_by_neighbours
from lamella.physics.phantoms.spine import SpinePhantom, spine_phantom
from lamella.prepare.spine.straight import straighten
from lamella.records import ZONES, HealthyHeights, Vertebra, Zones
from lamella.tasks.spine import MeasuredSpine, compared, measured_spine
from lamella.training.publish import keep_recipe
from lamella.zoo import spine as zoo

FILE = "spine.json"
FITTED_FROM = 10_000
"""Number of the first spine of the cohort that fits; benchmarks take those from 0 on."""
PARTS = (0.0, 0.25, 0.5, 0.75, 1.0)
WITHIN_90 = 1.645
LEAST_SPREAD, LARGEST_SPREAD = 0.5, 3.0


@dataclass(frozen=True, kw_only=True)
class HeightsRecipe:
    """Complete configuration of a fit.

    Args:
        spines: phantom spines.
        spacings_mm: of their voxels, in turn.
        vertebrae: fewest and most in one.
    """

    spines: int = 16
    spacings_mm: tuple[Any, ...] = SPACINGS
    vertebrae: tuple[int, int] = (7, 9)


@dataclass(frozen=True, kw_only=True)
class Told:
    """One third of one vertebra.

    Args:
        observed_mm, observed_sd_mm: as measured.
        seen_mm: its exact height now.
        was_mm: its exact height before any fracture.
        told_mm, told_sd_mm: what neighbours tell.
        drawn_mm: what the networks drew, None where they were not asked.
    """

    observed_mm: float
    observed_sd_mm: float
    seen_mm: float
    was_mm: float
    told_mm: float
    told_sd_mm: float
    drawn_mm: float | None = None


def train(
    data: Path | None, out: Path, steps: int | None = None, *, config: HeightsRecipe | None = None
) -> Path:
    """Fit and write ``spine.json``.

    Args:
        data: not needed.
        out: folder of the run.
        steps: phantom spines, instead of the recipe's number.
        config: the configuration, or None for the usual one.

    Returns:
        Path of ``spine.json``.
    """
    del data
    chosen = config or HeightsRecipe()
    chosen = chosen if steps is None else HeightsRecipe(**(asdict(chosen) | {"spines": steps}))
    keep_recipe(asdict(chosen), out)
    spines = [
        CohortSpine(
            number=FITTED_FROM + k,
            spacing_mm=chosen.spacings_mm[k % len(chosen.spacings_mm)],
            vertebrae=chosen.vertebrae,
        )
        for k in range(chosen.spines)
    ]
    asked = zoo.shipped_networks()
    rows = [row for spine in track(spines, "Phantoms") for row in told_of(spine, asked)]
    weight = drawn_weight(rows)
    overlaps = shape_overlaps(spines, weight) if asked else {}
    fitted = {
        "drawn_weight": weight,
        "drawn_shape": best_part(overlaps),
        "spread": spread(rows),
    }
    told = summary(rows) | {f"dice_at_{part:g}": dice for part, dice in overlaps.items()}
    file = out / FILE
    write_json(file, {"fusion": fitted, "recipe": asdict(chosen), "fitted_on": told})
    return file


def told_of(spine: CohortSpine, asked: Networks | None) -> list[Told]:
    """Every third of every measured vertebra of a spine; targets are drawn as well.

    Args:
        spine: of the cohort.
        asked: networks that draw, or None.
    """
    phantom = spine_phantom(spine.spec)
    measured = measured_spine(phantom.labels)
    vertebrae = {one.level: one for one in compared(measured, told_by_neighbours)}
    drawn = drawings(phantom, measured, vertebrae, spine.targets, asked) if asked else {}
    return [
        row
        for level, one in vertebrae.items()
        if one.healthy is not None
        for row in _rows(phantom, one, one.healthy, drawn.get(level))
    ]


def drawings(
    phantom: SpinePhantom,
    measured: MeasuredSpine,
    vertebrae: Mapping[str, Vertebra],
    targets: Sequence[str],
    asked: Networks,
) -> dict[str, Zones]:
    """Zone heights that the networks draw of each target."""
    straight = straighten(phantom.ct, phantom.labels, measured.bodies, curve=measured.curve)
    expected = {level: one.healthy.heights_mm for level, one in vertebrae.items() if one.healthy}
    abnormal = {level: expected[level] for level, one in vertebrae.items() if one.grade}
    return {
        level: generate(
            straight,
            level,
            expected[level],
            asked,
            {name: zones for name, zones in abnormal.items() if name != level},
        ).heights_mm
        for level in targets
        if level in expected
    }


def shape_overlaps(spines: Sequence[CohortSpine], weight: float) -> dict[float, float]:
    """Mean Dice of restored bodies for each part that the drawing can have in their shape.

    Args:
        spines: of the cohort; those of coarser voxels than 1 mm are left out.
        weight: of the drawing in the heights.
    """
    fine = [spine for spine in spines if spacing_class(spine.spec.spacing) == FINE]
    ways = {
        f"{part:g}": zoo.Fusion(drawn_weight=weight, drawn_shape=part, spread=1.0) for part in PARTS
    }
    work = SpineWork(
        references={"conditional": told_by_neighbours},
        drawers={name: partial(redrawn_with, how=how) for name, how in ways.items()},
    )
    drawn = [work(spine).drawn for spine in track(fine, "Shapes")]
    return {
        part: float(np.nanmean([one.aligned.dice for each in drawn for one in each[f"{part:g}"]]))
        for part in PARTS
        if drawn
    }


def best_part(overlaps: Mapping[float, float]) -> float:
    """The part with the largest overlap; 0, the vertebra's own shape, where nothing is known."""
    return max(overlaps, key=lambda part: overlaps[part], default=0.0)


def drawn_weight(rows: Sequence[Told]) -> float:
    """Least squares of the error of what is told on what the drawing adds, within 0 and 1."""
    known = [row for row in rows if row.drawn_mm is not None]
    added = np.array([np.log((row.drawn_mm or row.told_mm) / row.told_mm) for row in known])
    missing = np.array([np.log(row.was_mm / row.told_mm) for row in known])
    total = float(added @ added)
    return float(np.clip(added @ missing / total, 0.0, 1.0)) if total > 0.0 else 0.0


def spread(rows: Sequence[Told]) -> float:
    """Smallest factor with which nine tenths of the errors of RHLV lie within 1.645 of theirs."""
    needed = np.sort([_needed(row) for row in rows])
    enough = needed[int(np.ceil(0.9 * len(needed))) - 1]
    return float(np.clip(np.ceil(100.0 * enough) / 100.0, LEAST_SPREAD, LARGEST_SPREAD))


def summary(rows: Sequence[Told]) -> dict[str, float]:
    """What was fitted on, in figures."""
    drawn = [row for row in rows if row.drawn_mm is not None]
    return {
        "thirds": float(len(rows)),
        "drawn_thirds": float(len(drawn)),
        "told_log_error_sd": _log_sd([row.told_mm / row.was_mm for row in rows]),
        "drawn_log_error_sd": _log_sd([(row.drawn_mm or 1.0) / row.was_mm for row in drawn]),
    }


def _needed(row: Told) -> float:
    """Factor from which the error of RHLV lies within 1.645 of its standard deviation."""
    said, true = 1 - row.observed_mm / row.told_mm, 1 - row.seen_mm / row.was_mm
    wanted = (abs(said - true) / (WITHIN_90 * (1 - said))) ** 2
    left = wanted - (row.observed_sd_mm / row.observed_mm) ** 2
    return float(np.sqrt(max(left, 0.0)) / (row.told_sd_mm / row.told_mm))


def _log_sd(ratios: Sequence[float]) -> float:
    return float(np.std(np.log(ratios))) if ratios else 0.0


def _rows(
    phantom: SpinePhantom, one: Vertebra, healthy: HealthyHeights, drawn: Zones | None
) -> list[Told]:
    assert one.body is not None
    body = one.body
    return [
        Told(
            observed_mm=body.heights_mm.of(zone),
            observed_sd_mm=body.heights_sd_mm.of(zone),
            seen_mm=phantom.heights[one.level].of(zone),
            was_mm=phantom.healthy_heights[one.level].of(zone),
            told_mm=healthy.heights_mm.of(zone),
            told_sd_mm=healthy.heights_sd_mm.of(zone),
            drawn_mm=None if drawn is None else drawn.of(zone),
        )
        for zone in ZONES
    ]
