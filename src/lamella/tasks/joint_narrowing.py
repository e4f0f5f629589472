"""Joint space narrowing between two visits: each bone registered, the difference measured.

Every method says where each bone of the baseline lies at the follow-up, ``T_upper`` and
``T_lower``. With the lower bone held still the upper one has moved by ``M = T_lower^-1 T_upper``;
at the midpoint ``p`` of the joint line, with the axis ``n`` from the lower bone to the upper,

    d = M p - p,    JSN = -d . n,    lateral = d . n_across,    angle = that of M.

``p`` and ``n`` are the mean of what the outlines of both visits show, brought to the baseline, and
``d`` is read in the frame halfway between both positions of the upper bone: measured backwards,
the answer is the same with the opposite sign (to second order in the angle). A rotation counts
where the joint is, not about the image's centre.
"""

from collections.abc import Callable, Mapping

import numpy as np

from lamella.records import (
    JointFrame,
    JointVisit,
    Narrowing,
    RegisteredBone,
    RigidMotion,
    Similarity,
)

Register = Callable[[JointVisit, JointVisit], Mapping[str, RegisteredBone]]
"""(baseline, follow-up) -> bone name -> its registration, for the names of the baseline."""

MILLIMETRES_APART = 0.02
"""Relative difference of pixel spacings that counts as none."""


def measure_narrowing(
    baseline: JointVisit, followup: JointVisit, register: Register, method: str
) -> Narrowing:
    """Measure the change between two visits by one method.

    Args:
        baseline: first visit.
        followup: second visit; its bones have the same names.
        register: the method.
        method: its name, written into the result.

    Raises:
        LamellaError: from the method, where it cannot register at all.
    """
    bones = register(baseline, followup)
    return narrowing_of(baseline, followup, bones, method)


def narrowing_of(
    baseline: JointVisit,
    followup: JointVisit,
    bones: Mapping[str, RegisteredBone],
    method: str,
) -> Narrowing:
    """The change that registered bones imply; nothing is refused here."""
    top, bottom = baseline.names
    upper, lower = bones[top], bones[bottom]
    frame = common_frame(baseline, followup, bones)
    along_px, across_px, angle_deg = displacement(upper.motion, lower.motion, frame)
    return Narrowing(
        jsn_px=-along_px,
        lateral_px=across_px,
        angle_deg=angle_deg,
        jsn_sd_px=float(np.hypot(upper.along_sd_px, lower.along_sd_px)),
        lateral_sd_px=float(np.hypot(upper.across_sd_px, lower.across_sd_px)),
        angle_sd_deg=float(np.hypot(upper.angle_sd_deg, lower.angle_sd_deg)),
        bones={top: upper, bottom: lower},
        baseline=baseline,
        followup=followup,
        frame=frame,
        agreement=float(np.clip(np.nan_to_num(min(upper.ncc, lower.ncc)), 0.0, 1.0)),
        method=method,
    )


def displacement(
    upper: Similarity, lower: Similarity, frame: JointFrame
) -> tuple[float, float, float]:
    """Displacement of the upper bone against the lower one: along and across the axis, angle.

    Args:
        upper: where the upper bone's pixels went.
        lower: where the lower bone's went.
        frame: the joint's, at the baseline.

    Returns:
        pixels of the baseline along the axis (positive: apart), across it (positive: to the
        right), and degrees counter-clockwise.
    """
    midpoint = np.array([frame.origin_px])
    row, col = (lower.inverse().of_points(upper.of_points(midpoint)) - midpoint)[0]
    angle_deg = upper.rotation_deg - lower.rotation_deg
    halfway = RigidMotion(rotation_deg=0.5 * angle_deg, centre_px=(0.0, 0.0))
    axis = halfway.of_direction(frame.axis)
    across = halfway.of_direction(frame.across)
    moved = np.array([row, col])
    return float(moved @ axis), float(moved @ across), float(angle_deg)


def common_frame(
    baseline: JointVisit, followup: JointVisit, bones: Mapping[str, RegisteredBone]
) -> JointFrame:
    """Axis and midpoint at the baseline: the mean of what both visits show.

    The axis is the upper bone's; the midpoint lies between the middles of both arcs.
    """
    top = baseline.names[0]
    middles, axes = [], [np.asarray(baseline.frame.axis)]
    for name in baseline.names:
        there = bones[name].motion.inverse().of_points(_middle(followup, name))
        middles.append(0.5 * (_middle(baseline, name) + there)[0])
    axes.append(np.asarray(bones[top].motion.inverse().of_direction(followup.frame.axis)))
    axis = np.mean(axes, axis=0)
    row, col = np.mean(middles, axis=0)
    down, right = axis / np.hypot(*axis)
    return JointFrame(origin_px=(float(row), float(col)), axis=(float(down), float(right)))


def _middle(visit: JointVisit, name: str) -> np.ndarray:
    arc = visit.ends[name].arc_px
    return np.asarray(arc[len(arc) // 2][None])
