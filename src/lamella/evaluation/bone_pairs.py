"""One bone at two visits: under the other bone in one, alone in the other.

Everything here is decided once from the radiographs and the masks, before any separator runs,
and is the same for every separator: the alignment, the gain and offset between the visits, and
the pixels that are compared.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lamella.evaluation.alignment import align
from lamella.evaluation.visits import JointVisits
from lamella.io.datasets import LoadedJoint
from lamella.types import Image, Mask

BONES = ("upper", "lower")
PENUMBRA_PX = 3.0
EDGE_PX = 5.0
NEAR_PX = 40.0
GAIN_NEAR_PX = 20.0
LEAST_NCC = 0.9
GAINS = (0.6, 1.7)
LEAST_PX = 20
BESIDE_PX = 12.0
BORDER_PX = 2
WHOLLY = 0.999


@dataclass(frozen=True, kw_only=True)
class BonePair:
    """One bone of an overlapping visit and what is known about it from another visit.

    Args:
        joint: name of the joint.
        bone: ``upper`` or ``lower``.
        visit: the visit with the overlap.
        reference: the other visit on this one's grid and grey scale, (row, col); NaN where that
            visit shows nothing.
        inside: overlap pixels that are compared.
        usable: pixels of this bone at which the reference shows this bone alone.
        ncc: of the alignment, outside the overlap.
        gain: contrast of this visit over that of the other.
    """

    joint: str
    bone: str
    visit: LoadedJoint
    reference: Image
    inside: Mask
    usable: Mask
    ncc: float
    gain: float

    @property
    def beside(self) -> Mask:
        """Pixels of this bone beside the overlap, free of the other bone at both visits."""
        mask, other = bone_masks(self.visit, self.bone)
        free = self.usable & mask & ~dilated(other, PENUMBRA_PX)
        return np.asarray(free & dilated(mask & other, BESIDE_PX))

    @property
    def image_key(self) -> str:
        """Identifies the overlapping visit."""
        return str(self.visit.row.image)


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """All pairs of some joints and what became of the others.

    Args:
        pairs: those that can be compared.
        tried: bones of overlapping visits, times visits without overlap.
        not_aligned: alignment or contrast outside the overlap not good enough (``LEAST_NCC``,
            ``GAINS``).
        hidden: fewer than ``LEAST_PX`` overlap pixels show the bone alone at the other visit.
    """

    pairs: tuple[BonePair, ...]
    tried: int
    not_aligned: int
    hidden: int

    @property
    def joints(self) -> list[str]:
        """Names of the joints with a pair."""
        return sorted({pair.joint for pair in self.pairs})


def bone_masks(visit: LoadedJoint, bone: str) -> tuple[Mask, Mask]:
    """The bone's mask and the other bone's."""
    pair = (visit.upper, visit.lower)
    return pair if bone == "upper" else pair[::-1]


def dilated(mask: Mask, distance_px: float) -> Mask:
    """Pixels at most so far from a mask."""
    if not mask.any():
        return mask
    return np.asarray(ndimage.distance_transform_edt(~mask) <= distance_px)


def pairs_of(joints: Iterable[JointVisits]) -> Pairing:
    """Pair each bone of every overlapping visit with every visit without overlap.

    A pair is kept for what lies *outside* the overlap and for its masks; what the overlap looks
    like has no say.
    """
    made = [
        bone_pair(visit, bone, other)
        for joint in joints
        for visit in joint.overlapping
        for other in joint.apart
        for bone in BONES
    ]
    aligned = [pair for pair in made if pair is not None]
    kept = tuple(pair for pair in aligned if pair.inside.sum() >= LEAST_PX)
    return Pairing(
        pairs=kept,
        tried=len(made),
        not_aligned=len(made) - len(aligned),
        hidden=len(aligned) - len(kept),
    )


def bone_pair(visit: LoadedJoint, bone: str, other: LoadedJoint) -> BonePair | None:
    """Align one bone between two visits; None where that is not good enough.

    Args:
        visit: with the overlap.
        bone: ``upper`` or ``lower``.
        other: without.
    """
    mask, hiding = bone_masks(visit, bone)
    alone = ~dilated(bone_masks(other, bone)[1], PENUMBRA_PX) & within_border(mask.shape)
    weights = alignment_weights(mask, hiding, NEAR_PX)
    motion = align(visit.pixels, other.pixels, weights, alone)
    if motion.ncc < LEAST_NCC:
        return None
    brought = motion.bring(other.pixels)
    usable = motion.bring(alone.astype(np.float32), order=1) > WHOLLY
    near = alignment_weights(mask, hiding, GAIN_NEAR_PX) * usable
    matched, gain = in_grey_scale_of(visit.pixels, brought, near)
    if not GAINS[0] < gain < GAINS[1]:
        return None
    return BonePair(
        joint=visit.row.joint,
        bone=bone,
        visit=visit,
        reference=matched,
        inside=mask & hiding & usable,
        usable=mask & usable,
        ncc=motion.ncc,
        gain=gain,
    )


def alignment_weights(mask: Mask, other: Mask, reach_px: float) -> Image:
    """Weights of the pixels that show this bone alone, its outer edge included, (row, col).

    1 at the overlap, falling as ``exp(-d^2 / (2 reach^2))``; 0 from ``PENUMBRA_PX`` of the other
    bone on and farther than ``EDGE_PX`` from this one.
    """
    region = dilated(mask, EDGE_PX) & ~dilated(other, PENUMBRA_PX) & within_border(mask.shape)
    distance = ndimage.distance_transform_edt(~(mask & other))
    return np.asarray(region * np.exp(-0.5 * (distance / reach_px) ** 2), np.float32)


def within_border(shape: tuple[int, int]) -> Mask:
    """All pixels but those at the border of a crop."""
    inside = np.zeros(shape, bool)
    inside[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = True
    return inside


def in_grey_scale_of(image: Image, brought: Image, weights: Image) -> tuple[Image, float]:
    """``g brought + o`` with the mean and standard deviation of ``image`` under the weights.

    The ratio of standard deviations rather than the slope of a regression: noise in either
    image would flatten the slope.

    Returns:
        the matched image and ``g``.
    """
    seen = weights > 0
    w = weights[seen] / weights[seen].sum()
    here, there = image[seen], brought[seen]
    mean_here, mean_there = (w * here).sum(), (w * there).sum()
    spread = np.sqrt((w * (there - mean_there) ** 2).sum())
    gain = float(np.sqrt((w * (here - mean_here) ** 2).sum()) / max(float(spread), 1e-6))
    return np.asarray(gain * (brought - mean_there) + mean_here, np.float32), gain
