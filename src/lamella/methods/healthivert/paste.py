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

from lamella.methods.healthivert.channels import MIDDLE_ROW, OUTSIDE_HU, SHAPE
from lamella.methods.healthivert.gap import Site, ct_of
from lamella.methods.healthivert.sampling import along
from lamella.methods.healthivert.shape import Drawing, drawing_of, largest, matched
from lamella.prepare.spine.straight import StraightSpine
from lamella.records.spine import VERSE_IDS
from lamella.records.vertebra import PseudoHealthy, Zones
from lamella.types import Profile, Volume

REACH_MM = 1.5
FAR_ROW = 1e6


@dataclass(frozen=True, kw_only=True, eq=False)
class Restored:
    """A straight spine with a vertebra as it was.

    Args:
        straight: the spine; its curve is still the observed one.
        shift_down_mm: how far each row's content was moved down, mm, (down,).
    """

    straight: StraightSpine
    shift_down_mm: Profile


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


def paste(straight: StraightSpine, content: Content, wanted_mm: Zones) -> PseudoHealthy:
    """The straight spine with the vertebra restored to the wanted heights.

    Args:
        straight: as observed, with CT.
        content: what was drawn at ``content.site`` of it.
        wanted_mm: mean height of each zone, mm in space.

    Raises:
        LamellaError: no CT, or nothing drawn.
    """
    made = restored(straight, content, wanted_mm)
    return PseudoHealthy(
        level=content.site.level,
        hu=ct_of(made.straight),
        ids=made.straight.ids,
        shift_down_mm=made.shift_down_mm,
    )


def restored(straight: StraightSpine, content: Content, wanted_mm: Zones) -> Restored:
    """As :func:`paste`, as a straight spine that can be drawn into again."""
    site = content.site
    drawing, factors = matched(drawing_of(content.probability, straight, site), wanted_mm)
    shift_mm = shift_of(drawing, len(straight.down_mm))
    rows = np.arange(len(shift_mm)) - shift_mm / site.spacing_mm
    hu, ids, bodies = (
        along(volume, rows, 1, fill)
        for volume, fill in (
            (ct_of(straight), OUTSIDE_HU),
            (straight.ids, 0.0),
            (straight.bodies, 0.0),
        )
    )
    drawn_hu, drawn = _placed_in(straight, content, drawing, factors)
    number = VERSE_IDS[site.level]
    observed = bodies == number
    weight = _nearness(drawn, observed, _window(drawing, len(shift_mm)), site.spacing_mm)
    hu = (hu + weight * (drawn_hu - hu)).astype(np.float32)
    body = drawn >= 0.5
    for told in (ids, bodies):
        told[observed & ~body], told[body] = 0, number
    spine = replace(straight, hu=hu, ids=ids, bodies=bodies)
    return Restored(straight=spine, shift_down_mm=shift_mm)


def undone(pseudo: PseudoHealthy, spacing_mm: float) -> PseudoHealthy:
    """The same with every row moved back to where it was observed, for comparison with it.

    What lies outside the vertebra's own rows is again where the observed spine has it; the
    vertebra itself is squeezed into the observed extent. Its middle never moves: heights and
    overlap of the target are compared before this, everything else after.

    Args:
        pseudo: see :func:`paste`.
        spacing_mm: of the straight spine.
    """
    rows = np.arange(len(pseudo.shift_down_mm), dtype=np.float64)
    source = rows - pseudo.shift_down_mm / spacing_mm
    places = np.interp(rows, source, rows, left=-FAR_ROW, right=FAR_ROW)
    return PseudoHealthy(
        level=pseudo.level,
        hu=along(pseudo.hu, places, 1, OUTSIDE_HU),
        ids=along(pseudo.ids, places, 1, 0.0),
        shift_down_mm=np.zeros_like(pseudo.shift_down_mm),
    )


def shift_of(drawing: Drawing, count: int) -> Profile:
    """How far each row's content moves down, mm, (count,): -g/2, ``g y / H1``, g/2."""
    site, grown = drawing.site, _extent_mm(drawing)
    down_mm = (np.arange(count) - site.centre) * site.spacing_mm
    return np.asarray((grown - site.extent_mm) * np.clip(down_mm / grown, -0.5, 0.5))


def _extent_mm(drawing: Drawing) -> float:
    upper, lower = drawing.extent
    return (lower - upper) * drawing.site.row_mm


def _placed_in(
    straight: StraightSpine, content: Content, drawing: Drawing, factors: Profile
) -> tuple[Volume, Volume]:
    """Generated CT and probability, stretched, on the straight spine's samples."""
    site, middle = content.site, drawing.middle
    upper, lower = drawing.extent
    rows = (np.arange(len(straight.down_mm)) - site.centre) * site.spacing_mm / site.row_mm
    wanted = (rows + (upper + lower) / 2.0)[None, :, None]
    source = middle[:, None, :] + (wanted - middle[:, None, :]) / factors
    source = np.where(np.abs(rows)[None, :, None] > MIDDLE_ROW, -FAR_ROW, source)
    told = []
    for volume, fill in ((content.hu, OUTSIDE_HU), (largest(content.probability), 0.0)):
        stretched = _columns(volume, source, fill)
        for axis, centre, count in (
            (0, site.left, straight.ids.shape[0]),
            (2, site.back, straight.ids.shape[2]),
        ):
            places = (np.arange(count) - centre) * site.spacing_mm + (SHAPE[axis] - 1) // 2
            stretched = along(stretched, places, axis, fill)
        told.append(stretched)
    return told[0], told[1]


def _columns(volume: Volume, places: np.ndarray, fill: float) -> Volume:
    """Each column read at its own rows, linearly."""
    last = volume.shape[1] - 1
    clipped = np.clip(places, 0.0, last)
    low = np.minimum(clipped.astype(np.intp), last - 1)
    part = (clipped - low).astype(np.float32)
    first, second = (np.take_along_axis(volume, low + k, axis=1) for k in (0, 1))
    beyond = (places < 0.0) | (places > last)
    return np.where(beyond, np.float32(fill), first + part * (second - first))


def _nearness(drawn: Volume, observed: np.ndarray, window: Profile, spacing_mm: float) -> Volume:
    """Weight of what was generated: 1 in the drawn and the observed body, 0 beyond a few mm."""
    reach = REACH_MM / spacing_mm
    near, was = (
        np.clip(2.0 * gaussian_filter(solid.astype(np.float32), reach), 0.0, 1.0)
        for solid in (drawn, observed)
    )
    return np.asarray(np.maximum(near, was * window[None, :, None]), np.float32)


def _window(drawing: Drawing, count: int) -> Profile:
    site, half = drawing.site, _extent_mm(drawing) / 2.0
    down_mm = np.abs((np.arange(count) - site.centre) * site.spacing_mm)
    return np.asarray(1.0 / (1.0 + np.exp(np.clip((down_mm - half) / 0.5, -50.0, 50.0))))
