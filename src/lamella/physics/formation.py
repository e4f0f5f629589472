"""Image formation in absorbance, for n layers, on NumPy arrays and torch tensors alike.

A radiograph multiplies transmittances; absorbance ``a = -ln(1 - I)`` turns the product into
a sum: ``a = a_soft + sum_i a_bone_i`` (Beer-Lambert). BLS-GAN's Eq. 1 (arXiv 2409.07304) is
the same law with a constant soft tissue; see :func:`bls_gan_composition`.
"""

from array_api_compat import array_namespace

from lamella.types import Array

SMALLEST_PRESENCE = 1e-12
LOWEST_SCORE = -1e9
SMALLEST_K = 0.05
"""Transmittance below which a layer image is not divided by it (Eq. 1)."""

WIDEST_SHARE_SD = 0.5
"""No quantity in [0, 1] has a larger standard deviation (Popoviciu 1935)."""


def absorbance(intensity: Array, grey_level: float) -> Array:
    """Absorbance of an intensity image, any shape.

    ``a = -ln(1 - min(I, 1 - grey_level / 2))``: pixels within half a grey level of white hold
    no more than that bound (see :func:`saturated`).

    Args:
        intensity: in [0, 1], bone bright.
        grey_level: step between neighbouring grey levels of the source, 1/255 for 8 bit.

    Example:
        >>> import numpy as np
        >>> float(round(absorbance(np.float64(0.5), 1 / 255), 4))
        0.6931
    """
    xp = array_namespace(intensity)
    return -xp.log1p(-xp.clip(intensity, 0.0, 1.0 - 0.5 * grey_level))


def intensity(absorbance: Array) -> Array:
    """Intensity of an absorbance, any shape: ``I = 1 - exp(-a)``, inverting :func:`absorbance`."""
    return -array_namespace(absorbance).expm1(-absorbance)


def saturated(intensity: Array, grey_level: float) -> Array:
    """Where the absorbance is only a lower bound: ``I > 1 - grey_level / 2``, bool, same shape."""
    return intensity > 1.0 - 0.5 * grey_level


def superpose(soft: Array, bones: Array) -> Array:
    """Absorbance of all layers together: ``a = a_soft + sum_i a_bone_i``.

    Args:
        soft: (..., row, col).
        bones: (..., bone, row, col); the order of the bones does not matter.
    """
    return soft + array_namespace(bones).sum(bones, axis=-3)


def split_by_shares(absorbance: Array, soft: Array, shares: Array) -> tuple[Array, Array]:
    """Layers that add up to ``absorbance`` whatever the estimates are: the exact head.

    ``a_soft' = clip(a_soft, 0, a)`` where a bone is and ``a`` elsewhere;
    ``a_bone_i = share_i (a - a_soft')``.

    Args:
        absorbance: observed, (..., row, col).
        soft: estimate of the soft tissue's absorbance, (..., row, col).
        shares: (..., bone, row, col), at least 0, adding up to 1 where a bone is and to 0
            elsewhere (:func:`shares_of_present`).

    Returns:
        soft tissue (..., row, col) and bones (..., bone, row, col).
    """
    xp = array_namespace(absorbance)
    anyone = xp.sum(shares, axis=-3)
    bounded = xp.minimum(xp.clip(soft, 0.0, None), absorbance)
    bone = anyone * (absorbance - bounded)
    return xp.clip(absorbance - bone, 0.0, None), shares * (absorbance - bounded)[..., None, :, :]


def shares_of_present(logits: Array, presence: Array) -> Array:
    """Shares that add up to 1 over the bones present at a pixel, and to 0 where none is.

    ``share_i = p_i exp(z_i) / sum_j p_j exp(z_j)``: a softmax weighted by the matte ``p`` of
    each bone, so a share fades with its bone's edge and a lone bone keeps everything.

    Args:
        logits: (..., bone, row, col).
        presence: matte of each bone in [0, 1], (..., bone, row, col).
    """
    xp = array_namespace(logits)
    present = presence > SMALLEST_PRESENCE
    scores = logits + xp.log(xp.clip(presence, SMALLEST_PRESENCE, None))
    scores = xp.where(present, scores, LOWEST_SCORE)  # of the bones that are there, at any logit
    weights = xp.where(present, xp.exp(scores - xp.max(scores, axis=-3, keepdims=True)), 0.0)
    total = xp.sum(weights, axis=-3, keepdims=True)
    return weights / xp.clip(total, SMALLEST_PRESENCE, None)


def bls_gan_composition(layer_images: Array, masks: Array, k: float) -> Array:
    """BLS-GAN's Eq. 1 as printed: one joint image from layer images.

    ``R = (1 - k prod_i (1 - (1 - (1 - L_i) / k) M_i)) M_union``, where ``k`` is the
    transmittance of the soft tissue that every layer image carries. With ``1 - L_i =
    k exp(-a_i)`` this is :func:`superpose` with ``a_soft = -ln k``.

    Args:
        layer_images: L, (..., bone, row, col), in [0, 1].
        masks: M, (..., bone, row, col), 0 or 1.
        k: in (0, 1].
    """
    xp = array_namespace(layer_images)
    bone_only = 1.0 - (1.0 - layer_images) / k
    transmittance = k * xp.prod(1.0 - bone_only * masks, axis=-3)
    return (1.0 - transmittance) * xp.max(masks, axis=-3)
