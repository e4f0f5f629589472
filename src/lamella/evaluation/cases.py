"""Benchmark cases: closed real joints with fixed seeds, and phantoms."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage

from lamella.io.datasets import joint_rows, load_joint, mask_faults
from lamella.physics.formation import intensity
from lamella.physics.phantoms import random_joint_phantom
from lamella.prepare.overlap import (
    SMALLEST_OVERLAP_PX,
    KnownLayers,
    closed,
    closing,
    layers_without_overlap,
)
from lamella.records import LamellaError, Radiograph
from lamella.types import Absorbance

CLOSING_PX = (2, 24)
CLOSINGS_PER_JOINT = 4
SEED = 20250


def closed_joints(manifest: Path, seed: int = SEED) -> Iterator[tuple[KnownLayers, Radiograph]]:
    """Synthetic overlaps of every joint of a manifest that has none.

    Four different closings of each, uniform in 2 to 24 px (whole pixels, along the columns, shared
    between both bones); those that overlap by 20 px or more are cases.

    Yields:
        true layers and the radiograph they make, rounded to 8 bit.
    """
    for number, row in enumerate(joint_rows(manifest)):
        joint = load_joint(row)
        if joint.is_overlapping or mask_faults(joint.upper, joint.lower):
            continue
        rng = np.random.default_rng([seed, number])
        known = layers_without_overlap(joint.radiograph, joint.masks)
        choices = np.arange(CLOSING_PX[0], CLOSING_PX[1] + 1)
        for closing_px in rng.choice(choices, CLOSINGS_PER_JOINT, replace=False):
            made = closed(known, closing(("upper", "lower"), int(closing_px)))
            if made.overlap.sum() >= SMALLEST_OVERLAP_PX:
                yield made, made.radiograph()


def phantom_joints(count: int, seed: int = SEED) -> Iterator[tuple[KnownLayers, Radiograph]]:
    """Overlapping phantoms in soft tissue of another kind than the training's, with noise.

    Bones come from :func:`lamella.physics.phantoms.random_joint_phantom`, soft tissue from
    :func:`finger_soft_tissue`, which nothing was trained on; true layers are free of noise.

    Raises:
        LamellaError: ``count`` below 1.
    """
    if count < 1:
        raise LamellaError(f"expected at least one phantom, got {count}")
    made = number = 0
    while made < count:
        rng = np.random.default_rng([seed, number])
        number += 1
        phantom = random_joint_phantom(rng, jsw_mm=float(rng.uniform(-2.0, 0.2)))
        soft = finger_soft_tissue(phantom.intensity.shape, rng)
        known = KnownLayers(soft=soft, bones=phantom.bone_absorbance, masks=phantom.masks)
        if known.overlap.sum() >= SMALLEST_OVERLAP_PX:
            made += 1
            clean = np.asarray(intensity(known.absorbance))
            pixels = np.clip(np.round((clean + phantom.noise) * 255) / 255, 0, 1)
            yield known, Radiograph(pixels=pixels, grey_level=1 / 255, pixel_spacing_mm=0.082)


def finger_soft_tissue(shape: tuple[int, int], rng: np.random.Generator) -> Absorbance:
    """Absorbance of a finger as an elliptic cylinder with tendons and fat, (row, col).

    ``a = a_0 sqrt(1 - (x / w)^2)`` across the finger (the chord of an ellipse), tilted, plus two
    tendons along it and a random field smooth over 1 to 3 mm.
    """
    rows, cols = np.indices(shape, dtype=np.float32) / max(shape)
    across = cols - 0.5 * shape[1] / max(shape) - rng.uniform(-0.1, 0.1) * (rows - 0.5)
    width = rng.uniform(0.75, 1.3)
    chord = np.sqrt(np.clip(1.0 - (across / width) ** 2, 0.0, None))
    tendons = sum(
        rng.uniform(0.0, 0.06) * np.exp(-(((across - at) / 0.05) ** 2))
        for at in rng.uniform(-0.25, 0.25, 2)
    )
    field = ndimage.gaussian_filter(rng.standard_normal(shape), rng.uniform(12.0, 36.0))
    fat = 0.03 * field / max(float(field.std()), 1e-6)
    soft = rng.uniform(0.22, 0.4) * chord + tendons + fat
    return np.clip(soft, 0.02, None).astype(np.float32)
