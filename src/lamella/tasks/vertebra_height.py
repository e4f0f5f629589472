"""Relative height loss of vertebral bodies, and the fracture grade that follows from it.

    RHLV = (healthy - observed) / healthy,

positive where height is lost, for the anterior, middle and posterior third and for the whole
(HealthiVert-GAN, arXiv 2503.05990). Unlike the published measure nothing is rescaled when the
observed vertebra is the higher one: its loss is negative then, and a vertebra against itself has
none. What healthy means is a reference's to say: a function of the level, of all measured bodies
and of the levels that may be rested on.
"""

from collections.abc import Callable, Mapping, Set
from functools import lru_cache

import numpy as np

from lamella.physics.vertebra_zones import RIM, inner
from lamella.records import (
    LEVELS,
    ZONES,
    HealthyHeights,
    HeightLoss,
    LamellaError,
    MeasuredBody,
    Zones,
)
from lamella.types import Image

GENANT = (0.20, 0.25, 0.40)
"""Largest regional loss from which a vertebra has grade 1, 2 and 3 (Genant et al. 1993)."""
SUSPECT_LOSS = 0.15
"""A vertebra that seems to have lost more is no reference for another."""
FEWEST_HEALTHY = 2
DRAWS = 4096
CRUSH_PART = 0.5
"""Part of the largest loss that the posterior third must have lost for a crush."""
METAL_HU = 2000
CEMENT_HU = 1000
CEMENT_FRACTION = 0.05
METAL_FRACTION = 0.002


HeightReference = Callable[[str, Mapping[str, MeasuredBody], Set[str]], HealthyHeights]
"""Says a level's healthy heights from all bodies, resting on the levels in the set."""


def height_loss(observed: MeasuredBody, healthy: HealthyHeights) -> HeightLoss:
    """Loss of each third with its uncertainty, Genant grade and kind.

    Args:
        observed: the vertebra as it is.
        healthy: what its heights were.

    Returns:
        RHLV and its standard deviation to first order,
        ``sd = (o / h) sqrt((sd_o / o)^2 + (sd_h / h)^2)``; the grade of the largest regional
        loss; the probability of each grade when the thirds' losses are jointly normal.
    """
    losses = {zone: _loss(observed, healthy, zone) for zone in (*ZONES, "whole")}
    spreads = {zone: _loss_sd(observed, healthy, zone) for zone in (*ZONES, "whole")}
    rhlv, rhlv_sd = Zones(**losses), Zones(**spreads)
    grade = genant_grade(rhlv)
    return HeightLoss(
        rhlv=rhlv,
        rhlv_sd=rhlv_sd,
        grade=grade,
        kind=fracture_kind(rhlv) if grade else None,
        grade_probabilities=grade_probabilities(rhlv, rhlv_sd, healthy.common),
    )


def genant_grade(rhlv: Zones) -> int:
    """0 below 20 % in every third, 1 from 20 %, 2 from 25 %, 3 from 40 % (Genant et al. 1993).

    Example:
        >>> genant_grade(Zones(anterior=0.31, middle=0.12, posterior=0.02, whole=0.15))
        2
    """
    return int(np.searchsorted(GENANT, max(rhlv.of(zone) for zone in ZONES), side="right"))


def fracture_kind(rhlv: Zones) -> str:
    """Crush, wedge or biconcave, by the third that lost most.

    A crush has lost 20 % or more behind and at least half as much there as anywhere; otherwise
    it is a wedge when the front lost most, biconcave when the middle did.

    Example:
        >>> fracture_kind(Zones(anterior=0.31, middle=0.12, posterior=0.02, whole=0.15))
        'wedge'
    """
    largest = max(rhlv.of(zone) for zone in ZONES)
    if rhlv.posterior >= max(GENANT[0], CRUSH_PART * largest) or rhlv.posterior == largest:
        return "crush"
    return "wedge" if rhlv.anterior >= rhlv.middle else "biconcave"


def grade_probabilities(
    rhlv: Zones, rhlv_sd: Zones, common: float
) -> tuple[float, float, float, float]:
    """Probability of grades 0 to 3 when the thirds' losses are normal and correlate.

    Args:
        rhlv: mean of each third's loss.
        rhlv_sd: standard deviation of each.
        common: correlation of any two.
    """
    mean = np.array([rhlv.of(zone) for zone in ZONES])
    spread = np.array([rhlv_sd.of(zone) for zone in ZONES])
    shared, own = _standard_draws()
    part = float(np.clip(common, 0.0, 1.0))
    losses = mean + spread * (np.sqrt(part) * shared + np.sqrt(1 - part) * own)
    grades = np.searchsorted(GENANT, losses.max(axis=1), side="right")
    counts = np.bincount(grades, minlength=len(GENANT) + 1) / len(grades)
    return (float(counts[0]), float(counts[1]), float(counts[2]), float(counts[3]))


def healthy_levels(
    bodies: Mapping[str, MeasuredBody], reference: HeightReference
) -> frozenset[str]:
    """Levels that look healthy: the most suspect one is set aside until none is left.

    At every round each level still trusted is compared with what the others say of it, and the
    one that lost most in any third goes, if that is more than 15 %. At least two stay.
    """
    trusted = set(bodies)
    while len(trusted) > FEWEST_HEALTHY:
        losses = {name: _largest_loss(name, bodies, trusted, reference) for name in sorted(trusted)}
        worst = max(losses, key=losses.__getitem__)
        if losses[worst] <= SUSPECT_LOSS:
            break
        trusted.remove(worst)
    return frozenset(trusted)


def flagged_levels(losses: Mapping[str, HeightLoss]) -> tuple[str, ...]:
    """Levels of grade 1 and more, from the skull down."""
    return tuple(level for level in LEVELS if level in losses and losses[level].grade > 0)


def loss_map(body: MeasuredBody, healthy: HealthyHeights) -> Image:
    """Loss of every column of a body's cross-section, (front to back, right to left).

    The healthy height of a column is interpolated along the depth between the healthy heights
    of the thirds, each at the middle of its third (without the rim, as heights are measured:
    :mod:`lamella.physics.vertebra_zones`). NaN outside the body.
    """
    drawn = body.height_map
    known = np.isfinite(drawn.heights_mm).any(axis=1)
    if not known.any():
        raise LamellaError("expected a body with measured columns, got none")
    front, back = drawn.posterior_mm[known][[0, -1]]
    first, last = inner((float(front), float(back)), RIM)
    middles = first + (last - first) * np.array([1 / 6, 1 / 2, 5 / 6])
    expected = np.interp(
        drawn.posterior_mm, middles, [healthy.heights_mm.of(zone) for zone in ZONES]
    )
    return np.asarray(1.0 - drawn.heights_mm / expected[:, None])


def foreign_material(hu: np.ndarray) -> str | None:
    """Cement or metal inside a body, in words, or None.

    Args:
        hu: attenuation of the body's voxels, in any order.
    """
    if np.mean(hu > METAL_HU) > METAL_FRACTION:
        return "metal in the body: its edges cannot be trusted"
    if np.mean(hu > CEMENT_HU) > CEMENT_FRACTION:
        return "cement or dense sclerosis in the body: it is not as it fractured"
    return None


def _loss(observed: MeasuredBody, healthy: HealthyHeights, zone: str) -> float:
    return 1.0 - observed.heights_mm.of(zone) / healthy.heights_mm.of(zone)


def _loss_sd(observed: MeasuredBody, healthy: HealthyHeights, zone: str) -> float:
    seen, was = observed.heights_mm.of(zone), healthy.heights_mm.of(zone)
    relative = np.hypot(
        observed.heights_sd_mm.of(zone) / seen, healthy.heights_sd_mm.of(zone) / was
    )
    return float(seen / was * relative)


def _largest_loss(
    name: str,
    bodies: Mapping[str, MeasuredBody],
    trusted: Set[str],
    reference: HeightReference,
) -> float:
    told = reference(name, bodies, frozenset(trusted) - {name})
    return max(_loss(bodies[name], told, zone) for zone in ZONES)


@lru_cache
def _standard_draws() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((DRAWS, 1)), rng.standard_normal((DRAWS, len(ZONES)))
