"""Phantoms at two visits, with a known narrowing in between.

The truth is the definition of :mod:`lamella.tasks.joint_narrowing` applied to the motion that
was commanded, at the midpoint of the joint line and along the axis that the exact silhouettes of
both visits show. Both images are rounded to 8 bit, as the data are, and each has noise of its own;
everything is drawn from a seed and the pair's number.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import ndimage

from lamella.io.datasets import GREY_LEVEL
from lamella.physics.phantoms import (
    JointPhantomSpec,
    joint_phantom,
    placement,
    random_joint_phantom,
    silhouettes,
)
from lamella.physics.phantoms.texture import detector_noise
from lamella.prepare.grid import NETWORK_SIDE_PX, NETWORK_SPACING_MM
from lamella.records import (
    BoneMasks,
    JointVisit,
    Radiograph,
    RegisteredBone,
    RigidMotion,
    Similarity,
    SpacingSource,
)
from lamella.tasks.joint_narrowing import common_frame, displacement
from lamella.tasks.joint_width import EXACT, measure_joint_space
from lamella.types import Absorbance, Image, PaddedImage

SEED = 20256
STEP_MM = 0.01
STEPS = 151
"""Narrowings of 0 to 1.5 mm."""

STRIDE = 59
"""Coprime to ``STEPS``: the first few pairs are spread over the range."""

LATERAL_PX = 3.0
ROTATION_DEG = 5.0
EXPOSURE = (0.7, 1.3)
PROJECTION_DEG = 3.0
WHOLE_PX = 5.0
WHOLE_DEG = 3.0
FIELD_PX = NETWORK_SIDE_PX + 40
"""Phantoms are drawn on a larger field, so that no border shows when the joint is moved."""

TINY_PX = 32
FOLLOWUP_JSW_MM = (-1.5, 1.5)
USUAL_JSW_MM = (0.4, 0.7)
WHITEST = 1.0 - 0.5 * GREY_LEVEL


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownPair:
    """Two radiographs of one joint and what happened in between.

    Args:
        joint: name.
        baseline: first visit.
        followup: second visit.
        known_mm: narrowing, mm, negative when the space widened.
        lateral_mm: movement of the upper bone to the right across the axis, mm.
        angle_deg: by which it turned, counter-clockwise.
        exposure: absorbance of the follow-up over that of the baseline.
        projection_deg: change of the phalanx's flexion, out of the image plane.
    """

    joint: str
    baseline: Radiograph
    followup: Radiograph
    known_mm: float
    lateral_mm: float
    angle_deg: float
    exposure: float = 1.0
    projection_deg: float = 0.0


def phantom_pairs(
    count: int = STEPS, *, tilt: bool = False, seed: int = SEED
) -> Iterator[KnownPair]:
    """So many phantoms, two visits each (:func:`phantom_pair`)."""
    return (phantom_pair(number, tilt=tilt, seed=seed) for number in range(count))


def phantom_pair(number: int, *, tilt: bool = False, seed: int = SEED) -> KnownPair:
    """A phantom at two visits.

    Another joint for every number. Between the visits the space narrows by
    ``STEP_MM (STRIDE number mod STEPS)``, the phalanx moves across by up to ``LATERAL_PX`` and
    turns by up to ``ROTATION_DEG``; the whole joint moves by up to ``WHOLE_PX`` and turns by up
    to ``WHOLE_DEG`` on the film; its absorbance is multiplied by a factor of ``EXPOSURE``.

    Args:
        number: of the pair.
        tilt: flex the phalanx as well, by up to ``PROJECTION_DEG`` out of the image plane. No
            motion in the plane describes that: the truth is then that of the point it is flexed
            about, the valley of its bowl, with the commanded rotation in the plane.
        seed: of everything.
    """
    rng = np.random.default_rng([seed, number, int(tilt)])
    before, after = _specs(rng, STEP_MM * (STRIDE * number % STEPS), tilt=tilt)
    along_mm, across_mm, angle_deg = true_displacement(before, after)
    exposure = float(rng.uniform(*EXPOSURE))
    down_px, right_px = (float(part) for part in rng.uniform(-WHOLE_PX, WHOLE_PX, 2))
    whole = RigidMotion(
        down_px=down_px,
        right_px=right_px,
        rotation_deg=float(rng.uniform(-WHOLE_DEG, WHOLE_DEG)),
        centre_px=(0.5 * (FIELD_PX - 1), 0.5 * (FIELD_PX - 1)),
    )
    return KnownPair(
        joint=f"phantom {number}",
        baseline=_exposed(_cropped(_absorbance(before)), before.noise, rng),
        followup=_exposed(
            exposure * _cropped(_moved(_absorbance(after), whole)), before.noise, rng
        ),
        known_mm=-along_mm,
        lateral_mm=across_mm,
        angle_deg=angle_deg,
        exposure=exposure,
        projection_deg=after.flexion_deg - before.flexion_deg,
    )


def true_displacement(
    before: JointPhantomSpec, after: JointPhantomSpec
) -> tuple[float, float, float]:
    """Displacement of a phantom's phalanx along and across the joint's axis, mm, and its angle.

    :func:`lamella.tasks.joint_narrowing.displacement` of the exact motion, in the frame of the
    exact silhouettes of both visits.
    """
    motion = phalanx_motion(before, after)
    bones = {"upper": RegisteredBone(motion=motion), "lower": RegisteredBone(motion=Similarity())}
    frame = common_frame(exact_visit(before), exact_visit(after), bones)
    along_px, across_px, angle_deg = displacement(motion, Similarity(), frame)
    spacing_mm = before.pixel_spacing_mm
    return along_px * spacing_mm, across_px * spacing_mm, angle_deg


def phalanx_motion(before: JointPhantomSpec, after: JointPhantomSpec) -> Similarity:
    """How the phalanx moves between two phantoms on one grid; the metacarpal stays."""
    first, last, spacing_mm = placement(before), placement(after), before.pixel_spacing_mm
    return Similarity(
        down_px=(first.rise_mm - last.rise_mm) / spacing_mm,
        right_px=(last.lateral_shift_mm - first.lateral_shift_mm) / spacing_mm,
        rotation_deg=last.tilt_deg - first.tilt_deg,
        centre_px=(
            0.5 * (before.rows - 1) - first.rise_mm / spacing_mm,
            0.5 * (before.cols - 1) + first.lateral_shift_mm / spacing_mm,
        ),
    )


@lru_cache(maxsize=4)
def exact_visit(spec: JointPhantomSpec) -> JointVisit:
    """A phantom's geometry as a visit, without its radiograph."""
    masks = silhouettes(spec)
    return JointVisit(
        radiograph=Radiograph(
            pixels=masks["upper"].astype(np.float32), pixel_spacing_mm=spec.pixel_spacing_mm
        ),
        masks=BoneMasks(masks=masks),
        space=measure_joint_space(masks, spec.pixel_spacing_mm, EXACT),
    )


def rounded(image: np.ndarray) -> Image:
    """An image as 8 bit hold it."""
    levels = np.round(np.clip(image, 0.0, WHITEST) / GREY_LEVEL)
    return np.asarray(levels * GREY_LEVEL, np.float32)


def _specs(
    rng: np.random.Generator, narrowing_mm: float, *, tilt: bool
) -> tuple[JointPhantomSpec, JointPhantomSpec]:
    """Both visits; the width at the second makes the narrowing true to a few micrometres."""
    jsw_mm = float(np.clip(rng.normal(*USUAL_JSW_MM), *FOLLOWUP_JSW_MM))
    side = {"rows": TINY_PX, "cols": TINY_PX}
    spec = random_joint_phantom(rng, jsw_mm=jsw_mm + narrowing_mm, **side).spec
    before = replace(spec, rows=FIELD_PX, cols=FIELD_PX, pixel_spacing_mm=NETWORK_SPACING_MM)
    lateral_mm = float(rng.uniform(-LATERAL_PX, LATERAL_PX)) * NETWORK_SPACING_MM
    turn_deg = float(rng.uniform(-ROTATION_DEG, ROTATION_DEG))
    flexed_deg = float(rng.uniform(-PROJECTION_DEG, PROJECTION_DEG)) if tilt else 0.0
    after = replace(
        before,
        jsw_mm=jsw_mm,
        lateral_shift_mm=before.lateral_shift_mm + lateral_mm,
        tilt_deg=before.tilt_deg + turn_deg,
        flexion_deg=before.flexion_deg + flexed_deg,
    )
    missing_mm = narrowing_mm + true_displacement(before, after)[0]
    return before, replace(after, jsw_mm=jsw_mm - missing_mm)


def _absorbance(spec: JointPhantomSpec) -> PaddedImage:
    """Of a phantom without noise, on its larger field."""
    phantom = joint_phantom(spec)
    total = phantom.soft_absorbance + np.sum(list(phantom.bone_absorbance.values()), axis=0)
    return np.asarray(total, np.float32)


def _moved(absorbance: PaddedImage, motion: RigidMotion) -> PaddedImage:
    matrix, offset = motion.inverse_affine()
    moved = ndimage.affine_transform(absorbance, matrix, offset, order=3, mode="nearest")
    return np.maximum(np.asarray(moved), np.float32(0.0))


def _cropped(absorbance: PaddedImage) -> Absorbance:
    margin = (FIELD_PX - NETWORK_SIDE_PX) // 2
    return absorbance[margin:-margin, margin:-margin]


def _exposed(absorbance: Absorbance, noise_sd: float, rng: np.random.Generator) -> Radiograph:
    """Noise of its own added and rounded to 8 bit."""
    transmittance = np.exp(-absorbance)
    noise = detector_noise(transmittance, NETWORK_SPACING_MM, noise_sd, rng)
    return Radiograph(
        pixels=rounded(1.0 - transmittance + noise),
        pixel_spacing_mm=NETWORK_SPACING_MM,
        spacing_source=SpacingSource.PHANTOM,
        grey_level=GREY_LEVEL,
    )
