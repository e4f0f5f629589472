"""From CT to a radiograph whose layers are known: line integrals of attenuation per label.

Along parallel rays, absorbance is the line integral of the linear attenuation coefficient,

    a(row, col) = integral mu dt,  mu = mu_water max(0, 1 + HU / 1000),

and because every voxel belongs to one vertebra or to none, it splits into layers that add up:
``a = a_soft + sum_v a_v`` (Beer-Lambert, :mod:`lamella.physics.formation`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lamella.physics.formation import intensity
from lamella.records.images import (
    BoneMasks,
    IntensityScale,
    LamellaError,
    Layers,
    Radiograph,
    SpacingSource,
)
from lamella.records.spine import VERSE_IDS, CTVolume, SpineLabels
from lamella.types import Absorbance, Affine, Direction, Mask, Volume

WATER_MU_PER_MM = 0.0193
"""Of water at 70 keV, 1/mm, after the NIST tables of X-ray mass attenuation coefficients."""

BRIGHTEST_ABSORBANCE = 2.5
"""Largest absorbance of a displayed radiograph, intensity 0.92."""

_SUPERIOR = np.array([0.0, 0.0, 1.0])
_SLAB_SAMPLES = 4_000_000
_AFFINE_TOLERANCE_MM = 1e-3


def hu_to_mu(hu: np.ndarray, water_mu_per_mm: float = WATER_MU_PER_MM) -> np.ndarray:
    """Linear attenuation coefficient, 1/mm, any shape: ``mu_water max(0, 1 + HU / 1000)``.

    Args:
        hu: attenuation in Hounsfield units.
        water_mu_per_mm: coefficient of water at the energy of the radiograph.

    Example:
        >>> [round(float(mu), 4) for mu in hu_to_mu(np.array([-1000.0, 0.0, 1000.0]))]
        [0.0, 0.0193, 0.0386]
    """
    scaled = 1.0 + np.asarray(hu, np.float32) * np.float32(0.001)
    return np.maximum(scaled, 0.0) * np.float32(water_mu_per_mm)


@dataclass(frozen=True, kw_only=True, eq=False)
class Detector:
    """A flat detector behind parallel rays.

    Args:
        direction: the rays', RAS.
        down, right: of the image's rows and columns, RAS, unit vectors.
        corner_mm: the first sample of the first row and column, RAS.
        pixel_mm: edge of a pixel.
        step_mm: distance of samples along a ray.
        shape: rows, columns, samples.
    """

    direction: Direction
    down: Direction
    right: Direction
    corner_mm: Direction
    pixel_mm: float
    step_mm: float
    shape: tuple[int, int, int]

    @property
    def affine(self) -> Affine:
        """From (row, column, sample) to RAS mm."""
        matrix = np.eye(4)
        columns = (self.down * self.pixel_mm, self.right * self.pixel_mm)
        matrix[:3, :3] = np.stack([*columns, self.direction * self.step_mm], axis=1)
        matrix[:3, 3] = self.corner_mm
        return matrix


@dataclass(frozen=True, kw_only=True, eq=False)
class ProjectedSpine:
    """Absorbance of the soft tissue and of each vertebra along the same rays.

    Args:
        soft: of everything without a label, (row, col).
        vertebrae: level -> absorbance, (row, col).
        paths_mm: level -> length of the ray inside that vertebra, (row, col).
        detector: geometry.
    """

    soft: Absorbance
    vertebrae: Mapping[str, Absorbance]
    paths_mm: Mapping[str, Absorbance]
    detector: Detector

    @property
    def absorbance(self) -> Absorbance:
        """Of all layers together, (row, col)."""
        return np.asarray(self.soft + np.sum(list(self.vertebrae.values()), axis=0))

    @property
    def masks(self) -> Mapping[str, Mask]:
        """Where each vertebra lies: its rays run at least half a pixel inside it."""
        least = 0.5 * self.detector.pixel_mm
        return {level: path >= least for level, path in self.paths_mm.items()}

    def layers(self, brightest: float = BRIGHTEST_ABSORBANCE) -> Layers:
        """As a displayed radiograph, taken apart: every absorbance times one factor.

        A trunk absorbs more than a display shows; scaled so that the largest absorbance is
        ``brightest``, layers still add up. ``I = 1 - exp(-a)``.
        """
        factor = brightest / max(float(self.absorbance.max()), 1e-9)
        soft = (factor * self.soft).astype(np.float32)
        bones = {name: (factor * a).astype(np.float32) for name, a in self.vertebrae.items()}
        radiograph = Radiograph(
            pixels=intensity(soft + np.sum(list(bones.values()), axis=0)),
            pixel_spacing_mm=self.detector.pixel_mm,
            spacing_source=SpacingSource.PHANTOM,
            intensity_scale=IntensityScale.SIMULATED,
            source="projected CT",
        )
        return Layers(
            soft_absorbance=soft,
            bone_absorbance=bones,
            masks=BoneMasks(masks=self.masks),
            radiograph=radiograph,
            share_sd=np.zeros_like(soft),
            method="projection of CT",
        )


def project(
    ct: CTVolume, labels: SpineLabels, direction: Direction, pixel_mm: float | None = None
) -> ProjectedSpine:
    """Line integrals of a CT along parallel rays, one layer per vertebra and one for the rest.

    Each layer's voxels are interpolated linearly along the rays by one operator, so the layers
    add up to the line integral of the whole volume.

    Args:
        ct: the volume.
        labels: whole vertebrae on the CT's grid.
        direction: of the rays in RAS, any length: ``(0, -1, 0)`` runs from front to back.
        pixel_mm: edge of a pixel, None: the finest spacing of the volume.

    Returns:
        The layers; rows run down the patient, and from the front the patient's right is on
        the left.

    Raises:
        LamellaError: labels on another grid, or a direction without a length.
    """
    if labels.ids.shape != ct.hu.shape or _apart(ct, labels):
        raise LamellaError("expected labels on the CT's grid: resample them first")
    detector = detector_for(ct, direction, pixel_mm)
    mu = hu_to_mu(ct.hu)
    layers: dict[str, Absorbance] = {}
    paths: dict[str, Absorbance] = {}
    boxes = ndimage.find_objects(labels.ids)
    for level in labels.levels:
        number = VERSE_IDS[level]
        box = boxes[number - 1]
        inside = labels.ids[box] == number
        affine = ct.affine @ _shift([s.start for s in box])
        layers[level] = _integrals(mu[box] * inside, affine, detector)
        paths[level] = _integrals(inside.astype(np.float32), affine, detector)
    soft = _integrals(mu * (labels.ids == 0), ct.affine, detector)
    return ProjectedSpine(
        soft=soft,
        vertebrae=layers,
        paths_mm=paths,
        detector=detector,
    )


def detector_for(ct: CTVolume, direction: Direction, pixel_mm: float | None = None) -> Detector:
    """A detector that holds the shadow of the whole volume.

    Raises:
        LamellaError: a direction without a length.
    """
    length = float(np.linalg.norm(direction))
    if length < 1e-9:
        raise LamellaError("expected a direction of the rays, got a vector of length 0")
    ray = np.asarray(direction, np.float64) / length
    down, right = _image_axes(ray)
    pixel, step = pixel_mm or min(ct.spacing_mm), min(ct.spacing_mm)
    ends = np.array(ct.shape) - 1
    corners = np.array(np.meshgrid(*[[0, n] for n in ends])).reshape(3, -1).T
    places = corners @ ct.affine[:3, :3].T + ct.affine[:3, 3]
    axes = np.stack([down, right, ray])
    along = places @ axes.T
    low = along.min(axis=0) - max(ct.spacing_mm)
    reach = along.max(axis=0) + max(ct.spacing_mm) - low
    counts = np.ceil(reach / np.array([pixel, pixel, step])).astype(int) + 1
    return Detector(
        direction=ray,
        down=down,
        right=right,
        corner_mm=low @ axes,
        pixel_mm=float(pixel),
        step_mm=float(step),
        shape=(int(counts[0]), int(counts[1]), int(counts[2])),
    )


def _image_axes(ray: Direction) -> tuple[Direction, Direction]:
    """Down the patient and to the image's right; from head to foot, down is the back."""
    down = -_SUPERIOR + (ray @ _SUPERIOR) * ray
    if float(np.linalg.norm(down)) < 1e-3:
        down = np.array([0.0, -1.0, 0.0])
        down = down - (down @ ray) * ray
    down = down / np.linalg.norm(down)
    return down, np.cross(down, ray)


def _apart(ct: CTVolume, labels: SpineLabels) -> bool:
    far = np.array([*ct.shape, 1.0])
    return bool(np.abs((ct.affine - labels.affine) @ far).max() > _AFFINE_TOLERANCE_MM)


def _shift(start: list[int]) -> Affine:
    matrix = np.eye(4)
    matrix[:3, 3] = start
    return matrix


def _integrals(values: Volume, affine: Affine, detector: Detector) -> Absorbance:
    """Sums along the rays times their step, (row, col), where the volume casts a shadow."""
    to_index = np.linalg.inv(affine) @ detector.affine
    (row, rows), (col, cols), (first, samples) = _shadow(values, affine, detector)
    image = np.zeros(detector.shape[:2], np.float32)
    slab = max(_SLAB_SAMPLES // (cols * samples), 1)
    for start in range(row, row + rows, slab):
        count = min(slab, row + rows - start)
        sampled = ndimage.affine_transform(
            values,
            to_index[:3, :3],
            to_index[:3] @ np.array([start, col, first, 1.0]),
            output_shape=(count, cols, samples),
            order=1,
            mode="grid-constant",
        )
        image[start : start + count, col : col + cols] = sampled.sum(axis=2, dtype=np.float64)
    return image * np.float32(detector.step_mm)


def _shadow(values: Volume, affine: Affine, detector: Detector) -> list[tuple[int, int]]:
    """First index and count of the detector's rows, columns and samples that see a volume."""
    limits = [[-1, n] for n in values.shape]
    corners = np.array(np.meshgrid(*limits)).reshape(3, -1)
    seen = np.linalg.inv(detector.affine) @ affine @ np.vstack([corners, np.ones(8)])
    low = np.clip(np.floor(seen[:3].min(axis=1)).astype(int), 0, None)
    high = np.minimum(np.ceil(seen[:3].max(axis=1)).astype(int) + 1, detector.shape)
    return [(int(a), int(b - a)) for a, b in zip(low, high, strict=True)]
