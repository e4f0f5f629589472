"""The images of a joint and what is known about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from lamella.types import Absorbance, Image, Mask

UNKNOWN_FLOAT_GREY_LEVEL = 1.0 / 65535.0
FINEST_GREY_LEVEL = 2.0**-22
"""Half of it is the smallest distance to white that float32 holds with a digit to spare."""


class LamellaError(ValueError):
    """Input that Lamella cannot use: one sentence with what was expected, got, and a remedy."""


class SpacingSource(StrEnum):
    """Where a pixel spacing came from; every printed millimetre names it."""

    GIVEN = "given by the user"
    CALIBRATED = "DICOM PixelSpacing, calibrated"
    DETECTOR = "DICOM PixelSpacing, not stated as calibrated"
    IMAGER = "DICOM ImagerPixelSpacing (detector plane)"
    IMAGER_MAGNIFIED = "DICOM ImagerPixelSpacing over magnification factor"
    PHANTOM = "phantom"
    UNKNOWN = "unknown"


class IntensityScale(StrEnum):
    """How far pixel values can be read as physics."""

    DISPLAY = "display values: absorbance is a proxy"
    LOGARITHMIC = "detector values, affine in absorbance"
    LINEAR = "detector values, linear in transmitted intensity"
    SIMULATED = "simulated by Beer-Lambert"


@dataclass(frozen=True, kw_only=True, eq=False)
class Radiograph:
    """One radiograph, bone bright.

    Args:
        pixels: intensity in [0, 1], (row, col), copied as float32.
        pixel_spacing_mm: edge of a (square) pixel in mm, or None when unknown.
        spacing_source: where the spacing came from.
        intensity_scale: what the pixel values are.
        grey_level: step between neighbouring source grey levels (1/255 for 8 bit), in (0, 1];
            finer ones than ``FINEST_GREY_LEVEL`` count as that.
        source: a name safe to print (never a patient's).
        laterality: "R" or "L", the side of the body, or None when unknown.
        warnings: sentences a reader should see beside any result.

    Raises:
        LamellaError: not two-dimensional, smaller than 32 pixels on a side, not finite,
            outside [0, 1], constant, spacing not above 0, or grey level outside (0, 1].

    Example:
        >>> import numpy as np
        >>> ramp = np.tile(np.linspace(0.1, 0.9, 64, dtype=np.float32), (64, 1))
        >>> Radiograph(pixels=ramp, pixel_spacing_mm=0.1).size_mm
        (6.4, 6.4)
    """

    pixels: Image
    pixel_spacing_mm: float | None = None
    spacing_source: SpacingSource | None = None
    intensity_scale: IntensityScale = IntensityScale.DISPLAY
    grey_level: float = UNKNOWN_FLOAT_GREY_LEVEL
    source: str = "array"
    laterality: Literal["R", "L"] | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        pixels = _checked_pixels(self.pixels)
        object.__setattr__(self, "pixels", pixels)
        spacing = _checked_spacing(self.pixel_spacing_mm)
        object.__setattr__(self, "pixel_spacing_mm", spacing)
        object.__setattr__(self, "grey_level", _checked_grey_level(self.grey_level))
        if self.laterality not in ("R", "L", None):
            raise LamellaError(f'expected laterality "R", "L" or None, got {self.laterality!r}')
        if self.spacing_source is None:
            known = SpacingSource.UNKNOWN if spacing is None else SpacingSource.GIVEN
            object.__setattr__(self, "spacing_source", known)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.pixels.shape[0], self.pixels.shape[1])

    @property
    def size_mm(self) -> tuple[float, float] | None:
        """Height and width in mm, or None when the spacing is unknown."""
        if self.pixel_spacing_mm is None:
            return None
        rows, cols = self.shape
        return (rows * self.pixel_spacing_mm, cols * self.pixel_spacing_mm)

    @property
    def saturated(self) -> Mask:
        """Pixels within half a grey level of white, whose absorbance is only a lower bound."""
        return np.asarray(self.pixels > 1.0 - 0.5 * self.grey_level)


@dataclass(frozen=True, kw_only=True)
class BoneMasks(Mapping[str, Mask]):
    """Where each bone is. Masks may overlap: ``masks["upper"]``, ``masks["lower"]``.

    Args:
        masks: name -> two-valued array (row, col), all of one shape, copied as bool.
        confidence: 0..1, the segmentation's own estimate that the masks can be used;
            1 for masks a person gave.
        refused: why the image was not accepted as a joint, or None.
        flags: things a reader should look at (for instance a possible sesamoid).
        origin: who made the masks.

    Raises:
        LamellaError: no mask, not two-dimensional or two-valued, shapes that differ, or an
            empty mask without a refusal.
    """

    masks: Mapping[str, Mask]
    confidence: float = 1.0
    refused: str | None = None
    flags: tuple[str, ...] = ()
    origin: str = "given"

    def __post_init__(self) -> None:
        masks = {name: _checked_mask(name, mask) for name, mask in self.masks.items()}
        if not masks:
            raise LamellaError("expected at least one bone mask, got none: name one per bone")
        shapes = {mask.shape for mask in masks.values()}
        if len(shapes) > 1:
            raise LamellaError(f"expected bone masks of one shape, got {sorted(shapes)}")
        empty = [name for name, mask in masks.items() if not mask.any()]
        if empty and self.refused is None:
            raise LamellaError(f"the mask of bone {empty[0]!r} is empty: every bone needs pixels")
        object.__setattr__(self, "masks", MappingProxyType(masks))

    def __getitem__(self, name: str) -> Mask:
        return self.masks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.masks)

    def __len__(self) -> int:
        return len(self.masks)

    def __reduce__(self) -> tuple[partial[Any], tuple[()]]:
        return partial(BoneMasks, **_thawed(self, fields(BoneMasks))), ()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of every mask."""
        rows, cols = next(iter(self.masks.values())).shape
        return (rows, cols)

    @property
    def overlap(self) -> Mask:
        """Pixels that belong to two bones or more."""
        return np.sum([mask.astype(np.uint8) for mask in self.masks.values()], axis=0) > 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Layers:
    """A radiograph taken apart: absorbance of the soft tissue and of each bone.

    The layers add up to the radiograph's absorbance: ``soft + sum(bones) = -ln(1 - pixels)``
    (``docs/notation.md``), so :meth:`recompose` gives the radiograph back.

    Args:
        soft_absorbance: (row, col), never above the observed absorbance.
        bone_absorbance: name -> (row, col), zero beyond that bone's soft edge.
        masks: the bone masks the separation used.
        radiograph: what was separated.
        share_sd: standard deviation of each bone's share of the bone absorbance, (row, col),
            calibrated; 0 where one bone only is present.
        method: name of the separator and of its weights.

    Example:
        >>> import lamella
        >>> from lamella.physics.phantoms import joint_phantom
        >>> phantom = joint_phantom()
        >>> radiograph = lamella.Radiograph(pixels=phantom.intensity, pixel_spacing_mm=0.082)
        >>> layers = lamella.separate(radiograph, phantom.masks)
        >>> bool(abs(layers.recompose() - radiograph.pixels).max() < 1e-6)
        True
    """

    soft_absorbance: Absorbance
    bone_absorbance: Mapping[str, Absorbance]
    masks: BoneMasks
    radiograph: Radiograph
    share_sd: Image
    method: str = "unnamed"

    def __post_init__(self) -> None:
        frozen = MappingProxyType(dict(self.bone_absorbance))
        object.__setattr__(self, "bone_absorbance", frozen)
        shape = self.radiograph.shape
        for name, layer in {"soft": self.soft_absorbance, **frozen, "sd": self.share_sd}.items():
            if layer.shape != shape:
                raise LamellaError(f"expected layer {name!r} of shape {shape}, got {layer.shape}")

    def __reduce__(self) -> tuple[partial[Any], tuple[()]]:
        return partial(Layers, **_thawed(self, fields(Layers))), ()

    @property
    def saturated(self) -> Mask:
        """Pixels clipped before the logarithm and restored by :meth:`recompose`."""
        return self.radiograph.saturated

    def bone_image(self, name: str) -> Image:
        """Intensity of one bone with its soft tissue, (row, col): a BLS-GAN layer image L_i.

        Raises:
            LamellaError: no bone of that name.
        """
        if name not in self.bone_absorbance:
            raise LamellaError(f"no bone {name!r} here, only {sorted(self.bone_absorbance)}")
        absorbance = self.soft_absorbance + self.bone_absorbance[name]
        return np.asarray(-np.expm1(-absorbance), dtype=np.float32)

    def soft_image(self) -> Image:
        """Intensity of the soft tissue alone, (row, col)."""
        return np.asarray(-np.expm1(-self.soft_absorbance), dtype=np.float32)

    def recompose(self) -> Image:
        """The radiograph again, (row, col): layers superposed, saturated pixels restored."""
        absorbance = self.soft_absorbance + np.sum(list(self.bone_absorbance.values()), axis=0)
        recomposed = np.where(self.saturated, self.radiograph.pixels, -np.expm1(-absorbance))
        return np.asarray(recomposed, dtype=np.float32)

    def residual(self) -> Image:
        """Input minus recomposition, in intensity, (row, col)."""
        return self.radiograph.pixels - self.recompose()

    def share_sd_in_intensity(self, name: str) -> Image:
        """Standard deviation of one bone image that ``share_sd`` implies, (row, col)."""
        total = np.sum(list(self.bone_absorbance.values()), axis=0)
        return np.asarray((1.0 - self.bone_image(name)) * total * self.share_sd, np.float32)


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What a run must remember to be repeated: see ``run.json``."""

    command: str
    versions: Mapping[str, str]
    weights_sha256: Mapping[str, str]
    inputs_sha256: Mapping[str, str]
    seed: int | None = None
    spacing: Mapping[str, str] = field(default_factory=dict)
    timings_s: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def _checked_pixels(pixels: Image) -> Image:
    array = np.asarray(pixels)
    if array.ndim != 2:
        raise LamellaError(f"expected one grey image (row, col), got {array.ndim} dimensions")
    if min(array.shape) < 32:
        raise LamellaError(f"expected at least 32 pixels on each side, got {array.shape}")
    if not np.isfinite(array).all():
        raise LamellaError("the image holds NaN or infinite values: fill or crop them first")
    low, high = float(array.min()), float(array.max())
    if low < 0.0 or high > 1.0:
        raise LamellaError(f"expected intensity in [0, 1], got {low:.4g} to {high:.4g}: rescale it")
    if high - low < 1e-6:
        raise LamellaError(f"the image is constant ({low:.4g}): nothing to take apart")
    return np.array(array, dtype=np.float32, order="C")


def _checked_spacing(spacing_mm: float | None) -> float | None:
    if spacing_mm is None:
        return None
    value = _as_number(spacing_mm)
    if not 0.0 < value < np.inf:
        raise LamellaError(
            f"expected a pixel spacing above 0 mm, got {spacing_mm!r}: give millimetres per pixel"
        )
    return value


def _checked_grey_level(grey_level: float) -> float:
    value = _as_number(grey_level)
    if not 0.0 < value <= 1.0:
        raise LamellaError(
            f"expected a step between grey levels above 0 and at most 1, got {grey_level!r}: "
            "give 1/255 for 8 bit"
        )
    return max(value, FINEST_GREY_LEVEL)


def _as_number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _checked_mask(name: str, mask: Mask) -> Mask:
    array = np.asarray(mask)
    if array.ndim != 2:
        raise LamellaError(
            f"expected the mask of bone {name!r} as (row, col), got shape {array.shape}"
        )
    if array.dtype != np.bool_ and np.unique(array).size > 2:
        raise LamellaError(
            f"expected a two-valued mask of bone {name!r}, got grey levels: threshold it"
        )
    return np.array(array, dtype=bool)


def _thawed(record: object, entries: Iterable[Field[Any]]) -> dict[str, Any]:
    """Values of a record's fields; read-only mappings, which cannot be pickled, as plain ones."""
    values = {entry.name: getattr(record, entry.name) for entry in entries}
    return {
        name: dict(value) if isinstance(value, MappingProxyType) else value
        for name, value in values.items()
    }
