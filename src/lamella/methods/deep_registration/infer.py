"""From two visits to each bone's motion by the published network, without its unit faults.

For each bone the network says four numbers ``(a, r, t_x, t_y)``. With

    s = tanh(a) + 1,    w = (pi / 2) tanh(r),    theta = S R T,

``theta p = s R (p + t)`` takes a place of the fixed image (baseline) to its place in the moving
one (follow-up), where ``p = (x, y)`` counts half sides of the image from its centre, x to the
right and y downwards (``affine_grid``, ``align_corners=False``), and
``R = [[cos w, -sin w], [sin w, cos w]]``. A side of 256 pixels makes 1 unit 128 pixels, and the
centre lies at ``c = (127.5, 127.5)``. In places ``q = (row, col)`` the same is

    q' = s R' (q - c) + c + d,    R' = [[cos w, sin w], [-sin w, cos w]],
    d_row = 128 s (sin w t_x + cos w t_y),    d_col = 128 s (cos w t_x - sin w t_y):

a :class:`~lamella.records.Similarity` about ``c`` with scale s, rotation -w (counter-clockwise)
and translation d, exactly. The published evaluation reads ``t_y`` alone as the displacement,
in units of 1 pixel, of the other bone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from lamella.prepare.grid import NETWORK_SIDE_PX, JointGrid
from lamella.records import JointVisit, LamellaError, Radiograph, RegisteredBone, Similarity
from lamella.types import Image, Mask

RegistrationRunner = Callable[[np.ndarray], np.ndarray]
"""Moving and fixed image, standardised (B, 2, 256, 256) -> parameters (B, 8)."""

PER_BONE = 4
BONES = 2
UNIT_PX = NETWORK_SIDE_PX / 2
CENTRE_PX = (NETWORK_SIDE_PX - 1) / 2
SMALLEST_SD = 1e-3
FEWEST_COMPARED_PX = 16

NetworkInput = Float[np.ndarray, "256 256"]
"""An image as the network takes it, (row, col)."""

NetworkRegion = Bool[np.ndarray, "256 256"]
"""Where something is in it, (row, col)."""


@dataclass(frozen=True, kw_only=True)
class NetworkView:
    """The 256 x 256 pixels of 0.082 mm that the network sees: padded or cut about the middle.

    Args:
        grid: from the radiograph's pixels to the network's.
    """

    grid: JointGrid

    @classmethod
    def of(cls, radiograph: Radiograph) -> NetworkView:
        """View of a radiograph.

        Raises:
            LamellaError: the field of view is no single finger joint's.
        """
        return cls(grid=JointGrid.of(radiograph))

    @property
    def zoom(self) -> np.ndarray:
        """Network pixels per native pixel along rows and columns, (2,)."""
        return np.array(self.grid.shape) / np.array(self.grid.native)

    @property
    def offset_px(self) -> np.ndarray:
        """``k`` of ``q_network = zoom q_native + k``, (2,)."""
        cut_px = (np.array(self.grid.shape) - NETWORK_SIDE_PX) // 2
        return 0.5 * self.zoom - 0.5 - cut_px

    def image(self, image: Image) -> NetworkInput:
        """An image in the view, its edges continued."""
        return _centred(self.grid.to_network(image), "edge")

    def mask(self, mask: Mask) -> NetworkRegion:
        """A mask in the view; outside the radiograph there is nothing."""
        return _centred(self.grid.mask_to_network(mask), "constant")


def register_layers(
    baseline: JointVisit, followup: JointVisit, runner: RegistrationRunner
) -> Mapping[str, RegisteredBone]:
    """Register each bone by its own layer images.

    The network has two channels, so it runs once per bone, on that bone's image with its soft
    tissue at both visits, and only that bone's four parameters are read.

    Args:
        baseline: fixed; separated.
        followup: moving; separated.
        runner: the network.

    Raises:
        LamellaError: a visit without layers.
    """
    for visit in (baseline, followup):
        if visit.layers is None:
            raise LamellaError("expected separated visits, got radiographs: separate them first")
    pairs = [
        tuple(
            NetworkView.of(visit.radiograph).image(visit.layers.bone_image(name))
            for visit, name in ((followup, there), (baseline, here))
            if visit.layers is not None
        )
        for here, there in zip(baseline.names, followup.names, strict=True)
    ]
    seen = np.stack([np.stack(pair) for pair in pairs])
    said = runner(standardised(seen)).reshape(BONES, BONES, PER_BONE)
    own = [said[number, number] for number in range(BONES)]
    return _registered(baseline, followup, own, seen)


def register_images(
    baseline: JointVisit, followup: JointVisit, runner: RegistrationRunner
) -> Mapping[str, RegisteredBone]:
    """Register both bones by the radiographs themselves, in one run, as published.

    Args:
        baseline: fixed.
        followup: moving.
        runner: the network.
    """
    pair = np.stack(
        [
            NetworkView.of(visit.radiograph).image(visit.radiograph.pixels)
            for visit in (followup, baseline)
        ]
    )
    said = runner(standardised(pair[None])).reshape(BONES, PER_BONE)
    return _registered(baseline, followup, list(said), np.stack([pair, pair]))


def standardised(
    images: Float[np.ndarray, "*any rows cols"],
) -> Float[np.ndarray, "*any rows cols"]:
    """Images of mean 0 and standard deviation 1 each: the published loss knows no exposure."""
    mean = images.mean(axis=(-2, -1), keepdims=True)
    spread = images.std(axis=(-2, -1), keepdims=True)
    return np.asarray((images - mean) / np.maximum(spread, SMALLEST_SD), np.float32)


def motion_of(parameters: Float[np.ndarray, "4"]) -> Similarity:
    """Motion that four parameters say, pixels of the view; see the module."""
    a, r, right, down = (float(value) for value in parameters)
    scale, turn_rad = np.tanh(a) + 1.0, 0.5 * np.pi * np.tanh(r)
    cosine, sine = np.cos(turn_rad), np.sin(turn_rad)
    return Similarity(
        down_px=float(UNIT_PX * scale * (sine * right + cosine * down)),
        right_px=float(UNIT_PX * scale * (cosine * right - sine * down)),
        rotation_deg=float(-np.rad2deg(turn_rad)),
        scale=float(scale),
        centre_px=(CENTRE_PX, CENTRE_PX),
    )


def parameters_of(motion: Similarity) -> Float[np.ndarray, "4"]:
    """The four parameters that say a motion: the inverse of :func:`motion_of`.

    With the motion written about c: ``t = (s R)^-1 d / 128``, ``a = artanh(s - 1)``,
    ``r = artanh(2 w / pi)``. Scales lie between 0 and 2, rotations within 90 degrees.
    """
    central = motion.about((CENTRE_PX, CENTRE_PX))
    down, right = np.linalg.solve(central.matrix, (central.down_px, central.right_px)) / UNIT_PX
    turn = np.arctanh(-central.rotation_deg / 90.0)
    return np.array([np.arctanh(central.scale - 1.0), turn, right, down])


def native_motion(motion: Similarity, fixed: NetworkView, moving: NetworkView) -> Similarity:
    """The motion between pixels of the two radiographs.

    ``q_moving = Z_m^-1 (A (Z_f q + k_f) + b - k_m)`` with each view's zoom Z and offset k. The
    zooms of rows and columns differ by rounding to whole pixels, by under half a percent; the
    similarity nearest to this map agrees with it in the middle of the image.
    """
    back = 1.0 / moving.zoom
    linear = back[:, None] * motion.matrix * fixed.zoom
    middle = (np.array(fixed.grid.native) - 1) / 2
    seen = fixed.zoom * middle + fixed.offset_px
    arrived = back * (motion.of_points(seen[None])[0] - moving.offset_px)
    turn_rad = np.arctan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1])
    return Similarity(
        down_px=float(arrived[0] - middle[0]),
        right_px=float(arrived[1] - middle[1]),
        rotation_deg=float(np.rad2deg(turn_rad)),
        scale=float(np.sqrt(np.linalg.det(linear))),
        centre_px=(float(middle[0]), float(middle[1])),
    )


def agreement(
    moving: NetworkInput, fixed: NetworkInput, region: NetworkRegion, motion: Similarity
) -> tuple[float, float]:
    """Normalised cross-correlation of a registered bone's pixels, and the part compared.

    Args:
        moving: image of the follow-up.
        fixed: image of the baseline.
        region: the bone at the baseline.
        motion: from baseline to follow-up, pixels of the view.

    Returns:
        correlation, NaN where next to nothing can be compared; part of the region whose place
        lies in the moving image.
    """
    places = np.argwhere(region).astype(np.float64)
    there = motion.of_points(places)
    inside = ((there >= 0) & (there <= NETWORK_SIDE_PX - 1)).all(axis=1)
    if inside.sum() < FEWEST_COMPARED_PX:
        return float("nan"), 0.0
    found = ndimage.map_coordinates(moving, there[inside].T, order=1)
    wanted = fixed[region][inside]
    if min(float(found.std()), float(wanted.std())) < SMALLEST_SD:
        return float("nan"), float(inside.mean())
    return float(np.corrcoef(found, wanted)[0, 1]), float(inside.mean())


def _registered(
    baseline: JointVisit, followup: JointVisit, said: list[np.ndarray], seen: np.ndarray
) -> dict[str, RegisteredBone]:
    """Bone name -> its motion in native pixels; ``seen`` is (bone, moving and fixed, row, col)."""
    fixed, moving = (NetworkView.of(visit.radiograph) for visit in (baseline, followup))
    found = {}
    for name, parameters, pair in zip(baseline.names, said, seen, strict=True):
        motion = motion_of(parameters)
        ncc, coverage = agreement(pair[0], pair[1], fixed.mask(baseline.masks[name]), motion)
        found[name] = RegisteredBone(
            motion=native_motion(motion, fixed, moving), ncc=ncc, coverage=coverage
        )
    return found


def _centred(image: np.ndarray, mode: str) -> np.ndarray:
    """Cut or pad about the middle to the network's side."""
    for axis, length in enumerate(image.shape):
        cut = (length - NETWORK_SIDE_PX) // 2
        if cut >= 0:
            image = np.take(image, np.arange(cut, cut + NETWORK_SIDE_PX), axis=axis)
        else:
            width = [(0, 0), (0, 0)]
            width[axis] = (-cut, NETWORK_SIDE_PX - length + cut)
            image = np.pad(image, width, mode=mode)  # type: ignore[call-overload]
    return image
