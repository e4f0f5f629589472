"""Plainer references, for comparison: level norms, interpolated neighbours, the body itself.

Each says healthy heights with the same signature as
:func:`~lamella.methods.height_references.conditional.told_by_neighbours`. The last two never
look at another vertebra's anterior or middle height; they state a loss, and the healthy height
that goes with it is ``observed / (1 - loss)``.
"""

from collections.abc import Mapping, Set

import numpy as np

from lamella.physics.vertebra_population import HeightPopulation, zones_of
from lamella.records import LEVELS, ZONES, HealthyHeights, MeasuredBody

SPREAD = 0.04
"""Standard deviation of a healthy vertebra's height about its neighbours', as a fraction."""
SIX_POINTS = {"anterior": 0.1, "middle": 0.5, "posterior": 0.9}
"""Where along the depth the six points lie: in front, in the middle, behind."""
MIDLINE_MM = 2.5


def told_by_norms(
    level: str, bodies: Mapping[str, MeasuredBody], healthy: Set[str]
) -> HealthyHeights:
    """Mean heights of the level in the literature, whoever the person is."""
    del bodies, healthy
    mean, cov = HeightPopulation().covariance((level,))
    heights = np.exp(mean)
    return _told(heights, heights * np.sqrt(np.diag(cov)), "level norms")


def told_by_interpolation(
    level: str, bodies: Mapping[str, MeasuredBody], healthy: Set[str]
) -> HealthyHeights:
    """Heights interpolated linearly between the nearest healthy vertebra above and below.

    At the end of a spine the one neighbour's heights are taken; without any, the norms.
    """
    order = [name for name in LEVELS if name in bodies]
    rank = order.index(level)
    above = [name for name in order[:rank] if name in healthy][-1:]
    below = [name for name in order[rank + 1 :] if name in healthy][:1]
    near = (*above, *below)
    if not near:
        return told_by_norms(level, bodies, healthy)
    ranks = [order.index(name) for name in near]
    heights = np.array(
        [np.interp(rank, ranks, [bodies[n].heights_mm.of(zone) for n in near]) for zone in ZONES]
    )
    return _told(heights, SPREAD * heights, "interpolated neighbours", near)


def told_by_six_points(
    level: str, bodies: Mapping[str, MeasuredBody], healthy: Set[str]
) -> HealthyHeights:
    """Six-point morphometry: wedge and biconcavity within the body, crush against neighbours.

    Anterior and middle heights at the midline against the posterior one, corrected by the level's
    normal ratio; posterior height against the neighbours' mean (McCloskey et al. 1993).
    """
    body = bodies[level]
    points = six_points(body)
    mean, _ = HeightPopulation().covariance((level,))
    normal = dict(zip(ZONES, np.exp(mean), strict=True))
    beside = told_by_interpolation(level, bodies, healthy).heights_mm.posterior
    intact = max(points["posterior"], beside)
    losses = [1 - points[zone] * normal["posterior"] / (normal[zone] * intact) for zone in ZONES]
    return _told_from(body, np.array(losses), "six points")


def told_by_min_max(
    level: str, bodies: Mapping[str, MeasuredBody], healthy: Set[str]
) -> HealthyHeights:
    """The rule of common CT tools: every third should be as high as the body's highest."""
    del healthy
    body = bodies[level]
    heights = np.array([body.heights_mm.of(zone) for zone in ZONES])
    return _told_from(body, 1 - heights / heights.max(), "minimum over maximum")


def six_points(body: MeasuredBody) -> dict[str, float]:
    """Heights in mm at the midline in front, in the middle and behind."""
    drawn = body.height_map
    beside = np.abs(drawn.left_mm - _midline_mm(body)) <= MIDLINE_MM
    profile = _mean_of_known(drawn.heights_mm[:, beside])
    known = np.isfinite(profile)
    first, last = drawn.posterior_mm[known][[0, -1]]
    return {
        zone: float(
            np.interp(first + part * (last - first), drawn.posterior_mm[known], profile[known])
        )
        for zone, part in SIX_POINTS.items()
    }


def _midline_mm(body: MeasuredBody) -> float:
    inside = np.isfinite(body.height_map.heights_mm).any(axis=0)
    return float(body.height_map.left_mm[inside].mean())


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _told_from(body: MeasuredBody, losses: np.ndarray, told_by: str) -> HealthyHeights:
    observed = np.array([body.heights_mm.of(zone) for zone in ZONES])
    healthy = observed / (1 - np.minimum(losses, 0.95))
    return _told(healthy, SPREAD * healthy, told_by)


def _told(
    heights: np.ndarray, spreads: np.ndarray, told_by: str, neighbours: tuple[str, ...] = ()
) -> HealthyHeights:
    return HealthyHeights(
        heights_mm=zones_of(heights),
        heights_sd_mm=zones_of(spreads),
        told_by=told_by,
        neighbours=neighbours,
    )
