"""What the registration network minimises: errors of its parameters, and of the warped image.

Pre-training: ``0.5 RMSE(image) + 0.5 RMSE(parameters)``; main stage: ``RMSE(image)``. The image's
error is that of the warped moving image against the fixed one inside the fixed visit's regions,
one per bone, borders of 5 px left out:

    RMSE(image) = sqrt( sum_i <m_i (I_moving(theta_i p) - I_fixed(p))^2> / sum_i <m_i> ).

As published but for two guards and one economy: the square root has a finite slope at 0; pixels
that the warp takes from outside the moving image, where it finds zeros, do not count; and the sums
run over every other row and column, a quarter of the pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from lamella.methods.deep_registration.infer import BONES, PER_BONE
from lamella.methods.deep_registration.networks import places

IMAGE_WEIGHT = 0.5
PARAMETERS_WEIGHT = 0.5
SMALLEST_SQUARE = 1e-8
STEP_PX = 2
"""From one pixel that counts to the next, along rows and columns."""

Losses = tuple[Tensor, dict[str, Tensor]]


class RegistrationBatch(NamedTuple):
    """Pairs of visits, or of one bone's layer images at two visits.

    ``seen``: moving and fixed image, standardised (B, 2, H, W); ``regions``: where each bone is
    at the fixed visit, 0 or 1, empty for a bone that is not asked about (B, 2, H, W); ``truth``:
    parameters (B, 8); ``asked``: 1 where they are known and asked about (B, 8).
    """

    seen: Tensor
    regions: Tensor
    truth: Tensor
    asked: Tensor


def pretraining_loss(parameters: Tensor, batch: RegistrationBatch) -> Losses:
    """Half the image's error and half the parameters'.

    Args:
        parameters: what the network says, (B, 8).
        batch: with known motions.
    """
    image, wrong = image_error(parameters, batch), parameters_error(parameters, batch)
    loss = IMAGE_WEIGHT * image + PARAMETERS_WEIGHT * wrong
    return loss, {"image": image.detach(), "parameters": wrong.detach()}


def main_loss(parameters: Tensor, batch: RegistrationBatch) -> Losses:
    """The image's error alone; real visits, whose motion nobody knows, take part.

    Args:
        parameters: what the network says, (B, 8).
        batch: motions may be unknown.
    """
    image = image_error(parameters, batch)
    return image, {"image": image.detach()}


def parameters_error(parameters: Tensor, batch: RegistrationBatch) -> Tensor:
    """Root mean square error of the parameters asked about; 0 where there are none."""
    square = (batch.asked * (parameters - batch.truth)).square().sum()
    return _root(square / batch.asked.sum().clamp_min(1.0))


def image_error(parameters: Tensor, batch: RegistrationBatch) -> Tensor:
    """Root mean square error of the warped moving image inside the regions; see the module."""
    square, count = parameters.new_zeros(()), parameters.new_zeros(())
    regions = batch.regions[:, :, ::STEP_PX, ::STEP_PX]
    for bone in range(BONES):
        asked = regions[:, bone].flatten(1).any(dim=1)
        if asked.any():
            own = parameters[asked, PER_BONE * bone : PER_BONE * (bone + 1)]
            moving, fixed = batch.seen[asked, :1], batch.seen[asked, 1, ::STEP_PX, ::STEP_PX]
            found, inside = warped(moving.float(), own, STEP_PX)
            counted = regions[asked, bone] * inside
            square = square + (counted * (found - fixed).square()).sum()
            count = count + counted.sum()
    return _root(square / count.clamp_min(1.0))


def warped(moving: Tensor, parameters: Tensor, step_px: int = 1) -> tuple[Tensor, Tensor]:
    """The moving image brought onto the fixed one.

    Args:
        moving: (B, 1, H, W), square.
        parameters: of one bone, (B, 4).
        step_px: at every so many rows and columns of the fixed image alone.

    Returns:
        the image, zero outside the moving one, (B, row, col); 1 where it comes from inside.
    """
    grid = places(parameters, moving.shape[-1], step_px)
    found = grid_sample(moving, grid, padding_mode="zeros", align_corners=False)
    edge = 1.0 - 1.0 / moving.shape[-1]
    inside = (grid.detach().abs() <= edge).all(dim=3)
    return found[:, 0], inside.to(found.dtype)


def _root(square: Tensor) -> Tensor:
    return torch.sqrt(square + SMALLEST_SQUARE)
