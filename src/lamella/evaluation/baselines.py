"""Separators to compare with: nothing, inpainting, and an equal split.

Inpainting stands for removing the other bone by painting over it: the overlap of the joint
image is filled from the part of the bone that is alone, the other bone being unknown too.
"""

from collections.abc import Callable, Mapping

import numpy as np
from skimage.restoration import inpaint_biharmonic

from lamella.methods.inpainting.infer import hole_under
from lamella.physics.formation import absorbance as absorbance_of
from lamella.physics.formation import intensity, shares_of_present, split_by_shares
from lamella.physics.soft_tissue import NOMINAL_SPACING_MM
from lamella.prepare.scene import scene
from lamella.records import Radiograph
from lamella.types import Image, Mask

LayerImages = Callable[[Radiograph, Mapping[str, Mask]], list[Image]]
"""Radiograph and two masks, top bone first -> the two layer images, (row, col) each."""

INPAINT_RADIUS_PX = 5
CONTEXT_PX = 16


def no_separation(radiograph: Radiograph, masks: Mapping[str, Mask]) -> list[Image]:
    """Both layers are the joint image itself."""
    return [radiograph.pixels for _ in masks]


def equal_split(radiograph: Radiograph, masks: Mapping[str, Mask]) -> list[Image]:
    """The exact head with the same share for every bone present."""
    observed = np.asarray(absorbance_of(radiograph.pixels, radiograph.grey_level))
    joint = scene(observed, list(masks.values()), radiograph.pixel_spacing_mm or NOMINAL_SPACING_MM)
    shares = shares_of_present(np.zeros_like(joint.mattes), joint.mattes)
    soft, bones = split_by_shares(observed, joint.soft, shares)
    return [np.asarray(intensity(soft + bone), np.float32) for bone in bones]


def biharmonic(radiograph: Radiograph, masks: Mapping[str, Mask]) -> list[Image]:
    """Biharmonic inpainting (scikit-image) of the overlap."""
    return _each_bone(radiograph, masks, _biharmonic)


def opencv_inpainting(name: str) -> LayerImages:
    """OpenCV's inpainting: ``telea`` (2004) or ``navier-stokes`` (Bertalmio 2001)."""
    import cv2

    flag = {"telea": cv2.INPAINT_TELEA, "navier-stokes": cv2.INPAINT_NS}[name]

    def fill(image: Image, unknown: Mask) -> Image:
        levels = np.round(image * 255).astype(np.uint8)
        painted = cv2.inpaint(levels, unknown.astype(np.uint8), INPAINT_RADIUS_PX, flag)
        return painted.astype(np.float32) / 255.0

    return lambda radiograph, masks: _each_bone(radiograph, masks, fill)


def _each_bone(
    radiograph: Radiograph, masks: Mapping[str, Mask], fill: Callable[[Image, Mask], Image]
) -> list[Image]:
    layers = []
    for name, mask in masks.items():
        others = np.any([other for key, other in masks.items() if key != name], axis=0)
        painted = fill(radiograph.pixels, hole_under(mask, others))
        layers.append(np.where(mask & others, painted, radiograph.pixels))
    return layers


def _biharmonic(image: Image, unknown: Mask) -> Image:
    occupied = [np.flatnonzero(unknown.any(axis=1 - axis)) for axis in (0, 1)]
    box = tuple(
        slice(max(0, int(span[0]) - CONTEXT_PX), int(span[-1]) + CONTEXT_PX) for span in occupied
    )
    painted = image.copy()
    painted[box] = inpaint_biharmonic(image[box], unknown[box])
    return np.clip(painted, 0.0, 1.0)
