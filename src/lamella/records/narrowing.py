"""Two visits of one joint, how its bones lie at each, and how much the space has narrowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from lamella.records.images import BoneMasks, Layers, Radiograph
from lamella.records.joint_space import BoneEnd, JointFrame, JointSpace
from lamella.records.motion import Similarity
from lamella.types import Image

WIDE_90 = 1.6449
"""Standard deviations of a normal distribution that half of a 90 % interval spans."""


@dataclass(frozen=True, kw_only=True, eq=False)
class JointVisit:
    """A joint at one visit, ready to be compared with another visit.

    Args:
        radiograph: as read.
        masks: of both bones.
        space: the joint space as the outlines show it.
        layers: the radiograph taken apart; None for methods that compare without separation.
    """

    radiograph: Radiograph
    masks: BoneMasks
    space: JointSpace
    layers: Layers | None = None

    @property
    def ends(self) -> Mapping[str, BoneEnd]:
        """Bone name -> its articular end, top bone first."""
        return self.space.ends

    @property
    def frame(self) -> JointFrame:
        """Axis of the joint, from midway between the bones."""
        return self.space.frame

    @property
    def names(self) -> tuple[str, str]:
        """Names of the bones, top one first."""
        top, bottom = self.space.ends
        return (top, bottom)


@dataclass(frozen=True, kw_only=True, eq=False)
class RegisteredBone:
    """How one bone lies at the follow-up against the baseline.

    Args:
        motion: where each pixel of the bone at the baseline lies at the follow-up.
        ncc: normalised cross-correlation of the compared pixels, -1 to 1; NaN where a method
            compares no pixels.
        along_sd_px: standard deviation of the place of the joint line's midpoint along the joint
            axis; NaN where a method states none.
        across_sd_px: the same across the axis.
        angle_sd_deg: of the rotation.
        coverage: part of the bone's pixels that could be compared, 0 to 1.
        disagreement_px: at the joint line, between this registration and the one from follow-up
            to baseline; NaN where a method registers one way.
        residual: follow-up brought onto the baseline minus baseline, absorbance at the
            baseline's contrast, (row, col); NaN where not compared; None where a method makes
            none.
    """

    motion: Similarity
    ncc: float = float("nan")
    along_sd_px: float = float("nan")
    across_sd_px: float = float("nan")
    angle_sd_deg: float = float("nan")
    coverage: float = 1.0
    disagreement_px: float = float("nan")
    residual: Image | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Narrowing:
    """Change of a joint between two visits (``docs/notation.md``), lower bone taken as fixed.

    Figures in pixels are there whenever bones could be registered, for study; those in mm, the
    ones to report, are None when the comparison is refused or the spacing unknown.

    Args:
        jsn_px: joint space narrowing: how far the upper bone came towards the lower one along
            the joint axis at the midpoint of the joint line; negative when the space widened.
        lateral_px: how far the upper bone moved to the right across the axis there.
        angle_deg: how far the upper bone turned counter-clockwise.
        jsn_sd_px: standard deviation of ``jsn_px``, calibrated; NaN where a method states none.
        lateral_sd_px: of ``lateral_px``.
        angle_sd_deg: of ``angle_deg``.
        bones: bone name -> its registration, top bone first.
        baseline: first visit.
        followup: second visit.
        frame: axis and midpoint of the joint line at the baseline, mean of what both visits show.
        agreement: how well both bones match, 0 to 1; comparisons are refused below a threshold.
        refused: why no answer is given, or None.
        flags: what a reader should look at.
        method: name of the method and its separator.
    """

    jsn_px: float
    lateral_px: float
    angle_deg: float
    jsn_sd_px: float
    lateral_sd_px: float
    angle_sd_deg: float
    bones: Mapping[str, RegisteredBone]
    baseline: JointVisit
    followup: JointVisit
    frame: JointFrame
    agreement: float
    refused: str | None = None
    flags: tuple[str, ...] = ()
    method: str = "unnamed"

    def __post_init__(self) -> None:
        object.__setattr__(self, "bones", MappingProxyType(dict(self.bones)))

    @property
    def pixel_spacing_mm(self) -> float | None:
        """Pixel spacing of the baseline, mm."""
        return self.baseline.radiograph.pixel_spacing_mm

    @property
    def jsn_mm(self) -> float | None:
        """Joint space narrowing, mm, positive when the space narrows; None when refused."""
        return self._mm(self.jsn_px)

    @property
    def jsn_sd_mm(self) -> float | None:
        """Standard deviation of :attr:`jsn_mm`."""
        return self._mm(self.jsn_sd_px)

    @property
    def interval_mm(self) -> tuple[float, float] | None:
        """90 % interval of :attr:`jsn_mm`."""
        middle, sd = self.jsn_mm, self.jsn_sd_mm
        if middle is None or sd is None:
            return None
        return (middle - WIDE_90 * sd, middle + WIDE_90 * sd)

    @property
    def lateral_mm(self) -> float | None:
        """Movement of the upper bone to the right, mm."""
        return self._mm(self.lateral_px)

    @property
    def lateral_sd_mm(self) -> float | None:
        """Standard deviation of :attr:`lateral_mm`."""
        return self._mm(self.lateral_sd_px)

    def figures(self) -> dict[str, float | None]:
        """The measures by name, as tables and JSON carry them; all None when refused."""
        given = self.refused is None
        low, high = self.interval_mm or (None, None)
        return {
            "jsn_mm": self.jsn_mm,
            "jsn_sd_mm": self.jsn_sd_mm,
            "jsn_low_mm": low,
            "jsn_high_mm": high,
            "lateral_mm": self.lateral_mm,
            "lateral_sd_mm": self.lateral_sd_mm,
            "angle_deg": _known(self.angle_deg) if given else None,
            "angle_sd_deg": _known(self.angle_sd_deg) if given else None,
        }

    def _mm(self, length_px: float) -> float | None:
        spacing_mm = self.pixel_spacing_mm
        if self.refused is not None or spacing_mm is None:
            return None
        return _known(length_px * spacing_mm)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
