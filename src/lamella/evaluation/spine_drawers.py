"""Ways to draw a vertebra as it was, behind one interface.

Each is told the straight spine, the level, the heights that its healthy neighbours let expect and
which other vertebrae are abnormal. Beside the networks stand ways that learn nothing: the
vertebra as it is, its own voxels stretched to the expected heights, and plain inpainting of the
gap.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from lamella.methods.healthivert.channels import MIDDLE_ROW, SHAPE
from lamella.methods.healthivert.gap import BoxVolume, Site, centred, cut_out, in_gap, site_of
from lamella.methods.healthivert.infer import Networks, generate
from lamella.methods.healthivert.own import own_content
from lamella.methods.healthivert.paste import Content, restored
from lamella.prepare.spine.straight import StraightSpine
from lamella.records import VERSE_IDS, HealthyHeights, Zones
from lamella.tasks.pseudo_healthy import Restored
from lamella.types import Image, Volume
from lamella.zoo import models
from lamella.zoo.spine import (
    ATTENTION,
    CORONAL,
    HEALTHIVERT,
    SAGITTAL,
    Fusion,
    fused,
    fusion,
    networks,
    redrawn,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Wanted:
    """A vertebra to draw.

    Args:
        straight: the spine as it is, with CT.
        level: of the vertebra.
        told: heights its healthy neighbours let expect.
        abnormal: every level taken to be fractured, with the heights expected of it.
    """

    straight: StraightSpine
    level: str
    told: HealthyHeights
    abnormal: Mapping[str, Zones]


Drawer = Callable[[Wanted], Restored]
"""Draws a vertebra as it was into its straight spine."""

NETWORKS_ALONE = "networks alone"
STRETCHED = "own voxels, stretched"
INPAINTED = "plain inpainting"
AS_IT_IS = "not restored"


def plain_drawers() -> dict[str, Drawer]:
    """Those that learn nothing."""
    return {STRETCHED: stretched, INPAINTED: inpainted, AS_IT_IS: as_it_is}


def standing_drawers() -> dict[str, Drawer]:
    """Those that learn nothing, and the shipped networks where there are any."""
    if not {SAGITTAL, CORONAL, ATTENTION} <= set(models.names()):
        return plain_drawers()
    return {HEALTHIVERT: shipped, NETWORKS_ALONE: shipped_alone} | plain_drawers()


def shipped(wanted: Wanted) -> Restored:
    """As :func:`lamella.assess_spine` draws it: in its own voxels and a shape between."""
    return redrawn_with(wanted, fusion())


def redrawn_with(wanted: Wanted, how: Fusion) -> Restored:
    """By the shipped networks, what they draw counting as ``how`` says."""
    return redrawn(wanted.straight, wanted.level, wanted.told, wanted.abnormal, how)


def shipped_alone(wanted: Wanted) -> Restored:
    """What the shipped networks draw, with the heights they draw it with."""
    return by_networks(wanted, networks())


def by_networks(wanted: Wanted, drawing: Networks) -> Restored:
    """What networks draw, shape, bone and heights."""
    heights_mm = wanted.told.heights_mm
    drawn = generate(wanted.straight, wanted.level, heights_mm, drawing, wanted.abnormal)
    return _given(wanted, drawn.content, fused(wanted.told, drawn.heights_mm, 1.0))


def stretched(wanted: Wanted) -> Restored:
    """The vertebra's own voxels stretched along the spine to the expected heights."""
    return _given(wanted, own_content(wanted.straight, _site(wanted)), wanted.told)


def inpainted(wanted: Wanted) -> Restored:
    """The gap filled linearly from its upper to its lower edge, the body a prism.

    Its outline is that of the vertebra's own middle rows, its height the expected one.
    """
    whole_mm = wanted.told.heights_mm.whole
    gap = cut_out(wanted.straight, wanted.level, whole_mm)
    rows = np.abs(np.arange(SHAPE[1]) - MIDDLE_ROW) <= whole_mm / gap.site.row_mm / 2.0
    body = _outline(wanted.straight, gap)[:, None, :] & rows[None, :, None]
    content = Content(site=gap.site, hu=_filled(gap.hu), probability=body.astype(np.float32))
    return _given(wanted, content, wanted.told)


def as_it_is(wanted: Wanted) -> Restored:
    """The vertebra as it is."""
    rows = wanted.straight.ids.shape[1]
    return Restored(straight=wanted.straight, shift_down_mm=np.zeros(rows), healthy=wanted.told)


def _site(wanted: Wanted) -> Site:
    return site_of(wanted.straight, wanted.level, wanted.told.heights_mm.whole)


def _given(wanted: Wanted, content: Content, healthy: HealthyHeights) -> Restored:
    made = restored(wanted.straight, content, healthy.heights_mm)
    return Restored(straight=made.straight, shift_down_mm=made.shift_down_mm, healthy=healthy)


def _outline(straight: StraightSpine, gap: BoxVolume) -> np.ndarray:
    """Middle cross-section of the body as it is, (left, back)."""
    body = centred(straight, gap.site).bodies == VERSE_IDS[gap.site.level]
    middle = round(MIDDLE_ROW)
    outline: np.ndarray = body[:, middle - 1 : middle + 2].any(axis=1)
    return outline


def _filled(hu: Volume) -> Volume:
    """Rows of the gap between the row above it and the row below, linearly."""
    rows = np.flatnonzero(in_gap(np.arange(hu.shape[1])))
    above, below = hu[:, rows[0] - 1], hu[:, rows[-1] + 1]
    part = (np.arange(1, len(rows) + 1) / (len(rows) + 1.0)).astype(np.float32)
    filled: Image = above[:, None] + part[None, :, None] * (below - above)[:, None]
    drawn = hu.copy()
    drawn[:, rows] = filled
    return drawn
