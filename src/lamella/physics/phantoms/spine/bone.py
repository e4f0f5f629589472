"""One vertebra drawn into the volume: partial volume, shell, cancellous bone, labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lamella.physics.phantoms.spine.arch import Strut, arch, arch_sizes, corners
from lamella.physics.phantoms.spine.body import ROUNDING_MM, rounded_minimum
from lamella.physics.phantoms.spine.column import PhantomVertebra
from lamella.physics.phantoms.spine.grid import Box, Grid, overlap, within
from lamella.physics.phantoms.spine.tissue import CORTICAL_HU, textured
from lamella.records.spine import VERSE_IDS
from lamella.types import LevelVolume, Volume

SHELL_MM = 0.7
ARCH_SHELL_MM = 1.3
_OUTSIDE = np.float32(-50.0)

Field = np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvas:
    """Volumes that vertebrae are drawn into, one after the other.

    Args:
        grid: of all volumes.
        hu: attenuation.
        ids: VerSe numbers of whole vertebrae.
        bodies: VerSe numbers where that vertebra's body is.
        depth_mm: how deep a voxel's centre lies in the bone that holds it, 0 outside.
    """

    grid: Grid
    hu: Volume
    ids: LevelVolume
    bodies: LevelVolume
    depth_mm: Volume


@dataclass(frozen=True, kw_only=True, eq=False)
class Cancellous:
    """What fills the shell.

    Args:
        tile: periodic texture of unit variance.
        mean_hu: of cancellous bone.
        texture_hu: standard deviation of the texture.
    """

    tile: Volume
    mean_hu: float
    texture_hu: float


@dataclass(frozen=True, kw_only=True, eq=False)
class VertebraParts:
    """Where a vertebra lies on the grid.

    Args:
        vertebra: which.
        struts: its arch.
        body_box: voxels of the body.
        strut_boxes: voxels of each part of the arch.
        box: all of it.
    """

    vertebra: PhantomVertebra
    struts: tuple[Strut, ...]
    body_box: Box
    strut_boxes: tuple[Box, ...]
    box: Box


def extent_mm(vertebra: PhantomVertebra) -> np.ndarray:
    """Corners of boxes around body and arch, RAS mm, (n, 3)."""
    struts = arch(arch_sizes(vertebra))
    local = [_body_corners(vertebra), *(strut.corners_mm for strut in struts)]
    return vertebra.frame.to_world(np.concatenate(local))


def parts_of(vertebra: PhantomVertebra, grid: Grid) -> VertebraParts:
    """Boxes of the grid that a vertebra's body and arch touch."""
    struts = arch(arch_sizes(vertebra))
    body_box = _box(vertebra, grid, _body_corners(vertebra))
    strut_boxes = tuple(_box(vertebra, grid, strut.corners_mm) for strut in struts)
    return VertebraParts(
        vertebra=vertebra, struts=struts, body_box=body_box, strut_boxes=strut_boxes,
        box=overlap([body_box, *strut_boxes]),
    )  # fmt: skip


def draw_vertebra(canvas: Canvas, parts: VertebraParts, bone: Cancellous) -> None:
    """One vertebra into a canvas, in place.

    A voxel's occupancy is ``clip(1/2 + depth / edge)`` with the extent of a voxel across the
    surface as the edge; the label is where the depth of its centre is positive, and belongs to
    the vertebra in which it lies deeper.
    """
    body, edge_mm = _body_depth(canvas.grid, parts)
    depth, shell_mm = _with_arch(canvas.grid, parts, body)
    _label(canvas, parts, body, depth)
    inner_box = within(parts.body_box, parts.box)
    edges = np.full(depth.shape, np.float32(np.mean(canvas.grid.spacing_mm)))
    edges[inner_box] = np.where(body >= depth[inner_box], edge_mm, edges[inner_box])
    outer = np.clip(depth / edges + np.float32(0.5), 0.0, 1.0)
    inner = np.clip((depth - shell_mm) / edges + np.float32(0.5), 0.0, 1.0)
    region = canvas.hu[parts.box]
    region += outer * (np.float32(CORTICAL_HU) - region)
    region += inner * (_cancellous_hu(canvas.grid, parts, bone, inner > 0.0) - region)


def _body_depth(grid: Grid, parts: VertebraParts) -> tuple[Field, Field]:
    vertebra = parts.vertebra
    endplate, wall = vertebra.body.distances(grid.inside(parts.body_box, vertebra.frame))
    depth = rounded_minimum(endplate, wall, ROUNDING_MM)
    frame = vertebra.frame
    across_wall = np.sqrt(
        0.5 * (grid.edge_mm(frame.posterior) ** 2 + grid.edge_mm(frame.left) ** 2)
    )
    edge = np.where(endplate < wall, grid.edge_mm(frame.cranial), across_wall)
    return depth.astype(np.float32), edge.astype(np.float32)


def _with_arch(grid: Grid, parts: VertebraParts, body: Field) -> tuple[Field, Field]:
    """Depth in the whole vertebra, and the thickness of its shell, over the vertebra's box."""
    depth = np.full([s.stop - s.start for s in parts.box], _OUTSIDE)
    for strut, box in zip(parts.struts, parts.strut_boxes, strict=True):
        region = depth[within(box, parts.box)]
        np.maximum(region, strut.distance(grid.inside(box, parts.vertebra.frame)), out=region)
    shell = np.full(depth.shape, np.float32(ARCH_SHELL_MM))
    inner = within(parts.body_box, parts.box)
    shell[inner] = np.where(body >= depth[inner], np.float32(SHELL_MM), shell[inner])
    np.maximum(depth[inner], body, out=depth[inner])
    return depth, shell


def _label(canvas: Canvas, parts: VertebraParts, body: Field, depth: Field) -> None:
    number = np.uint8(VERSE_IDS[parts.vertebra.level])
    held = canvas.depth_mm[parts.box]
    mine = depth > np.maximum(held, 0.0)
    held[mine] = depth[mine]
    canvas.ids[parts.box][mine] = number
    canvas.bodies[parts.box][mine] = 0
    inner = mine[within(parts.body_box, parts.box)] & (body > 0.0)
    canvas.bodies[parts.body_box][inner] = number


def _cancellous_hu(grid: Grid, parts: VertebraParts, bone: Cancellous, where: Field) -> Field:
    posterior, left, cranial = grid.inside(parts.box, parts.vertebra.frame)
    places = (posterior[where], left[where], cranial[where])
    number = VERSE_IDS[parts.vertebra.level]
    texture = textured(bone.tile, places, 7.3 * number * np.array([1.0, 0.7, 0.4]))
    hu = np.zeros(where.shape, np.float32)
    hu[where] = np.float32(bone.mean_hu) + np.float32(bone.texture_hu) * texture
    return hu


def _body_corners(vertebra: PhantomVertebra) -> np.ndarray:
    shape = vertebra.body
    sides = np.linspace(-1.0, 1.0, 9)
    upper, lower = shape.endplates(
        shape.origin_mm[0] + sides[:, None] * shape.depth_mm / 2.0,
        sides[None, :] * shape.width_mm / 2.0,
    )
    grown = 0.5 * (1.0 + 0.5 * abs(shape.flare))
    low = np.array([-grown * shape.depth_mm, -grown * shape.width_mm, float(lower.min())])
    high = np.array([grown * shape.depth_mm, grown * shape.width_mm, float(upper.max())])
    shift = np.array([shape.origin_mm[0], 0.0, 0.0])
    return corners(low + shift, high + shift)


def _box(vertebra: PhantomVertebra, grid: Grid, corners_mm: np.ndarray) -> Box:
    world = vertebra.frame.to_world(corners_mm)
    margin = np.array(grid.spacing_mm)
    return grid.box(world.min(axis=0) - margin, world.max(axis=0) + margin)
