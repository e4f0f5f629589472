"""The shape of a drawn vertebra: endplates, heights in millimetres, and stretching it to size.

Rows of the box are arc length along the spine's curve; on the inside of a bend a millimetre of
arc is less than a millimetre of the patient. Heights are therefore measured in space: every
column's endplates are placed there by the curve and compared along the mean normal of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, label

from lamella.methods.healthivert.channels import MIDDLE_ROW, SHAPE
from lamella.methods.healthivert.gap import EXTREME, Site
from lamella.methods.healthivert.sampling import surfaces
from lamella.physics.vertebra_zones import RIM, SIDE, inner, zone_heights
from lamella.prepare.spine.curve import to_world
from lamella.prepare.spine.straight import StraightSpine
from lamella.records.images import LamellaError
from lamella.records.vertebra import ZONES, Zones
from lamella.types import Image, Profile, Volume

LEAST_ROWS = 2.0
BLEND_MM = 2.0
TOLERANCE_MM = 0.005
ROUNDS = 30


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawing:
    """Endplates of a drawn vertebra in the centred frame.

    Args:
        straight: the spine it is drawn into.
        site: its box.
        upper, lower: rows of both endplates, (left, back), NaN outside the body.
        depth_mm: front and back of the middle cross-section, mm from the box's first column.
        width_mm: its right and left, mm from the box's first slice.
    """

    straight: StraightSpine
    site: Site
    upper: Image
    lower: Image
    depth_mm: tuple[float, float]
    width_mm: tuple[float, float]

    @property
    def middle(self) -> Image:
        """Plane halfway between the endplates, rows, (left, back)."""
        known = self.central
        return _plane((self.upper + self.lower) / 2.0, known)

    @property
    def central(self) -> np.ndarray:
        """Columns without the rim, (left, back) bool."""
        left, back = _axes()
        lows_highs = inner(self.width_mm, SIDE), inner(self.depth_mm, RIM)
        inside = [
            (axis >= low) & (axis <= high)
            for axis, (low, high) in zip((left, back), lows_highs, strict=True)
        ]
        return np.isfinite(self.upper) & inside[0][:, None] & inside[1]

    @property
    def extent(self) -> tuple[float, float]:
        """5 % extremes of the endplates over the central part, rows."""
        known = self.central
        return (
            float(np.quantile(self.upper[known], EXTREME)),
            float(np.quantile(self.lower[known], 1.0 - EXTREME)),
        )

    def stretched(self, factors: Profile) -> Drawing:
        """The same drawing with each column stretched about the middle plane.

        Args:
            factors: one for each column from front to back, (back,).
        """
        middle = self.middle
        upper, lower = (middle + factors * (side - middle) for side in (self.upper, self.lower))
        return Drawing(
            straight=self.straight,
            site=self.site,
            upper=upper,
            lower=lower,
            depth_mm=self.depth_mm,
            width_mm=self.width_mm,
        )


def drawing_of(probability: Volume, straight: StraightSpine, site: Site) -> Drawing:
    """Endplates where the probability passes one half.

    Args:
        probability: of the body, (left, rows, back), centred (or gap's) frame.
        straight: the spine.
        site: the box.

    Raises:
        LamellaError: nothing is drawn.
    """
    body = largest(probability)
    upper, lower = surfaces(body)
    short = ~(lower - upper > LEAST_ROWS)
    upper[short], lower[short] = np.nan, np.nan
    section = _middle_section(body, upper, lower)
    if not section.any():
        raise LamellaError(f"expected a body of {site.level} to be drawn, got nothing")
    width_mm, depth_mm = (_range(np.asarray(section.any(axis=1 - axis))) for axis in (0, 1))
    return Drawing(
        straight=straight,
        site=site,
        upper=upper,
        lower=lower,
        depth_mm=depth_mm,
        width_mm=width_mm,
    )


def largest(probability: Volume) -> Volume:
    """The probability, 0 in every component above one half but the largest."""
    inside, count = label(probability >= 0.5)
    if count < 2:
        return probability
    sizes = np.bincount(inside.ravel())[1:]
    stray = (inside > 0) & (inside != 1 + int(sizes.argmax()))
    return np.where(stray, 0.0, probability).astype(np.float32)


def zones_of(drawing: Drawing) -> Zones:
    """Mean height of each zone of a drawn vertebra, mm, measured in space."""
    left, back = _axes()
    return zone_heights(back, left, heights_mm(drawing).T, drawing.depth_mm, drawing.width_mm)


def heights_mm(drawing: Drawing) -> Image:
    """Upper minus lower endplate along their mean normal, mm, (left, back), NaN outside.

    Both are compared at the same place of the cross-section: where a column leans against the
    normal, each endplate is followed along its own mean slope.
    """
    upper, lower = (_world(drawing, rows) for rows in (drawing.upper, drawing.lower))
    known = drawing.central
    normals = [_normal(places[known]) for places in (upper, lower)]
    up = (upper - lower)[known].mean(axis=0)
    normals = [normal * np.sign(normal @ up) for normal in normals]
    axis = normals[0] + normals[1]
    axis = axis / np.linalg.norm(axis)
    apart = upper - lower
    leaning = apart - (apart @ axis)[..., None] * axis
    slopes = [axis - normal / (normal @ axis) for normal in normals]
    return np.asarray(apart @ axis - leaning @ (slopes[0] + slopes[1]) / 2.0)


def matched(drawing: Drawing, wanted_mm: Zones) -> tuple[Drawing, Profile]:
    """A drawing stretched so that its mean zone heights are the wanted ones.

    The factor is one figure per zone, blended from front to back; the endplates keep their
    shape. Iterated until each zone is within 0.005 mm.

    Args:
        drawing: as the networks drew it.
        wanted_mm: mean height of each zone; ``whole`` follows from them.

    Returns:
        the stretched drawing, and the factor for each column from front to back, (back,).

    Raises:
        LamellaError: a zone without a column.
    """
    blend = _blend(drawing)
    aim = np.array([wanted_mm.of(zone) for zone in ZONES])
    zone_factors = np.ones(len(ZONES))
    for _ in range(ROUNDS):
        factors = zone_factors @ blend
        fitted = drawing.stretched(factors)
        found = zones_of(fitted)
        now = np.array([found.of(zone) for zone in ZONES])
        if not np.isfinite(now).all():
            raise LamellaError(f"expected three zones of {drawing.site.level}, got {found}")
        if np.abs(now - aim).max() < TOLERANCE_MM:
            break
        zone_factors = zone_factors * aim / now
    return fitted, factors


def source_rows(drawing: Drawing, factors: Profile, rows: Profile) -> Volume:
    """Rows of the box that a stretched drawing, centred on its extent, shows.

    Args:
        drawing: as :func:`matched` returns it, stretched.
        factors: likewise.
        rows: to be shown, counted from the middle of the extent.

    Returns:
        (left, rows, back).
    """
    middle = drawing.middle[:, None, :]
    wanted = (rows + sum(drawing.extent) / 2.0)[None, :, None]
    return np.asarray(middle + (wanted - middle) / factors)


def _blend(drawing: Drawing) -> np.ndarray:
    """Weight of each zone in each column from front to back, (3, back); the columns sum to 1.

    Linear between the zones' middles, constant beyond the outer two, rounded at both.
    """
    front, back = inner(drawing.depth_mm, RIM)
    third = (back - front) / len(ZONES)
    middles = front + third * (np.arange(len(ZONES)) + 0.5)
    weights = [np.interp(_axes()[1], middles, row) for row in np.eye(len(ZONES))]
    return gaussian_filter1d(np.stack(weights), BLEND_MM, axis=1, mode="nearest")


def _world(drawing: Drawing, rows: Image) -> np.ndarray:
    site, straight = drawing.site, drawing.straight
    left, back = _axes()
    index = np.empty((*rows.shape, 3))
    index[..., 0] = site.left + (left - (SHAPE[0] - 1) // 2)[:, None] / site.spacing_mm
    index[..., 1] = site.centre + (rows - MIDDLE_ROW) * site.row_mm / site.spacing_mm
    index[..., 2] = site.back + (back - (SHAPE[2] - 1) // 2) / site.spacing_mm
    places = np.full(index.shape, np.nan)
    known = np.isfinite(rows)
    places[known] = to_world(straight.curve, straight.placed(index[known]))
    return places


def _normal(places: np.ndarray) -> np.ndarray:
    centred = places - places.mean(axis=0)
    return np.linalg.eigh(centred.T @ centred)[1][:, 0]


def _plane(values: Image, known: np.ndarray) -> Image:
    left, back = np.meshgrid(*_axes(), indexing="ij")
    terms = np.stack([np.ones_like(left), left, back], axis=-1)
    found = np.linalg.lstsq(terms[known], values[known], rcond=None)[0]
    return np.asarray(terms @ found)


def _middle_section(body: Volume, upper: Image, lower: Image) -> np.ndarray:
    known = np.isfinite(upper)
    if not known.any():
        return known
    row = round(float(((upper + lower) / 2.0)[known].mean()))
    return np.asarray(body[:, row] >= 0.5)


def _range(present: np.ndarray) -> tuple[float, float]:
    places = np.flatnonzero(present)
    return float(places[0]) - 0.5, float(places[-1]) + 0.5


def _axes() -> tuple[Profile, Profile]:
    """Left and back of the box, mm from its first sample."""
    return np.arange(SHAPE[0], dtype=np.float64), np.arange(SHAPE[2], dtype=np.float64)
