"""A sample of a manifest: one visit a joint, drawn with a fixed seed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lamella.io.datasets import JointRow, LoadedJoint, joint_rows, load_joint, mask_faults
from lamella.prepare.grid import NETWORK_SPACING_MM
from lamella.records import LamellaError, Radiograph

SEED = 20250
FEWEST_JOINTS = 5


def one_visit_a_joint(manifest: Path, most: int) -> list[LoadedJoint]:
    """At most so many joints with sound masks, one random visit of each.

    Args:
        manifest: in a layout that :func:`lamella.io.datasets.joint_rows` reads.
        most: joints.

    Raises:
        LamellaError: fewer than ``FEWEST_JOINTS`` joints with sound masks.
    """
    chosen: list[LoadedJoint] = []
    for row in _shuffled_visits(joint_rows(manifest)):
        joint = load_joint(row)
        if not mask_faults(joint.upper, joint.lower):
            chosen.append(joint)
        if len(chosen) == most:
            break
    if len(chosen) < FEWEST_JOINTS:
        raise LamellaError(
            f"expected {FEWEST_JOINTS} joints or more with sound masks, got {len(chosen)}: "
            "give a larger manifest"
        )
    return chosen


def with_spacing(joint: LoadedJoint) -> Radiograph:
    """A joint's radiograph at the spacing that the networks assume of the data sets."""
    return replace(joint.radiograph, pixel_spacing_mm=NETWORK_SPACING_MM, spacing_source=None)


def _shuffled_visits(rows: Sequence[JointRow]) -> list[JointRow]:
    visits: dict[str, list[JointRow]] = {}
    for row in rows:
        visits.setdefault(row.joint, []).append(row)
    rng = np.random.default_rng(SEED)
    chosen = [visits[joint][rng.integers(len(visits[joint]))] for joint in sorted(visits)]
    return [chosen[number] for number in rng.permutation(len(chosen))]
