"""Put a separated joint together again at another joint space width.

Layers add in absorbance, so a joint whose bones have moved by the motions ``T_i`` is

    a(x) = a_soft(x) + h(x) (m(x) - C(x)) + sum_i b_i(T_i^-1 x),    C(x) = max_i m_i(T_i^-1 x),

with ``b_i`` the bones' absorbance, ``m_i`` their mattes, ``m = max_i m_i`` and ``h`` the grain:
real beside the bones, resampled from there under them (:mod:`lamella.physics.grain`). A bone
carries the grain of its own pixels; so where it leaves (m > C), grain is added to the smooth
soft tissue, and where it arrives (C > m) the soft tissue's own grain goes: neither a ghost, nor
a smear, nor grain twice. Bones that do not move give the radiograph back, pixel for pixel.

On the soft edge of a bone (0 < m < 1) the layers' soft tissue keeps what lies below its smooth
continuation and the bone what lies above: half of the grain each, which would show as a rim where
the bone arrives. There the rest ``r = a - a_smooth`` is shared as ``m r`` and ``(1 - m) r``,
whatever its sign.

Motions are shared out: the upper bone does half, the lower bone the other half. Beyond the image
border bones are continued by reflection, so no wedge opens there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from scipy import ndimage

from lamella.physics.formation import intensity
from lamella.physics.geometry import RigidMotion
from lamella.physics.soft_tissue import NOMINAL_SPACING_MM, air_beside, matte
from lamella.prepare.articular import bone_ends, moved_end, smooth_outline
from lamella.prepare.masks import by_height, reaching_border
from lamella.records import (
    BoneEnd,
    BoneMasks,
    JointSpace,
    LamellaError,
    Layers,
    Pose,
    SyntheticJoint,
)
from lamella.tasks.joint_width import DRAWN, OutlineError, joint_space_between
from lamella.tasks.movable import movable
from lamella.types import Absorbance, BoneStack, Image, Mask, PaddedImage, PaddedStack

MARGIN_MM = 5.0
"""Farthest any point of one bone may move."""

SPLINE_ORDER = 3
SPLINE_REACH_PX = 3
SEARCH_STEPS = 6
CLOSE_ENOUGH_PX = 1e-4
MOST_OVER_AIR = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class AdjustableJoint:
    """Layers prepared for moving: prepare once, then :meth:`at` any pose in milliseconds.

    All maps but the padded ones are (row, col) on the radiograph's grid. Padded maps have
    ``margin_px`` more on every side.

    Args:
        layers: what it was made from.
        soft: absorbance of the soft tissue, smooth under the bones (:mod:`lamella.tasks.movable`).
        grain: h, see the module.
        matte: m, largest matte of both bones where they stand.
        names: top bone first.
        splines: cubic B-spline coefficients of each padded bone, (bone, row, col).
        mattes: padded matte of each bone, (bone, row, col).
        silhouettes: padded mask of each bone, smoothed as its contour was, (bone, row, col); the
            outline is at one half.
        margin_px: padding.
        ends: bone name -> articular end as it stands.
        joint_space: as it stands.
        error: of the outlines.
        air: air beside the finger.
    """

    layers: Layers
    soft: Absorbance
    grain: Image
    matte: Absorbance
    names: tuple[str, str]
    splines: PaddedStack
    mattes: PaddedStack
    silhouettes: PaddedStack
    margin_px: int
    ends: Mapping[str, BoneEnd]
    joint_space: JointSpace
    error: OutlineError
    air: Mask

    @classmethod
    def of(cls, layers: Layers, error: OutlineError = DRAWN, seed: int = 0) -> "AdjustableJoint":
        """Prepare layers of a joint.

        Args:
            layers: as :func:`lamella.separate` gives them.
            error: of the masks' outlines, for ``jsw_sd_mm``.
            seed: of the grain drawn under the bones.

        Raises:
            LamellaError: the joint space cannot be measured
                (:func:`lamella.tasks.joint_width.measure_joint_space`).
        """
        radiograph = layers.radiograph
        spacing_mm = radiograph.pixel_spacing_mm or NOMINAL_SPACING_MM
        ends = bone_ends(layers.masks, radiograph.pixel_spacing_mm)
        source = radiograph.spacing_source
        assert source is not None
        space = joint_space_between(ends, radiograph.pixel_spacing_mm, error, source)
        reaching = reaching_border(layers.masks)
        top, bottom = by_height(layers.masks)
        mattes = np.stack([matte(reaching[name], spacing_mm) for name in (top, bottom)])
        margin_px = int(np.ceil(MARGIN_MM / spacing_mm))
        parts = movable(layers, mattes, spacing_mm, seed)
        return cls(
            layers=layers,
            soft=parts.soft,
            grain=parts.grain,
            matte=mattes.max(axis=0),
            names=(top, bottom),
            splines=np.stack([_spline(part) for part in _padded(parts.bones, margin_px)]),
            mattes=_padded(mattes, margin_px),
            silhouettes=_padded(
                np.stack([smooth_outline(reaching[name]) for name in (top, bottom)]), margin_px
            ),
            margin_px=margin_px,
            ends=ends,
            joint_space=space,
            error=error,
            air=air_beside(parts.observed, mattes.max(axis=0) > 0),
        )

    def posed(
        self, jsw_mm: float | None = None, shift_mm: float = 0.0, rotation_deg: float = 0.0
    ) -> Pose:
        """The pose with a joint space width: found on the contours, to 1e-4 px.

        Args:
            jsw_mm: wanted, mm; None: the bones keep their distance along the axis.
            shift_mm: of the upper bone to the right against the lower one, mm.
            rotation_deg: of the upper bone against the lower one, counter-clockwise.

        Raises:
            LamellaError: the spacing is unknown, or a number is not finite.
        """
        wanted = (jsw_mm if jsw_mm is not None else 0.0, shift_mm, rotation_deg)
        if not np.isfinite(wanted).all():
            raise LamellaError(f"expected finite numbers for the joint's pose, got {wanted}")
        spacing_mm = self.layers.radiograph.pixel_spacing_mm
        if spacing_mm is None and (jsw_mm is not None or shift_mm):
            raise LamellaError(
                "the pixel spacing is unknown: give it (--pixel-spacing MM) to ask for mm"
            )
        pose = Pose(across_px=shift_mm / (spacing_mm or 1.0), rotation_deg=rotation_deg)
        return pose if jsw_mm is None else self._with_width(pose, jsw_mm / (spacing_mm or 1.0))

    def at(self, pose: Pose) -> SyntheticJoint:
        """The joint in a pose.

        Raises:
            LamellaError: a bone would leave what the image shows of the finger: moved farther
                than ``MARGIN_MM`` or into air.
        """
        motions = self.motions(pose)
        self._refuse_far(motions)
        moved = [motions[name] for name in self.names]
        bones = np.stack(
            [
                self._sampled(part, motion, SPLINE_ORDER)
                for part, motion in zip(self.splines, moved, strict=True)
            ]
        )
        mattes = [
            self._sampled(part, motion, 1) for part, motion in zip(self.mattes, moved, strict=True)
        ]
        outlines = [
            np.asarray(self._sampled(part, motion, 1) >= 0.5)
            for part, motion in zip(self.silhouettes, moved, strict=True)
        ]
        self._refuse_in_air(outlines)
        soft = self.soft + self.grain * (self.matte - np.max(mattes, axis=0))
        return self._joint(pose, motions, (np.maximum(soft, 0.0), bones), outlines)

    def motions(self, pose: Pose) -> dict[str, RigidMotion]:
        """How each bone moves: the upper one by half of the pose, the lower one by the other."""
        frame = self.joint_space.frame
        down, right = 0.5 * (
            pose.along_px * np.asarray(frame.axis) + pose.across_px * np.asarray(frame.across)
        )
        return {
            name: RigidMotion(
                down_px=float(sign * down),
                right_px=float(sign * right),
                rotation_deg=0.5 * sign * pose.rotation_deg,
                centre_px=frame.origin_px,
            )
            for name, sign in zip(self.names, (1.0, -1.0), strict=True)
        }

    def space_at(self, pose: Pose) -> JointSpace:
        """The joint space in a pose, from the moved contours."""
        motions = self.motions(pose)
        ends = {name: moved_end(self.ends[name], motions[name]) for name in self.names}
        here = self.joint_space
        return joint_space_between(ends, here.pixel_spacing_mm, self.error, here.spacing_source)

    def _with_width(self, pose: Pose, wanted_px: float) -> Pose:
        for _ in range(SEARCH_STEPS):
            missing_px = wanted_px - self.space_at(pose).jsw_px
            if abs(missing_px) < CLOSE_ENOUGH_PX:
                break
            pose = replace(pose, along_px=pose.along_px + missing_px)
        return pose

    def _sampled(self, padded: PaddedImage, motion: RigidMotion, order: int) -> Image:
        matrix, offset = motion.inverse_affine()
        offset = offset + self.margin_px
        moved = ndimage.affine_transform(
            padded,
            matrix,
            offset,
            output_shape=self.soft.shape,
            order=order,
            mode="nearest",
            prefilter=False,
            output=np.float32,
        )
        return np.asarray(moved)

    def _joint(
        self,
        pose: Pose,
        motions: Mapping[str, RigidMotion],
        absorbances: tuple[Absorbance, BoneStack],
        outlines: list[Mask],
    ) -> SyntheticJoint:
        soft, bones = absorbances
        total = np.maximum(soft + bones.sum(axis=0), 0.0)
        pixels = np.asarray(intensity(total), np.float32)
        return SyntheticJoint(
            radiograph=replace(self.layers.radiograph, pixels=pixels),
            masks=BoneMasks(
                masks=dict(zip(self.names, outlines, strict=True)),
                confidence=self.layers.masks.confidence,
                flags=self.layers.masks.flags,
                origin=f"moved ({self.layers.masks.origin})",
            ),
            joint_space=self.space_at(pose),
            pose=pose,
            motions=MappingProxyType(dict(motions)),
            soft_absorbance=soft,
            bone_absorbance=MappingProxyType(dict(zip(self.names, bones, strict=True))),
        )

    def _refuse_far(self, motions: Mapping[str, RigidMotion]) -> None:
        rows, cols = self.soft.shape
        corners = np.array([(0, 0), (0, cols - 1), (rows - 1, 0), (rows - 1, cols - 1)], np.float64)
        farthest = max(
            float(np.abs(motion.of_points(corners) - corners).max()) for motion in motions.values()
        )
        if farthest > self.margin_px - SPLINE_REACH_PX:
            raise LamellaError(
                f"expected bones that move by at most {MARGIN_MM:g} mm anywhere in the image, got "
                f"{MARGIN_MM * farthest / self.margin_px:.1f} mm: ask for a width nearer to "
                f"{self._width_text()}, or a smaller rotation"
            )

    def _refuse_in_air(self, outlines: list[Mask]) -> None:
        for name, outline in zip(self.names, outlines, strict=True):
            over_air = float((outline & self.air).sum()) / max(int(outline.sum()), 1)
            if over_air > MOST_OVER_AIR:
                raise LamellaError(
                    f"expected bones that stay inside the finger, but {over_air:.0%} of the "
                    f"{name} bone would lie over air: ask for a smaller shift or rotation"
                )

    def _width_text(self) -> str:
        width_mm = self.joint_space.jsw_mm
        return "the present one" if width_mm is None else f"the present {width_mm:.2f} mm"


def _padded(stack: BoneStack, margin_px: int) -> PaddedStack:
    width = ((0, 0), (margin_px, margin_px), (margin_px, margin_px))
    return np.pad(np.asarray(stack, np.float32), width, mode="reflect")


def _spline(padded: PaddedImage) -> PaddedImage:
    return np.asarray(ndimage.spline_filter(padded, SPLINE_ORDER, output=np.float32, mode="mirror"))
