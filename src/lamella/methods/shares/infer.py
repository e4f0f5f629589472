"""From a radiograph and bone masks to layers that recompose it exactly."""

from collections.abc import Callable

import numpy as np

from lamella.methods.shares.calibrate import Calibration
from lamella.physics.formation import WIDEST_SHARE_SD, shares_of_present
from lamella.prepare.scene import Scene
from lamella.prepare.windows import box_around, mirrored_mean
from lamella.types import Absorbance, BoneStack, Image

SharesRunner = Callable[[np.ndarray], np.ndarray]
"""Features (B, 4, H, W) -> share logit, log SD of the share, soft correction (B, 3, H, W)."""

CONTEXT_PX = 40


def separate_scene(
    joint: Scene, runner: SharesRunner, calibration: Calibration
) -> tuple[Absorbance, BoneStack, Image]:
    """Run the network around the overlap (and on its mirror image).

    Args:
        joint: see :class:`Scene`.
        runner: the network.
        calibration: of its standard deviations.

    Returns:
        soft-tissue absorbance (row, col), share of each bone (2, row, col), calibrated
        standard deviation of the share (row, col).
    """
    logits = np.zeros_like(joint.mattes)
    soft, share_sd = np.array(joint.soft), np.zeros_like(joint.soft)
    if joint.both.any():
        box = box_around(joint.both, CONTEXT_PX)
        share, log_sd, correction = mirrored_mean(joint.features()[:, box[0], box[1]], runner)
        logits[0][box] = share
        share_sd[box] = np.exp(log_sd) * joint.both[box]
        soft[box] += joint.scale * joint.correction_window()[box] * correction
    soft = np.clip(soft, 0.0, joint.absorbance)
    shares = shares_of_present(logits, joint.mattes)
    spread = spread_of_layers(joint.absorbance, soft, shares)
    factor = calibration.factor(share_sd * spread, joint.overlap_px)
    return soft, shares, np.minimum(share_sd * factor, WIDEST_SHARE_SD)


def spread_of_layers(absorbance: Absorbance, soft: Absorbance, shares: BoneStack) -> Image:
    """Change of a layer image's intensity per unit of share, mean of both bones, (row, col).

    ``dL_i / ds_i = (1 - L_i) (a - a_soft)`` with ``L_i = 1 - exp(-(a_soft + s_i (a - a_soft)))``.
    """
    bone = absorbance - soft
    transmitted = np.exp(-(soft + shares * bone)).mean(axis=0)
    return np.asarray(transmitted * bone, np.float32)
