"""Bones registered between visits, each on its own, forwards and backwards.

The coarse levels run from baseline to follow-up; at the finest level each visit is compared with
the other in turn and the two motions are averaged: interpolating a noisy image pulls a
registration towards the smoother one, equally and oppositely in the two directions.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from lamella.methods.registration.fit import Fit, fitted
from lamella.methods.registration.start import brought_back, correlated_motion
from lamella.methods.registration.views import BoneView, Level, bone_view
from lamella.prepare.articular import outlined_motion
from lamella.records import JointFrame, JointVisit, RegisteredBone, Similarity
from lamella.types import Image

COARSE_MM = (0.3, 0.15)
FINEST_MM = 0.08
WHOLLY = 0.999
"""Part of a compared pixel that must lie inside the bone's region at the other visit."""

GOOD_NCC = 0.9
"""At the coarsest level; below, a second start is tried."""


def register_bones(
    baseline: JointVisit, followup: JointVisit, *, overlap_as_seen: bool = False
) -> Mapping[str, RegisteredBone]:
    """Where each bone of the baseline lies at the follow-up.

    Args:
        baseline: first visit, with layers, or without where nothing is to be separated.
        followup: second visit, of the same kind and pixel spacing.
        overlap_as_seen: without layers, compare the overlap too.
    """
    return {
        name: _registered(
            (baseline, followup),
            name,
            tuple(
                bone_view(visit, name, overlap_as_seen=overlap_as_seen)
                for visit in (baseline, followup)
            ),
        )
        for name in baseline.names
    }


def _registered(
    visits: tuple[JointVisit, JointVisit], name: str, views: tuple[BoneView, ...]
) -> RegisteredBone:
    baseline, followup = visits
    motion = _coarse(views, outlined_motion(baseline.ends[name], followup.ends[name]))
    fine = (views[0].level(FINEST_MM), views[1].level(FINEST_MM))
    there = fitted(views[0], views[1], fine, motion)
    back = fitted(views[1], views[0], fine[::-1], there.motion.inverse())
    found = mean_motion(there.motion, back.motion.inverse())
    along_px, across_px, angle_deg = spread(there, baseline.frame)
    midpoint = np.array([baseline.frame.origin_px])
    apart = there.motion.of_points(midpoint) - back.motion.inverse().of_points(midpoint)
    return RegisteredBone(
        motion=found,
        ncc=min(there.ncc, back.ncc),
        along_sd_px=along_px,
        across_sd_px=across_px,
        angle_sd_deg=angle_deg,
        coverage=min(there.coverage, back.coverage),
        disagreement_px=float(np.hypot(*apart[0])),
        residual=_residual(views, fine, found),
    )


def mean_motion(a: Similarity, b: Similarity) -> Similarity:
    """The mean of two nearly equal motions, about the centre of the first."""
    other = b.about(a.centre_px)
    return replace(
        a,
        down_px=0.5 * (a.down_px + other.down_px),
        right_px=0.5 * (a.right_px + other.right_px),
        rotation_deg=0.5 * (a.rotation_deg + other.rotation_deg),
        scale=0.5 * (a.scale + other.scale),
    )


def spread(fit: Fit, frame: JointFrame) -> tuple[float, float, float]:
    """Standard deviation at the joint line: along the axis, across it, px; of the angle, degrees.

    Args:
        fit: of one bone.
        frame: of the joint at the baseline.
    """
    down, right = np.asarray(frame.origin_px) - np.asarray(fit.motion.centre_px)
    moving = np.array([[1.0, 0.0, -right, down], [0.0, 1.0, down, right]])
    placed = moving @ fit.covariance @ moving.T
    along, across = (
        float(np.sqrt(np.asarray(axis) @ placed @ np.asarray(axis)))
        for axis in (frame.axis, frame.across)
    )
    return along, across, float(np.rad2deg(np.sqrt(fit.covariance[2, 2])))


def _coarse(views: tuple[BoneView, ...], outlined: Similarity) -> Similarity:
    """From the outlines, or where that fits badly from phase correlation, then refined."""
    fixed, moving = views
    coarsest, *finer = COARSE_MM
    levels = (fixed.level(coarsest), moving.level(coarsest))
    found = fitted(fixed, moving, levels, outlined)
    if found.ncc < GOOD_NCC:
        other = fitted(fixed, moving, levels, correlated_motion(fixed, levels, outlined))
        found = max(found, other, key=lambda fit: fit.ncc)
    for smooth_mm in finer:
        levels = (fixed.level(smooth_mm), moving.level(smooth_mm))
        found = fitted(fixed, moving, levels, found.motion)
    return found.motion


def _residual(
    views: tuple[BoneView, ...], levels: tuple[Level, Level], motion: Similarity
) -> Image:
    """Follow-up minus baseline at the baseline's contrast, (row, col); NaN where not compared."""
    fixed, moving = views
    brought = brought_back(levels[1], motion)
    region = replace(levels[1], image=moving.region.astype(np.float32))
    compared = (fixed.trust > 0) & (brought_back(region, motion) > WHOLLY)
    if not compared.any():
        return np.full(brought.shape, np.nan, np.float32)
    gain = levels[0].image[compared].std() / max(float(brought[compared].std()), 1e-9)
    residual = gain * brought - levels[0].image
    return np.asarray(np.where(compared, residual, np.nan), np.float32)
