"""The spine phantom: a CT of T1 to L6 with labels, bodies, frames and exact heights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from lamella.physics.phantoms.spine.bone import (
    Cancellous,
    Canvas,
    draw_vertebra,
    extent_mm,
    parts_of,
)
from lamella.physics.phantoms.spine.column import PhantomVertebra, column
from lamella.physics.phantoms.spine.grid import Grid, Orientation, grid_around
from lamella.physics.phantoms.spine.spec import SpinePhantomSpec
from lamella.physics.phantoms.spine.tissue import (
    column_line,
    draw_canal,
    draw_disc,
    surroundings,
    trabecular_tile,
)
from lamella.physics.vertebra_population import DrawnHeights
from lamella.records.spine import CTVolume, SpineLabels
from lamella.records.vertebra import VertebraFrame, Zones
from lamella.types import LevelVolume, Profile, Volume

_TRUNK_CORNERS_MM = np.array([[-178.0, -85.0, 0.0], [178.0, 160.0, 0.0]])


@dataclass(frozen=True, kw_only=True, eq=False)
class SpinePhantom:
    """A CT whose every measure is known.

    Args:
        spec: what determined it.
        ct: with noise.
        labels: whole vertebrae.
        bodies: VerSe number where that vertebra's body is, 0 elsewhere.
        heights: exact mean heights as they are, mm, by level.
        healthy_heights: exact mean heights before any fracture, mm.
        expected_log_heights: natural logarithm of the anterior, middle and posterior height in
            mm that the level's norm, the person's scale and trend say; what a healthy vertebra
            differs by is the residual that no neighbour tells.
        frames: of each body.
        depths_mm, widths_mm: of each body's middle cross-section.
    """

    spec: SpinePhantomSpec
    ct: CTVolume
    labels: SpineLabels
    bodies: LevelVolume
    heights: Mapping[str, Zones]
    healthy_heights: Mapping[str, Zones]
    expected_log_heights: Mapping[str, Profile]
    frames: Mapping[str, VertebraFrame]
    depths_mm: Mapping[str, float]
    widths_mm: Mapping[str, float]


def spine_phantom(spec: SpinePhantomSpec) -> SpinePhantom:
    """Draw a spine.

    Raises:
        LamellaError: the heights leave no body to draw (an extreme seed with an extreme
            fracture).

    Example:
        >>> phantom = spine_phantom(SpinePhantomSpec(levels=("T12", "L1"), spacing_mm=3.0))
        >>> phantom.labels.levels
        ('T12', 'L1')
    """
    rng = np.random.default_rng(spec.rng_seed(0))
    drawn = spec.population.draw(rng, spec.levels)
    vertebrae = column(spec, drawn)
    grid = _field_of_view(spec, vertebrae)
    canvas = _drawn(spec, vertebrae, grid)
    return _phantom(spec, canvas, vertebrae, drawn)


def _field_of_view(spec: SpinePhantomSpec, vertebrae: tuple[PhantomVertebra, ...]) -> Grid:
    points = np.concatenate([extent_mm(vertebra) for vertebra in vertebrae])
    if not spec.cropped:
        ends = [points[:, 2].min(), points[:, 2].max()]
        trunk = [_TRUNK_CORNERS_MM + np.array([0.0, 0.0, end]) for end in ends]
        points = np.concatenate([points, *trunk])
    return grid_around(points, spec.spacing, spec.margin_mm)


def _drawn(spec: SpinePhantomSpec, vertebrae: tuple[PhantomVertebra, ...], grid: Grid) -> Canvas:
    rng = np.random.default_rng(spec.rng_seed(2))
    tile = trabecular_tile(rng)
    canvas = Canvas(
        grid=grid,
        hu=surroundings(grid, column_line(vertebrae, grid), rng),
        ids=np.zeros(grid.shape, np.uint8),
        bodies=np.zeros(grid.shape, np.uint8),
        depth_mm=np.zeros(grid.shape, np.float32),
    )
    bone = Cancellous(tile=tile, mean_hu=spec.trabecular_hu, texture_hu=spec.texture_hu)
    parts = [parts_of(vertebra, grid) for vertebra in vertebrae]
    for part in parts:
        draw_canal(canvas.hu, grid, part.vertebra, part.box)
    for above, below in pairwise(vertebrae):
        draw_disc(canvas.hu, grid, above, below)
    for part in parts:
        draw_vertebra(canvas, part, bone)
    return canvas


def _seen(hu: Volume, spec: SpinePhantomSpec) -> Volume:
    """Blurred by the point spread function, with noise as coarse as the blur."""
    sigma = [spec.psf_mm / spacing for spacing in spec.spacing]
    blurred = ndimage.gaussian_filter(hu, sigma, mode="nearest", truncate=3.0)
    if not spec.noise_hu:
        return blurred
    seed = spec.seed if spec.noise_seed is None else spec.noise_seed
    rng = np.random.default_rng([seed, 3])
    return blurred + np.float32(spec.noise_hu) * rng.standard_normal(hu.shape, np.float32)


def _phantom(
    spec: SpinePhantomSpec,
    canvas: Canvas,
    vertebrae: tuple[PhantomVertebra, ...],
    drawn: DrawnHeights,
) -> SpinePhantom:
    turn = Orientation(code=spec.orientation)
    affine = turn.affine(canvas.grid)
    hu = turn.turned(_seen(canvas.hu, spec))
    expected = zip(drawn.levels, drawn.expected_log, strict=True)
    return SpinePhantom(
        spec=spec,
        ct=CTVolume(hu=hu, affine=affine, source="phantom"),
        labels=SpineLabels(ids=turn.turned(canvas.ids), affine=affine, source="phantom"),
        bodies=turn.turned(canvas.bodies),
        heights={v.level: v.body.zones for v in vertebrae},
        healthy_heights={v.level: v.healthy.zones for v in vertebrae},
        expected_log_heights=dict(expected),
        frames={v.level: v.frame for v in vertebrae},
        depths_mm={v.level: _length(v.body.depth_range_mm) for v in vertebrae},
        widths_mm={v.level: _length(v.body.width_range_mm) for v in vertebrae},
    )


def _length(range_mm: tuple[float, float]) -> float:
    return range_mm[1] - range_mm[0]
