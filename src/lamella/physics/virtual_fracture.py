"""A healthy vertebra of any labelled spine, fractured by a chosen share of its height.

Gives what no data set has: the same vertebra before and after, on phantoms and on real CTs. The
deformation is :mod:`lamella.physics.fracture_map`; here it is applied to volumes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
from scipy import ndimage

from lamella.physics.fracture_fit import fracture_map
from lamella.physics.fracture_map import FractureMap
from lamella.records.images import LamellaError
from lamella.records.spine import CTVolume, SpineLabels
from lamella.records.vertebra import HeightMap, VertebraFrame, Zones
from lamella.types import Affine, LevelVolume, Profile

FractureKind = Literal["wedge", "biconcave", "crush"]

ZONE_PATTERN: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "wedge": (1.0, 0.55, 0.1),
        "biconcave": (0.3, 1.0, 0.2),
        "crush": (1.0, 1.0, 1.0),
    }
)
"""Loss of the anterior, middle and posterior third over that of the most affected one."""

LARGEST_LOSS = 0.6
OUTSIDE_HU = -1000.0
"""What lies beyond a CT: air."""
_SLAB_VOXELS = 400_000
_STILL_MM = 1e-6


@dataclass(frozen=True, kw_only=True)
class FractureSpec:
    """A fracture to be made.

    Args:
        kind: ``"wedge"`` (the front loses most), ``"biconcave"`` (the middle) or ``"crush"``
            (all thirds alike).
        loss: relative height loss of the most affected third, 0 to 0.6.

    Raises:
        LamellaError: another kind, or a loss beyond that range.

    Example:
        >>> FractureSpec(kind="wedge", loss=0.4).zone_losses
        array([0.4 , 0.22, 0.04])
    """

    kind: FractureKind = "wedge"
    loss: float = 0.35

    def __post_init__(self) -> None:
        if self.kind not in ZONE_PATTERN:
            raise LamellaError(f"expected a fracture among {list(ZONE_PATTERN)}, got {self.kind!r}")
        if not 0.0 <= self.loss <= LARGEST_LOSS:
            raise LamellaError(f"expected a loss from 0 to {LARGEST_LOSS}, got {self.loss!r}")

    @property
    def zone_losses(self) -> Profile:
        """Relative height loss of the anterior, middle and posterior third, (3,)."""
        return self.loss * np.array(ZONE_PATTERN[self.kind])


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledSpine:
    """A spine to fracture; all volumes on one grid.

    Args:
        labels: whole vertebrae.
        bodies: VerSe number where that vertebra's body is, or None.
        ct: the CT, or None.

    Raises:
        LamellaError: volumes of different shapes.
    """

    labels: SpineLabels
    bodies: LevelVolume | None = None
    ct: CTVolume | None = None

    def __post_init__(self) -> None:
        shape = self.labels.ids.shape
        hu = None if self.ct is None else self.ct.hu
        for name, other in (("bodies", self.bodies), ("a CT", hu)):
            if other is not None and other.shape != shape:
                raise LamellaError(f"expected {name} of shape {shape}, got {other.shape}")


@dataclass(frozen=True, kw_only=True, eq=False)
class FracturedSpine:
    """The same spine after a virtual fracture.

    Args:
        labels, bodies, ct: on the grid they came on.
        level: which vertebra was fractured.
        fracture: the map from where a place is to where it was.
    """

    labels: SpineLabels
    bodies: LevelVolume | None
    ct: CTVolume | None
    level: str
    fracture: FractureMap

    @property
    def heights_mm(self) -> Zones:
        """Mean height of each third now, by the height map."""
        return self.fracture.heights_mm

    @property
    def healthy_heights_mm(self) -> Zones:
        """Mean height of each third before, by the same map."""
        return self.fracture.healthy_heights_mm

    @property
    def frame(self) -> VertebraFrame:
        """The vertebra's axes now."""
        return self.fracture.fractured_frame


def virtual_fracture(
    spine: LabelledSpine, level: str, heights: HeightMap, spec: FractureSpec
) -> FracturedSpine:
    """Fracture one vertebra; its neighbours follow rigidly and keep their shape.

    The CT is resampled by cubic splines, labels by their nearest voxel under the same map. What
    enters from beyond the volume is air without a label.

    Args:
        spine: labels, bodies and CT; labels alone are enough.
        level: vertebra to fracture.
        heights: its endplates in its own frame.
        spec: kind and loss of the most affected third.

    Raises:
        LamellaError: the labels lack that vertebra, or its height map is empty.
    """
    if level not in spine.labels.levels:
        raise LamellaError(f"expected a level among {spine.labels.levels}, got {level!r}")
    known = spine.labels.ids if spine.bodies is None else spine.bodies
    fracture = fracture_map(known, spine.labels.affine, level, heights, spec.zone_losses)
    moved = _resampled(spine, fracture)
    return FracturedSpine(
        labels=replace(spine.labels, ids=moved.ids, bodies=moved.solid),
        bodies=moved.bodies,
        ct=None if spine.ct is None or moved.hu is None else replace(spine.ct, hu=moved.hu),
        level=level,
        fracture=fracture,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Volumes:
    ids: np.ndarray
    bodies: np.ndarray | None
    solid: np.ndarray | None
    hu: np.ndarray | None


def _resampled(spine: LabelledSpine, fracture: FractureMap) -> _Volumes:
    ids, hu = spine.labels.ids, None if spine.ct is None else spine.ct.hu
    moved = _Volumes(
        ids=ids.copy(),
        bodies=None if spine.bodies is None else spine.bodies.copy(),
        solid=None if spine.labels.bodies is None else spine.labels.bodies.copy(),
        hu=None if hu is None else hu.astype(np.float32),
    )
    spline = None if hu is None else ndimage.spline_filter(hu, 3, output=np.float32, mode="mirror")
    pairs = ((ids, moved.ids), (spine.bodies, moved.bodies), (spine.labels.bodies, moved.solid))
    for voxels, was in _moved_voxels(ids.shape, spine.labels.affine, fracture):
        for source, target in pairs:
            if source is not None and target is not None:
                target[voxels] = _nearest(source, was)
        if spline is not None and moved.hu is not None:
            moved.hu[voxels] = _interpolated(spline, was)
    return moved


def _moved_voxels(
    shape: tuple[int, ...], affine: Affine, fracture: FractureMap
) -> Iterator[tuple[tuple[np.ndarray, ...], np.ndarray]]:
    """Voxels that the fracture moves and the indices they came from, (3, n), slab by slab."""
    slab = max(_SLAB_VOXELS // (shape[1] * shape[2]), 1)
    back = np.linalg.inv(affine)
    for first in range(0, shape[0], slab):
        counts = (min(slab, shape[0] - first), shape[1], shape[2])
        index = np.indices(counts).reshape(3, -1).T + np.array([first, 0, 0])
        now = index @ affine[:3, :3].T + affine[:3, 3]
        was = fracture.pulled_back(now)
        moved = np.abs(was - now).max(axis=1) > _STILL_MM
        source = was[moved] @ back[:3, :3].T + back[:3, 3]
        yield tuple(index[moved].T), source.T


def _nearest(volume: np.ndarray, index: np.ndarray) -> np.ndarray:
    whole = np.rint(index).astype(int)
    limits = np.array(volume.shape)[:, None]
    inside = ((whole >= 0) & (whole < limits)).all(axis=0)
    found = volume[tuple(np.clip(whole, 0, limits - 1))]
    return np.where(inside, found, np.zeros(1, volume.dtype))


def _interpolated(spline: np.ndarray, index: np.ndarray) -> np.ndarray:
    values = ndimage.map_coordinates(
        spline, index, order=3, prefilter=False, mode="mirror", output=np.float32
    )
    limits = np.array(spline.shape)[:, None] - 0.5
    inside = ((index >= -0.5) & (index <= limits)).all(axis=0)
    return np.where(inside, values, np.float32(OUTSIDE_HU))
