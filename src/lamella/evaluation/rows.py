"""What the comparisons compare: every separator as one function with one result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lamella.evaluation.baselines import (
    LayerImages,
    biharmonic,
    no_separation,
    opencv_inpainting,
)
from lamella.physics.formation import (
    SMALLEST_K,
    absorbance,
    bls_gan_composition,
    intensity,
    shares_of_present,
)
from lamella.physics.soft_tissue import NOMINAL_SPACING_MM, matte, soft_tissue_under
from lamella.prepare.scene import scene
from lamella.records import Radiograph
from lamella.tasks.separation import separate_joint
from lamella.types import Absorbance, BoneStack, Image, Mask
from lamella.zoo.verbs import separate

LAMELLA = "Lamella"
SHIPPED_BLS_GAN = "BLS-GAN, shipped"


@dataclass(frozen=True, kw_only=True)
class Separated:
    """A joint after separation.

    Args:
        layers: layer images, the bones in the order of the masks, (row, col) each.
        recomposed: the joint image made of them again, (row, col).
    """

    layers: tuple[Image, ...]
    recomposed: Image


Separator = Callable[[Radiograph, Mapping[str, Mask]], Separated]
"""Radiograph and two masks, top bone first -> layers and their recomposition."""


def painted(method: LayerImages) -> Separator:
    """A method that gives layers only, followed by Eq. 1 with the soft tissue estimated."""

    def separator(radiograph: Radiograph, masks: Mapping[str, Mask]) -> Separated:
        layers = tuple(method(radiograph, masks))
        stack = np.stack(list(masks.values())).astype(np.float32)
        k = soft_transmittance(radiograph, masks)
        recomposed = bls_gan_composition(np.stack(layers), stack, k)
        inside = stack.max(axis=0) > 0
        whole = np.where(inside, np.clip(recomposed, 0.0, 1.0), radiograph.pixels)
        return Separated(layers=layers, recomposed=np.asarray(whole, np.float32))

    return separator


def soft_transmittance(radiograph: Radiograph, masks: Mapping[str, Mask]) -> float:
    """BLS-GAN's k from the harmonic background: its mean transmittance in the overlap."""
    spacing_mm = radiograph.pixel_spacing_mm or NOMINAL_SPACING_MM
    stack = np.stack(list(masks.values()))
    observed = np.asarray(absorbance(radiograph.pixels, radiograph.grey_level))
    edge = np.max([matte(mask, spacing_mm) for mask in stack], axis=0)
    soft = soft_tissue_under(observed, edge, spacing_mm)
    overlap = stack.all(axis=0)
    inside = overlap if overlap.any() else stack.any(axis=0)
    return max(float(1.0 - np.asarray(intensity(soft))[inside].mean()), SMALLEST_K)


def shipped(method: str) -> Separator:
    """A separator that ships: ``exact`` or ``bls-gan``."""

    def separator(radiograph: Radiograph, masks: Mapping[str, Mask]) -> Separated:
        layers = separate(radiograph, masks, method)
        images = tuple(layers.bone_image(name) for name in masks)
        return Separated(layers=images, recomposed=layers.recompose())

    return separator


def equally_split(radiograph: Radiograph, masks: Mapping[str, Mask]) -> Separated:
    """The equal split, recomposed by adding its absorbances: exact, and wrong about the bones."""
    joint = separate_joint(radiograph, masks, _equal_shares, "equal split")
    return Separated(
        layers=tuple(joint.bone_image(name) for name in masks), recomposed=joint.recompose()
    )


def _equal_shares(
    absorbance: Absorbance, masks: Sequence[Mask], spacing_mm: float
) -> tuple[Absorbance, BoneStack, Image]:
    seen = scene(absorbance, masks, spacing_mm)
    shares = shares_of_present(np.zeros_like(seen.mattes), seen.mattes)
    return seen.soft, shares, np.zeros_like(seen.soft)


def classical_rows() -> dict[str, Separator]:
    """Separators that learn nothing."""
    methods = {
        "no separation": no_separation,
        "Telea inpainting": opencv_inpainting("telea"),
        "Navier-Stokes inpainting": opencv_inpainting("navier-stokes"),
        "biharmonic inpainting": biharmonic,
    }
    rows = {name: painted(method) for name, method in methods.items()}
    return rows | {"equal split": equally_split}


def standing_rows() -> dict[str, Separator]:
    """Separators that need no training: those that learn nothing, and the two that ship."""
    return classical_rows() | {SHIPPED_BLS_GAN: shipped("bls-gan"), LAMELLA: shipped("exact")}
