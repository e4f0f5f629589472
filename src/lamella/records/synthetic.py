"""A joint in another state, and where its bones stand in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lamella.records.images import BoneMasks, Radiograph
from lamella.records.joint_space import JointSpace
from lamella.records.motion import RigidMotion
from lamella.types import Absorbance, Image


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Where the upper bone stands against the lower one, relative to the radiograph.

    Args:
        along_px: apart along the joint axis; positive widens.
        across_px: to the right across it.
        rotation_deg: counter-clockwise, about the joint's origin.
    """

    along_px: float = 0.0
    across_px: float = 0.0
    rotation_deg: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SyntheticJoint:
    """A joint in another state, with everything that is known about it. Research use only.

    Args:
        radiograph: the new image on the old one's grid, not rounded to its grey levels.
        masks: of both bones, exact for the bones as they were masked.
        joint_space: width and contours, computed from the moved contours, not from pixels.
        pose: relative to the radiograph.
        motions: bone name -> motion of that bone.
        soft_absorbance: (row, col), with its grain.
        bone_absorbance: name -> (row, col).
    """

    radiograph: Radiograph
    masks: BoneMasks
    joint_space: JointSpace
    pose: Pose
    motions: Mapping[str, RigidMotion]
    soft_absorbance: Absorbance
    bone_absorbance: Mapping[str, Absorbance]

    @property
    def image(self) -> Image:
        """Intensity in [0, 1], (row, col)."""
        return self.radiograph.pixels

    @property
    def landmarks(self) -> dict[str, tuple[float, float]]:
        """Named places (row, col): ends and middle of each articular arc, origin of the joint."""
        found = {"origin": self.joint_space.frame.origin_px}
        for name, end in self.joint_space.ends.items():
            for place, at in (("left", 0), ("middle", len(end.arc_px) // 2), ("right", -1)):
                row, col = end.arc_px[at]
                found[f"{name}_{place}"] = (float(row), float(col))
        return found

    @property
    def jsw_mm(self) -> float | None:
        """Joint space width, mm; None when the spacing is unknown."""
        return self.joint_space.jsw_mm

    @property
    def jsw_sd_mm(self) -> float | None:
        """Its standard deviation, mm: that of the measured baseline; displacements are exact."""
        return self.joint_space.jsw_sd_mm
