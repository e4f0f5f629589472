"""Comparisons with a known answer: phantom visits, and motions that are written down."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from joints import phantom, radiograph_of
from lamella.records import (
    BoneMasks,
    JointVisit,
    LamellaError,
    Narrowing,
    RegisteredBone,
    Similarity,
)
from lamella.tasks.joint_narrowing import narrowing_of
from lamella.tasks.joint_width import measure_joint_space

SPACING_MM = 0.082
FOLLOWUP = {"jsw_mm": 1.0, "noise_seed": 5, "lateral_shift_mm": 0.2}


@lru_cache(maxsize=16)
def visit(spacing_mm: float | None = SPACING_MM, **spec: Any) -> JointVisit:
    """A phantom's visit without layers, its bones as they are."""
    made = phantom(**({"jsw_mm": 1.5} | spec))
    masks = BoneMasks(masks=made.masks)
    return JointVisit(
        radiograph=radiograph_of(made, pixel_spacing_mm=spacing_mm),
        masks=masks,
        space=measure_joint_space(masks, spacing_mm),
    )


def pair(spacing_mm: float | None = SPACING_MM) -> tuple[JointVisit, JointVisit]:
    """1.5 mm wide at the baseline, 1.0 mm at the follow-up."""
    return visit(spacing_mm), visit(spacing_mm, **FOLLOWUP)


def compared(
    jsn_mm: float = 0.5,
    sd_mm: float | None = 0.05,
    spacing_mm: float | None = SPACING_MM,
    **changes: Any,
) -> Narrowing:
    """The pair with the upper bone moved straight down by that much; both residuals are ramps."""
    baseline, followup = pair(spacing_mm)
    down_px = jsn_mm / SPACING_MM
    motions = {"upper": Similarity(down_px=down_px), "lower": Similarity()}
    bones = {
        name: RegisteredBone(
            motion=motion,
            ncc=0.97,
            along_sd_px=float("nan") if sd_mm is None else sd_mm / SPACING_MM / np.sqrt(2.0),
            across_sd_px=0.5,
            angle_sd_deg=0.2,
            coverage=0.8,
            residual=_ramp(baseline, name),
        )
        for name, motion in motions.items()
    }
    return replace(narrowing_of(baseline, followup, bones, "written down"), **changes)


def registered(baseline: JointVisit, followup: JointVisit) -> Mapping[str, RegisteredBone]:
    """A method that always says half a millimetre."""
    assert followup.names == baseline.names
    return compared().bones


def unregistrable(baseline: JointVisit, followup: JointVisit) -> Mapping[str, RegisteredBone]:
    """A method that cannot register anything."""
    raise LamellaError("the bones cannot be found in each other")


def _ramp(baseline: JointVisit, name: str) -> np.ndarray:
    """From -0.2 on the left to 0.2 on the right of the bone, unknown elsewhere."""
    mask = baseline.masks[name]
    across = np.broadcast_to(np.linspace(-0.2, 0.2, mask.shape[1]), mask.shape)
    return np.where(mask, across, np.nan).astype(np.float32)
