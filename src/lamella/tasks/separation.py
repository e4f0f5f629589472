"""Take a joint apart: one radiograph in, layers out that recompose it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lamella.methods.lsn.infer import context_of
from lamella.physics.formation import (
    WIDEST_SHARE_SD,
    absorbance,
    shares_of_present,
    split_by_shares,
)
from lamella.physics.soft_tissue import matte
from lamella.prepare.grid import JointGrid, NetworkImage, NetworkMask, NetworkStack
from lamella.prepare.masks import by_height, outline_agreement, reaching_border
from lamella.records import BoneMasks, LamellaError, Layers, Radiograph
from lamella.tasks.checks import refuse_unusable
from lamella.types import Absorbance, BoneStack, Image, Mask

Estimate = Callable[[Absorbance, Sequence[Mask], float], tuple[Absorbance, BoneStack, Image]]
"""(absorbance, masks top bone first, spacing in mm) on the network's grid -> soft tissue,
share of each bone (bone, row, col), standard deviation of the share (row, col)."""

Prediction = Callable[[Image, Sequence[Mask]], tuple[BoneStack, float]]
"""(joint image, masks top bone first) on the network's grid -> layer images (bone, row, col)
and k, the transmittance of the soft tissue."""

ThreeLayers = Callable[[Image, Sequence[Mask], Mask], tuple[Image, BoneStack]]
"""(joint image, masks top bone first, finger) on the network's grid -> intensity of the soft
tissue (row, col) and of each bone alone (bone, row, col)."""

BONES = 2
LEAST_OUTLINE_AGREEMENT = 0.8


def separate_joint(
    radiograph: Radiograph, masks: Mapping[str, Mask], estimate: Estimate, method: str
) -> Layers:
    """Separate two overlapping bones and their soft tissue, exactly recomposed.

    The estimate is made on the network's grid and brought back; the exact head
    (:func:`lamella.physics.formation.split_by_shares`) runs on the radiograph's own pixels.

    Args:
        radiograph: one finger joint.
        masks: name -> (row, col), two bones, in any order.
        estimate: see :data:`Estimate`.
        method: name written into the result.

    Raises:
        LamellaError: not two bones, masks of another size or image, refused masks, bones that
            are inverted or mostly saturated, no soft tissue visible.
    """
    joint = _prepared(radiograph, masks)
    soft, shares, share_sd = estimate(joint.seen, joint.small, joint.grid.spacing_mm)
    soft, bones = _exact(joint.grid, joint.observed, joint.stack, (soft, shares))
    return Layers(
        soft_absorbance=soft,
        bone_absorbance=dict(zip(joint.names, bones, strict=True)),
        masks=joint.given,
        radiograph=radiograph,
        share_sd=np.where(np.all(bones > 0, axis=0), joint.grid.to_native(share_sd), 0.0),
        method=method,
    )


def separate_as_published(
    radiograph: Radiograph, masks: Mapping[str, Mask], predict: Prediction, method: str
) -> Layers:
    """Separate as BLS-GAN does (arXiv 2409.07304): layer images and one k, predicted.

    Under the bones ``a_soft = -ln k`` and ``a_i = -ln(1 - L_i) - a_soft``, at least 0, so the
    layers recompose to Eq. 1, near the radiograph but not equal to it; beside the bones
    everything is soft tissue. The method states no uncertainty: ``share_sd`` is the widest
    there is in the overlap.

    Args:
        radiograph: one finger joint.
        masks: name -> (row, col), two bones, in any order.
        predict: see :data:`Prediction`.
        method: name written into the result.

    Raises:
        LamellaError: see :func:`separate_joint`.
    """
    joint = _prepared(radiograph, masks)
    images, k = predict(joint.grid.to_network(radiograph.pixels), joint.small)
    native = np.stack([joint.grid.to_native(image) for image in images])
    stack = np.stack(joint.stack)
    soft = np.where(stack.any(axis=0), np.float32(-np.log(k)), joint.observed).astype(np.float32)
    layers = np.asarray(absorbance(native, radiograph.grey_level), np.float32)
    bones = np.maximum(layers - soft, 0.0) * stack
    return Layers(
        soft_absorbance=soft,
        bone_absorbance=dict(zip(joint.names, bones, strict=True)),
        masks=joint.given,
        radiograph=radiograph,
        share_sd=np.where(stack.all(axis=0), np.float32(WIDEST_SHARE_SD), np.float32(0.0)),
        method=method,
    )


def separate_into_intensities(
    radiograph: Radiograph, masks: Mapping[str, Mask], predict: ThreeLayers, method: str
) -> Layers:
    """Separate as LSN does (arXiv 2502.01972): three layer intensities, predicted.

    ``a = -ln(1 - L)`` of each, so the layers recompose to ``1 - prod(1 - L)``, near the
    radiograph but not equal to it; beyond the finger, where no layer is predicted, everything is
    soft tissue. The method states no uncertainty: ``share_sd`` is the widest there is in the
    overlap.

    Args:
        radiograph: one finger joint.
        masks: name -> (row, col), two bones, in any order.
        predict: see :data:`ThreeLayers`.
        method: name written into the result.

    Raises:
        LamellaError: see :func:`separate_joint`.
    """
    joint = _prepared(radiograph, masks)
    finger = context_of(joint.seen, np.any(joint.small, axis=0))
    soft, images = predict(joint.grid.to_network(radiograph.pixels), joint.small, finger)
    found, *bones = (
        np.asarray(absorbance(joint.grid.to_native(image), radiograph.grey_level), np.float32)
        for image in (soft, *images)
    )
    stack = np.stack(joint.stack)
    inside = joint.grid.to_native(finger.astype(np.float32)) >= 0.5
    return Layers(
        soft_absorbance=np.where(inside, found, joint.observed).astype(np.float32),
        bone_absorbance=dict(zip(joint.names, np.stack(bones) * stack, strict=True)),
        masks=joint.given,
        radiograph=radiograph,
        share_sd=np.where(stack.all(axis=0), np.float32(WIDEST_SHARE_SD), np.float32(0.0)),
        method=method,
    )


@dataclass(frozen=True, kw_only=True)
class _Joint:
    """A checked joint: masks as given and reaching the border, absorbance, network's grid."""

    given: BoneMasks
    names: list[str]
    stack: list[Mask]
    observed: Absorbance
    grid: JointGrid
    seen: NetworkImage
    small: list[NetworkMask]


def _prepared(radiograph: Radiograph, masks: Mapping[str, Mask]) -> _Joint:
    given = usable_masks(radiograph, masks)
    refuse_unusable(radiograph, given)
    names = by_height(given)
    grid = JointGrid.of(radiograph)
    reaching = reaching_border(given)
    stack = [reaching[name] for name in names]
    observed = np.asarray(absorbance(radiograph.pixels, radiograph.grey_level))
    small = [grid.mask_to_network(mask) for mask in stack]
    if not all(mask.any() for mask in small):
        raise LamellaError(
            "a bone mask is too small for a joint of this size: are mask and spacing right?"
        )
    seen = grid.to_network(observed)
    _refuse_foreign(outline_agreement(seen, dict(zip(names, small, strict=True)), grid.spacing_mm))
    return _Joint(
        given=given,
        names=names,
        stack=stack,
        observed=observed,
        grid=grid,
        seen=seen,
        small=small,
    )


def usable_masks(radiograph: Radiograph, masks: Mapping[str, Mask]) -> BoneMasks:
    """The masks as a record, checked against the radiograph.

    Raises:
        LamellaError: see :func:`separate_joint`.
    """
    if not isinstance(masks, Mapping):
        raise LamellaError(
            f"expected masks by bone name, got {type(masks).__name__}: "
            'give {"upper": array, "lower": array}'
        )
    given = masks if isinstance(masks, BoneMasks) else BoneMasks(masks=masks)
    if given.refused is not None:
        raise LamellaError(f"this image was not accepted as a finger joint: {given.refused}")
    if len(given) != BONES:
        raise LamellaError(
            f"expected the masks of two bones, got {len(given)}: give the upper and the lower one"
        )
    if given.shape != radiograph.shape:
        raise LamellaError(
            f"expected masks of {radiograph.shape} pixels like the image, got {given.shape}"
        )
    return given


def _refuse_foreign(agreement: float) -> None:
    if agreement < LEAST_OUTLINE_AGREEMENT:
        raise LamellaError(
            f"the masks do not fit the image: only {agreement:.0%} of their outline is a bone's "
            "edge (masks of another image, or an inverted radiograph?)"
        )


def _exact(
    grid: JointGrid,
    observed: Absorbance,
    masks: Sequence[Mask],
    estimate: tuple[NetworkImage, NetworkStack],
) -> tuple[Absorbance, BoneStack]:
    soft, shares = estimate
    if grid.zoom == 1.0:
        return split_by_shares(observed, soft, shares)
    mattes = np.stack([matte(mask, grid.native_spacing_mm) for mask in masks])
    native = np.stack([grid.to_native(share) for share in shares])
    native = shares_of_present(np.log(np.clip(native, 1e-6, 1.0)), (mattes > 0).astype(np.float32))
    under = np.minimum(grid.to_native(soft), observed)
    blended = observed - mattes.max(axis=0) * (observed - under)
    return split_by_shares(observed, blended.astype(np.float32), native.astype(np.float32))
