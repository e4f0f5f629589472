"""A vertebra drawn as it was, beside the vertebra as it really was.

A phantom's person is drawn once more without any fracture, at 1 mm and without noise. Both
vertebrae are read in their own axes (posterior, left, cranial; mm from the body's centre), so
that what lies between is the vertebra alone: *aligned* uses the axes measured on what was drawn;
*raw* the exact axes of the fractured vertebra, so that a drawing at another place or tilt than
the vertebra it replaces is charged for it.

    Dice = 2 |A and B| / (|A| + |B|),   PSNR = 10 log10(1100^2 / mean (a - b)^2),

attenuation in the window of -300 to 800 HU inside the box around the true body; SSIM in the same
box, three-dimensional, over 7 samples of 1 mm. A phantom's trabeculae are chance: nobody can
draw the true ones, and PSNR is bounded by that.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from lamella.evaluation.spine_cases import NAN, UNKNOWN, SpineCase, Triple, read_case, triple
from lamella.evaluation.spine_cohort import replace_fractures
from lamella.evaluation.spine_reading import AROUND_MM, ReadVertebra, read_phantom, read_straight
from lamella.methods.healthivert.channels import WINDOW_HU
from lamella.physics.phantoms.spine import SpinePhantom, SpinePhantomSpec, spine_phantom
from lamella.prepare.spine.curve import SpineCurve
from lamella.prepare.spine.straight import StraightSpine
from lamella.records import LamellaError, VertebraFrame, Zones

TRUE_SPACING_MM = 1.0
SSIM_SAMPLES = 7


@dataclass(frozen=True, kw_only=True, eq=False)
class TrueVertebra:
    """A vertebra before it fractured.

    Args:
        read: it, without noise.
        heights_mm: exact.
        fractured: its exact axes after the fracture.
    """

    read: ReadVertebra
    heights_mm: Zones
    fractured: VertebraFrame


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How like the true vertebra a drawn one is.

    Args:
        dice: of the bodies.
        psnr_db: in the box around the true body.
        ssim: in the same box.
    """

    dice: float = NAN
    psnr_db: float = NAN
    ssim: float = NAN


@dataclass(frozen=True, kw_only=True)
class DrawnCase:
    """One vertebra drawn by one method.

    Args:
        known: what is true of it.
        aligned: read in the axes of what was drawn.
        raw: read where the fractured vertebra was.
        height_error_mm: heights measured on the drawing minus the true ones.
        refused: why nothing was drawn, or None.
    """

    known: SpineCase
    aligned: Likeness = Likeness()
    raw: Likeness = Likeness()
    height_error_mm: Triple = UNKNOWN
    refused: str | None = None


def healthy_phantom(spec: SpinePhantomSpec) -> SpinePhantom:
    """The same person without fractures, at 1 mm, without noise."""
    return spine_phantom(
        replace(replace_fractures(spec, {}), spacing_mm=TRUE_SPACING_MM, noise_hu=0.0)
    )


def true_vertebra(
    healthy: SpinePhantom, observed: SpinePhantom, level: str, curve: SpineCurve
) -> TrueVertebra:
    """A vertebra of the unfractured person.

    Args:
        healthy: see :func:`healthy_phantom`.
        observed: the phantom that is restored.
        level: of the vertebra.
        curve: of ``healthy``.
    """
    return TrueVertebra(
        read=read_phantom(healthy, level, curve),
        heights_mm=healthy.healthy_heights[level],
        fractured=observed.frames[level],
    )


def drawn_case(
    known: SpineCase, true: TrueVertebra, restored: StraightSpine | LamellaError
) -> DrawnCase:
    """What was drawn of a vertebra against what it was.

    Args:
        known: its case, nothing said yet.
        true: it, before the fracture.
        restored: the spine with it drawn, or why it was not.
    """
    if isinstance(restored, LamellaError):
        return DrawnCase(known=known, refused=str(restored))
    found = read_straight(restored, known.level)
    if not all(np.isfinite(triple(found.heights_mm))):
        return DrawnCase(known=known, refused="what was drawn has no endplates")
    return DrawnCase(
        known=known,
        aligned=likeness(found, found.frame, true.read),
        raw=likeness(found, true.fractured, true.read),
        height_error_mm=difference(triple(found.heights_mm), triple(true.heights_mm)),
    )


def likeness(drawn: ReadVertebra, frame: VertebraFrame, true: ReadVertebra) -> Likeness:
    """A drawn vertebra read in given axes against the true one in its own.

    Args:
        drawn: what was drawn.
        frame: axes to read it in.
        true: what it should be.
    """
    wide, box = true.samples(AROUND_MM), true.samples(0.0)
    first, second = drawn.body_at(frame.to_world(wide)), true.body_at(true.frame.to_world(wide))
    seen = np.clip(drawn.hu_at(frame.to_world(box)), *WINDOW_HU)
    was = np.clip(true.hu_at(true.frame.to_world(box)), *WINDOW_HU)
    span = WINDOW_HU[1] - WINDOW_HU[0]
    error = max(float(np.mean(np.square(seen - was))), 1e-6)
    return Likeness(
        dice=dice(first, second),
        psnr_db=float(10.0 * np.log10(span**2 / error)),
        ssim=float(structural_similarity(seen, was, win_size=SSIM_SAMPLES, data_range=span)),
    )


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """``2 |A and B| / (|A| + |B|)`` of two masks; 0 when both are empty.

    Example:
        >>> dice(np.array([True, True]), np.array([True, False]))
        0.666...
    """
    both = float(first.sum() + second.sum())
    return 2.0 * float((first & second).sum()) / both if both else 0.0


def difference(found: Triple, true: Triple) -> Triple:
    """Third by third."""
    return (found[0] - true[0], found[1] - true[1], found[2] - true[2])


def plain_drawn(case: DrawnCase) -> dict[str, Any]:
    """A case as JSON holds it."""
    return asdict(case)


def read_drawn(row: Mapping[str, Any]) -> DrawnCase:
    """A case from JSON."""
    return DrawnCase(
        known=read_case(row["known"]),
        aligned=Likeness(**row["aligned"]),
        raw=Likeness(**row["raw"]),
        height_error_mm=tuple(row["height_error_mm"]),
        refused=row["refused"],
    )
