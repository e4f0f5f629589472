"""The separators that ship, by name."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

import numpy as np

from lamella.methods.bls_gan.infer import layer_images
from lamella.methods.lsn import infer as lsn
from lamella.methods.shares import infer as shares
from lamella.methods.shares.calibrate import Calibration
from lamella.prepare.scene import scene
from lamella.records import Layers, Radiograph
from lamella.tasks.separation import (
    separate_as_published,
    separate_into_intensities,
    separate_joint,
)
from lamella.types import Absorbance, BoneStack, Image, Mask
from lamella.zoo import models

Separator = Callable[[Radiograph, Mapping[str, Mask]], Layers]

SHARES = "shares"
BLS_GAN = "bls-gan"
LSN = "lsn"
LSN_AS_PUBLISHED = "lsn-as-published"


def separators() -> dict[str, Separator]:
    """Name -> separator: ``exact`` and ``lsn`` are exact, the others as published."""
    return {
        "exact": partial(separate_joint, estimate=_by_shares, method=_named(SHARES)),
        LSN: partial(separate_joint, estimate=_by_soft_shares, method=_named(LSN)),
        BLS_GAN: partial(separate_as_published, predict=_layers_and_k, method=_named(BLS_GAN)),
        LSN_AS_PUBLISHED: partial(
            separate_into_intensities, predict=_three_layers, method=_named(LSN_AS_PUBLISHED)
        ),
    }


def _by_shares(
    absorbance: Absorbance, masks: Sequence[Mask], spacing_mm: float
) -> tuple[Absorbance, BoneStack, Image]:
    joint = scene(absorbance, masks, spacing_mm)
    return shares.separate_scene(
        joint, lambda batch: models.run(SHARES, batch)[0], _calibration(SHARES)
    )


def _by_soft_shares(
    absorbance: Absorbance, masks: Sequence[Mask], spacing_mm: float
) -> tuple[Absorbance, BoneStack, Image]:
    joint = scene(absorbance, masks, spacing_mm)
    return lsn.separate_scene(
        joint, lambda batch: models.run(LSN, batch)[0], _calibration(LSN).factor
    )


def _layers_and_k(joint: Image, masks: Sequence[Mask]) -> tuple[BoneStack, float]:
    def runner(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        layers, k = models.run(BLS_GAN, batch)
        return layers, k

    return layer_images(joint, masks, runner)


def _three_layers(joint: Image, masks: Sequence[Mask], context: Mask) -> tuple[Image, BoneStack]:
    return lsn.layer_images(
        joint, masks, context, lambda batch: models.run(LSN_AS_PUBLISHED, batch)[0]
    )


@lru_cache
def _calibration(name: str) -> Calibration:
    return Calibration.of(models.card(name)["calibration"])


def _named(name: str) -> str:
    """Name of a network with the beginning of its weights' digest."""
    return f"{name} {str(models.card(name)['sha256'])[:12]}"
