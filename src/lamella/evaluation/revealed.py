"""The soft tissue that shows when the bones leave: what a synthetic joint is built on.

Every row gives the absorbance of the soft layer where bones were, its grain included.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamella.evaluation.rows import LAMELLA
from lamella.evaluation.three_layer_rows import EXACT, SHIPPED, LayersOf, three_layer_rows
from lamella.physics.formation import absorbance
from lamella.physics.grain import visible_tissue
from lamella.physics.soft_tissue import matte
from lamella.prepare.masks import by_height, reaching_border
from lamella.records import LamellaError, Radiograph
from lamella.types import Absorbance, Mask
from lamella.zoo.verbs import adjustable, separate

INPAINT_RADIUS_PX = 5
GREY_LEVELS = 255
SMEAR = "Lamella without grain"
CUT = "cut along the masks, inpainted (Telea)"

Revealed = Callable[[Radiograph, Mapping[str, Mask]], Absorbance]
"""Radiograph and two masks -> absorbance of the soft layer alone, (row, col)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Former:
    """Where bones were and where soft tissue can be seen, the same for every row.

    Args:
        radiograph: with its spacing.
        observed: absorbance of the radiograph, (row, col): what tissue looks like where it shows.
        masks: as drawn, continued to the image border, top bone first.
        hidden: within the soft edge of a bone, (row, col).
        visible: soft tissue that no bone hides, away from air, (row, col).
    """

    radiograph: Radiograph
    observed: Absorbance
    masks: Mapping[str, Mask]
    hidden: Mask
    visible: Mask

    @classmethod
    def of(cls, radiograph: Radiograph, masks: Mapping[str, Mask]) -> "Former":
        """The regions of a radiograph.

        Raises:
            LamellaError: its spacing is unknown.
        """
        spacing_mm = radiograph.pixel_spacing_mm
        if spacing_mm is None:
            raise LamellaError("expected a known pixel spacing, got none: give it in mm")
        reaching = reaching_border(masks)
        hidden = np.any([matte(mask, spacing_mm) > 0 for mask in reaching.values()], axis=0)
        observed = np.asarray(absorbance(radiograph.pixels, radiograph.grey_level), np.float32)
        return cls(
            radiograph=radiograph,
            observed=observed,
            masks={name: reaching[name] for name in by_height(masks)},
            hidden=hidden,
            visible=visible_tissue(observed, hidden, spacing_mm),
        )

    @property
    def spacing_mm(self) -> float:
        """Millimetres per pixel."""
        spacing_mm = self.radiograph.pixel_spacing_mm
        assert spacing_mm is not None
        return spacing_mm

    @property
    def bone(self) -> Mask:
        """Inside either outline, (row, col)."""
        return np.asarray(np.any(list(self.masks.values()), axis=0))


def revealed_rows(networks: Path | None = None) -> dict[str, Revealed]:
    """Rows of the soft-tissue table: every separator, and two that are plainly wrong.

    Args:
        networks: folder of trained networks, further rows.
    """
    exact = {SHIPPED[method] for method in EXACT}
    rows = {
        name: with_grain(layers_of) if name in exact else predicted(layers_of)
        for name, layers_of in three_layer_rows(networks).items()
    }
    return {LAMELLA: rows.pop(LAMELLA), SMEAR: without_grain, CUT: cut_and_inpainted, **rows}


def with_grain(layers_of: LayersOf) -> Revealed:
    """What :func:`lamella.synthesize` shows when both bones have left."""

    def revealed(radiograph: Radiograph, masks: Mapping[str, Mask]) -> Absorbance:
        joint = adjustable(layers_of(radiograph, masks))
        return np.asarray(np.maximum(joint.soft + joint.grain * joint.matte, 0.0), np.float32)

    return revealed


def predicted(layers_of: LayersOf) -> Revealed:
    """The soft layer as a separator gives it."""
    return lambda radiograph, masks: layers_of(radiograph, masks).soft_absorbance


def without_grain(radiograph: Radiograph, masks: Mapping[str, Mask]) -> Absorbance:
    """The smooth soft tissue alone: a smear where bones were."""
    return separate(radiograph, masks).soft_absorbance


def cut_and_inpainted(radiograph: Radiograph, masks: Mapping[str, Mask]) -> Absorbance:
    """Bones cut out along their masks, the hole inpainted (Telea 2004): edges stay, a ghost."""
    import cv2

    hole = np.any(list(reaching_border(masks).values()), axis=0).astype(np.uint8)
    levels = np.round(radiograph.pixels * GREY_LEVELS).astype(np.uint8)
    painted = cv2.inpaint(levels, hole, INPAINT_RADIUS_PX, cv2.INPAINT_TELEA)
    pixels = painted.astype(np.float32) / np.float32(GREY_LEVELS)
    return np.asarray(absorbance(pixels, radiograph.grey_level), np.float32)
