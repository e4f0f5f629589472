"""Joints seen both ways: with overlapping bones at one visit and without at another."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lamella.io.datasets import (
    JointRow,
    LoadedJoint,
    joint_grouped_fold,
    load_joint,
    mask_faults,
)

FOLDS = 5
MOST_VISITS = 3


@dataclass(frozen=True, kw_only=True)
class JointVisits:
    """Visits of one joint.

    Args:
        joint: its name.
        overlapping: visits whose bones overlap, largest overlap first, ``MOST_VISITS`` at most.
        apart: visits whose bones do not.
    """

    joint: str
    overlapping: tuple[LoadedJoint, ...]
    apart: tuple[LoadedJoint, ...]


def joints_seen_both_ways(rows: Iterable[JointRow]) -> list[JointVisits]:
    """Joints with a visit of either kind, by name; visits with wrong masks are left out."""
    by_joint: dict[str, list[JointRow]] = defaultdict(list)
    for row in rows:
        by_joint[row.joint].append(row)
    found = (_visits(name, by_joint[name]) for name in sorted(by_joint))
    return [visits for visits in found if visits.overlapping and visits.apart]


def fold_of_joint(rows: Sequence[JointRow], folds: int = FOLDS) -> dict[str, int]:
    """Joint -> the fold that holds it out, as :func:`joint_grouped_fold` deals them."""
    return {
        row.joint: fold for fold in range(folds) for row in joint_grouped_fold(rows, fold, folds)[1]
    }


def _visits(name: str, rows: Sequence[JointRow]) -> JointVisits:
    if len(rows) < 2:
        return JointVisits(joint=name, overlapping=(), apart=())
    joints = [load_joint(row) for row in sorted(rows, key=lambda row: row.image.name)]
    sound = [joint for joint in joints if not mask_faults(joint.upper, joint.lower)]
    overlapping = sorted(
        (joint for joint in sound if joint.is_overlapping), key=lambda joint: -joint.overlap_px
    )
    return JointVisits(
        joint=name,
        overlapping=tuple(overlapping[:MOST_VISITS]),
        apart=tuple(joint for joint in sound if not joint.is_overlapping),
    )
