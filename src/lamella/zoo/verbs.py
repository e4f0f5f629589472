"""The verbs a user calls, assembled from tasks and shipped networks."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from lamella.methods.bls_gan.infer import layer_images
from lamella.methods.bones.infer import BonesEstimate, estimate_bones
from lamella.methods.shares.calibrate import Calibration
from lamella.methods.shares.infer import separate_scene
from lamella.prepare.scene import scene
from lamella.records import BoneMasks, LamellaError, Layers, Radiograph
from lamella.tasks.segmentation import segment_joint
from lamella.tasks.separation import separate_as_published, separate_joint
from lamella.types import Absorbance, BoneStack, Image, Mask
from lamella.zoo import models

BONES = "bones"
SHARES = "shares"
BLS_GAN = "bls-gan"
EXACT = "exact"
METHODS = (EXACT, BLS_GAN)


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
        method: ``exact``, or ``bls-gan``: as published, for comparison; its layers recompose
            the radiograph only nearly and come without uncertainty.

    Raises:
        LamellaError: masks of another size, empty or not two; an image that segmentation
            refuses; no soft tissue visible; no such method.
    """
    _refuse_bare_array(radiograph)
    if method not in METHODS:
        raise LamellaError(f"expected a method of {', '.join(METHODS)}, got {method!r}")
    found = segment(radiograph) if masks is None else masks
    if method == BLS_GAN:
        return separate_as_published(radiograph, found, _predict, f"bls-gan {_short_sha(BLS_GAN)}")
    return separate_joint(radiograph, found, _estimate, f"{SHARES} {_short_sha(SHARES)}")


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


def _estimate(
    absorbance: Absorbance, masks: Sequence[Mask], spacing_mm: float
) -> tuple[Absorbance, BoneStack, Image]:
    joint = scene(absorbance, masks, spacing_mm)
    return separate_scene(joint, lambda batch: models.run(SHARES, batch)[0], _calibration())


def _predict(joint: Image, masks: Sequence[Mask]) -> tuple[BoneStack, float]:
    def runner(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        layers, k = models.run(BLS_GAN, batch)
        return layers, k

    return layer_images(joint, masks, runner)


@lru_cache
def _calibration() -> Calibration:
    return Calibration.of(models.card(SHARES)["calibration"])


def _short_sha(name: str) -> str:
    return str(models.card(name)["sha256"])[:12]
