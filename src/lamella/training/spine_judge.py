"""How well the spine's networks do on vertebrae that did not train.

A generator is asked for every second slice of a healthy body that it has not seen; its maps are
put together and compared with the body: overlap, the heights of the three thirds, and grey
values inside the body's box. The floor of the height error is the variation between healthy
neighbours, which nobody can foresee.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lamella.methods.healthivert.channels import Plane
from lamella.methods.healthivert.classifier import Verdict
from lamella.methods.healthivert.networks import Drawn
from lamella.methods.healthivert.objective import SliceBatch, Terms, assembled
from lamella.methods.healthivert.sampling import surfaces
from lamella.physics.vertebra_zones import zone_heights
from lamella.records import ZONES
from lamella.training.spine_batches import Attention, Look, gap_slice, stacked
from lamella.training.spine_crops import CropFacts, SpineCrop
from lamella.training.spine_fractures import fractured_part, own_rows, whole_slice
from lamella.training.spine_pool import SpinePool

EVERY = 2
AT_ONCE = 16
GREY_RANGE = 2.0
FRACTURE_PLACES = (0.3, 0.4, 0.5, 0.6, 0.7)
"""Where across a body the slices lie that judge the classifier."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneratorJudge:
    """Metrics of a generator.

    Args:
        pool: crops; those of grade 0 judge.
        attention: of the classifier on them, or None.
        plane: of the slices.
        terms: how slices are assembled.
        most: crops that judge, spread over the pool.
    """

    pool: SpinePool
    attention: Attention | None
    plane: Plane
    terms: Terms
    most: int = 16

    def __call__(self, network: Callable[[Tensor], Drawn]) -> dict[str, float]:
        """Means over the crops: Dice, height error in mm, height bias in mm, PSNR in dB."""
        rows = [self._of_crop(number, network) for number in self.numbers]
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    @property
    def numbers(self) -> list[int]:
        """Crops that judge."""
        healthy = np.flatnonzero(self.pool.grades == 0)
        few = np.linspace(0, len(healthy) - 1, min(self.most, len(healthy))).round().astype(int)
        return [int(number) for number in healthy[few]]

    def _of_crop(self, number: int, network: Callable[[Tensor], Drawn]) -> dict[str, float]:
        crop = self.pool.crops[number]
        made = list(self._drawn(number, network))
        found, grey, target, ct = (torch.cat(column).numpy() for column in zip(*made, strict=True))
        low, high = _box(target)
        inside = np.square((grey - ct)[:, low[0] : high[0], low[1] : high[1]]).mean()
        errors = zone_errors_mm(found, target, crop.facts, self.plane)
        return {
            "dice": dice_of(found > 0.5, target > 0.5),
            "height_error_mm": float(np.abs(errors).mean()),
            "height_bias_mm": float(errors.mean()),
            "psnr": float(10.0 * np.log10(GREY_RANGE**2 / max(float(inside), 1e-9))),
        }

    def _drawn(
        self, number: int, network: Callable[[Tensor], Drawn]
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Target found, grey drawn, and the truth of both, slice by slice, centred frame."""
        crop = self.pool.crops[number]
        hot = None if self.attention is None else self.attention[number]
        looks = [Look(index=index) for index in slices_across(crop.facts, self.plane)]
        for first in range(0, len(looks), AT_ONCE):
            samples = [gap_slice(crop, hot, self.plane, each) for each in looks[first:][:AT_ONCE]]
            batch: SliceBatch = stacked(samples)
            made = assembled(as_floats(network(batch.seen)), batch, self.terms)
            yield made.target, made.fine, batch.target, batch.ct


def as_floats(drawn: Drawn) -> Drawn:
    """The same in single precision."""
    return Drawn(drawn.maps.float(), drawn.heights.float())


def slices_across(facts: CropFacts, plane: Plane) -> range:
    """Every second slice of a body."""
    first, last = facts.span(plane)
    return range(max(0, round(first)), round(last) + 1, EVERY)


def dice_of(found: np.ndarray, true: np.ndarray) -> float:
    """``2 |A and B| / (|A| + |B|)``."""
    return float(2 * (found & true).sum() / max(int(found.sum()) + int(true.sum()), 1))


def zone_errors_mm(
    found: np.ndarray, true: np.ndarray, facts: CropFacts, plane: Plane
) -> np.ndarray:
    """Error of the mean height of each third, (3,), mm along the spine.

    Endplates lie where the probability passes one half; their distances are averaged as
    :func:`~lamella.physics.vertebra_zones.zone_heights` does, over the true body's box. A column
    of the true body that was not drawn has no height.

    Args:
        found: probability of the body, (slice, rows, cols).
        true: the body, likewise.
        facts: of the crop.
        plane: of the slices.
    """
    columns = [facts.row_mm * _column_rows(volume) for volume in (found, true)]
    if plane is Plane.SAGITTAL:
        columns = [each.T for each in columns]
    body = columns[1] > 0.0
    seen, was = (np.where(body, each, np.nan) for each in columns)
    steps = (1.0, float(EVERY)) if plane is Plane.SAGITTAL else (float(EVERY), 1.0)
    places = [np.arange(size) * step for size, step in zip(body.shape, steps, strict=True)]
    ends = [_ends(np.asarray(body.any(axis=1 - k)), places[k]) for k in (0, 1)]
    means = [zone_heights(places[0], places[1], each, ends[0], ends[1]) for each in (seen, was)]
    return np.array([means[0].of(zone) - means[1].of(zone) for zone in ZONES])


@dataclass(frozen=True, kw_only=True, eq=False)
class FractureJudge:
    """Metrics of a classifier on the middle slices of crops of every grade.

    Args:
        pool: crops.
    """

    pool: SpinePool

    def __call__(self, network: Callable[[Tensor], Verdict]) -> dict[str, float]:
        """Is the crop's own vertebra fractured, and where is the heat.

        Area under the curve, sensitivity and specificity at one half, slice by slice, each cut
        to its own vertebra; mean heat on fractured and on other bodies of whole middle slices.
        """
        logits, fractured, heats = [], [], []
        for crop in self.pool.crops:
            first, last = crop.facts.span(Plane.SAGITTAL)
            places = [round(first + part * (last - first)) for part in FRACTURE_PLACES]
            slices = np.stack([whole_slice(crop, place, own_rows(crop)) for place in places])
            logits += network(torch.from_numpy(slices[:, None])).logit[:, 0].tolist()
            fractured += [crop.facts.grade > 0] * len(places)
            heats.append(_heats(crop, places[len(places) // 2], network))
        hot, cool = (
            float(np.mean([h for h in column if h >= 0.0] or [0.0]))
            for column in zip(*heats, strict=True)
        )
        return fracture_figures(logits, fractured) | {"heat": hot, "heat_elsewhere": cool}


def fracture_figures(logits: Sequence[float], fractured: Sequence[bool]) -> dict[str, float]:
    """Area under the curve (ties count half), sensitivity and specificity at a logit of 0.

    0.5 and not a number where one of the two classes is absent.
    """
    score, ill = np.asarray(logits), np.asarray(fractured, bool)
    apart = score[ill][:, None] - score[~ill][None, :]
    area = float((np.sign(apart).mean() + 1.0) / 2.0) if apart.size else 0.5
    return {
        "auc": area,
        "sensitivity": float((score[ill] > 0).mean()) if ill.any() else float("nan"),
        "specificity": float((score[~ill] <= 0).mean()) if (~ill).any() else float("nan"),
    }


def _heats(crop: SpineCrop, left: int, network: Callable[[Tensor], Verdict]) -> tuple[float, float]:
    """Mean heat on the fractured and on the other bodies of a slice, NaN where there are none."""
    heat = network(torch.from_numpy(whole_slice(crop, left)[None, None])).heat[0, 0].numpy()
    ill = fractured_part(crop, left)
    well = (crop.parts[left] > 0) & ~ill
    means = [float(heat[at].mean()) if at.any() else float("nan") for at in (ill, well)]
    return means[0], means[1]


def _known_mean(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean of each entry over the pairs that know it, 0 where none does."""
    columns = [[value for value in column if value == value] for column in zip(*pairs, strict=True)]
    first, second = (float(np.mean(column)) if column else 0.0 for column in columns)
    return first, second


def _column_rows(solid: np.ndarray) -> np.ndarray:
    """Rows between the endplates of each column, 0 without a body, (slice, cols)."""
    upper, lower = surfaces(np.ascontiguousarray(solid, np.float32))
    return np.nan_to_num(lower - upper)


def _box(target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and one past the last row and column of a body, over all slices."""
    at = np.argwhere(target.max(axis=0) > 0.5)
    return at.min(axis=0), at.max(axis=0) + 1


def _ends(present: np.ndarray, places: np.ndarray) -> tuple[float, float]:
    at = np.flatnonzero(present)
    return float(places[at[0]]), float(places[at[-1]])
