"""From a straight spine to a vertebra as it was, without a deep-learning framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from lamella.methods.healthivert.channels import (
    SHAPE,
    Map,
    Plane,
    inputs,
    unwindowed,
    volume_of,
    windowed,
)
from lamella.methods.healthivert.gap import (
    GapVolume,
    centred,
    cut_out,
    in_gap,
    pushed_apart,
    site_of,
)
from lamella.methods.healthivert.paste import Content, restored
from lamella.methods.healthivert.shape import drawing_of, zones_of
from lamella.prepare.spine.straight import StraightSpine
from lamella.records.images import LamellaError
from lamella.records.spine import LEVELS, VERSE_IDS
from lamella.records.vertebra import ZONES, Zones
from lamella.types import Profile, Volume

Runner = Callable[[np.ndarray], tuple[np.ndarray, ...]]
"""A network's input (B, channels, rows, cols) float32 -> its outputs."""

BATCH = 8
MARGIN_SLICES = 2
SLICE_SD = 0.7


@dataclass(frozen=True, kw_only=True)
class Networks:
    """The networks that draw a vertebra.

    Args:
        sagittal, coronal: generators: (B, 7, rows, cols) -> maps (B, 4, rows, cols), extents in
            rows (B, 2). Without a coronal one the sagittal draws alone.
        classifier: (B, 1, rows, cols) sagittal -> attention (B, 1, rows, cols), logit (B, 1);
            without it no attention is paid.
    """

    sagittal: Runner
    coronal: Runner | None = None
    classifier: Runner | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Generated:
    """A vertebra as the networks draw it.

    Args:
        content: CT and probability of the body in the gap's frame.
        heights_mm: mean height of each zone of what was drawn, mm in space.
        disagreement_mm: half the difference between what the sagittal and the coronal network
            drew, each alone; 0 with one network.
        said_mm: extent x2 - x1 by the height heads, median over slices.
        said_sd_mm: its standard deviation between slices.
        regenerated: adjacent levels that were restored first, with the shift of each, mm (down,).
    """

    content: Content
    heights_mm: Zones
    disagreement_mm: Zones
    said_mm: float
    said_sd_mm: float
    regenerated: Mapping[str, Profile]


@dataclass(frozen=True, kw_only=True, eq=False)
class _View:
    """What one network drew of the box: maps (left, rows, back), extents of its slices."""

    grey: Volume
    probability: Volume
    weight: Volume
    extents: Profile


def generate(
    straight: StraightSpine,
    level: str,
    prior_mm: Zones,
    networks: Networks,
    abnormal: Mapping[str, Zones] | None = None,
) -> Generated:
    """Draw a vertebra as it was before it fractured.

    Adjacent vertebrae that are themselves abnormal are restored first, so that the target is
    drawn between healthy ones.

    Args:
        straight: the straight spine, with CT.
        level: of the vertebra.
        prior_mm: the heights that a reference lets expect.
        networks: see :class:`Networks`.
        abnormal: level -> expected heights of every vertebra taken to be fractured.

    Returns:
        See :class:`Generated`; ``content.site`` lies in ``straight`` as given.

    Raises:
        LamellaError: no body of that level, no CT, or nothing drawn.
    """
    shown, shifts = straight, {}
    for neighbour in adjacent(straight, level):
        if neighbour in (abnormal or {}):
            expected = (abnormal or {})[neighbour]
            content = _drawn(shown, neighbour, expected, networks)[0]
            made = restored(shown, content, expected)
            shown, shifts[neighbour] = made.straight, made.shift_down_mm
    content, views = _drawn(shown, level, prior_mm, networks)
    site = replace(site_of(straight, level, prior_mm.whole), row_mm=content.site.row_mm)
    content = replace(content, site=site)
    extents = np.concatenate([view.extents for view in views]) * site.row_mm
    return Generated(
        content=content,
        heights_mm=zones_of(drawing_of(content.probability, straight, site)),
        disagreement_mm=_disagreement(straight, content, views),
        said_mm=float(np.median(extents)),
        said_sd_mm=float(extents.std()),
        regenerated=shifts,
    )


def adjacent(straight: StraightSpine, level: str) -> tuple[str, ...]:
    """The vertebrae above and below by order along the spine, as far as there are bodies."""
    counts = np.bincount(straight.bodies.ravel(), minlength=256)
    present = [name for name in LEVELS if counts[VERSE_IDS[name]]]
    if level not in present:
        raise LamellaError(f"no body of {level} in the straight spine")
    place = present.index(level)
    return tuple(present[k] for k in (place - 1, place + 1) if 0 <= k < len(present))


def attention(straight: StraightSpine, gap: GapVolume, classifier: Runner | None) -> Volume:
    """The classifier's attention in the gap's frame, 0 in the gap; 0 without a classifier."""
    if classifier is None:
        return np.zeros(SHAPE, np.float32)
    slices = windowed(centred(straight, gap.site).hu)[:, None]
    heat = np.concatenate([classifier(batch)[0][:, 0] for batch in _batches(slices)])
    return pushed_apart(heat.astype(np.float32), gap.site)


def fused(views: tuple[_View, ...], gap: GapVolume) -> Content:
    """Average of what the networks drew, where each drew; the CT itself outside the gap."""
    weight = sum(view.weight for view in views)
    grey, probability = (
        sum(view.weight * told for view, told in zip(views, maps, strict=True))
        / np.maximum(weight, 1e-6)
        for maps in ([view.grey for view in views], [view.probability for view in views])
    )
    rows = in_gap(np.arange(SHAPE[1]))[None, :, None] & (weight > 0)
    return Content(
        site=gap.site,
        hu=np.where(rows, unwindowed(np.clip(grey, -1.0, 1.0)), gap.hu).astype(np.float32),
        probability=np.where(rows, probability, 0.0).astype(np.float32),
    )


def _drawn(
    straight: StraightSpine, level: str, prior_mm: Zones, networks: Networks
) -> tuple[Content, tuple[_View, ...]]:
    gap = cut_out(straight, level, prior_mm.whole)
    heat = attention(straight, gap, networks.classifier)
    prior_rows = prior_mm.whole / gap.site.row_mm
    runners = ((Plane.SAGITTAL, networks.sagittal), (Plane.CORONAL, networks.coronal))
    views = tuple(
        _view(inputs(gap.hu, heat, prior_rows, gap.site.span(plane), plane), plane, runner, gap)
        for plane, runner in runners
        if runner is not None
    )
    return fused(views, gap), views


def _view(seen: np.ndarray, plane: Plane, runner: Runner, gap: GapVolume) -> _View:
    """Run one network on the body's slices and smooth lightly across them."""
    first, last = gap.site.span(plane)
    chosen = np.arange(len(seen))
    chosen = chosen[(chosen >= first - MARGIN_SLICES) & (chosen <= last + MARGIN_SLICES)]
    results = [runner(batch) for batch in _batches(seen[chosen])]
    maps, heights = (np.concatenate([result[k] for result in results]) for k in (0, 1))
    grey, probability = (
        gaussian_filter1d(maps[:, name], SLICE_SD, axis=0, mode="nearest")
        for name in (Map.FINE_CT, Map.FINE_SEG)
    )
    drew = np.ones_like(grey)
    return _View(
        grey=_volume(grey, chosen, len(seen), plane),
        probability=_volume(probability, chosen, len(seen), plane),
        weight=_volume(drew, chosen, len(seen), plane),
        extents=heights[MARGIN_SLICES : len(heights) - MARGIN_SLICES or None, 1],
    )


def _volume(slices: np.ndarray, chosen: np.ndarray, count: int, plane: Plane) -> Volume:
    whole = np.zeros((count, *slices.shape[1:]), np.float32)
    whole[chosen] = slices
    return volume_of(whole, plane)


def _disagreement(straight: StraightSpine, content: Content, views: tuple[_View, ...]) -> Zones:
    if len(views) == 1:
        return Zones(anterior=0.0, middle=0.0, posterior=0.0, whole=0.0)
    rows = in_gap(np.arange(SHAPE[1]))[None, :, None]
    first, second = (_alone(straight, content, view.probability * rows) for view in views)
    return Zones(
        **{zone: abs(first.of(zone) - second.of(zone)) / 2.0 for zone in (*ZONES, "whole")}
    )


def _alone(straight: StraightSpine, content: Content, probability: Volume) -> Zones:
    try:
        return zones_of(drawing_of(probability, straight, content.site))
    except LamellaError:
        return Zones(
            anterior=float("nan"), middle=float("nan"), posterior=float("nan"), whole=float("nan")
        )


def _batches(slices: np.ndarray) -> list[np.ndarray]:
    return [slices[start : start + BATCH] for start in range(0, len(slices), BATCH)]
