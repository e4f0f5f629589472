"""What one visit shows of one bone: an absorbance image, and how far each pixel can be trusted.

The image is the radiograph's absorbance without the other bone's layer. Soft tissue stays in it:
it is smooth, and a high-pass removes it together with any local offset. Trust is 1 on the bone and
its outer edge, falls with the uncertainty of the layers,

    trust = exp(-d^2 / (2 reach^2)) / (1 + (sd_share a_bones / sigma)^2),

with ``d`` the distance from the articular end along the axis, and is 0 along the other bone's
outline, where layers have an edge of their own, at saturated pixels and at the image's border.
Without layers it is 0 wherever the other bone lies, or, as the published registrations have it, the
overlap is taken as it is seen.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from lamella.physics.formation import absorbance
from lamella.physics.soft_tissue import NOMINAL_SPACING_MM
from lamella.records import JointVisit
from lamella.types import Image, Mask

EDGE_MM = 0.4
PENUMBRA_MM = 0.12
REACH_MM = 8.0
HIGH_PASS_MM = 1.2
LAYER_NOISE = 0.02
BORDER_PX = 2
LEAST_TRUST = 0.02
SPLINE_ORDER = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Level:
    """A bone's image at one smoothness.

    Args:
        smooth_px: SD of the Gaussian that smoothed it, pixels.
        image: high-passed and smoothed absorbance, (row, col), 0 where not trusted.
        spline: its cubic B-spline coefficients, (row, col).
        slopes: its differences down and to the right, (row, col) each.
    """

    smooth_px: float
    image: Image
    spline: Image
    slopes: tuple[Image, Image]


@dataclass(frozen=True, kw_only=True, eq=False)
class BoneView:
    """One bone at one visit.

    Args:
        detail: high-passed absorbance, (row, col), 0 outside ``region``.
        region: pixels that show this bone and no other, or its layer, (row, col).
        trust: weight of each pixel, 0 to 1, (row, col).
        spacing_mm: mm per pixel.
    """

    detail: Image
    region: Mask
    trust: Image
    spacing_mm: float

    @cached_property
    def centre_px(self) -> tuple[float, float]:
        """Centre of the trusted pixels, (row, col)."""
        row, col = ndimage.center_of_mass(self.trust)
        return (float(row), float(col))

    @cached_property
    def pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the pixels worth comparing, (n,) each."""
        rows, cols = np.nonzero(self.trust > LEAST_TRUST)
        return rows, cols

    def level(self, smooth_mm: float) -> Level:
        """The view at one smoothness, mm (SD)."""
        smooth_px = smooth_mm / self.spacing_mm
        image = _local_mean(self.detail, self.region, smooth_px)
        down, right = np.gradient(image)
        return Level(
            smooth_px=smooth_px,
            image=image,
            spline=ndimage.spline_filter(image, SPLINE_ORDER, output=np.float32, mode="mirror"),
            slopes=(down, right),
        )


def bone_view(visit: JointVisit, name: str, *, overlap_as_seen: bool = False) -> BoneView:
    """What a visit shows of one bone.

    Args:
        visit: with layers, or without for a comparison that separates nothing.
        name: of the bone.
        overlap_as_seen: without layers, compare the overlap too.
    """
    spacing_mm = visit.radiograph.pixel_spacing_mm or NOMINAL_SPACING_MM
    observed = np.asarray(
        absorbance(visit.radiograph.pixels, visit.radiograph.grey_level), np.float32
    )
    region = _near(visit, name, spacing_mm)
    if not overlap_as_seen:
        region &= _free(visit, name, spacing_mm)
    doubt = np.zeros_like(observed)
    if visit.layers is not None:
        bones = visit.layers.bone_absorbance
        observed = visit.layers.soft_absorbance + bones[name]
        doubt = visit.layers.share_sd * np.sum(list(bones.values()), axis=0) / LAYER_NOISE
    detail = observed - _local_mean(observed, region, HIGH_PASS_MM / spacing_mm)
    trust = region * _nearness(visit, name, spacing_mm) / (1.0 + doubt**2)
    return BoneView(
        detail=np.asarray(detail * region, np.float32),
        region=region,
        trust=np.asarray(trust, np.float32),
        spacing_mm=spacing_mm,
    )


def _near(visit: JointVisit, name: str, spacing_mm: float) -> Mask:
    """Usable pixels on or just beside the bone."""
    near = ndimage.distance_transform_edt(~visit.masks[name]) <= EDGE_MM / spacing_mm
    inside = np.zeros_like(near)
    inside[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = True
    return np.asarray(near & inside & ~visit.radiograph.saturated)


def _free(visit: JointVisit, name: str, spacing_mm: float) -> Mask:
    """Pixels without the other bone; with layers all of this bone but the other one's outline."""
    (other,) = (each for each in visit.names if each != name)
    hiding = visit.masks[other]
    beyond = ndimage.distance_transform_edt(~hiding)
    if visit.layers is None:
        return np.asarray(beyond > PENUMBRA_MM / spacing_mm)
    from_outline = np.where(hiding, ndimage.distance_transform_edt(hiding), beyond)
    return np.asarray((from_outline > PENUMBRA_MM / spacing_mm) & (visit.masks[name] | ~hiding))


def _nearness(visit: JointVisit, name: str, spacing_mm: float) -> Image:
    """``exp(-d^2 / (2 reach^2))`` of the distance along the axis from the articular end."""
    arc = visit.ends[name].arc_px
    row, col = arc[len(arc) // 2]
    rows, cols = np.indices(visit.radiograph.shape, np.float32)
    down, right = visit.frame.axis
    along_mm = ((rows - row) * down + (cols - col) * right) * spacing_mm
    return np.asarray(np.exp(-0.5 * (along_mm / REACH_MM) ** 2), np.float32)


def _local_mean(values: Image, region: Mask, sigma_px: float) -> Image:
    """Gaussian mean over the region's pixels alone; 0 outside of it.

    Only the box around the region is worked on: beyond it there is nothing to add.
    """
    mean = np.zeros(region.shape, np.float32)
    for box in ndimage.find_objects(region.astype(np.uint8)):
        known = region[box].astype(np.float32)
        total = ndimage.gaussian_filter(values[box] * known, sigma_px, mode="constant")
        weight = ndimage.gaussian_filter(known, sigma_px, mode="constant")
        mean[box] = known * total / np.maximum(weight, 1e-6)
    return mean
