"""A small network that reads the joint space width off an image, and its training.

For each of two quantities, width and narrowing, it draws two heat maps over the rows of every
column, one for each articular contour, and weights w over columns c:

    q = sum_c w_c (E[row of the lower contour | c] - E[row of the upper contour | c]) + q_0,

so places stay sub-pixel and no position is lost to pooling. The width is the first q; the
second gives the class by a cumulative link, ``logit P(class > k) = s (c_k - q)`` with learned
``c_k``. Loss: smooth L1 of the width over 0.6 mm + 0.3 x binary cross-entropy of the four links.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from lamella.io.datasets import PUBLISHED_SPACING_MM
from lamella.training.loop import cosine, seeded
from lamella.training.width_images import BINNING, CUTS_MM, WidthImages

CROP_PX = (80, 96)
STRIDE = 4
WIDTHS = (8, 16, 48, 96)
SCALE_MM = 0.6
CLASS_WEIGHT = 0.3
MOST_TURN_DEG = 8.0
MOST_SHIFT_PX = (4.0, 10.0)
ROW_OFFSET_PX = 2.0
"""Joints lie this far below the middle of their images, in binned pixels."""

LOG_ZOOM = 0.1
LOG_GAMMA = 0.3
MOST_NOISE = 0.02
JUDGED_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One part of a training.

    Args:
        images: drawn with replacement.
        steps: of the optimiser.
        learning_rate: peak of the stage's cosine.
    """

    images: WidthImages
    steps: int
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What all runs share.

    Args:
        batch: images per step.
        warmup_steps: linear rise at the start of each stage.
        weight_decay: of AdamW.
        gradient_norm: gradients are clipped to this norm.
    """

    batch: int = 24
    warmup_steps: int = 40
    weight_decay: float = 1e-2
    gradient_norm: float = 1.0


class Read(NamedTuple):
    """Width in mm, (B,), and the four cumulative logits, (B, 4)."""

    width_mm: Tensor
    logits: Tensor


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """What a network reads: width in mm and narrowing class of each image, (image,)."""

    width_mm: Float[np.ndarray, "images"]
    narrowing: Int[np.ndarray, "images"]


class WidthNetwork(nn.Module):
    """(B, 1, 80, 96) standardised crops -> :class:`Read`; 0.33 M parameters."""

    rows_mm: Tensor

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        stem, low, middle, high = widths
        self.fine = nn.Sequential(
            _layer(1, stem, stride=2, size=5),
            _layer(stem, low),
            _layer(low, middle, stride=2),
            _Residual(middle),
        )
        self.coarse = nn.Sequential(
            _layer(middle, high, stride=2), _Residual(high), _layer(high, middle)
        )
        self.heads = nn.Sequential(_layer(middle, middle), nn.Conv2d(middle, 6, 1))
        self.offset_mm = nn.Parameter(torch.zeros(2))
        self.log_steepness = nn.Parameter(torch.tensor(1.5))
        self.cuts_mm = nn.Parameter(torch.tensor(CUTS_MM))
        rows = torch.arange(CROP_PX[0] // STRIDE) * (STRIDE * BINNING * PUBLISHED_SPACING_MM)
        self.register_buffer("rows_mm", rows, persistent=False)

    def forward(self, crops: Tensor) -> Read:
        """Read width and narrowing off crops."""
        fine = self.fine(crops)
        coarse = functional.interpolate(
            self.coarse(fine), scale_factor=2, mode="bilinear", align_corners=False
        )
        maps = self.heads(fine + coarse).float()
        width, narrowing = (self._gap(maps[:, first : first + 3]) for first in (0, 3))
        score = narrowing + self.offset_mm[1]
        logits = self.log_steepness.exp() * (self.cuts_mm - score[:, None])
        return Read(width + self.offset_mm[0], logits)

    def _gap(self, maps: Tensor) -> Tensor:
        """Upper contour, lower contour and column weights, (B, 3, H, W) -> mm, (B,)."""
        chances = functional.softmax(2.0 * maps[:, :2], dim=2)
        places_mm = (chances * self.rows_mm[:, None]).sum(dim=2)
        weights = functional.softmax(maps[:, 2].mean(dim=1), dim=1)
        return ((places_mm[:, 1] - places_mm[:, 0]) * weights).sum(dim=1)


def new_network(seed: int, widths: Sequence[int] = WIDTHS) -> nn.Module:
    """A network whose first weights depend on the seed alone."""
    network = seeded(partial(WidthNetwork, widths), seed)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def fit_stage(network: nn.Module, stage: Stage, pace: Pace, seed: Sequence[int]) -> nn.Module:
    """Train a network in place on one stage; batches depend on the seed alone."""
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=stage.learning_rate, weight_decay=pace.weight_decay
    )
    images = torch.from_numpy(stage.images.images)[:, None]
    widths_mm = torch.from_numpy(stage.images.width_mm)
    network.train()
    for step in range(stage.steps):
        for group in optimizer.param_groups:
            group["lr"] = stage.learning_rate * cosine(step, stage.steps, pace.warmup_steps)
        drawn = torch.from_numpy(rng.integers(0, len(stage.images), pace.batch))
        crops, zoom = varied(images[drawn].float() / 255.0, rng)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            read = network(crops)
        loss(read, widths_mm[drawn] * zoom).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), pace.gradient_norm)
        optimizer.step()
    return network.eval()


def loss(read: Read, width_mm: Tensor) -> Tensor:
    """What training minimises; see the module."""
    below = (width_mm[:, None] < torch.tensor(CUTS_MM)).float()
    regression = functional.smooth_l1_loss(read.width_mm / SCALE_MM, width_mm / SCALE_MM, beta=0.5)
    return regression + CLASS_WEIGHT * functional.binary_cross_entropy_with_logits(
        read.logits, below
    )


@torch.no_grad()
def predict(network: nn.Module, images: WidthImages) -> Predicted:
    """Read every image and its mirror image; widths and logits are averaged."""
    widths, classes = [], []
    network.eval()
    for batch in torch.split(torch.from_numpy(images.images)[:, None], JUDGED_AT_ONCE):
        seen = batch.float() / 255.0
        pair = [network(standardised(_crop(view))) for view in (seen, seen.flip(3))]
        widths.append(torch.stack([read.width_mm for read in pair]).mean(dim=0))
        logits = torch.stack([read.logits for read in pair]).mean(dim=0)
        classes.append((logits > 0).sum(dim=1))
    return Predicted(
        width_mm=torch.cat(widths).numpy().astype(np.float64),
        narrowing=torch.cat(classes).numpy(),
    )


def varied(images: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Crops turned, shifted, mirrored, zoomed, with other gamma and noise.

    Args:
        images: intensity in [0, 1], (B, 1, rows, cols).
        rng: source of chance.

    Returns:
        standardised crops and the zoom of each, by which its width grows, (B,).
    """
    count = len(images)
    turn = np.deg2rad(rng.uniform(-MOST_TURN_DEG, MOST_TURN_DEG, count))
    mirror = rng.choice((-1.0, 1.0), count)
    down, right = (rng.uniform(-most, most, count) for most in MOST_SHIFT_PX)
    zoom = np.exp(rng.uniform(-LOG_ZOOM, LOG_ZOOM, count))
    cos, sin = np.cos(turn) / zoom, np.sin(turn) / zoom
    matrix = np.array([[mirror * cos, -sin, right], [mirror * sin, cos, down]])
    crops = _crop(images, torch.from_numpy(np.moveaxis(matrix, 2, 0).astype(np.float32)))
    gamma, noise = np.exp(rng.uniform(-LOG_GAMMA, LOG_GAMMA, count)), rng.uniform(0, 1, count)
    grain = MOST_NOISE * noise[:, None, None, None] * rng.standard_normal(crops.shape)
    powers = torch.from_numpy(gamma.astype(np.float32))[:, None, None, None]
    crops = crops.clamp(1e-3, 1.0) ** powers + torch.from_numpy(grain.astype(np.float32))
    return standardised(crops), torch.from_numpy(zoom.astype(np.float32))


def standardised(crops: Tensor) -> Tensor:
    """Crops of mean 0 and standard deviation 1 each."""
    spread, mean = torch.std_mean(crops, dim=(2, 3), keepdim=True)
    return ((crops - mean) / (spread + 1e-3)).contiguous(memory_format=torch.channels_last)


def _crop(images: Tensor, matrix: Tensor | None = None) -> Tensor:
    """The middle of images moved by (B, 2, 3) matrices in pixels, (right, down) each."""
    if matrix is None:
        matrix = torch.eye(2, 3).repeat(len(images), 1, 1)
    rows, cols = images.shape[2:]
    half = torch.tensor([CROP_PX[1], CROP_PX[0]]) / 2.0
    size = torch.tensor([cols, rows]) / 2.0
    turned = matrix[:, :, :2] * half / size[:, None]
    shift = (matrix[:, :, 2] + torch.tensor([0.0, ROW_OFFSET_PX])) / size
    grid = functional.affine_grid(
        torch.cat([turned, shift[:, :, None]], dim=2),
        [len(images), 1, *CROP_PX],
        align_corners=False,
    )
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            _layer(channels, channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features plus what two convolutions make of them."""
        return functional.relu(features + self.inside(features))


def _layer(into: int, out: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(into, out, size, stride, size // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()
    )
