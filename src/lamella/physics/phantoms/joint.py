"""Finger-joint phantom: a radiograph whose layers, masks and joint space width are known.

Two solid bones stand in soft tissue; every ray's path in cortical bone and in spongiosa is
multiplied by an attenuation coefficient, and the absorbances add (Beer-Lambert):

    I = 1 - exp(-(a_soft + a_upper + a_lower)).

The attenuation coefficients are those of the displayed image, chosen so that grey levels agree
with hand radiographs; they are not the physical ones of any tube voltage. Shapes come from
`lamella.physics.phantoms.anatomy`, chords from `lamella.physics.phantoms.bone`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from lamella.physics.phantoms.anatomy import AnatomySpec, metacarpal, phalanx
from lamella.physics.phantoms.articular import (
    Placement,
    joint_space_width,
    lower_contour,
    upper_contour,
)
from lamella.physics.phantoms.bone import Bone
from lamella.physics.phantoms.mineral import bone_absorbance
from lamella.physics.phantoms.soft import SoftTissueSpec, soft_absorbance
from lamella.physics.phantoms.texture import detector_noise
from lamella.records.limits import refuse_outside

OVERSAMPLE = 2
SATURATION = 1 - 0.5 / 255


@dataclass(frozen=True, kw_only=True)
class JointPhantomSpec:
    """Everything that determines a joint phantom.

    Attributes:
        jsw_mm: Commanded joint space width, mm; negative: the projected bones overlap.
        flexion_deg: Rotation of the phalanx about the left-right axis, degrees; one rim of its
            base then projects lower, over the head.
        tilt_deg: Rotation of the phalanx in the image plane, counter-clockwise, degrees.
        lateral_shift_mm: Displacement of the phalanx to the right, mm.
        pixel_spacing_mm: Pixel spacing, mm.
        rows: Image height, pixels.
        cols: Image width, pixels.
        seed: Draws anatomy, texture and soft tissue.
        noise_seed: Draws the noise, None: from ``seed``. Two visits share a seed, not this one.
        blur_mm: Gaussian SD of detector and focal spot together, mm.
        noise: SD of the noise in intensity at mid-grey, dimensionless.
        size: Size of the bones against the adult mean, dimensionless.
        soft_level: Absorbance of soft tissue beside the joint, dimensionless.
        soft_gradient: Rise of that absorbance over 10 mm towards the palm, as a fraction.
        bone_contrast: Factor on the attenuation of bone (exposure, mineral), dimensionless.
        texture: Strength of the trabecular texture against the usual, dimensionless.
        erosion: Severity of marginal erosions, 0 to 1.
        osteophyte: Severity of marginal osteophytes, 0 to 1.
        sesamoid: Whether a sesamoid lies beside the head (part of the soft layer).
        neighbour: Whether the neighbouring finger's bone enters the field (soft layer).
        air: Whether skin border and air show at one side.
        blur_mode: "absorbance" blurs each layer's absorbance, so that layers stay exact;
            "intensity" blurs the transmitted intensity, as a focal spot does.
    """

    jsw_mm: float = 1.5
    flexion_deg: float = 0.0
    tilt_deg: float = 0.0
    lateral_shift_mm: float = 0.0
    pixel_spacing_mm: float = 0.082
    rows: int = 256
    cols: int = 256
    seed: int = 0
    noise_seed: int | None = None
    blur_mm: float = 0.09
    noise: float = 0.007
    size: float = 1.0
    soft_level: float = 0.3
    soft_gradient: float = 0.2
    bone_contrast: float = 1.0
    texture: float = 1.0
    erosion: float = 0.0
    osteophyte: float = 0.0
    sesamoid: bool = False
    neighbour: bool = False
    air: bool = False
    blur_mode: Literal["absorbance", "intensity"] = "absorbance"

    def __post_init__(self) -> None:
        refuse_outside(self, _LIMITS)
        if self.blur_mode not in ("absorbance", "intensity"):
            raise ValueError(
                f"blur_mode: expected 'absorbance' or 'intensity', got {self.blur_mode!r}; "
                "use 'absorbance' for exact layers"
            )


_LIMITS: Mapping[str, tuple[float, float]] = {
    "jsw_mm": (-6.0, 8.0),
    "flexion_deg": (-30.0, 30.0),
    "tilt_deg": (-20.0, 20.0),
    "lateral_shift_mm": (-6.0, 6.0),
    "pixel_spacing_mm": (0.005, 1.0),
    "rows": (32, 8192),
    "cols": (32, 8192),
    "seed": (0, 2**63),
    "blur_mm": (0.0, 2.0),
    "noise": (0.0, 0.2),
    "size": (0.5, 2.0),
    "soft_level": (0.0, 2.0),
    "soft_gradient": (-1.0, 1.0),
    "bone_contrast": (0.0, 3.0),
    "texture": (0.0, 2.0),
    "erosion": (0.0, 1.0),
    "osteophyte": (0.0, 1.0),
}


@dataclass(frozen=True, kw_only=True)
class JointPhantom:
    """A radiograph of a finger joint with its whole truth.

    Attributes:
        intensity: Noisy radiograph in [0, 1), bone bright, float32.
        clean_intensity: The same without noise, float32.
        noise: intensity - clean_intensity, float32.
        soft_absorbance: True layer of soft tissue, blurred, float32.
        bone_absorbance: True layers "upper" and "lower", blurred, float32.
        masks: Geometric silhouettes "upper" and "lower", unblurred; they may overlap.
        jsw_mm: The joint space width realised, mm, by
            `lamella.physics.phantoms.articular.joint_space_width`.
        layer_model_error: max |clean_intensity - (1 - exp(-sum of layers))|: rounding when
            absorbance is blurred, more when intensity is.
        spec: What it was made from.
    """

    intensity: Float[np.ndarray, "rows cols"]
    clean_intensity: Float[np.ndarray, "rows cols"]
    noise: Float[np.ndarray, "rows cols"]
    soft_absorbance: Float[np.ndarray, "rows cols"]
    bone_absorbance: Mapping[str, Float[np.ndarray, "rows cols"]]
    masks: Mapping[str, Bool[np.ndarray, "rows cols"]]
    jsw_mm: float
    layer_model_error: float
    spec: JointPhantomSpec


def joint_phantom(spec: JointPhantomSpec | None = None) -> JointPhantom:
    """Make a phantom of a finger joint.

    Example:
        >>> phantom = joint_phantom(
        ...     JointPhantomSpec(jsw_mm=1.2, rows=64, cols=64, pixel_spacing_mm=0.33)
        ... )
        >>> round(phantom.jsw_mm, 3)
        1.2
    """
    spec = spec or JointPhantomSpec()
    upper, lower = _bones(spec)
    placement, jsw_mm = _place(spec, upper, lower)
    right_mm, up_mm = _grid(spec, OVERSAMPLE)
    raw = {"soft": soft_absorbance(_soft_spec(spec), right_mm, up_mm)}
    coordinates = {"upper": placement.to_bone(right_mm, up_mm), "lower": (right_mm, -up_mm)}
    for name, bone in (("upper", upper), ("lower", lower)):
        chords = bone.chords(*coordinates[name])
        raw[name] = bone_absorbance(chords, name, coordinates[name], spec.seed, spec.texture)
        raw[name] *= spec.bone_contrast
    layers = {name: _detected(layer, spec).astype(np.float32) for name, layer in raw.items()}
    modelled = _intensity(np.sum(np.stack([*layers.values()]), axis=0, dtype=np.float64))
    clean = modelled
    if spec.blur_mode == "intensity":
        clean = (1 - _detected(np.exp(-np.sum([*raw.values()], axis=0)), spec)).astype(np.float32)
    noisy = _noisy(clean, spec)
    return JointPhantom(
        intensity=noisy,
        clean_intensity=clean,
        noise=noisy - clean,
        soft_absorbance=layers.pop("soft"),
        bone_absorbance=layers,
        masks=_silhouettes(spec, upper, lower, placement),
        jsw_mm=jsw_mm,
        layer_model_error=float(np.abs(clean.astype(np.float64) - modelled).max()),
        spec=spec,
    )


def silhouettes(spec: JointPhantomSpec) -> dict[str, Bool[np.ndarray, "rows cols"]]:
    """Masks "upper" and "lower" alone, at any spacing: the geometry without the radiograph."""
    upper, lower = _bones(spec)
    placement, _ = _place(spec, upper, lower)
    return _silhouettes(spec, upper, lower, placement)


def placement(spec: JointPhantomSpec) -> Placement:
    """Where the phalanx of a phantom stands: as high as its joint space width demands."""
    return _place(spec, *_bones(spec))[0]


def random_joint_phantom(rng: np.random.Generator, **fixed: Any) -> JointPhantom:
    """Make a phantom with a realistic spec drawn from ``rng``; ``fixed`` overrides its fields.

    The ranges are those of adult hand radiographs with rheumatoid disease: JSW -1.5 to 3 mm,
    flexion within 12 degrees, tilt within 6, some joints eroded, osteophytic or with sesamoids.
    """
    drawn = {
        "jsw_mm": float(np.clip(rng.normal(0.4, 0.7), -1.5, 3.0)),
        "flexion_deg": float(rng.uniform(-12, 12)),
        "tilt_deg": float(np.clip(rng.normal(0, 2.5), -6, 6)),
        "lateral_shift_mm": float(np.clip(rng.normal(0, 0.5), -1.5, 1.5)),
        "seed": int(rng.integers(2**31)),
        "blur_mm": float(rng.uniform(0.075, 0.11)),
        "noise": float(rng.uniform(0.005, 0.008)),
        "size": float(np.clip(rng.normal(1.0, 0.07), 0.85, 1.15)),
        "soft_level": float(rng.uniform(0.2, 0.38)),
        "soft_gradient": float(rng.uniform(0.1, 0.6)),
        "bone_contrast": float(rng.uniform(0.8, 1.4)),
        "texture": float(rng.uniform(0.75, 1.25)),
        "erosion": float(rng.uniform(0.3, 1.0)) if rng.random() < 0.15 else 0.0,
        "osteophyte": float(rng.uniform(0.2, 0.9)) if rng.random() < 0.15 else 0.0,
        "sesamoid": bool(rng.random() < 0.12),
        "neighbour": bool(rng.random() < 0.25),
        "air": bool(rng.random() < 0.4),
    }
    return joint_phantom(JointPhantomSpec(**(drawn | fixed)))


def _bones(spec: JointPhantomSpec) -> tuple[Bone, Bone]:
    anatomy = AnatomySpec(
        seed=spec.seed,
        scale=spec.size,
        flexion_deg=spec.flexion_deg,
        erosion=spec.erosion,
        osteophyte=spec.osteophyte,
    )
    return phalanx(anatomy), metacarpal(anatomy)


def _place(spec: JointPhantomSpec, upper: Bone, lower: Bone) -> tuple[Placement, float]:
    """Shift the phalanx along the joint axis by exactly what its width lacks."""
    aside = {"lateral_shift_mm": spec.lateral_shift_mm, "tilt_deg": spec.tilt_deg}
    below = lower_contour(lower)
    resting = joint_space_width(upper_contour(upper, Placement(**aside)), below)
    placement = Placement(rise_mm=spec.jsw_mm - resting, **aside)
    return placement, joint_space_width(upper_contour(upper, placement), below)


def _soft_spec(spec: JointPhantomSpec) -> SoftTissueSpec:
    return SoftTissueSpec(
        level=spec.soft_level,
        gradient=spec.soft_gradient,
        air=spec.air,
        sesamoid=spec.sesamoid,
        neighbour=spec.neighbour,
        seed=spec.seed,
    )


def _silhouettes(
    spec: JointPhantomSpec, upper: Bone, lower: Bone, placement: Placement
) -> dict[str, Bool[np.ndarray, "rows cols"]]:
    """Where the ray through a pixel's centre meets each bone."""
    right_mm, up_mm = _grid(spec, 1)
    return {
        "upper": upper.chords(*placement.to_bone(right_mm, up_mm)).inside,
        "lower": lower.chords(right_mm, -up_mm).inside,
    }


def _grid(spec: JointPhantomSpec, oversample: int) -> tuple[np.ndarray, np.ndarray]:
    """Joint coordinates (right, up) of every ray, mm; the apex of the head is the image centre."""
    step_mm = spec.pixel_spacing_mm / oversample
    rows, cols = (
        step_mm * (np.arange(size * oversample, dtype=np.float32) - (size * oversample - 1) / 2)
        for size in (spec.rows, spec.cols)
    )
    up_mm, right_mm = np.meshgrid(-rows, cols, indexing="ij")
    return right_mm.astype(np.float32), up_mm.astype(np.float32)


def _detected(fine: np.ndarray, spec: JointPhantomSpec) -> np.ndarray:
    sigma_px = spec.blur_mm / spec.pixel_spacing_mm * OVERSAMPLE
    return _binned(ndimage.gaussian_filter(fine, sigma_px, mode="nearest", output=np.float64))


def _binned(fine: np.ndarray) -> np.ndarray:
    rows, cols = (size // OVERSAMPLE for size in fine.shape)
    return fine.reshape(rows, OVERSAMPLE, cols, OVERSAMPLE).mean(axis=(1, 3))


def _intensity(absorbance: Any) -> np.ndarray:
    return (-np.expm1(-absorbance)).astype(np.float32)


def _noisy(clean: np.ndarray, spec: JointPhantomSpec) -> np.ndarray:
    seed = spec.seed if spec.noise_seed is None else spec.noise_seed
    rng = np.random.default_rng([seed, 31])
    noise = detector_noise(1 - clean, spec.pixel_spacing_mm, spec.noise, rng)
    return np.clip(clean + noise, 0, SATURATION).astype(np.float32)
