"""Visits of phantoms whose layers are true, so that registration alone is measured."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from joints import SPACING_MM, phantom, radiograph_of
from lamella.physics.formation import absorbance
from lamella.records import BoneEnd, BoneMasks, JointSpace, JointVisit, Layers, Similarity
from lamella.tasks.joint_width import EXACT, measure_joint_space


@lru_cache(maxsize=24)
def layered(**spec: Any) -> JointVisit:
    """A phantom with its true bone layers; whatever else the radiograph shows is soft tissue."""
    joint = phantom(**({"jsw_mm": 1.5, "seed": 3} | spec))
    radiograph, masks = radiograph_of(joint), BoneMasks(masks=joint.masks)
    bones = dict(joint.bone_absorbance)
    seen = absorbance(radiograph.pixels, radiograph.grey_level)
    layers = Layers(
        soft_absorbance=np.asarray(seen - sum(bones.values()), np.float32),
        bone_absorbance=bones,
        masks=masks,
        radiograph=radiograph,
        share_sd=np.zeros(radiograph.shape, np.float32),
    )
    space = measure_joint_space(masks, SPACING_MM, EXACT)
    return JointVisit(radiograph=radiograph, masks=masks, space=space, layers=layers)


def plain(visit: JointVisit) -> JointVisit:
    """The same visit without its layers."""
    return replace(visit, layers=None)


def exposed(visit: JointVisit, factor: float) -> JointVisit:
    """The same visit without layers, every absorbance multiplied."""
    pixels = 1.0 - (1.0 - visit.radiograph.pixels.astype(np.float64)) ** factor
    radiograph = replace(visit.radiograph, pixels=pixels.astype(np.float32))
    return replace(visit, radiograph=radiograph, layers=None)


def moved(visit: JointVisit, **motions: Similarity) -> JointVisit:
    """The outlines as motions of the bones carry them, the axis with the first; pixels stay."""
    ends = {name: moved_end(end, motions[name]) for name, end in visit.ends.items()}
    first = next(iter(motions.values()))
    space = visit.space
    frame = replace(
        space.frame,
        origin_px=_point(first, space.frame.origin_px),
        axis=first.of_direction(space.frame.axis),
    )
    changed: JointSpace = replace(space, ends=ends, frame=frame)
    return replace(visit, space=changed)


def moved_end(end: BoneEnd, motion: Similarity) -> BoneEnd:
    """A bone's end after a similarity."""
    return BoneEnd(
        arc_px=motion.of_points(end.arc_px),
        extent_px=motion.of_points(end.extent_px),
        direction=motion.of_direction(end.direction),
    )


def _point(motion: Similarity, point_px: tuple[float, float]) -> tuple[float, float]:
    row, col = motion.of_points(np.array([point_px]))[0]
    return (float(row), float(col))
