"""Batches for the segmentation network: augmented joints and images that are no joint."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from rich.progress import track
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from lamella.io.datasets import LoadedJoint
from lamella.methods.bones.infer import normalised
from lamella.methods.bones.objective import BonesBatch
from lamella.prepare.grid import NETWORK_SPACING_MM
from lamella.prepare.overlap import closed, closing, layers_without_overlap
from lamella.records import LamellaError
from lamella.training.sources import EVEN_JSW_MM
from lamella.zoo.verbs import adjustable, separate

SIDE_PX = 256
COARSE_FRACTION = 0.4
COARSEST = 2.5


@dataclass(frozen=True, kw_only=True)
class BonesPool:
    """Joints in memory.

    Args:
        pixels: (joint, row, col) uint8 intensity.
        masks: (joint, 2, row, col) bool, upper then lower.
        is_thumb: (joint,) bool.
        others: (image, row, col) uint8 images that show no joint.
    """

    pixels: np.ndarray
    masks: np.ndarray
    is_thumb: np.ndarray
    others: np.ndarray


def bones_batch(pool: BonesPool, rng: np.random.Generator, size: int = 16) -> BonesBatch:
    """Draw ``size`` images: about four fifths joints, the rest no joints at all.

    Joints are turned by up to 20 degrees, mirrored left to right, scaled by 0.75 to 1.33,
    shifted and stretched, and vary in gain, contrast, blur and noise. No joints: upside-down,
    sideways and greatly enlarged joints, mosaics of joints, textures and given images.
    """
    joints = min(round(0.8 * size), size - 1)
    chosen = rng.integers(len(pool.pixels), size=joints)
    pixels, masks = _warp(pool.pixels[chosen], pool.masks[chosen], rng)
    negatives = np.stack([no_joint(pool, rng) for _ in range(size - joints)])
    images = np.concatenate([pixels, negatives])
    images = np.stack([normalised(_exposed(image, rng)) for image in images])
    empty = np.zeros((size - joints, 2, SIDE_PX, SIDE_PX), np.float32)
    is_joint = np.arange(size) < joints
    is_thumb = np.concatenate([pool.is_thumb[chosen], np.zeros(size - joints, bool)])
    return BonesBatch(
        _tensor(images[:, None]),
        _tensor(np.concatenate([masks, empty])),
        _tensor(is_joint),
        _tensor(is_thumb),
    )


def no_joint(pool: BonesPool, rng: np.random.Generator) -> np.ndarray:
    """One image that must be refused, (row, col) float32 in [0, 1]."""
    makers = (_upside_down, _sideways, _enlarged, _mosaic, _texture, _other)
    return makers[rng.integers(len(makers))](pool, rng)


def closed_on_purpose(
    joints: Iterable[LoadedJoint], count: int, seed: int
) -> Iterator[LoadedJoint]:
    """Overlaps made from joints without one (:func:`lamella.prepare.overlap.closed`).

    Args:
        joints: without overlap.
        count: closings of each, of 4 to 26 px.
        seed: with a joint's number it draws that joint's closings.

    Yields:
        joints of the same size, the row of the joint they come from.
    """
    for number, joint in enumerate(joints):
        rng = np.random.default_rng([seed, 5, number])
        known = layers_without_overlap(joint.radiograph, joint.masks)
        for _ in range(count):
            made = closed(known, closing(("upper", "lower"), int(rng.integers(4, 27))))
            rows, cols = joint.pixels.shape
            masks = [_resized(mask.astype(np.float32), rows, cols) for mask in made.masks.values()]
            yield LoadedJoint(
                row=joint.row,
                pixels=np.clip(_resized(made.radiograph().pixels, rows, cols), 0.0, 1.0),
                upper=masks[0] > 0.5,
                lower=masks[1] > 0.5,
            )


def moved_on_purpose(joints: Iterable[LoadedJoint], count: int, seed: int) -> Iterator[LoadedJoint]:
    """Joints at widths they never had (:mod:`lamella.tasks.synthesis`): outlines that are exact.

    Whatever was drawn by hand, a moved bone's outline lies as far from its old place as the bone
    does: a network that learned widths from real joints alone would pull rare ones to the usual.

    Args:
        joints: with or without overlap.
        count: poses tried of each, widths spread evenly over ``EVEN_JSW_MM``.
        seed: with a joint's number it draws that joint's poses.

    Yields:
        joints of the same size, the row of the joint they come from; poses that the image
        cannot show are left out.
    """
    for number, joint in enumerate(track(joints, "moving bones")):
        rng = np.random.default_rng([seed, 6, number])
        radiograph = replace(joint.radiograph, pixel_spacing_mm=NETWORK_SPACING_MM)
        try:
            bones = adjustable(separate(radiograph, joint.masks))
        except LamellaError:
            continue
        for _ in range(count):
            try:
                made = bones.at(bones.posed(*_random_pose(rng)))
            except LamellaError:
                continue
            levels = np.round(made.image / radiograph.grey_level)
            yield LoadedJoint(
                row=joint.row,
                pixels=np.clip(levels * radiograph.grey_level, 0.0, 1.0).astype(np.float32),
                upper=made.masks["upper"],
                lower=made.masks["lower"],
            )


def _random_pose(rng: np.random.Generator) -> tuple[float, float, float]:
    width_mm = float(rng.uniform(*EVEN_JSW_MM))
    return width_mm, float(rng.normal(0.0, 0.4)), float(rng.normal(0.0, 2.0))


def _any_joint(pool: BonesPool, rng: np.random.Generator) -> np.ndarray:
    return pool.pixels[rng.integers(len(pool.pixels))].astype(np.float32) / 255.0


def _upside_down(pool: BonesPool, rng: np.random.Generator) -> np.ndarray:
    return np.ascontiguousarray(_any_joint(pool, rng)[::-1])


def _sideways(pool: BonesPool, rng: np.random.Generator) -> np.ndarray:
    return np.rot90(_any_joint(pool, rng), rng.choice([1, 3])).copy()


def _enlarged(pool: BonesPool, rng: np.random.Generator) -> np.ndarray:
    joint, side = _any_joint(pool, rng), int(rng.integers(40, 90))
    row = rng.choice([0, SIDE_PX - side])
    col = rng.integers(0, SIDE_PX - side)
    return _resized(joint[row : row + side, col : col + side], SIDE_PX, SIDE_PX)


def _mosaic(pool: BonesPool, rng: np.random.Generator) -> np.ndarray:
    rows, cols = rng.integers(2, 6), rng.integers(2, 6)
    tiles = [[_any_joint(pool, rng) for _ in range(cols)] for _ in range(rows)]
    side = int(np.ceil(SIDE_PX / min(rows, cols)))
    small = [[_resized(tile, side, side) for tile in line] for line in tiles]
    return np.block(small)[:SIDE_PX, :SIDE_PX].astype(np.float32)


def _texture(pool: BonesPool, rng: np.random.Generator) -> np.ndarray:
    frequency = np.hypot(np.fft.fftfreq(SIDE_PX)[:, None], np.fft.fftfreq(SIDE_PX)[None])
    amplitude = 1.0 / np.maximum(frequency, 1.0 / SIDE_PX) ** rng.uniform(0.0, 3.0)
    phase = np.fft.fft2(rng.standard_normal((SIDE_PX, SIDE_PX)))
    field = np.fft.ifft2(phase * amplitude).real
    low, high = np.percentile(field, [1, 99])
    return np.clip((field - low) / (high - low), 0, 1).astype(np.float32)


def _other(pool: BonesPool, rng: np.random.Generator) -> np.ndarray:
    if len(pool.others) == 0:
        return _texture(pool, rng)
    image = pool.others[rng.integers(len(pool.others))].astype(np.float32) / 255.0
    side = int(rng.integers(64, SIDE_PX + 1))
    row, col = rng.integers(0, SIDE_PX - side + 1, size=2)
    return _resized(image[row : row + side, col : col + side], SIDE_PX, SIDE_PX)


def _resized(image: np.ndarray, rows: int, cols: int) -> np.ndarray:
    zoom = (rows / image.shape[0], cols / image.shape[1])
    return ndimage.zoom(image, zoom, order=1, grid_mode=True, mode="nearest").astype(np.float32)


def _warp(
    pixels: np.ndarray, masks: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    count = len(pixels)
    turn = np.deg2rad(rng.normal(0.0, 8.0, count).clip(-20, 20))
    scale = np.exp(rng.normal(0.0, 0.1, (count, 2)).clip(-0.28, 0.28))
    scale[:, 1] = scale[:, 0] * np.exp(rng.normal(0.0, 0.03, count))
    flip = rng.choice([-1.0, 1.0], count)
    shift = rng.uniform(-0.12, 0.12, (count, 2))
    theta = np.zeros((count, 2, 3), np.float32)
    theta[:, 0, 0], theta[:, 0, 1] = np.cos(turn) * scale[:, 1] * flip, -np.sin(turn) * scale[:, 1]
    theta[:, 1, 0], theta[:, 1, 1] = np.sin(turn) * scale[:, 0] * flip, np.cos(turn) * scale[:, 0]
    theta[:, :, 2] = shift
    stack = np.concatenate([pixels[:, None] / np.float32(255), masks.astype(np.float32)], axis=1)
    grid = affine_grid(torch.from_numpy(theta), list(stack.shape), align_corners=False)
    moved = grid_sample(
        torch.from_numpy(stack), grid, padding_mode="reflection", align_corners=False
    ).numpy()
    return moved[:, 0], (moved[:, 1:] > 0.5).astype(np.float32)


def _exposed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image = np.clip(image, 0.0, 1.0) ** np.exp(rng.normal(0.0, 0.25))
    if rng.random() < COARSE_FRACTION:
        image = _seen_coarsely(image, rng.uniform(1.0, COARSEST))
    if rng.random() < 0.3:
        image = ndimage.gaussian_filter(image, rng.uniform(0.3, 1.5))
    ramp = np.linspace(-1, 1, SIDE_PX, dtype=np.float32)
    slope = rng.normal(0.0, 0.08, 2)
    image = image * (1.0 + slope[0] * ramp[:, None] + slope[1] * ramp[None])
    noise = rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(0.0, 0.025)
    return np.clip(image + noise, 0.0, 1.0).astype(np.float32)


def _seen_coarsely(image: np.ndarray, factor: float) -> np.ndarray:
    """The image from a detector with pixels ``factor`` times as wide, brought back."""
    side = round(image.shape[0] / factor)
    smooth = ndimage.gaussian_filter(image, 0.4 * factor)
    return np.clip(_resized(_resized(smooth, side, side), *image.shape), 0.0, 1.0)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def joints_in_memory(
    pixels: Sequence[np.ndarray],
    masks: Sequence[np.ndarray | Sequence[np.ndarray]],
    is_thumb: Sequence[bool],
    others: Sequence[np.ndarray] = (),
) -> BonesPool:
    """Stack joints of one size into a :class:`BonesPool`; intensities in [0, 1] become uint8."""
    blank = np.zeros((0, SIDE_PX, SIDE_PX), np.uint8)
    return BonesPool(
        pixels=np.stack([np.round(255 * image).astype(np.uint8) for image in pixels]),
        masks=np.stack(masks).astype(bool),
        is_thumb=np.asarray(is_thumb, bool),
        others=np.stack(others) if len(others) else blank,
    )
