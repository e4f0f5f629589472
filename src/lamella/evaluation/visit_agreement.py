"""How well a separated layer agrees with the same bone at another visit, inside the overlap."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lamella.evaluation.bone_pairs import BonePair
from lamella.types import Image, Mask

MEASURES = ("ncc", "gradient_correlation", "mse", "signed_error")


@dataclass(frozen=True, kw_only=True)
class VisitAgreement:
    """Figures of one layer, or the mean of several weighted by their pixels.

    Args:
        ncc: normalised cross-correlation of intensity over the overlap pixels.
        gradient_correlation: ``sum grad L . grad B / sqrt(sum |grad L|^2 sum |grad B|^2)``, the
            differences of neighbours that both show this bone alone at the other visit, at least
            one of them in the overlap; not centred, so that a rim's own slope counts.
        mse: mean squared difference of intensity, gain and offset matched outside the overlap.
        signed_error: mean difference, positive where the layer is too bright.
        pixels: compared.
    """

    ncc: float
    gradient_correlation: float
    mse: float
    signed_error: float
    pixels: int


def visit_agreement(layer: Image, pair: BonePair, inside: Mask | None = None) -> VisitAgreement:
    """Compare a layer image (row, col) with the reference of a pair.

    Args:
        layer: of ``pair.bone`` at ``pair.visit``.
        pair: see :class:`BonePair`.
        inside: pixels to compare when not the overlap's.
    """
    where = pair.inside if inside is None else inside
    found, true = layer[where].astype(np.float64), pair.reference[where].astype(np.float64)
    slopes = [_differences(image, where, pair.usable) for image in (layer, pair.reference)]
    return VisitAgreement(
        ncc=_cosine(found - found.mean(), true - true.mean()),
        gradient_correlation=_cosine(*slopes),
        mse=float(np.square(found - true).mean()),
        signed_error=float((found - true).mean()),
        pixels=int(where.sum()),
    )


def pooled(parts: Iterable[VisitAgreement]) -> VisitAgreement:
    """Mean of several agreements, each weighted by its pixels."""
    known = list(parts)
    pixels = [part.pixels for part in known]
    means = {
        name: float(np.average([getattr(part, name) for part in known], weights=pixels))
        for name in MEASURES
    }
    return VisitAgreement(pixels=sum(pixels), **means)


def _differences(image: Image, inside: Mask, usable: Mask) -> np.ndarray:
    """Differences of neighbours along rows and columns, one after the other."""
    parts = []
    for axis in (0, 1):
        here, there = (
            np.moveaxis(np.stack([image, inside, usable]), axis + 1, 1)[:, cut]
            for cut in (slice(None, -1), slice(1, None))
        )
        counted = (here[2] * there[2] > 0) & (here[1] + there[1] > 0)
        parts.append((there[0] - here[0])[counted])
    return np.concatenate(parts).astype(np.float64)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    energy = float((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / np.sqrt(energy)) if energy > 0 else 0.0
