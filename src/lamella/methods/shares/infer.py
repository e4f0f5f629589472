"""From a radiograph and bone masks to layers that recompose it exactly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lamella.methods.shares.calibrate import Calibration
from lamella.physics.formation import shares_of_present
from lamella.physics.soft_tissue import matte, soft_tissue_under
from lamella.types import Absorbance, BoneStack, Image, Mask

SharesRunner = Callable[[np.ndarray], np.ndarray]
"""Features (B, 4, H, W) -> share logit, log SD of the share, soft correction (B, 3, H, W)."""

PX_MULTIPLE = 16
CONTEXT_PX = 40
CORRECTION_REACH_PX = 12.0
WIDEST_SD = 0.5


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What the separator sees, on its own grid.

    Args:
        absorbance: observed, (row, col).
        soft: harmonic estimate of the soft tissue, (row, col).
        mattes: soft edges of the upper and the lower bone, (2, row, col).
        scale: typical bone absorbance, by which the network's input is divided.
    """

    absorbance: Absorbance
    soft: Absorbance
    mattes: BoneStack
    scale: float

    @property
    def both(self) -> Mask:
        """Where both bones may be, soft edges included."""
        return np.asarray(self.mattes.min(axis=0) > 0)

    @property
    def overlap_px(self) -> float:
        """Pixels in both bones, their penumbra included."""
        return float((self.mattes.min(axis=0) >= 1.0).sum())

    def features(self) -> np.ndarray:
        """Network input (4, row, col): bone and soft absorbance over the scale, two mattes."""
        bone = (self.absorbance - self.soft) / self.scale
        return np.stack([bone, self.soft / self.scale, *self.mattes]).astype(np.float32)

    def correction_window(self) -> Image:
        """Where the soft tissue may be corrected: 1 in the overlap, fading to 0 around it."""
        distance = ndimage.distance_transform_edt(~self.both)
        step = np.clip(distance / CORRECTION_REACH_PX, 0.0, 1.0)
        return (self.mattes.max(axis=0) * (1.0 - step**2 * (3.0 - 2.0 * step))).astype(np.float32)


def scene(absorbance: Absorbance, masks: Sequence[Mask], pixel_spacing_mm: float) -> Scene:
    """Prepare a joint: soft edges, soft tissue, scale.

    Args:
        absorbance: observed, (row, col).
        masks: the bones', top one first.
        pixel_spacing_mm: of this grid.
    """
    mattes = np.stack([matte(mask, pixel_spacing_mm) for mask in masks])
    soft = soft_tissue_under(absorbance, mattes.max(axis=0), pixel_spacing_mm)
    alone = (np.sum(np.stack(masks), axis=0) == 1) & (absorbance > soft)
    bone = (absorbance - soft)[alone]
    scale = float(bone.mean()) if bone.size else float(absorbance.mean())
    return Scene(absorbance=absorbance, soft=soft, mattes=mattes, scale=max(scale, 1e-3))


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
        box = overlap_box(joint.both)
        share, log_sd, correction = _mirrored_mean(joint.features()[:, box[0], box[1]], runner)
        logits[0][box] = share
        share_sd[box] = np.exp(log_sd) * joint.both[box]
        soft[box] += joint.scale * joint.correction_window()[box] * correction
    soft = np.clip(soft, 0.0, joint.absorbance)
    shares = shares_of_present(logits, joint.mattes)
    spread = spread_of_layers(joint.absorbance, soft, shares)
    factor = calibration.factor(share_sd * spread, joint.overlap_px)
    return soft, shares, np.minimum(share_sd * factor, WIDEST_SD)


def spread_of_layers(absorbance: Absorbance, soft: Absorbance, shares: BoneStack) -> Image:
    """Change of a layer image's intensity per unit of share, mean of both bones, (row, col).

    ``dL_i / ds_i = (1 - L_i) (a - a_soft)`` with ``L_i = 1 - exp(-(a_soft + s_i (a - a_soft)))``.
    """
    bone = absorbance - soft
    transmitted = np.exp(-(soft + shares * bone)).mean(axis=0)
    return np.asarray(transmitted * bone, np.float32)


def overlap_box(both: Mask) -> tuple[slice, slice]:
    """The overlap with ``CONTEXT_PX`` around it, sides grown to multiples of ``PX_MULTIPLE``."""
    return tuple(  # type: ignore[return-value]
        _span(np.flatnonzero(both.any(axis=1 - axis)), both.shape[axis]) for axis in (0, 1)
    )


def _span(occupied: np.ndarray, length: int) -> slice:
    first = max(int(occupied[0]) - CONTEXT_PX, 0)
    last = min(int(occupied[-1]) + CONTEXT_PX + 1, length)
    missing = -(last - first) % PX_MULTIPLE
    first = max(first - missing, 0)
    last = min(first + -(-(last - first) // PX_MULTIPLE) * PX_MULTIPLE, length)
    return slice(first, last)


def _mirrored_mean(features: np.ndarray, runner: SharesRunner) -> np.ndarray:
    rows, cols = features.shape[1:]
    pad = ((0, 0), (0, -rows % PX_MULTIPLE), (0, -cols % PX_MULTIPLE))
    padded = np.pad(features, pad, mode="edge")
    outputs = runner(np.ascontiguousarray(np.stack([padded, padded[..., ::-1]])))
    return np.asarray(0.5 * (outputs[0] + outputs[1][..., ::-1])[:, :rows, :cols])
