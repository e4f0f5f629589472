"""Benchmark cases: closed real joints with fixed seeds, and phantoms."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lamella.io.datasets import joint_rows, load_joint, mask_faults
from lamella.physics.phantoms import random_joint_phantom
from lamella.prepare.overlap import (
    SMALLEST_OVERLAP_PX,
    KnownLayers,
    closed,
    closing,
    layers_without_overlap,
)
from lamella.records import LamellaError, Radiograph

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
        radiograph = Radiograph(pixels=joint.pixels, grey_level=1 / 255)
        known = layers_without_overlap(radiograph, {"upper": joint.upper, "lower": joint.lower})
        choices = np.arange(CLOSING_PX[0], CLOSING_PX[1] + 1)
        for closing_px in rng.choice(choices, CLOSINGS_PER_JOINT, replace=False):
            made = closed(known, closing(("upper", "lower"), int(closing_px)))
            if made.overlap.sum() >= SMALLEST_OVERLAP_PX:
                yield made, made.radiograph()


def phantom_joints(count: int, seed: int = SEED) -> Iterator[tuple[KnownLayers, Radiograph]]:
    """Overlapping phantoms: simulated soft tissue and noise, true layers free of noise.

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
        known = KnownLayers(
            soft=phantom.soft_absorbance, bones=phantom.bone_absorbance, masks=phantom.masks
        )
        if known.overlap.sum() >= SMALLEST_OVERLAP_PX:
            made += 1
            pixels = np.clip(np.round(phantom.intensity * 255) / 255, 0, 1)
            yield known, Radiograph(pixels=pixels, grey_level=1 / 255, pixel_spacing_mm=0.082)
