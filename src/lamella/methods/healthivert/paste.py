"""A drawn vertebra put into the straight spine, and the shift it causes undone.

The drawing is stretched to the wanted heights and centred where the observed body was. With g
the growth of its extent from H0 to H1 = H0 + g, what lies above moves up by g / 2, what lies
below down by g / 2, and in between, at y mm from the middle, by ``g y / H1``: arch, canal and
muscles keep their own rows, stretched. Near the body, drawn or observed, what the networks
generated is shown instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from lamella.methods.healthivert.channels import GAP_ROWS, SHAPE
from lamella.methods.healthivert.gap import Site, layers_of
from lamella.methods.healthivert.sampling import along, columns
from lamella.methods.healthivert.shape import Drawing, drawing_of, largest, matched, source_rows
from lamella.physics.virtual_fracture import OUTSIDE_HU
from lamella.prepare.spine.straight import MovedSpine, StraightSpine
from lamella.records.spine import VERSE_IDS
from lamella.records.vertebra import Zones
from lamella.types import Profile, Volume

REACH_MM = 1.5
FAR_ROW = 1e6


@dataclass(frozen=True, kw_only=True, eq=False)
class Content:
    """What the networks drew around one vertebra, in the gap's frame.

    Args:
        site: the box.
        hu: (left, rows, back).
        probability: of the target's body.
    """

    site: Site
    hu: Volume
    probability: Volume


def restored(straight: StraightSpine, content: Content, wanted_mm: Zones) -> MovedSpine:
    """The straight spine with the vertebra restored to the wanted heights.

    Args:
        straight: as observed, with CT.
        content: what was drawn at ``content.site`` of it.
        wanted_mm: mean height of each zone, mm in space.

    Returns:
        A straight spine that can be drawn into again, and the shift.

    Raises:
        LamellaError: no CT, or nothing drawn.
    """
    site = content.site
    drawing, factors = matched(drawing_of(content.probability, straight, site), wanted_mm)
    shift_mm = shift_of(drawing, len(straight.down_mm))
    rows = np.arange(len(shift_mm)) - shift_mm / site.spacing_mm
    hu, ids, bodies = (along(volume, rows, 1, fill) for volume, fill in layers_of(straight))
    near = _near(site, len(rows))
    drawn_hu, drawn = _placed_in(straight, content, (drawing, factors), near)
    number = VERSE_IDS[site.level]
    observed, body = bodies[:, near] == number, drawn >= 0.5
    weight = _nearness(drawn, observed, _window(drawing, near), site.spacing_mm)
    hu[:, near] += weight * (drawn_hu - hu[:, near])
    for told in (ids[:, near], bodies[:, near]):
        told[observed & ~body], told[body] = 0, number
    spine = replace(straight, hu=hu, ids=ids, bodies=bodies)
    return MovedSpine(straight=spine, shift_down_mm=shift_mm)


def undone(made: MovedSpine) -> MovedSpine:
    """The same with every row moved back to where it was observed, for comparison with it.

    What lies outside the vertebra's own rows is again where the observed spine has it; the
    vertebra itself is squeezed into the observed extent. Its middle never moves: heights and
    overlap of the target are compared before this, everything else after.

    Args:
        made: see :func:`restored`.
    """
    spine = made.straight
    rows = np.arange(len(made.shift_down_mm), dtype=np.float64)
    source = rows - made.shift_down_mm / spine.spacing_mm
    places = np.interp(rows, source, rows, left=-FAR_ROW, right=FAR_ROW)
    hu, ids, bodies = (along(volume, places, 1, fill) for volume, fill in layers_of(spine))
    return MovedSpine(
        straight=replace(spine, hu=hu, ids=ids, bodies=bodies),
        shift_down_mm=np.zeros_like(made.shift_down_mm),
    )


def shift_of(drawing: Drawing, count: int) -> Profile:
    """How far each row's content moves down, mm, (count,): -g/2, ``g y / H1``, g/2."""
    site, grown = drawing.site, _extent_mm(drawing)
    down_mm = (np.arange(count) - site.centre) * site.spacing_mm
    return np.asarray((grown - site.extent_mm) * np.clip(down_mm / grown, -0.5, 0.5))


def _extent_mm(drawing: Drawing) -> float:
    upper, lower = drawing.extent
    return (lower - upper) * drawing.site.row_mm


def _near(site: Site, count: int) -> slice:
    """Rows of the straight spine that a drawn body can reach: 40 rows of the box either way."""
    reach = GAP_ROWS * site.row_mm / site.spacing_mm
    return slice(max(int(site.centre - reach), 0), min(int(site.centre + reach) + 2, count))


def _down_mm(site: Site, near: slice) -> Profile:
    return (np.arange(near.start, near.stop) - site.centre) * site.spacing_mm


def _placed_in(
    straight: StraightSpine, content: Content, fitted: tuple[Drawing, Profile], near: slice
) -> tuple[Volume, Volume]:
    """Generated CT and probability, stretched, on those rows of the straight spine."""
    site, (drawing, factors) = content.site, fitted
    source = source_rows(drawing, factors, _down_mm(site, near) / site.row_mm)
    drawn = [
        _sideways(columns(volume, source, fill), straight, site, fill)
        for volume, fill in ((content.hu, OUTSIDE_HU), (largest(content.probability), 0.0))
    ]
    return drawn[0], drawn[1]


def _sideways(volume: Volume, straight: StraightSpine, site: Site, fill: float) -> Volume:
    """From the box's slices and columns to the straight spine's."""
    for axis, centre in ((0, site.left), (2, site.back)):
        steps = np.arange(straight.ids.shape[axis]) - centre
        places = steps * site.spacing_mm + (SHAPE[axis] - 1) // 2
        volume = along(volume, places, axis, fill)
    return volume


def _nearness(drawn: Volume, observed: np.ndarray, window: Profile, spacing_mm: float) -> Volume:
    """Weight of what was generated: 1 in the drawn and the observed body, 0 beyond a few mm."""
    reach = REACH_MM / spacing_mm
    near, was = (
        np.clip(2.0 * gaussian_filter(solid.astype(np.float32), reach), 0.0, 1.0)
        for solid in (drawn, observed)
    )
    return np.asarray(np.maximum(near, was * window[None, :, None]), np.float32)


def _window(drawing: Drawing, near: slice) -> Profile:
    beyond_mm = np.abs(_down_mm(drawing.site, near)) - _extent_mm(drawing) / 2.0
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(beyond_mm / 0.5, -50.0, 50.0))))
