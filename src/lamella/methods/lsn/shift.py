"""The random shift f_s (PyTorch): bones moved at random, the soft tissue left where it is.

As published: whole pixels and degrees, one draw for all samples, nearest pixel, about the image
centre, empty where a bone came from beyond the border. Corrected: one draw per sample, bilinear
in absorbance, about the joint's midpoint, within what joint spaces do, the border continued.
Both are differentiable in the layers.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

from lamella.methods.lsn.networks import JointLayers, Masks

NEARBY_PX = 33


@dataclass(frozen=True, kw_only=True)
class ShiftRange:
    """How far each bone moves at most; the joint space changes by up to twice ``down_px``.

    Args:
        down_px: along the joint axis.
        right_px: across it.
        rotation_deg: counter-clockwise.
        as_published: whole numbers, one draw per batch, nearest, image centre, zero fill.
    """

    down_px: float = 12.0
    right_px: float = 6.0
    rotation_deg: float = 5.0
    as_published: bool = False


CORRECTED = ShiftRange()
PUBLISHED = ShiftRange(down_px=30.0, right_px=20.0, rotation_deg=10.0, as_published=True)


class Motion(NamedTuple):
    """One rigid motion per sample, (B,) each, as :class:`lamella.physics.geometry.RigidMotion`."""

    down_px: Tensor
    right_px: Tensor
    rotation_deg: Tensor


class BoneMotions(NamedTuple):
    """The motion of each bone."""

    upper: Motion
    lower: Motion


class Shifted(NamedTuple):
    """Layers and masks after f_s; ``inside`` (B, H, W) is 1 where both bones have data."""

    layers: JointLayers
    masks: Masks
    inside: Tensor


def drawn(reach: ShiftRange, size: int, rng: np.random.Generator) -> BoneMotions:
    """Random motions of both bones, uniform within their reach.

    Args:
        reach: how far.
        size: B.
        rng: of the draw.
    """
    return BoneMotions(_drawn(reach, size, rng), _drawn(reach, size, rng))


def opening(masks: Masks, gap_px: float) -> BoneMotions:
    """Motions that move overlapping bones apart along the axis until a gap is left, half each."""
    highest = (masks.both > 0).float().sum(dim=1).amax(dim=1)
    half = 0.5 * (highest + gap_px)
    still = torch.zeros_like(half)
    return BoneMotions(Motion(-half, still, still), Motion(half, still, still))


def shifted(
    layers: JointLayers, masks: Masks, motions: BoneMotions, *, as_published: bool = False
) -> Shifted:
    """f_s: move both bones and their masks by the same draw; the soft tissue stays.

    Args:
        layers: absorbances; soft tissue is returned as it is.
        masks: of the same joints.
        motions: see :func:`drawn`.
        as_published: nearest pixel about the image centre, zero beyond the border; what leaves
            the context is cut off. Otherwise the context grows with the bones.
    """
    centre = image_centre_px(masks.upper) if as_published else joint_midpoint_px(masks)
    bones, moved_masks, inside = [], [], torch.ones_like(masks.context)
    for layer, mask, motion in zip(layers[1:], masks[:2], motions, strict=True):
        source = source_px(layer.shape[1:], motion, centre)
        both = moved(torch.stack([layer, mask], dim=1), source, as_published=as_published)
        if as_published:
            both = both * masks.context[:, None]
        bones.append(both[:, 0])
        moved_masks.append(both[:, 1])
        inside = inside * holds_data(source, layer.shape[1:])
    context = torch.maximum(masks.context, torch.maximum(*moved_masks))
    return Shifted(
        JointLayers(layers.soft, bones[0], bones[1]),
        Masks(moved_masks[0], moved_masks[1], context),
        inside,
    )


def moved(maps: Tensor, source: Tensor, *, as_published: bool = False) -> Tensor:
    """Maps (B, C, H, W) read at the places they come from (:func:`source_px`)."""
    size = torch.tensor(maps.shape[:1:-1], dtype=source.dtype, device=source.device)
    grid = (2.0 * source.flip(-1) + 1.0) / size - 1.0
    mode, padding = ("nearest", "zeros") if as_published else ("bilinear", "border")
    read: Tensor = grid_sample(
        maps.float(), grid, mode=mode, padding_mode=padding, align_corners=False
    )
    return read


def source_px(shape: torch.Size, motion: Motion, centre: Tensor) -> Tensor:
    """Where each pixel after a motion comes from: (row, col), (B, H, W, 2).

    ``q = c + R^-1 (p - c - t)`` with ``R^-1 = [[cos, sin], [-sin, cos]]`` in (row, col).

    Args:
        shape: H, W.
        motion: rotation about ``centre``, then translation t.
        centre: c, (B, 2).
    """
    rows, cols = (torch.arange(n, dtype=centre.dtype, device=centre.device) for n in shape)
    middle = centre[:, :, None, None]
    down = rows[None, :, None] - middle[:, 0] - motion.down_px[:, None, None]
    right = cols[None, None, :] - middle[:, 1] - motion.right_px[:, None, None]
    turn = torch.deg2rad(motion.rotation_deg)[:, None, None]
    cosine, sine = torch.cos(turn), torch.sin(turn)
    row = middle[:, 0] + cosine * down + sine * right
    col = middle[:, 1] - sine * down + cosine * right
    return torch.stack([row, col], dim=-1)


def holds_data(source: Tensor, shape: torch.Size) -> Tensor:
    """1 where a place lies inside an image of a shape, else 0, (B, H, W)."""
    last = torch.tensor(shape, dtype=source.dtype, device=source.device) - 0.5
    return ((source >= -0.5) & (source <= last)).all(dim=-1).float()


def joint_midpoint_px(masks: Masks) -> Tensor:
    """Middle of where both bones are near, (row, col) of every sample, (B, 2).

    The centroid of the product of both masks' means over ``NEARBY_PX`` squared; the image
    centre where the bones are farther apart.
    """
    near = _nearby(masks.upper) * _nearby(masks.lower)
    total = near.sum(dim=(1, 2))
    rows, cols = (
        torch.arange(n, dtype=near.dtype, device=near.device) for n in masks.upper.shape[1:]
    )
    at = torch.stack([(near.sum(dim=2) * rows).sum(dim=1), (near.sum(dim=1) * cols).sum(dim=1)], 1)
    found = (total > 1e-6)[:, None]
    return torch.where(found, at / total.clamp_min(1e-6)[:, None], image_centre_px(masks.upper))


def image_centre_px(maps: Tensor) -> Tensor:
    """Centre of images (B, H, W): (row, col), (B, 2)."""
    centre = [(length - 1) / 2 for length in maps.shape[1:]]
    return torch.tensor(centre, dtype=torch.float32, device=maps.device).expand(len(maps), 2)


def _drawn(reach: ShiftRange, size: int, rng: np.random.Generator) -> Motion:
    bounds = (reach.down_px, reach.right_px, reach.rotation_deg)
    if reach.as_published:
        one = [float(rng.integers(-int(bound), int(bound) + 1)) for bound in bounds]
        return Motion(*(torch.full((size,), each) for each in one))
    return Motion(*(torch.from_numpy(rng.uniform(-b, b, size)).float() for b in bounds))


def _nearby(mask: Tensor) -> Tensor:
    mean = mask[:, None].float()
    for size in ((NEARBY_PX, 1), (1, NEARBY_PX)):
        padding = (size[0] // 2, size[1] // 2)
        mean = avg_pool2d(mean, size, stride=1, padding=padding)
    return mean[:, 0]
