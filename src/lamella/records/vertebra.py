"""One vertebra: its own axes, its heights, what they are compared with, and the loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lamella.records.images import LamellaError
from lamella.records.spine import CTVolume, SpineLabels
from lamella.types import Direction, Image, Places, Profile

ZONES = ("anterior", "middle", "posterior")
GRADES = (0, 1, 2, 3)


@dataclass(frozen=True, kw_only=True, eq=False)
class VertebraFrame:
    """A vertebral body's own axes: millimetres from its centre.

    Args:
        centre_mm: centroid of the body, RAS.
        cranial: unit vector, mean normal of both endplates.
        posterior: unit vector, at right angles to ``cranial``.
        left: unit vector, towards the patient's left.
    """

    centre_mm: Direction
    cranial: Direction
    posterior: Direction
    left: Direction

    @property
    def axes(self) -> np.ndarray:
        """Rows posterior, left, cranial: (3, 3)."""
        return np.stack([self.posterior, self.left, self.cranial])

    def to_world(self, places_mm: Places) -> Places:
        """(posterior, left, cranial) in mm -> RAS mm, (..., 3)."""
        return np.asarray(self.centre_mm + places_mm @ self.axes)

    def from_world(self, places_mm: Places) -> Places:
        """RAS mm -> (posterior, left, cranial) in mm, (..., 3)."""
        return np.asarray((places_mm - self.centre_mm) @ self.axes.T)


@dataclass(frozen=True, kw_only=True)
class Zones:
    """One figure for each third of a body from front to back, and for all of it.

    Example:
        >>> Zones(anterior=20.0, middle=24.0, posterior=25.0, whole=23.0).of("middle")
        24.0
    """

    anterior: float
    middle: float
    posterior: float
    whole: float

    def of(self, zone: str) -> float:
        """Figure of ``anterior``, ``middle``, ``posterior`` or ``whole``."""
        return float(getattr(self, zone))

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return iter([(name, self.of(name)) for name in (*ZONES, "whole")])


@dataclass(frozen=True, kw_only=True, eq=False)
class HeightMap:
    """Both endplates of a body as height fields over its cross-section.

    Args:
        frame: axes the map is told in.
        posterior_mm: (n,) places of the rows, front to back.
        left_mm: (m,) places of the columns, the patient's right to left.
        upper_mm: (n, m) cranial coordinate of the upper endplate, NaN outside the body.
        lower_mm: (n, m) of the lower endplate.
    """

    frame: VertebraFrame
    posterior_mm: Profile
    left_mm: Profile
    upper_mm: Image
    lower_mm: Image

    @property
    def heights_mm(self) -> Image:
        """Upper minus lower endplate, (n, m), NaN outside the body."""
        return np.asarray(self.upper_mm - self.lower_mm)


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredBody:
    """What is measured of one vertebral body, before any reference.

    Args:
        level: name, for instance ``"T9"``.
        frame: its own axes.
        heights_mm, heights_sd_mm: mean height of each third, and its standard deviation from
            the voxel size.
        depth_mm: front to back, middle of the body.
        width_mm: right to left, middle of the body.
        volume_mm3: of the body.
        height_map: both endplates.
        refused: why it cannot be measured, or None.
        flags: what a reader should look at.
    """

    level: str
    frame: VertebraFrame
    heights_mm: Zones
    heights_sd_mm: Zones
    depth_mm: float
    width_mm: float
    volume_mm3: float
    height_map: HeightMap
    refused: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HealthyHeights:
    """What a reference says a vertebra's heights were before it fractured.

    Args:
        heights_mm: mean height of each third.
        heights_sd_mm: standard deviation of what is said.
        told_by: name of the reference.
        neighbours: levels it rests on.
        common: correlation of the errors of the thirds.
    """

    heights_mm: Zones
    heights_sd_mm: Zones
    told_by: str
    neighbours: tuple[str, ...] = ()
    common: float = 0.5


@dataclass(frozen=True, kw_only=True)
class HeightLoss:
    """Relative height loss and grade of one vertebra.

    Args:
        rhlv: (healthy - observed) / healthy of each third and of the whole, positive = lost.
        rhlv_sd: standard deviation of each.
        grade: Genant 0 to 3 from the largest regional loss (20, 25, 40 %).
        kind: ``"wedge"``, ``"biconcave"``, ``"crush"`` or None for grade 0.
        grade_probabilities: of grades 0 to 3, given the uncertainty; they sum to 1.
    """

    rhlv: Zones
    rhlv_sd: Zones
    grade: int
    kind: str | None
    grade_probabilities: tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Vertebra:
    """One vertebra of an assessed spine.

    Args:
        level: name, for instance ``"T9"``.
        refused: why nothing is said of it, or None; then every measure below is None.
        body: what was measured.
        healthy: what it is compared with.
        loss: the comparison.
        flags: what a reader should look at.
        generated: whether its pseudo-healthy self is part of the pseudo-healthy volume.
    """

    level: str
    refused: str | None = None
    body: MeasuredBody | None = None
    healthy: HealthyHeights | None = None
    loss: HeightLoss | None = None
    flags: tuple[str, ...] = ()
    generated: bool = False

    @property
    def heights_mm(self) -> Zones | None:
        """Observed mean height of each third."""
        return self.body.heights_mm if self.body else None

    @property
    def healthy_heights_mm(self) -> Zones | None:
        """Height of each third before the fracture."""
        return self.healthy.heights_mm if self.healthy else None

    @property
    def rhlv(self) -> Zones | None:
        """Relative height loss of each third."""
        return self.loss.rhlv if self.loss else None

    @property
    def rhlv_sd(self) -> Zones | None:
        """Standard deviation of ``rhlv``."""
        return self.loss.rhlv_sd if self.loss else None

    @property
    def grade(self) -> int | None:
        """Genant grade 0 to 3."""
        return self.loss.grade if self.loss else None


@dataclass(frozen=True, kw_only=True, eq=False)
class SpineAssessment:
    """Every vertebra of a spine, and the spine as it was.

    Args:
        vertebrae: from the skull down.
        labels: what was assessed.
        ct: the CT, or None.
        pseudo_ct: CT with the requested vertebrae as they were, on the CT's own grid; None
            without a CT or when nothing was generated.
        pseudo_labels: labels of ``pseudo_ct``.
        method: name of the reference, as :func:`lamella.assess_spine` takes it.
        warnings: sentences a reader should see beside the results.
    """

    vertebrae: tuple[Vertebra, ...]
    labels: SpineLabels
    ct: CTVolume | None = None
    pseudo_ct: CTVolume | None = None
    pseudo_labels: SpineLabels | None = None
    method: str = "unnamed"
    warnings: tuple[str, ...] = ()

    def __getitem__(self, level: str) -> Vertebra:
        for vertebra in self.vertebrae:
            if vertebra.level == level:
                return vertebra
        raise LamellaError(f"no vertebra {level!r} here, only {[v.level for v in self.vertebrae]}")
