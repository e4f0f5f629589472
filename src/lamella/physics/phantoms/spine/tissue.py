"""What surrounds the bones: muscle, fat, lung, vessel, canal and discs, in Hounsfield units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lamella.physics.phantoms.spine.column import PhantomVertebra
from lamella.physics.phantoms.spine.grid import Box, Grid
from lamella.types import Profile, Volume

AIR_HU = -1000.0
LUNG_HU = -820.0
FAT_HU = -100.0
MUSCLE_HU = 55.0
BOWEL_HU = 25.0
VESSEL_HU = 45.0
CSF_HU = 12.0
CORD_HU = 38.0
DISC_HU = 90.0
CORTICAL_HU = 950.0

_TRUNK_MM = (165.0, 112.0)
_TRUNK_FRONT_MM = 38.0
_SKIN_FAT_MM = 18.0

Field = np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnLine:
    """Where the column's middle lies at every height of the grid.

    Args:
        right_mm, anterior_mm: RAS places of the bodies' middle, one per row along superior.
        thoracic: 1 where lungs lie beside the column, 0 where bowel does.
        front_mm: half depth of the bodies there.
    """

    right_mm: Profile
    anterior_mm: Profile
    thoracic: Profile
    front_mm: Profile


def column_line(vertebrae: tuple[PhantomVertebra, ...], grid: Grid) -> ColumnLine:
    """Line through the bodies' centres, held beyond both ends."""
    ordered = vertebrae[::-1]
    centres = np.array([vertebra.frame.centre_mm for vertebra in ordered])
    height = grid.axis_mm(2)
    chest = [float(v.level[0] == "T" and int(v.level[1:]) <= 11) for v in ordered]
    depth = [v.body.depth_mm / 2.0 for v in ordered]
    columns = [centres[:, 0], centres[:, 1], np.array(chest), np.array(depth)]
    right, anterior, thoracic, front = (
        np.interp(height, centres[:, 2], column).astype(np.float32) for column in columns
    )
    return ColumnLine(right_mm=right, anterior_mm=anterior, thoracic=thoracic, front_mm=front)


def surroundings(grid: Grid, line: ColumnLine, rng: np.random.Generator) -> Volume:
    """Soft tissue and air on the whole grid, HU, float32.

    Args:
        grid: (right, anterior, superior).
        line: where the column runs.
        rng: draws how fat and bowel mix.
    """
    right = grid.axis_mm(0).astype(np.float32)[:, None, None] - line.right_mm
    anterior = grid.axis_mm(1).astype(np.float32)[None, :, None] - line.anterior_mm
    soft_mm = float(max(grid.spacing_mm))
    blend = _blotches(grid, rng)
    hu = MUSCLE_HU - 25.0 + 40.0 * blend
    psoas = line.front_mm - 2.0 - 0.006 * np.square(np.clip(np.abs(right) - 20.0, 0.0, None))
    belly = _edge(anterior - psoas - 4.0, soft_mm) * (1.0 - line.thoracic)
    hu += belly * (FAT_HU + (BOWEL_HU - FAT_HU) * _edge(blend - 0.5, 0.2) - hu)
    beside = np.abs(right) - 25.0 - 0.012 * np.square(anterior - 8.0)
    lung = _edge(np.minimum(beside, anterior + 0.35 * np.abs(right)), soft_mm) * line.thoracic
    hu += lung * (LUNG_HU + 60.0 * blend - hu)
    radius = np.hypot(right + 13.0, anterior - line.front_mm - 10.0)
    hu += _edge(10.0 - radius, soft_mm) * (VESSEL_HU - hu)
    return _skin(hu.astype(np.float32), right, anterior, soft_mm)


def _skin(hu: Volume, right: Field, anterior: Field, soft_mm: float) -> Volume:
    half_width, half_depth = _TRUNK_MM
    reach = np.hypot(right / half_width, (anterior - _TRUNK_FRONT_MM) / half_depth)
    depth = (1.0 - reach) * half_depth
    hu += _edge(_SKIN_FAT_MM - depth, soft_mm) * (FAT_HU - hu)
    hu += _edge(2.0 - depth, soft_mm) * (MUSCLE_HU - hu)
    hu += _edge(-depth, soft_mm) * (AIR_HU - hu)
    return hu


def _edge(depth_mm: Field, width_mm: float) -> Field:
    """Part of a voxel inside a surface, from the depth of its centre below it."""
    return np.clip(depth_mm / np.float32(width_mm) + np.float32(0.5), 0.0, 1.0)


def _blotches(grid: Grid, rng: np.random.Generator) -> Volume:
    """A smooth random field in [0, 1] with blobs of some 12 mm."""
    size_mm = 12.0
    lengths = np.array(grid.shape) * np.array(grid.spacing_mm)
    coarse = rng.standard_normal([max(int(length / size_mm) + 3, 4) for length in lengths])
    steps = [np.arange(n) * s / size_mm for n, s in zip(grid.shape, grid.spacing_mm, strict=True)]
    field = coarse
    for axis, step in enumerate(steps):
        field = _stretched(field, step, axis)
    return (0.5 + 0.5 * np.tanh(0.9 * field)).astype(np.float32)


def _stretched(field: np.ndarray, places: Profile, axis: int) -> np.ndarray:
    """Values between samples along one axis, smooth (cosine) between them."""
    below = np.minimum(places.astype(int), field.shape[axis] - 2)
    part = 0.5 - 0.5 * np.cos(np.pi * (places - below))
    shape = [1, 1, 1]
    shape[axis] = -1
    part = part.astype(np.float32).reshape(shape)
    low, high = np.take(field, below, axis), np.take(field, below + 1, axis)
    return (low + part * (high - low)).astype(np.float32)


def draw_canal(hu: Volume, grid: Grid, vertebra: PhantomVertebra, box: Box) -> None:
    """Thecal sac and cord behind a body, in place, HU.

    Args:
        hu: on the grid.
        grid: of ``hu``.
        vertebra: whose posterior wall the canal follows.
        box: of the whole vertebra.
    """
    posterior, left, cranial = grid.inside(box, vertebra.frame)
    wall = vertebra.body.depth_range_mm[1] + vertebra.body.origin_mm[0]
    scale = vertebra.scale
    middle = wall + 7.0 * scale
    near = np.abs(cranial) < 0.75 * vertebra.healthy.zones.posterior
    radius = np.hypot(posterior - middle, left * 0.82)
    soft_mm = float(max(grid.spacing_mm))
    has_cord = vertebra.level[0] == "T" or vertebra.level == "L1"
    region = hu[box]
    region += near * _edge(8.5 * scale - radius, soft_mm) * (FAT_HU / 2.0 - region)
    region += near * _edge(7.0 * scale - radius, soft_mm) * (CSF_HU - region)
    region += has_cord * near * _edge(4.0 * scale - radius, soft_mm) * (CORD_HU - region)


def draw_disc(hu: Volume, grid: Grid, above: PhantomVertebra, below: PhantomVertebra) -> None:
    """The disc between two vertebrae, in place: it fills the dishes of both endplates.

    A voxel is disc where it lies under the upper body's lower endplate, over the lower body's
    upper endplate and within the walls of both.
    """
    middle = 0.5 * (above.frame.centre_mm + below.frame.centre_mm)
    half = 0.5 * max(above.body.width_mm, below.body.width_mm) + 4.0
    box = grid.box(middle - half, middle + half)
    first, second = grid.inside(box, above.frame), grid.inside(box, below.frame)
    soft_mm = 0.7 * float(max(grid.spacing_mm))
    under = above.body.endplates(*first[:2])[1] - first[2]
    over = second[2] - below.body.endplates(*second[:2])[0]
    walls = [_outside(above, first), _outside(below, second)]
    rho = 0.5 * (walls[0] + walls[1])
    ring = (1.02 - rho) * 0.5 * above.body.depth_mm
    depth = np.minimum(np.minimum(under, over) + 0.4, ring)
    region = hu[box]
    region += _edge(depth, soft_mm) * (DISC_HU + 25.0 * np.clip(rho, 0.0, 1.0) - region)


def _outside(vertebra: PhantomVertebra, places: tuple[Field, Field, Field]) -> Field:
    t, u = vertebra.body.normalised(places[0], places[1])
    return vertebra.body.wall(t, u, np.ones(1, np.float32))


TILE_MM = 0.6
_TILE_VOXELS = 56


def trabecular_tile(rng: np.random.Generator) -> Volume:
    """Periodic cancellous texture of unit variance, vertical plates and rods.

    The sharp ridges ``exp(-2 g^2)`` of a Gaussian field g whose correlation is twice as long
    along the vertebra's axis, as trabeculae carry load.
    """
    noise = rng.standard_normal((_TILE_VOXELS,) * 3)
    smooth = ndimage.gaussian_filter(noise, (1.2, 1.2, 2.6), mode="wrap")
    ridges = np.exp(-2.0 * np.square(smooth / smooth.std()))
    slow = ndimage.gaussian_filter(noise[::-1], (5.0, 5.0, 5.0), mode="wrap")
    mixed = ridges / ridges.std() + 0.5 * slow / slow.std()
    return ((mixed - mixed.mean()) / mixed.std()).astype(np.float32)


def textured(tile: Volume, places_mm: tuple[Field, Field, Field], shift_mm: Profile) -> Field:
    """A periodic tile at places in a vertebra's frame: the texture moves with the bone."""
    index = [
        (place + np.float32(shift)) / np.float32(TILE_MM)
        for place, shift in zip(places_mm, shift_mm, strict=True)
    ]
    return ndimage.map_coordinates(tile, index, order=1, mode="grid-wrap", output=np.float32)
