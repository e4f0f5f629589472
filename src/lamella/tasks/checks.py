"""Images that can be read but hold nothing to take apart: inverted or saturated bones."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lamella.records import BoneMasks, LamellaError, Radiograph

RIM_FRACTION = 0.04
MOST_SATURATED_FRACTION = 0.5


def refuse_unusable(radiograph: Radiograph, masks: BoneMasks) -> None:
    """Check that the bones are brighter than what surrounds them and not burnt out.

    The surroundings are a rim of ``RIM_FRACTION`` of the longer side; bones that fill the
    image have none and are not compared.

    Raises:
        LamellaError: bones darker than their surroundings, or mostly saturated.
    """
    if masks.shape != radiograph.shape:
        raise LamellaError(
            f"expected masks of {radiograph.shape} pixels like the image, got {masks.shape}"
        )
    bone = np.any(list(masks.values()), axis=0)
    width_px = max(2, round(RIM_FRACTION * max(radiograph.shape)))
    rim = ndimage.maximum_filter(bone, 2 * width_px + 1) & ~bone
    if rim.any() and np.median(radiograph.pixels[bone]) < np.median(radiograph.pixels[rim]):
        raise LamellaError(
            "the bones are darker than what surrounds them: invert the image (1 - pixels)"
        )
    saturated = float(radiograph.saturated[bone].mean())
    if saturated > MOST_SATURATED_FRACTION:
        raise LamellaError(
            f"{saturated:.0%} of the bone pixels are saturated and hold no absorbance: "
            "export the image with a wider window"
        )
