"""Overlaps to train separators on: closed joints, exchanged bones, phantoms and real overlaps.

Every sample is the same window around the overlap, so samples stack; each remembers whose
joints it shows, so that folds by joint can be cut from one pool.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from lamella.io.datasets import LoadedJoint
from lamella.physics.formation import absorbance
from lamella.physics.phantoms import random_joint_phantom
from lamella.physics.soft_tissue import NOMINAL_SPACING_MM
from lamella.prepare.masks import by_height, reaching_border
from lamella.prepare.overlap import (
    SMALLEST_OVERLAP_PX,
    KnownLayers,
    closed,
    exchanged,
    layers_without_overlap,
    window_around,
)
from lamella.prepare.scene import scene
from lamella.training.shares_data import drawn_by_hand, phantom_layers, random_motions
from lamella.types import Absorbance, Mask

WINDOW_PX = (176, 192)
MAPS = ("absorbance", "soft", "upper_matte", "lower_matte", "window", "true_soft", "true_upper")
MASKS = ("upper_mask", "lower_mask", "overlap")
COLUMNS = ("maps", "masks", "scale", "known", "joints")
NOBODY = -1
GUESSED_FRACTION = 0.5
GUESSED_OUT_PX = {"upper": 1.2, "lower": 0.0}
GUESSED_SD_PX = 1.4
GUESSED_KNOTS = 9
GUESSED_FADE_PX = 3.0


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """One sample.

    Args:
        maps: (map, row, col) float16 in the order of ``MAPS``; true maps 0 where unknown.
        masks: (mask, row, col) uint8 in the order of ``MASKS``.
        scale: typical bone absorbance.
        known: whether the layers are known.
        joints: numbers of the two joints whose bones it shows; -1 for a phantom.
    """

    maps: np.ndarray
    masks: np.ndarray
    scale: float
    known: bool
    joints: tuple[int, int] = (NOBODY, NOBODY)


@dataclass(frozen=True, kw_only=True)
class OverlapPool:
    """Samples stacked; large arrays stay on disk until they are read.

    Args:
        maps: (sample, map, row, col).
        masks: (sample, mask, row, col).
        scale: (sample,).
        known: (sample,).
        joints: (sample, 2).
    """

    maps: np.ndarray
    masks: np.ndarray
    scale: np.ndarray
    known: np.ndarray
    joints: np.ndarray

    def of_joints(self, numbers: Iterable[int]) -> np.ndarray:
        """Indices of the samples that show no joint but these (phantoms always)."""
        allowed = np.isin(self.joints, [NOBODY, *numbers]).all(axis=1)
        return np.flatnonzero(allowed)

    @classmethod
    def of(cls, samples: Sequence[Overlap]) -> OverlapPool:
        """Stack samples; none make an empty pool."""
        if not samples:
            return cls.empty()
        columns = {
            name: np.stack([np.asarray(getattr(sample, name)) for sample in samples])
            for name in COLUMNS
        }
        return cls(**columns)

    @classmethod
    def empty(cls) -> OverlapPool:
        """A pool without samples, as a manifest without real overlaps gives."""
        return cls(
            maps=np.zeros((0, len(MAPS), *WINDOW_PX), np.float16),
            masks=np.zeros((0, len(MASKS), *WINDOW_PX), np.uint8),
            scale=np.zeros(0),
            known=np.zeros(0, bool),
            joints=np.zeros((0, 2), np.int64),
        )

    @classmethod
    def kept(cls, folder: Path, make: Callable[[], Iterable[Overlap]]) -> OverlapPool:
        """The pool of a folder, made once, whole or not at all, and then mapped from disk."""
        if not (folder / "joints.npy").exists():
            made = cls.of(list(make()))
            partial = folder.with_name(f".{folder.name}-{os.getpid()}")
            partial.mkdir(parents=True, exist_ok=True)
            for name in COLUMNS:
                np.save(partial / f"{name}.npy", getattr(made, name))
            shutil.rmtree(folder, ignore_errors=True)
            partial.replace(folder)
        return cls(**{name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in COLUMNS})


def taken_apart(joint: LoadedJoint) -> KnownLayers:
    """Layers of a joint without overlap."""
    return layers_without_overlap(joint.radiograph, joint.masks)


def closings(
    known: KnownLayers, numbers: tuple[int, int], count: int, rng: np.random.Generator
) -> list[Overlap]:
    """Up to ``count`` overlaps from one joint without overlap (random closing and motion)."""
    samples = []
    for _ in range(count):
        made = closed(known, random_motions(rng))
        if made.overlap.sum() >= SMALLEST_OVERLAP_PX:
            samples.append(sample_of(made, made.absorbance, numbers, rng))
    return samples


def exchange(
    known: KnownLayers, other: KnownLayers, numbers: tuple[int, int], rng: np.random.Generator
) -> list[Overlap]:
    """One overlap of one joint's bone with another's, or none when they do not fit."""
    name = ("upper", "lower")[int(rng.integers(2))]
    lent = mirrored(other) if rng.random() < 0.5 else other
    pair = exchanged(known, lent, name)
    return [] if pair is None else closings(pair, numbers, 1, rng)


def mirrored(known: KnownLayers) -> KnownLayers:
    """The same joint of the other hand."""
    return KnownLayers(
        soft=known.soft[:, ::-1],
        bones={name: bone[:, ::-1] for name, bone in known.bones.items()},
        masks={name: mask[:, ::-1] for name, mask in known.masks.items()},
        grey_level=known.grey_level,
    )


def phantom_overlap(seed: Sequence[int]) -> list[Overlap]:
    """An overlapping phantom joint, or none when its bones came out apart."""
    rng = np.random.default_rng(list(seed))
    phantom = random_joint_phantom(rng, jsw_mm=float(rng.uniform(-2.2, 0.2)))
    known = phantom_layers(phantom)
    if known.overlap.sum() < SMALLEST_OVERLAP_PX:
        return []
    seen = np.asarray(absorbance(phantom.intensity, 1 / 255))
    return [sample_of(known, seen, (NOBODY, NOBODY), rng)]


def real_overlap(joint: LoadedJoint, number: int) -> Overlap:
    """A joint that overlaps in reality: its layers are unknown."""
    masks = reaching_border(joint.masks)
    observed = np.asarray(absorbance(joint.pixels, 1 / 255))
    stack = [masks[name] for name in by_height(masks)]
    unknown = np.zeros_like(observed)
    return _sample(observed, stack, (unknown, unknown), stack[0] & stack[1], (number, number))


def sample_of(
    known: KnownLayers, observed: Absorbance, numbers: tuple[int, int], rng: np.random.Generator
) -> Overlap:
    """What a separator sees of a joint whose layers are known, its masks drawn as people draw.

    In half of the samples the edges that are hidden under the other bone are guessed
    (:func:`guessed_edges`); elsewhere some masks are a pixel off. Pixels in the overlap of the
    true or of the drawn masks count as overlap.
    """
    upper, lower = by_height(known.masks)
    masks = [drawn_by_hand(known.masks[name], rng) for name in (upper, lower)]
    if rng.random() < GUESSED_FRACTION:
        masks = guessed_edges(masks[0], masks[1], rng)
    truth = (known.soft, known.bones[upper])
    return _sample(observed, masks, truth, known.overlap | (masks[0] & masks[1]), numbers)


def guessed_edges(upper: Mask, lower: Mask, rng: np.random.Generator) -> list[Mask]:
    """Both masks with the edges inside the other bone moved, smoothly along the edge.

    A person guesses them: against another visit of the same joint the upper bone's lie 1 to 2 px
    too far out on average, the lower bone's hardly; both scatter by 1 to 2 px. The visible
    edges stay. On the pixel grid a move inwards is a pixel shorter than drawn, so that on
    average both lie up to half a pixel further out than ``GUESSED_OUT_PX``.
    """
    return [
        _moved_inside(upper, lower, GUESSED_OUT_PX["upper"], rng),
        _moved_inside(lower, upper, GUESSED_OUT_PX["lower"], rng),
    ]


def _moved_inside(mask: Mask, other: Mask, mean_px: float, rng: np.random.Generator) -> Mask:
    knots = rng.normal(mean_px, GUESSED_SD_PX, GUESSED_KNOTS)
    cols = np.linspace(0.0, GUESSED_KNOTS - 1.0, mask.shape[1])
    shift_px = np.interp(cols, np.arange(GUESSED_KNOTS), knots)[None, :]
    depth_px = ndimage.distance_transform_edt(other)
    outside_px = ndimage.distance_transform_edt(~mask) - ndimage.distance_transform_edt(mask)
    return np.asarray(outside_px - 0.5 < shift_px * np.clip(depth_px / GUESSED_FADE_PX, 0.0, 1.0))


def _sample(
    observed: Absorbance,
    masks: Sequence[Mask],
    truth: tuple[Absorbance, Absorbance],
    overlap: Mask,
    numbers: tuple[int, int],
) -> Overlap:
    seen = scene(observed, masks, NOMINAL_SPACING_MM)
    box = window_around(overlap, WINDOW_PX)
    maps = [seen.absorbance, seen.soft, *seen.mattes, seen.correction_window(), *truth]
    return Overlap(
        maps=np.stack([each[box] for each in maps]).astype(np.float16),
        masks=np.stack([each[box] for each in (*masks, overlap)]).astype(np.uint8),
        scale=seen.scale,
        known=bool(truth[0].any()),
        joints=numbers,
    )
