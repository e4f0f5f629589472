"""The verbs a user calls, assembled from tasks and shipped networks."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from lamella.methods.bones.infer import BonesEstimate, estimate_bones
from lamella.prepare.overlap import SMALLEST_OVERLAP_PX
from lamella.records import (
    BoneMasks,
    JointSpace,
    LamellaError,
    Layers,
    Radiograph,
    SyntheticJoint,
)
from lamella.tasks.joint_width import DRAWN, OutlineError, measure_joint_space
from lamella.tasks.segmentation import segment_joint
from lamella.tasks.separation import usable_masks
from lamella.tasks.synthesis import AdjustableJoint
from lamella.types import Image, Mask
from lamella.zoo import models
from lamella.zoo.separators import separators

BONES = "bones"
EXACT = "exact"
SEGMENTED = "segmented"


def segment(radiograph: Radiograph) -> BoneMasks:
    """Find the upper and the lower bone of a finger joint.

    Args:
        radiograph: one finger joint, phalanx above metacarpal; any size and spacing.

    Returns:
        masks on the radiograph's grid, which may overlap, with ``confidence``, ``flags`` and
        ``refused`` (why it is not accepted as a finger joint, or None).

    Example:
        >>> import lamella
        >>> from lamella.physics.phantoms import joint_phantom
        >>> phantom = joint_phantom()
        >>> masks = lamella.segment(lamella.Radiograph(pixels=phantom.intensity))
        >>> sorted(masks), masks.refused
        (['lower', 'upper'], None)
    """
    _refuse_bare_array(radiograph)
    return segment_joint(radiograph, _find)


def separate(
    radiograph: Radiograph, masks: Mapping[str, Mask] | None = None, method: str = EXACT
) -> Layers:
    """Take a finger joint apart into soft tissue, upper bone and lower bone.

    ``a = a_soft + sum_i a_bone_i`` holds to rounding whatever the networks say
    (:mod:`lamella.physics.formation`); the network decides whose the bone absorbance is where
    the bones overlap, and how sure that is.

    Args:
        radiograph: one finger joint.
        masks: name -> bool (row, col) of both bones; segmented when absent.
        method: ``exact``; ``lsn``: exact too, its network also corrects the soft tissue under all
            of both bones; ``bls-gan`` and ``lsn-as-published``: for comparison, their layers
            recompose the radiograph only nearly and come without uncertainty.

    Raises:
        LamellaError: masks of another size, empty or not two; an image that segmentation
            refuses; no soft tissue visible; no such method.
    """
    _refuse_bare_array(radiograph)
    known = separators()
    if method not in known:
        raise LamellaError(f"expected a method of {', '.join(known)}, got {method!r}")
    return known[method](radiograph, segment(radiograph) if masks is None else masks)


def joint_space(radiograph: Radiograph, masks: Mapping[str, Mask] | None = None) -> JointSpace:
    """Measure the joint space: width, minimum, area, contact, with their uncertainty.

    Args:
        radiograph: one finger joint.
        masks: name -> bool (row, col) of both bones; segmented when absent.

    Raises:
        LamellaError: an image that segmentation refuses; masks that are no joint's
            (:func:`lamella.tasks.joint_width.measure_joint_space`).

    Example:
        >>> import lamella
        >>> from lamella.physics.phantoms import joint_phantom
        >>> phantom = joint_phantom()
        >>> radiograph = lamella.Radiograph(pixels=phantom.intensity, pixel_spacing_mm=0.082)
        >>> abs(lamella.joint_space(radiograph, phantom.masks).jsw_mm - phantom.jsw_mm) < 0.1
        True
    """
    _refuse_bare_array(radiograph)
    found = usable_masks(radiograph, segment(radiograph) if masks is None else masks)
    spacing_mm, source = radiograph.pixel_spacing_mm, radiograph.spacing_source
    return measure_joint_space(found, spacing_mm, outline_error(found), source)


def synthesize(
    layers: Layers | AdjustableJoint,
    jsw_mm: float | None = None,
    shift_mm: float = 0.0,
    rotation_deg: float = 0.0,
) -> SyntheticJoint:
    """Put a joint together again at another joint space width. Research use only.

    Args:
        layers: as :func:`separate` gives them; or an :class:`AdjustableJoint` made of them once,
            from which many joints come fast.
        jsw_mm: wanted width, mm, negative to overlap; None: the bones keep their distance.
        shift_mm: of the upper bone to the right against the lower one, mm.
        rotation_deg: of the upper bone against the lower one, counter-clockwise.

    Raises:
        LamellaError: the spacing is unknown; a bone would have to leave the finger or to move
            farther than the image can show (:mod:`lamella.tasks.synthesis`).

    Example:
        >>> import lamella
        >>> from lamella.physics.phantoms import joint_phantom
        >>> phantom = joint_phantom()
        >>> radiograph = lamella.Radiograph(pixels=phantom.intensity, pixel_spacing_mm=0.082)
        >>> layers = lamella.separate(radiograph, phantom.masks)
        >>> round(lamella.synthesize(layers, jsw_mm=0.8).jsw_mm, 3)
        0.8
    """
    joint = layers if isinstance(layers, AdjustableJoint) else adjustable(layers)
    return joint.at(joint.posed(jsw_mm, shift_mm, rotation_deg))


def adjustable(layers: Layers, seed: int = 0) -> AdjustableJoint:
    """Prepare layers once for many synthetic joints.

    Args:
        layers: as :func:`separate` gives them.
        seed: of the grain drawn where bones hid the soft tissue.

    Raises:
        LamellaError: not layers, or their joint space cannot be measured.
    """
    if not isinstance(layers, Layers):
        raise LamellaError(
            f"expected Layers, got {type(layers).__name__}: use lamella.separate(radiograph)"
        )
    return AdjustableJoint.of(layers, outline_error(layers.masks), seed)


def outline_error(masks: BoneMasks) -> OutlineError:
    """How wrong the outlines of masks are: of segmented ones as calibrated, else as drawn."""
    if SEGMENTED not in masks.origin:
        return DRAWN
    return _outline_errors()[
        "overlapping" if masks.overlap.sum() >= SMALLEST_OVERLAP_PX else "apart"
    ]


def _refuse_bare_array(radiograph: object) -> None:
    if not isinstance(radiograph, Radiograph):
        raise LamellaError(
            f"expected a Radiograph, got {type(radiograph).__name__}: use lamella.read(path), or "
            "lamella.Radiograph(pixels=array, pixel_spacing_mm=...)"
        )


def _find(pixels: Image) -> BonesEstimate:
    def runner(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        masks, whole = models.run(BONES, batch)
        return masks, whole

    return estimate_bones(pixels, runner)


@lru_cache
def _outline_errors() -> dict[str, OutlineError]:
    fitted = models.card(BONES)["outline_error"]
    return {
        kind: OutlineError(offset_mm=found["offset_mm"], ripple_mm=found["ripple_mm"])
        for kind, found in fitted.items()
    }
