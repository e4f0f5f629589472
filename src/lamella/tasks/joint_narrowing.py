"""Joint space narrowing between two visits: each bone registered, the difference measured.

Every method says where each bone of the baseline lies at the follow-up, ``T_upper`` and
``T_lower``. With the lower bone held still the upper one has moved by ``M = T_lower^-1 T_upper``;
at the midpoint ``p`` of the joint line, with the axis ``n`` from the lower bone to the upper,

    d = M p - p,    JSN = -d . n,    lateral = d . n_across,    angle = that of M.

A rotation counts where the joint is, not about the image's centre. ``n`` is the mean of what the
outlines of both visits show, turned halfway along with the upper bone; ``p`` lies midway between
the joint line's midpoint at the baseline and that at the follow-up, the lower bone held still.
Measured backwards the answer is therefore the same with the opposite sign.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from lamella.physics.soft_tissue import NOMINAL_SPACING_MM
from lamella.prepare.articular import outlined_motion
from lamella.records import (
    JointFrame,
    JointVisit,
    LamellaError,
    Narrowing,
    RegisteredBone,
    RigidMotion,
    Similarity,
)

Register = Callable[[JointVisit, JointVisit], Mapping[str, RegisteredBone]]
"""(baseline, follow-up) -> bone name -> its registration, for the names of the baseline."""

SPACINGS_APART = 0.02
"""Relative difference of two pixel spacings that still counts as none."""

MOST_ANGLE_DEG = 20.0
LEAST_COVERAGE = 0.5
MOST_MAGNIFIED = 0.02
POOR_AGREEMENT = 0.8
NCC_LIMIT = 0.995


@dataclass(frozen=True, kw_only=True)
class Trust:
    """When to believe a method, fitted on pairs of visits of known kind.

    ``agreement = 1 / (1 + exp(-(upper z_upper + lower z_lower + constant)))`` with Fisher's
    ``z = atanh(NCC)`` of each bone: how much likelier it is that both visits show one joint from
    one side than that they do not, both as frequent.

    Args:
        upper: weight of the upper bone's correlation.
        lower: of the lower bone's.
        constant: added.
        least: agreement below which no answer is given.
        spread: true spread of errors over the standard deviation a method computes.
        mismatch_mm: standard deviation, mm, that a bone adds which looks nothing like itself at
            the other visit (turned out of the plane, changed); in proportion to ``1 - NCC``.
    """

    upper: float
    lower: float
    constant: float
    least: float
    spread: float
    mismatch_mm: float = 0.0

    def sd_px(self, computed_px: tuple[float, float], unlike_px: float) -> float:
        """Standard deviation of a displacement of both bones.

        Args:
            computed_px: by the method, for the upper and for the lower bone.
            unlike_px: what the unlikeness of both bones adds.
        """
        return float(np.hypot(self.spread * np.hypot(*computed_px), unlike_px))

    def agreement(self, upper_ncc: float, lower_ncc: float) -> float:
        """0 to 1; 0 where nothing was compared."""
        if not np.isfinite([upper_ncc, lower_ncc]).all():
            return 0.0
        z_upper, z_lower = fisher_z(np.array([upper_ncc, lower_ncc]))
        score = self.upper * z_upper + self.lower * z_lower + self.constant
        return float(1.0 / (1.0 + np.exp(-np.clip(score, -50.0, 50.0))))


UNTRIED = Trust(upper=2.0, lower=2.0, constant=-2.0, least=0.0, spread=1.0)
"""For a method whose trust nobody has fitted: nothing is refused for its agreement."""


def fisher_z(ncc: np.ndarray) -> np.ndarray:
    """``atanh`` of correlations, bounded."""
    return np.asarray(np.arctanh(np.clip(ncc, -NCC_LIMIT, NCC_LIMIT)))


def measure_narrowing(
    baseline: JointVisit,
    followup: JointVisit,
    register: Register,
    method: str,
    trust: Trust = UNTRIED,
) -> Narrowing:
    """Measure the change between two visits by one method, or say why not.

    Args:
        baseline: first visit.
        followup: second visit; its bones have the same names.
        register: the method.
        method: its name, written into the result.
        trust: when to believe it.

    Raises:
        LamellaError: other bones at the follow-up; from the method, where it cannot register at
            all.
    """
    if set(baseline.names) != set(followup.names):
        wanted, got = (" and ".join(map(repr, visit.names)) for visit in (baseline, followup))
        raise LamellaError(
            f"expected bones named {wanted} at the follow-up, got {got}: name them alike"
        )
    refused = _unlike(baseline, followup)
    if refused is not None:
        return replace(
            narrowing_of(baseline, followup, _by_outlines(baseline, followup), method, trust),
            refused=refused,
        )
    bones = register(baseline, followup)
    found = narrowing_of(baseline, followup, bones, method, trust)
    return replace(found, refused=_refused(found, trust), flags=_flags(found))


def narrowing_of(
    baseline: JointVisit,
    followup: JointVisit,
    bones: Mapping[str, RegisteredBone],
    method: str,
    trust: Trust = UNTRIED,
) -> Narrowing:
    """The change that registered bones imply; nothing is refused here."""
    top, bottom = baseline.names
    upper, lower = bones[top], bones[bottom]
    frame = common_frame(baseline, followup, bones)
    along_px, across_px, angle_deg = displacement(upper.motion, lower.motion, frame)
    spacing_mm = baseline.radiograph.pixel_spacing_mm or NOMINAL_SPACING_MM
    unlike_px = trust.mismatch_mm * float(np.hypot(1.0 - upper.ncc, 1.0 - lower.ncc)) / spacing_mm
    return Narrowing(
        jsn_px=-along_px,
        lateral_px=across_px,
        angle_deg=angle_deg,
        jsn_sd_px=trust.sd_px((upper.along_sd_px, lower.along_sd_px), unlike_px),
        lateral_sd_px=trust.sd_px((upper.across_sd_px, lower.across_sd_px), unlike_px),
        angle_sd_deg=trust.spread * float(np.hypot(upper.angle_sd_deg, lower.angle_sd_deg)),
        bones={top: upper, bottom: lower},
        baseline=baseline,
        followup=followup,
        frame=frame,
        agreement=trust.agreement(upper.ncc, lower.ncc),
        method=method,
    )


def displacement(
    upper: Similarity, lower: Similarity, frame: JointFrame
) -> tuple[float, float, float]:
    """Displacement of the upper bone against the lower one: along and across the axis, angle.

    Args:
        upper: where the upper bone's pixels went.
        lower: where the lower bone's went.
        frame: the joint's, as :func:`common_frame` gives it.

    Returns:
        pixels of the baseline along the axis (positive: apart), across it (positive: to the
        right), and degrees counter-clockwise.
    """
    midpoint = np.array([frame.origin_px])
    moved = (lower.inverse().of_points(upper.of_points(midpoint)) - midpoint)[0]
    angle_deg = upper.rotation_deg - lower.rotation_deg
    halfway = RigidMotion(rotation_deg=0.5 * angle_deg, centre_px=(0.0, 0.0))
    axis, across = halfway.of_direction(frame.axis), halfway.of_direction(frame.across)
    return float(moved @ axis), float(moved @ across), float(angle_deg)


def common_frame(
    baseline: JointVisit, followup: JointVisit, bones: Mapping[str, RegisteredBone]
) -> JointFrame:
    """Axis and midpoint that both visits agree on, in pixels of the baseline.

    With ``u`` and ``l`` the middles of the upper and the lower arc at the baseline, each the mean
    of what both visits show, the joint line's midpoint is ``(u + l) / 2`` there and, seen from
    the upper bone, ``(u + M^-1 l) / 2`` at the follow-up; the frame stands midway between them.
    The axis is the upper bone's.
    """
    top, bottom = baseline.names
    upper, lower = bones[top].motion, bones[bottom].motion
    above, below = (_common_middle(baseline, followup, bones, name) for name in (top, bottom))
    below_later = upper.inverse().of_points(lower.of_points(below))
    axis = np.asarray(baseline.frame.axis) + upper.inverse().of_direction(followup.frame.axis)
    row, col = (0.5 * above + 0.25 * (below + below_later))[0]
    down, right = axis / np.hypot(*axis)
    return JointFrame(origin_px=(float(row), float(col)), axis=(float(down), float(right)))


def _common_middle(
    baseline: JointVisit, followup: JointVisit, bones: Mapping[str, RegisteredBone], name: str
) -> np.ndarray:
    """Middle of a bone's arc at the baseline, mean of both visits, (1, 2)."""
    here, there = (
        visit.ends[name].arc_px[len(visit.ends[name].arc_px) // 2][None]
        for visit in (baseline, followup)
    )
    return np.asarray(0.5 * (here + bones[name].motion.inverse().of_points(there)))


def _by_outlines(baseline: JointVisit, followup: JointVisit) -> dict[str, RegisteredBone]:
    """Where the outlines say the bones went; nothing compared."""
    return {
        name: RegisteredBone(motion=outlined_motion(baseline.ends[name], followup.ends[name]))
        for name in baseline.names
    }


def _unlike(baseline: JointVisit, followup: JointVisit) -> str | None:
    """Why two visits cannot be compared whatever they show, or None."""
    first, second = baseline.radiograph, followup.radiograph
    sides = {first.laterality, second.laterality} - {None}
    if len(sides) > 1:
        return "one visit is of the right hand, the other of the left"
    if baseline.names != followup.names:
        return "one visit shows the joint upside down: its bones are named the other way round"
    if first.pixel_spacing_mm is None or second.pixel_spacing_mm is None:
        return None
    if abs(np.log(first.pixel_spacing_mm / second.pixel_spacing_mm)) > SPACINGS_APART:
        return (
            f"pixel spacings differ ({first.pixel_spacing_mm:.4g} and "
            f"{second.pixel_spacing_mm:.4g} mm): bring both images to one spacing"
        )
    return None


def _refused(found: Narrowing, trust: Trust) -> str | None:
    """Why a comparison is not to be trusted, or None."""
    if found.agreement < trust.least:
        return (
            f"the bones of the two visits do not match (agreement {found.agreement:.2f}, at least "
            f"{trust.least:.2f} needed): another joint or side, or too different a projection"
        )
    hidden = [name for name, bone in found.bones.items() if bone.coverage < LEAST_COVERAGE]
    if hidden:
        return f"too little of the {hidden[0]} bone is in view at both visits"
    if abs(found.angle_deg) > MOST_ANGLE_DEG:
        return (
            f"the joint was bent by {abs(found.angle_deg):.0f} degrees between the visits, at most "
            f"{MOST_ANGLE_DEG:g} can be compared"
        )
    radiographs = (found.baseline.radiograph, found.followup.radiograph)
    if any(each.pixel_spacing_mm is None for each in radiographs):
        return "the pixel spacing is unknown: give it (--pixel-spacing MM)"
    return None


def _flags(found: Narrowing) -> tuple[str, ...]:
    flags = []
    if found.agreement < POOR_AGREEMENT:
        flags.append(
            f"the bones match poorly (agreement {found.agreement:.2f}): is it the same joint, "
            "lying alike at both visits?"
        )
    for name, bone in found.bones.items():
        if abs(bone.motion.scale - 1.0) > MOST_MAGNIFIED:
            flags.append(
                f"the {name} bone looks {abs(bone.motion.scale - 1.0):.1%} "
                f"{'larger' if bone.motion.scale > 1 else 'smaller'} at the follow-up: "
                "is the pixel spacing right?"
            )
    return tuple(flags)
