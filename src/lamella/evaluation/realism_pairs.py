"""Real joints and the same joints put together again at another width.

Widths come from the real ones of the same manifest, lateral shift and rotation are small, grey
levels are the source's: only the synthesis differs. Masks of both members are rasterised the
same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from rich.progress import track
from scipy import ndimage

from lamella.evaluation.joint_sample import one_visit_a_joint, with_spacing
from lamella.physics.formation import intensity, superpose
from lamella.physics.geometry import move
from lamella.records import BoneMasks, LamellaError, Layers, Pose, SyntheticJoint
from lamella.tasks.synthesis import AdjustableJoint
from lamella.types import Image
from lamella.zoo.verbs import adjustable, separate

SHIFT_MM = 0.3
ROTATION_DEG = 2.0
BLUR_PX = 0.5
DRAWS = 8
ENLARGED_FROM = 140 / 256
MIN_SIDE_PX = 32
MASK_LEVEL = 0.5
SEED = 20250


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """An image of a joint as it would be stored, and its masks."""

    pixels: Image
    masks: BoneMasks


@dataclass(frozen=True, kw_only=True, eq=False)
class RealismPair:
    """A real joint and pictures made of it.

    Args:
        joint: name.
        real: the radiograph.
        synthetic: at another width.
        published: the same pose in the published way (:func:`moved_as_published`): a control.
        blurred: the real one, slightly blurred: a control.
    """

    joint: str
    real: View
    synthetic: View
    published: View
    blurred: View


def realism_pairs(manifest: Path, most: int) -> list[RealismPair]:
    """Pairs of a manifest's joints; joints that cannot be separated or measured are left out.

    Raises:
        LamellaError: too few joints.
    """
    adjustables: list[tuple[str, AdjustableJoint]] = []
    for joint in track(one_visit_a_joint(manifest, most), "separating"):
        try:
            layers = separate(with_spacing(joint), joint.masks)
            adjustables.append((joint.row.joint, adjustable(layers)))
        except LamellaError:
            continue
    return pairs_of(adjustables)


def pairs_of(joints: Sequence[tuple[str, AdjustableJoint]]) -> list[RealismPair]:
    """A pair of each joint; every width is another joint's, which joints is random."""
    rng = np.random.default_rng(SEED)
    widths = np.array([joint.joint_space.jsw_mm for _, joint in joints], np.float64)
    pairs = []
    for name, joint in track(joints, "synthesising"):
        made = _synthetic(joint, widths, rng)
        if made is not None:
            pairs.append(_pair(name, joint, made))
    return pairs


def moved_as_published(layers: Layers, made: SyntheticJoint) -> Image:
    """BLS-GAN's layers moved in LSN's way: nearest pixel, nothing where a bone came from.

    Args:
        layers: as published.
        made: whose motions are repeated.
    """
    bones = [
        move(np.asarray(bone, np.float32), made.motions[name], order=0)
        for name, bone in layers.bone_absorbance.items()
    ]
    return np.asarray(intensity(superpose(layers.soft_absorbance, np.stack(bones))), np.float32)


def rounded(pixels: Image, grey_level: float) -> Image:
    """An image in the source's grey levels."""
    levels = np.round(np.clip(pixels, 0.0, 1.0) / grey_level) * grey_level
    return np.clip(levels, 0.0, 1.0).astype(np.float32)


def _synthetic(
    joint: AdjustableJoint, widths_mm: np.ndarray, rng: np.random.Generator
) -> SyntheticJoint | None:
    for _ in range(DRAWS):
        width_mm = float(rng.choice(widths_mm))
        shift_mm, rotation_deg = rng.uniform(-1.0, 1.0, 2) * (SHIFT_MM, ROTATION_DEG)
        try:
            return joint.at(joint.posed(width_mm, float(shift_mm), float(rotation_deg)))
        except LamellaError:
            continue
    return None


def _pair(name: str, joint: AdjustableJoint, made: SyntheticJoint) -> RealismPair:
    source = joint.layers.radiograph
    still = joint.at(Pose()).masks
    published = separate(source, joint.layers.masks, "bls-gan")
    blurred = ndimage.gaussian_filter(source.pixels, BLUR_PX)
    views = {
        "real": (source.pixels, still),
        "synthetic": (made.image, made.masks),
        "published": (moved_as_published(published, made), made.masks),
        "blurred": (blurred, still),
    }
    return RealismPair(
        joint=name,
        **{
            kind: View(pixels=rounded(pixels, source.grey_level), masks=masks)
            for kind, (pixels, masks) in views.items()
        },
    )


def at_detector(view: View) -> View:
    """A view averaged over the detector's pixels of 0.15 mm, in 8 bit.

    The data sets' crops of 140 pixels were enlarged to 256: what is finer than 0.15 mm was never
    measured.
    """
    shape = [max(MIN_SIDE_PX, round(side * ENLARGED_FROM)) for side in view.pixels.shape]
    masks = {
        name: _averaged(mask.astype(np.float32), shape) >= MASK_LEVEL
        for name, mask in view.masks.items()
    }
    pixels = rounded(_averaged(view.pixels, shape), 1.0 / 255.0)
    return View(pixels=pixels, masks=replace(view.masks, masks=masks))


def _averaged(image: Image, shape: list[int]) -> np.ndarray:
    """Means over equal areas, as a coarser detector takes them."""
    whole = PillowImage.fromarray(np.asarray(image, np.float32))
    return np.asarray(whole.resize((shape[1], shape[0]), PillowImage.Resampling.BOX), np.float32)
