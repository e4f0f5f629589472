"""Material for the share network: joints closed on purpose, and phantoms, with known layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from lamella.io.datasets import LoadedJoint
from lamella.methods.shares.objective import SharesBatch
from lamella.physics.formation import absorbance
from lamella.physics.geometry import RigidMotion
from lamella.physics.phantoms import JointPhantom, random_joint_phantom
from lamella.physics.soft_tissue import NOMINAL_SPACING_MM
from lamella.prepare.masks import by_height
from lamella.prepare.overlap import (
    SMALLEST_OVERLAP_PX,
    KnownLayers,
    closed,
    closing,
    layers_without_overlap,
    window_around,
)
from lamella.prepare.scene import Scene, scene
from lamella.types import Absorbance, Mask

WINDOW_PX = (128, 224)
CROP_PX = (96, 160)
FIELDS = ("absorbance", "soft", "upper_matte", "lower_matte", "window", "true_soft", "true_upper")


@dataclass(frozen=True, kw_only=True)
class SharesPool:
    """Samples in memory.

    Args:
        maps: (sample, field, row, col) float16, fields in the order of ``FIELDS``.
        overlap: (sample, row, col) bool, pixels in both masks.
        scale: (sample,) typical bone absorbance.
    """

    maps: np.ndarray
    overlap: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, samples: Iterable[tuple[np.ndarray, np.ndarray, float]]) -> SharesPool:
        """Stack samples made by :func:`sample_of`."""
        maps, overlap, scale = zip(*samples, strict=True)
        return cls(maps=np.stack(maps), overlap=np.stack(overlap), scale=np.asarray(scale))


def closed_samples(
    joint: LoadedJoint, count: int, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Up to ``count`` overlaps made from one joint without overlap (random closing and motion)."""
    known = layers_without_overlap(joint.radiograph, joint.masks)
    samples = []
    for _ in range(count):
        made = closed(known, random_motions(rng))
        if made.overlap.sum() >= SMALLEST_OVERLAP_PX:
            samples.append(sample_of(made, made.absorbance, rng))
    return samples


def random_motions(rng: np.random.Generator) -> dict[str, RigidMotion]:
    """A closing of 2 to 30 px; often with a lateral shift, sometimes with a rotation."""
    motions = closing(("upper", "lower"), int(rng.integers(2, 31)))
    right = float(rng.integers(-6, 7)) if rng.random() < 0.5 else 0.0
    turn = float(np.clip(rng.normal(0.0, 2.0), -4.0, 4.0)) if rng.random() < 0.35 else 0.0
    upper = RigidMotion(down_px=motions["upper"].down_px, right_px=right, rotation_deg=turn)
    return {"upper": upper, "lower": motions["lower"]}


def phantom_sample(seed: Sequence[int]) -> tuple[np.ndarray, np.ndarray, float] | None:
    """An overlapping phantom joint, or None when its bones came out apart."""
    rng = np.random.default_rng(list(seed))
    phantom = random_joint_phantom(rng, jsw_mm=float(rng.uniform(-2.2, 0.2)))
    known = phantom_layers(phantom)
    if known.overlap.sum() < SMALLEST_OVERLAP_PX:
        return None
    return sample_of(known, np.asarray(absorbance(phantom.intensity, 1 / 255)), rng)


def phantom_layers(phantom: JointPhantom) -> KnownLayers:
    """The true layers of a phantom, as the real joints' are held."""
    return KnownLayers(
        soft=phantom.soft_absorbance, bones=phantom.bone_absorbance, masks=phantom.masks
    )


def sample_of(
    known: KnownLayers, observed: Absorbance, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """What the network sees and what is true, around the overlap.

    Returns:
        maps (field, row, col) float16, overlap (row, col) bool, scale.
    """
    names = by_height(known.masks)
    masks = [drawn_by_hand(known.masks[name], rng) for name in names]
    seen = scene(observed, masks, NOMINAL_SPACING_MM)
    maps = np.stack(_fields(seen, known, names[0]))
    box = window_around(known.overlap, WINDOW_PX)
    overlap = known.masks[names[0]] & known.masks[names[1]]
    return maps[:, box[0], box[1]].astype(np.float16), overlap[box], seen.scale


def shares_batch(pool: SharesPool, rng: np.random.Generator, size: int = 16) -> SharesBatch:
    """Random crops of random samples, mirrored half of the time, each bone denser or fainter."""
    maps, overlap = [], []
    chosen = rng.integers(len(pool.maps), size=size)
    for index in chosen:
        row, col = (
            int(rng.integers(0, whole - part + 1))
            for whole, part in zip(WINDOW_PX, CROP_PX, strict=True)
        )
        flip = -1 if rng.random() < 0.5 else 1
        box = (slice(row, row + CROP_PX[0]), slice(col, col + CROP_PX[1]))
        crop = pool.maps[index][:, box[0], box[1]][..., ::flip]
        maps.append(other_density(crop.astype(np.float32), rng))
        overlap.append(pool.overlap[index][box][..., ::flip])
    return as_batch(np.stack(maps), np.stack(overlap), pool.scale[chosen])


def other_density(maps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same joint with each bone's absorbance multiplied by a smooth random field.

    Layers are known, so this is exact: the soft tissue stays, the radiograph follows.

    Args:
        maps: (field, row, col) in the order of ``FIELDS``.
        rng: draws the fields, about 0.7 to 1.4.
    """
    observed, soft, upper_matte, lower_matte, window, true_soft, upper = maps
    fields = [_smooth_gain(upper.shape, rng) for _ in range(2)]
    made_upper = fields[0] * upper
    made = true_soft + made_upper + fields[1] * (observed - true_soft - upper)
    seen = 1.0 - np.maximum(upper_matte, lower_matte)
    made_soft = np.minimum(soft + seen * (made - observed), made)
    return np.stack([made, made_soft, upper_matte, lower_matte, window, true_soft, made_upper])


def _smooth_gain(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    knots = rng.normal(0.0, 0.1, (4, 6)) + rng.normal(0.0, 0.12)
    rows, cols = (
        np.linspace(0, count - 1, length) for count, length in zip((4, 6), shape, strict=True)
    )
    field = ndimage.map_coordinates(knots, np.meshgrid(rows, cols, indexing="ij"), order=1)
    return np.exp(field).astype(np.float32)


def as_batch(maps: np.ndarray, overlap: np.ndarray, scale: np.ndarray) -> SharesBatch:
    """Tensors of some samples: maps (B, field, row, col), overlap (B, row, col), scale (B,)."""
    tensors: Mapping[str, torch.Tensor] = {
        name: torch.from_numpy(np.ascontiguousarray(maps[:, k], dtype=np.float32))
        for k, name in enumerate(FIELDS)
    }
    return SharesBatch(
        **tensors,
        overlap=torch.from_numpy(np.ascontiguousarray(overlap, dtype=np.float32)),
        scale=torch.from_numpy(np.asarray(scale, dtype=np.float32)),
    )


def _fields(seen: Scene, known: KnownLayers, upper: str) -> list[np.ndarray]:
    return [
        seen.absorbance,
        seen.soft,
        seen.mattes[0],
        seen.mattes[1],
        seen.correction_window(),
        known.soft,
        known.bones[upper],
    ]


def drawn_by_hand(mask: Mask, rng: np.random.Generator) -> Mask:
    """A mask as a person would draw it: in a quarter of cases a pixel large, small or off."""
    choice = rng.random()
    if choice < 0.75:
        return mask
    if choice < 0.84:
        return np.asarray(ndimage.binary_dilation(mask))
    if choice < 0.92:
        return np.asarray(ndimage.binary_erosion(mask, border_value=1))
    return np.roll(mask, tuple(rng.integers(-1, 2, size=2)), axis=(0, 1))
