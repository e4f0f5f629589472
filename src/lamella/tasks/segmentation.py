"""Find the two bones of a finger joint, say how sure, or refuse."""

from collections.abc import Callable

import numpy as np

from lamella.methods.bones.infer import BonesEstimate, expected_dice, largest_part
from lamella.prepare.grid import JointGrid, NetworkImage
from lamella.records import BoneMasks, LamellaError, Radiograph
from lamella.types import Image, Mask

Finder = Callable[[Image], BonesEstimate]
"""Intensity on the network's grid (sides multiples of 16) -> probabilities."""

PX_MULTIPLE = 16
LEAST_JOINT_PROBABILITY = 0.5
LEAST_CONFIDENCE = 0.75
LEAST_AREA_FRACTION = 0.03
THUMB_PROBABILITY = 0.5
THUMB_FLAG = "looks like a thumb: a sesamoid bone may lie over the joint"


def segment_joint(radiograph: Radiograph, finder: Finder) -> BoneMasks:
    """Masks of the upper and the lower bone, which may overlap.

    Args:
        radiograph: one finger joint, phalanx above metacarpal.
        finder: the network with its weights.

    Returns:
        masks on the radiograph's own grid; ``refused`` says why when the image does not look
        like one finger joint, and then the masks must not be used.
    """
    try:
        grid = JointGrid.of(radiograph)
    except LamellaError as error:
        return _refused(radiograph, str(error), 0.0)
    found = finder(_padded(grid.to_network(radiograph.pixels)))
    rows, cols = grid.shape
    native = [grid.to_native(part[:rows, :cols]) for part in (found.upper, found.lower)]
    upper, lower = (largest_part(np.asarray(part > 0.5)) for part in native)
    confidence = found.joint * min(expected_dice(found.upper), expected_dice(found.lower))
    reason = _reason(found, upper, lower, confidence)
    if reason is not None:
        return _refused(radiograph, reason, confidence)
    return BoneMasks(
        masks={"upper": upper, "lower": lower},
        confidence=confidence,
        flags=(THUMB_FLAG,) if found.thumb > THUMB_PROBABILITY else (),
        origin="segmented",
    )


def _reason(found: BonesEstimate, upper: Mask, lower: Mask, confidence: float) -> str | None:
    if found.joint < LEAST_JOINT_PROBABILITY:
        return f"does not look like a finger joint (probability {found.joint:.2f})"
    least = LEAST_AREA_FRACTION * upper.size
    if min(upper.sum(), lower.sum()) < least:
        return "one of the two bones was not found"
    if np.nonzero(upper)[0].mean() >= np.nonzero(lower)[0].mean():
        return "the bones are upside down: turn the image so that the phalanx is above"
    if confidence < LEAST_CONFIDENCE:
        return f"the bones' outlines are too uncertain (confidence {confidence:.2f})"
    return None


def _refused(radiograph: Radiograph, reason: str, confidence: float) -> BoneMasks:
    nothing = np.zeros(radiograph.shape, bool)
    return BoneMasks(
        masks={"upper": nothing, "lower": nothing},
        confidence=confidence,
        refused=reason,
        origin="segmented",
    )


def _padded(image: NetworkImage) -> np.ndarray:
    pad = [(0, -length % PX_MULTIPLE) for length in image.shape]
    return np.pad(image, pad, mode="edge")
