"""Real joints whose bones are moved by a known amount: pairs with a known answer.

A joint is separated, its bones moved and the layers put together again
(:mod:`lamella.tasks.synthesis`): one visit shows the joint as it stands, the other in the drawn
pose, in either order. Independent noise is added to both and both are rounded to 8 bit. The
noise that the radiograph came with stays with its layers and moves along, which real visits do
not have in common: the added noise, as strong again, is there to outweigh it.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from lamella.evaluation.joint_sample import one_visit_a_joint, with_spacing
from lamella.evaluation.narrowing_pairs import SEED, KnownPair, rounded
from lamella.physics.phantoms.texture import detector_noise
from lamella.prepare.grid import NETWORK_SPACING_MM
from lamella.records import (
    JointVisit,
    LamellaError,
    Pose,
    Radiograph,
    RegisteredBone,
    RigidMotion,
    Similarity,
)
from lamella.tasks.joint_narrowing import common_frame, displacement
from lamella.tasks.synthesis import AdjustableJoint
from lamella.zoo.verbs import adjustable, separate

NARROWING_MM = 1.5
LATERAL_MM = 0.25
ROTATION_DEG = 3.0
NOISE_SD = 0.006
"""Of the added noise, intensity at mid-grey: what hand radiographs show."""

TRIES = 8
ALL = 10**9


def known_pairs(
    manifest: Path, count: int | None = None, *, drawn: bool = False, seed: int = SEED
) -> Iterator[KnownPair]:
    """One pair from each joint of a manifest.

    Joints that cannot be separated, or moved within ``TRIES`` draws, are left out.

    Args:
        manifest: of real joints.
        count: most joints, drawn with a fixed seed; all when None.
        drawn: separate with the masks drawn by hand; False: with segmented ones.
        seed: of motions and noise.
    """
    for number, joint in enumerate(one_visit_a_joint(manifest, count or ALL)):
        radiograph = with_spacing(joint)
        try:
            bones = adjustable(separate(radiograph, joint.masks if drawn else None))
        except LamellaError:
            continue
        rng = np.random.default_rng([seed, number, int(drawn)])
        pair = moved_pair(joint.row.joint, bones, rng)
        if pair is not None:
            yield pair


def moved_pair(joint: str, bones: AdjustableJoint, rng: np.random.Generator) -> KnownPair | None:
    """A joint as it stands and in a drawn pose, in either order.

    Narrower by up to ``NARROWING_MM`` (the other way round: wider), across by up to
    ``LATERAL_MM``, turned by up to ``ROTATION_DEG``.

    Args:
        joint: its name.
        bones: its layers, with a pixel spacing.
        rng: source of chance.

    Returns:
        the pair; None when ``TRIES`` draws take a bone farther than the image can show.
    """
    for _ in range(TRIES):
        pose = _drawn_pose(bones, rng)
        try:
            images = [bones.at(each).image for each in (Pose(), pose)]
        except LamellaError:
            continue
        sign = float(rng.choice([-1.0, 1.0]))
        along_mm, across_mm, angle_deg = commanded(bones, pose)
        visits = [_noisy(bones.layers.radiograph, image, rng) for image in images]
        baseline, followup = visits if sign > 0 else visits[::-1]
        return KnownPair(
            joint=joint,
            baseline=baseline,
            followup=followup,
            known_mm=-sign * along_mm,
            lateral_mm=sign * across_mm,
            angle_deg=sign * angle_deg,
        )
    return None


def commanded(bones: AdjustableJoint, pose: Pose) -> tuple[float, float, float]:
    """Displacement of the upper bone in a pose along and across the axis, mm, and its angle.

    In the frame of the outlines as they stand and as they move; the way back has the opposite
    sign.
    """
    motions = {name: _similar(motion) for name, motion in bones.motions(pose).items()}
    stood, moved = (
        JointVisit(
            radiograph=bones.layers.radiograph,
            masks=bones.layers.masks,
            space=bones.space_at(each),
        )
        for each in (Pose(), pose)
    )
    known = {name: RegisteredBone(motion=motion) for name, motion in motions.items()}
    upper, lower = (motions[name] for name in bones.names)
    along_px, across_px, angle_deg = displacement(upper, lower, common_frame(stood, moved, known))
    return along_px * _spacing_mm(bones), across_px * _spacing_mm(bones), angle_deg


def _drawn_pose(bones: AdjustableJoint, rng: np.random.Generator) -> Pose:
    spacing_mm = _spacing_mm(bones)
    return Pose(
        along_px=-float(rng.uniform(0.0, NARROWING_MM)) / spacing_mm,
        across_px=float(rng.uniform(-LATERAL_MM, LATERAL_MM)) / spacing_mm,
        rotation_deg=float(rng.uniform(-ROTATION_DEG, ROTATION_DEG)),
    )


def _spacing_mm(bones: AdjustableJoint) -> float:
    return bones.layers.radiograph.pixel_spacing_mm or NETWORK_SPACING_MM


def _similar(motion: RigidMotion) -> Similarity:
    return Similarity(
        down_px=motion.down_px,
        right_px=motion.right_px,
        rotation_deg=motion.rotation_deg,
        centre_px=motion.centre_px or (0.0, 0.0),
    )


def _noisy(radiograph: Radiograph, image: np.ndarray, rng: np.random.Generator) -> Radiograph:
    spacing_mm = radiograph.pixel_spacing_mm or NETWORK_SPACING_MM
    noise = detector_noise(1.0 - image, spacing_mm, NOISE_SD, rng)
    return replace(radiograph, pixels=rounded(image + noise))
