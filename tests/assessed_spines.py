"""An assessed spine made by hand from phantoms: the heights are the phantom's exact ones."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from lamella.physics.phantoms.spine import SpinePhantom, SpinePhantomSpec, spine_phantom
from lamella.physics.virtual_fracture import FractureSpec
from lamella.records import (
    CTVolume,
    HealthyHeights,
    HeightMap,
    MeasuredBody,
    SpineAssessment,
    SpineLabels,
    Vertebra,
    Zones,
)
from lamella.tasks.vertebra_height import height_loss

LEVELS = ("T12", "L1", "L2")
FRACTURES = {"L1": FractureSpec(kind="wedge", loss=0.33)}
HEIGHT_SD_MM = 0.4
HEALTHY_SD_MM = 0.9
STEP_MM = 1.0


@cache
def phantoms(
    levels: tuple[str, ...] = LEVELS, spacing_mm: float = 3.0
) -> tuple[SpinePhantom, SpinePhantom]:
    """A spine with a wedge at L1 (and what else of ``FRACTURES`` is in it), and without."""
    fractures = {level: each for level, each in FRACTURES.items() if level in levels}
    spec = SpinePhantomSpec(levels=levels, spacing_mm=spacing_mm, fractures=fractures, seed=2)
    return spine_phantom(spec), spine_phantom(replace(spec, fractures={}))


def measured(phantom: SpinePhantom, level: str) -> MeasuredBody:
    """A body with the phantom's exact heights and a flat-sided height map of them."""
    depth, width = phantom.depths_mm[level], phantom.widths_mm[level]
    back = np.arange(-np.ceil(depth / 2), depth / 2 + STEP_MM, STEP_MM)
    left = np.arange(-np.ceil(width / 2), width / 2 + STEP_MM, STEP_MM)
    zones = phantom.heights[level]
    told = [zones.anterior, zones.middle, zones.posterior]
    profile = np.interp(back / depth, [-0.35 * 2 / 3, 0.0, 0.35 * 2 / 3], told)
    oval = (2 * back[:, None] / depth) ** 2 + (2 * left / width) ** 2 <= 1.0
    half = np.where(oval, profile[:, None] / 2, np.nan).astype(np.float32)
    frame = phantom.frames[level]
    drawn = HeightMap(frame=frame, posterior_mm=back, left_mm=left, upper_mm=half, lower_mm=-half)
    return MeasuredBody(
        level=level,
        frame=frame,
        heights_mm=zones,
        heights_sd_mm=same(HEIGHT_SD_MM),
        depth_mm=depth,
        width_mm=width,
        volume_mm3=float(zones.whole * depth * width * 0.78),
        height_map=drawn,
    )


def same(value: float) -> Zones:
    """One figure for every third."""
    return Zones(anterior=value, middle=value, posterior=value, whole=value)


def vertebra(phantom: SpinePhantom, level: str, with_ct: bool = True) -> Vertebra:
    """A vertebra compared with the phantom's heights before the fracture."""
    body = measured(phantom, level)
    healthy = HealthyHeights(
        heights_mm=phantom.healthy_heights[level],
        heights_sd_mm=same(HEALTHY_SD_MM),
        told_by="phantom truth",
        neighbours=tuple(name for name in phantom.labels.levels if name != level),
    )
    told = height_loss(body, healthy)
    return Vertebra(
        level=level, body=body, healthy=healthy, loss=told, generated=with_ct and bool(told.grade)
    )


@cache
def assessed(
    levels: tuple[str, ...] = LEVELS, spacing_mm: float = 3.0, *, with_ct: bool = True
) -> SpineAssessment:
    """Every vertebra of the phantoms; the last one refused as truncated."""
    phantom, healthy = phantoms(levels, spacing_mm)
    *answered, last = levels
    refused = Vertebra(level=last, refused="cut off by the border of the volume")
    pseudo = on_grid(healthy, phantom)
    return SpineAssessment(
        vertebrae=(*(vertebra(phantom, level, with_ct) for level in answered), refused),
        labels=phantom.labels,
        ct=phantom.ct if with_ct else None,
        pseudo_ct=pseudo[0] if with_ct else None,
        pseudo_labels=pseudo[1] if with_ct else None,
        method="phantom truth",
        warnings=("a spine made by hand",),
    )


def on_grid(phantom: SpinePhantom, other: SpinePhantom) -> tuple[CTVolume, SpineLabels]:
    """A phantom's CT and labels on another's grid, by the nearest voxel."""
    places = np.moveaxis(np.indices(other.ct.shape), 0, -1) @ other.ct.affine[:3, :3].T
    world = places + other.ct.affine[:3, 3]
    inverse = np.linalg.inv(phantom.ct.affine)
    index = np.rint(world @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    inside = np.all((index >= 0) & (index < phantom.ct.shape), axis=-1)
    at = tuple(np.moveaxis(np.clip(index, 0, np.array(phantom.ct.shape) - 1), -1, 0))
    hu = np.where(inside, phantom.ct.hu[at], -1000.0).astype(np.float32)
    ids = np.where(inside, phantom.labels.ids[at], 0).astype(np.uint8)
    affine = other.ct.affine
    return CTVolume(hu=hu, affine=affine), SpineLabels(ids=ids, affine=affine)
