"""Joint space widths with a known answer: phantoms, real joints at commanded widths, visits."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import track

from lamella.io.datasets import (
    PUBLISHED_SPACING_MM,
    LoadedJoint,
    joint_rows,
    load_joint,
    mask_faults,
)
from lamella.physics.phantoms import JointPhantom, random_joint_phantom, silhouettes
from lamella.records import JointSpace, LamellaError, Radiograph
from lamella.tasks.joint_width import EXACT, measure_joint_space
from lamella.zoo.verbs import adjustable, joint_space, separate

PHANTOMS = 200
PHANTOM_JSW_MM = (0.0, 3.0)
PHANTOM_SPACING_MM = (0.08, 0.2)
FIELD_MM = 21.0
OUTLINE_SPACING_MM = 0.04
COMMANDED_MM = (-0.5, 3.0)
COMMANDS_PER_JOINT = 2
SEED = 20251


@dataclass(frozen=True, kw_only=True)
class WidthCase:
    """One measured width and its known or commanded one.

    Args:
        joint: whose it is.
        known_mm: the answer.
        measured_mm: from the pixels.
        sd_mm: stated with the measurement.
    """

    joint: str
    known_mm: float
    measured_mm: float
    sd_mm: float

    @property
    def error_mm(self) -> float:
        """Measured minus known."""
        return self.measured_mm - self.known_mm


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A case without a measurement, and why."""

    joint: str
    why: str


Outcome = WidthCase | Refusal
Measure = Callable[[], JointSpace]


def phantom_widths(count: int = PHANTOMS) -> Iterator[tuple[Outcome, Outcome]]:
    """Phantoms of 0 to 3 mm at 0.08 to 0.2 mm per pixel, noise and blur as in hand radiographs.

    Yields:
        measured from the pixels alone, and with the phantom's own masks.
    """
    for number in track(range(count), "measuring phantoms"):
        phantom = wide_phantom(np.random.default_rng([SEED, number]))
        radiograph = Radiograph(
            pixels=np.round(phantom.intensity * 255) / np.float32(255),
            pixel_spacing_mm=phantom.spec.pixel_spacing_mm,
            grey_level=1 / 255,
        )
        name, known_mm = f"phantom {number}", geometric_width_mm(phantom)
        from_pixels = partial(joint_space, radiograph)
        with_masks = partial(joint_space, radiograph, phantom.masks)
        yield outcome(name, known_mm, from_pixels), outcome(name, known_mm, with_masks)


def geometric_width_mm(phantom: JointPhantom) -> float:
    """Width of a phantom's outlines by the written definition, drawn at ``OUTLINE_SPACING_MM``.

    The phantom's own ``jsw_mm`` is along the metacarpal's axis, which no image shows.
    """
    side = round(FIELD_MM / OUTLINE_SPACING_MM)
    fine = replace(phantom.spec, pixel_spacing_mm=OUTLINE_SPACING_MM, rows=side, cols=side)
    space = measure_joint_space(silhouettes(fine), OUTLINE_SPACING_MM, EXACT)
    return space.jsw_px * OUTLINE_SPACING_MM


def wide_phantom(rng: np.random.Generator) -> JointPhantom:
    """A random phantom with width and spacing spread evenly over the ranges above."""
    spacing_mm = float(rng.uniform(*PHANTOM_SPACING_MM))
    side = round(FIELD_MM / spacing_mm)
    jsw_mm = float(rng.uniform(*PHANTOM_JSW_MM))
    return random_joint_phantom(
        rng, jsw_mm=jsw_mm, pixel_spacing_mm=spacing_mm, rows=side, cols=side
    )


def commanded_widths(manifest: Path, *, drawn_baseline: bool) -> Iterator[Outcome]:
    """Real joints synthesised at commanded widths, segmented afresh and measured from pixels.

    ``COMMANDS_PER_JOINT`` widths of each, spread evenly over ``COMMANDED_MM``; the images are
    rounded to 8 bit. Widths that a joint cannot show are left out.

    Args:
        manifest: of real joints.
        drawn_baseline: separate with the masks drawn by hand; False: with segmented ones.
    """
    for number, joint in enumerate(sound(manifest)):
        rng = np.random.default_rng([SEED, 1, number])
        radiograph = replace(joint.radiograph, pixel_spacing_mm=PUBLISHED_SPACING_MM)
        try:
            bones = adjustable(separate(radiograph, joint.masks if drawn_baseline else None))
        except LamellaError as error:
            yield Refusal(joint=joint.row.joint, why=str(error))
            continue
        for wanted_mm in rng.uniform(*COMMANDED_MM, COMMANDS_PER_JOINT):
            try:
                made = bones.at(bones.posed(float(wanted_mm)))
            except LamellaError:
                continue
            levels = np.round(made.image / radiograph.grey_level) * radiograph.grey_level
            seen = replace(radiograph, pixels=np.clip(levels, 0.0, 1.0).astype(np.float32))
            yield outcome(joint.row.joint, float(wanted_mm), partial(joint_space, seen))


def visit_widths(manifest: Path, *, segmented: bool) -> dict[str, list[float]]:
    """Widths of joints with several visits: joint -> widths in mm.

    Their order and what happened in between is unknown: the spread bounds the error from above.
    """
    widths: dict[str, list[float]] = defaultdict(list)
    for joint in sound(manifest):
        radiograph = replace(joint.radiograph, pixel_spacing_mm=PUBLISHED_SPACING_MM)
        try:
            space = joint_space(radiograph, None if segmented else joint.masks)
        except LamellaError:
            continue
        widths[joint.row.joint].append(float(space.jsw_mm or 0.0))
    return {name: found for name, found in widths.items() if len(found) > 1}


def drawn_widths(manifest: Path) -> Iterator[Outcome]:
    """Width from segmented masks against width from masks drawn by hand, of the same image."""
    for joint in sound(manifest):
        radiograph = replace(joint.radiograph, pixel_spacing_mm=PUBLISHED_SPACING_MM)
        try:
            known = joint_space(radiograph, joint.masks).jsw_mm
        except LamellaError as error:
            yield Refusal(joint=joint.row.joint, why=str(error))
            continue
        yield outcome(joint.row.joint, float(known or 0.0), partial(joint_space, radiograph))


def sound(manifest: Path) -> Iterator[LoadedJoint]:
    """Joints of a manifest whose masks can be right."""
    for row in track(joint_rows(manifest), "measuring joints"):
        joint = load_joint(row)
        if not mask_faults(joint.upper, joint.lower):
            yield joint


def outcome(joint: str, known_mm: float, measure: Measure) -> Outcome:
    """A case, or why there is none."""
    try:
        space = measure()
    except LamellaError as error:
        return Refusal(joint=joint, why=str(error))
    return WidthCase(
        joint=joint,
        known_mm=known_mm,
        measured_mm=float(space.jsw_mm or 0.0),
        sd_mm=float(space.jsw_sd_mm or 0.0),
    )
