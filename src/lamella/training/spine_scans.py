"""Labelled CTs to learn from: graded cohorts, and healthy vertebrae fractured on purpose.

Two kinds. A series of a cohort comes with its readers' grades. A CT without grades whose
labelled vertebrae look healthy gives each of them as it is and, for the classifier, fractured
virtually in every way. Heights are measured; what cannot be measured is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lamella.io.label_files import read_labels
from lamella.io.verse import VerseSeries, read_centroids
from lamella.io.volume import read_ct
from lamella.physics.virtual_fracture import (
    ZONE_PATTERN,
    FractureSpec,
    LabelledSpine,
    virtual_fracture,
)
from lamella.prepare.spine.body import vertebral_bodies
from lamella.prepare.spine.curve import curve_of
from lamella.prepare.spine.endplates import height_map
from lamella.prepare.spine.measure import measure_body
from lamella.prepare.spine.straight import straighten
from lamella.records import VERSE_IDS, LamellaError
from lamella.tasks.vertebra_height import genant_grade
from lamella.training.spine_crops import SpineCrop, StraightCase, crop_of, crops_of, losses

STREAM = 89
SCHEME = "verse"


@dataclass(frozen=True, kw_only=True)
class HealthyScan:
    """A CT whose labelled vertebrae are healthy.

    Args:
        name: a name safe to print.
        ct: path below the data folder.
        labels: path of the labels, likewise.
    """

    name: str
    ct: str
    labels: str


HEALTHY_SCANS = (
    HealthyScan(
        name="thorax_1p5mm",
        ct="thorax_1p5mm/ct.nii.gz",
        labels="thorax_1p5mm/vertebrae_T12.nii.gz",
    ),
    HealthyScan(
        name="crop_l3_1p5mm",
        ct="crop_l3_1p5mm/ct.nii.gz",
        labels="crop_l3_1p5mm/vertebrae.nii.gz",
    ),
)
"""CTs that may train; every other one of the development data only judges."""


@dataclass(frozen=True, kw_only=True)
class ScanCrops:
    """Makes the crops of a healthy scan: each vertebra as it is, and fractured.

    Args:
        folder: of the data.
        scan: which.
        fractures: of each vertebra and kind.
        loss: range of a fracture's largest regional loss.
        seed: of the losses.
    """

    folder: Path = field(repr=False)
    scan: HealthyScan
    fractures: int = 4
    loss: tuple[float, float] = (0.2, 0.6)
    seed: int = 0

    def __call__(self) -> list[SpineCrop]:
        """Every vertebra that can be measured."""
        spine = read_scan(self.folder, self.scan)
        case = measured_case(self.scan.name, spine)
        crops = crops_of(case)
        whole = dict.fromkeys(case.heights, 0)
        for level in case.heights:
            rng = np.random.default_rng([STREAM, self.seed, VERSE_IDS[level]])
            for kind in self.fractures * tuple(ZONE_PATTERN):
                spec = FractureSpec(kind=kind, loss=float(rng.uniform(*self.loss)))  # type: ignore[arg-type]
                broken = fractured_case(spine, level, spec, grades=whole)
                crops += [crop_of(broken, level)] if level in broken.heights else []
        return crops


@dataclass(frozen=True, kw_only=True)
class SeriesCrops:
    """Makes the crops of a graded series.

    Args:
        series: files.
        grades: level -> grade by its readers.
    """

    series: VerseSeries
    grades: Mapping[str, int]

    def __call__(self) -> list[SpineCrop]:
        """Graded vertebrae that can be measured."""
        labels = read_labels(self.series.labels, scheme=SCHEME)
        complete = set(labels.levels)
        if self.series.centroids is not None:
            complete &= set(read_centroids(self.series.centroids))
        graded = {level: grade for level, grade in self.grades.items() if level in complete}
        spine = LabelledSpine(labels=labels, ct=read_ct(self.series.ct))
        return crops_of(measured_case(self.series.name, spine, graded))


def read_scan(folder: Path, scan: HealthyScan) -> LabelledSpine:
    """A healthy scan with its labels."""
    return LabelledSpine(labels=read_labels(folder / scan.labels), ct=read_ct(folder / scan.ct))


def measured_case(
    name: str, spine: LabelledSpine, grades: Mapping[str, int] | None = None
) -> StraightCase:
    """A labelled CT straightened and measured; bodies are found from the labels.

    Args:
        name: safe to print.
        spine: CT and labels, on grids of their own.
        grades: of the vertebrae that are complete; without, all are taken for healthy.

    Raises:
        LamellaError: no CT, or no body.
    """
    if spine.ct is None:
        raise LamellaError(f"expected a CT with the labels of {name}, got none")
    bodies = vertebral_bodies(spine.labels)
    curve = curve_of(spine.labels, bodies)
    graded = dict.fromkeys(spine.labels.levels, 0) if grades is None else dict(grades)
    measured = {level: measure_body(spine.labels, bodies, curve, level) for level in graded}
    straight = straighten(spine.ct, spine.labels, bodies, curve=curve)
    return StraightCase(
        name=name,
        straight=straight,
        truth=straight.bodies,
        grades=graded,
        heights={n: body.heights_mm for n, body in measured.items() if body.refused is None},
        real=True,
    )


def fractured_case(
    spine: LabelledSpine, level: str, spec: FractureSpec, grades: Mapping[str, int]
) -> StraightCase:
    """A scan with one vertebra fractured on purpose.

    Args:
        spine: CT and labels.
        level: of the vertebra.
        spec: what fracture.
        grades: of its complete vertebrae before. One that the field cuts off may look complete
            when the fracture has drawn it inwards, and is no neighbour to rest on.
    """
    drawn = height_map(vertebral_bodies(spine.labels), spine.labels.affine, level)
    broken = virtual_fracture(spine, level, drawn, spec)
    grade = genant_grade(losses(broken.heights_mm, broken.healthy_heights_mm))
    after = LabelledSpine(labels=broken.labels, ct=broken.ct)
    return measured_case(f"{level} {spec.kind}", after, {**grades, level: grade})
