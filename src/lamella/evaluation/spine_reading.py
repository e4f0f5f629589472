"""A vertebra read out of a volume: what surrounds it, its soft body, its own axes and heights.

Bodies are occupancies smoothed by 0.6 of a voxel and cut at one half, as heights are measured
(:mod:`lamella.prepare.spine.endplates`): a label's staircase is not part of a shape.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from lamella.physics.phantoms.spine import SpinePhantom
from lamella.physics.vertebra_zones import zone_heights
from lamella.prepare.spine.centroids import indexed
from lamella.prepare.spine.curve import SpineCurve, from_world, to_world
from lamella.prepare.spine.endplates import (
    BLUR,
    Occupancy,
    Section,
    mapped,
    occupancy_of,
    section,
)
from lamella.prepare.spine.measure import start_frame
from lamella.prepare.spine.straight import StraightSpine
from lamella.records import VERSE_IDS, LamellaError, VertebraFrame, Zones
from lamella.types import Affine, Places, Volume

SAMPLE_MM = 1.0
AROUND_MM = 9.0
DARK_HU = -1000.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadVertebra:
    """A vertebra in space.

    Args:
        hu: attenuation around it.
        affine: of ``hu``.
        body: its soft body.
        frame: its own axes, measured.
        sides: its middle cross-section.
        heights_mm: measured.
    """

    hu: Volume
    affine: Affine
    body: Occupancy
    frame: VertebraFrame
    sides: Section
    heights_mm: Zones

    def hu_at(self, places_mm: Places) -> np.ndarray:
        """Attenuation at RAS places (..., 3)."""
        at = np.moveaxis(indexed(self.affine, places_mm), -1, 0)
        return np.asarray(
            ndimage.map_coordinates(self.hu, at, order=1, mode="constant", cval=DARK_HU), np.float32
        )

    def body_at(self, places_mm: Places) -> np.ndarray:
        """Whether RAS places (..., 3) lie in the body."""
        return np.asarray(self.body.at(places_mm) > 0.5)

    def samples(self, beyond_mm: float) -> Places:
        """(posterior, left, cranial) of a grid over the box around the body, (n, m, k, 3) mm."""
        tallest = max(value for _, value in self.heights_mm)
        spans = (np.ptp(self.sides.depth_range_mm), np.ptp(self.sides.width_range_mm), tallest)
        axes = [
            np.arange(-half, half + 1) * SAMPLE_MM
            for half in (round(float(span) / 2.0 + beyond_mm) for span in spans)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def read_phantom(phantom: SpinePhantom, level: str, curve: SpineCurve) -> ReadVertebra:
    """A vertebra of a phantom, by its exact body.

    Args:
        phantom: it.
        level: of the vertebra.
        curve: the phantom's axis.
    """
    body = occupancy_of(phantom.bodies, phantom.ct.affine, level)
    return _read(phantom.ct.hu, phantom.ct.affine, body, curve)


def read_straight(straight: StraightSpine, level: str) -> ReadVertebra:
    """A vertebra of a straight spine, brought back into space on a grid of 1 mm of its own.

    Raises:
        LamellaError: no such body.
    """
    inside = straight.bodies == VERSE_IDS[level]
    if straight.hu is None or not inside.any():
        raise LamellaError(f"no body of {level} in the straight spine, or no CT")
    places = to_world(straight.curve, straight.placed(np.argwhere(inside).astype(np.float64)))
    low, high = places.min(axis=0) - AROUND_MM, places.max(axis=0) + AROUND_MM
    shape = np.ceil((high - low) / SAMPLE_MM).astype(int) + 1
    world = low + SAMPLE_MM * np.moveaxis(np.indices(shape), 0, -1)
    at = np.moveaxis(straight.indexed(from_world(straight.curve, world)), -1, 0)
    read = partial(ndimage.map_coordinates, coordinates=at, order=1, mode="constant")
    soft = ndimage.gaussian_filter(inside.astype(np.float32), BLUR)
    affine = np.diag([SAMPLE_MM, SAMPLE_MM, SAMPLE_MM, 1.0])
    affine[:3, 3] = low
    body = _soft_body(np.asarray(read(soft, cval=0.0), np.float32), affine)
    return _read(
        np.asarray(read(straight.hu, cval=DARK_HU), np.float32), affine, body, straight.curve
    )


def _soft_body(values: Volume, affine: Affine) -> Occupancy:
    places = np.argwhere(values > 0.5) @ affine[:3, :3].T + affine[:3, 3]
    middle = places.mean(axis=0)
    reach = float(np.linalg.norm(places - middle, axis=1).max())
    return Occupancy(values=values, affine=affine, middle_mm=middle, reach_mm=reach + SAMPLE_MM)


def _read(hu: Volume, affine: Affine, body: Occupancy, curve: SpineCurve) -> ReadVertebra:
    surface = mapped(body, start_frame(curve, body.middle_mm))
    sides = section(body, surface.frame)
    heights = zone_heights(
        surface.posterior_mm,
        surface.left_mm,
        surface.heights_mm,
        sides.depth_range_mm,
        sides.width_range_mm,
    )
    return ReadVertebra(
        hu=hu, affine=affine, body=body, frame=surface.frame, sides=sides, heights_mm=heights
    )
