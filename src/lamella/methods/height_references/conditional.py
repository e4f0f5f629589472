"""Healthy heights given the healthy neighbours: the conditional mean of a Gaussian population.

Logarithms of heights of all levels and thirds are taken as jointly normal
(:class:`~lamella.physics.vertebra_population.HeightPopulation`). With neighbours measured as
``y = x_n + noise``,

    E[x_t | y] = m_t + C_tn (C_nn + R)^-1 (y - m_n),
    Cov[x_t | y] = C_tt - C_tn (C_nn + R)^-1 C_nt,

the best linear unbiased prediction. Without a neighbour it is the level norm with the
population's whole spread.
"""

from collections.abc import Mapping, Set

import numpy as np

from lamella.physics.vertebra_population import HeightPopulation
from lamella.records import LEVELS, ZONES, HealthyHeights, MeasuredBody, Zones

CONDITIONAL = "conditional on healthy neighbours"


def told_by_neighbours(
    level: str,
    bodies: Mapping[str, MeasuredBody],
    healthy: Set[str],
    population: HeightPopulation | None = None,
) -> HealthyHeights:
    """Healthy heights of a vertebra, conditional on the measured heights of healthy ones.

    Args:
        level: of the vertebra; its own heights are not used.
        bodies: level -> measured body.
        healthy: levels that may be rested on.
        population: of log heights; the published one if None.

    Returns:
        heights in mm with the standard deviation of the prediction.

    Example:
        >>> told = told_by_neighbours("L1", {}, frozenset())
        >>> told.neighbours, 20 < told.heights_mm.posterior < 30
        ((), True)
    """
    rested_on = tuple(name for name in LEVELS if name in healthy and name in bodies)
    neighbours = tuple(name for name in rested_on if name != level)
    mean, cov = (population or HeightPopulation()).covariance((level, *neighbours))
    measured = np.array([_log_heights(bodies[name]) for name in neighbours]).reshape(-1)
    noise = np.array([_log_variances(bodies[name]) for name in neighbours]).reshape(-1)
    log_mean, log_cov = conditioned(mean, cov, measured, noise)
    return _told(log_mean, log_cov, neighbours)


def conditioned(
    mean: np.ndarray, cov: np.ndarray, measured: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of a Gaussian's first part given a noisy measurement of the rest.

    Args:
        mean: of all, (n,).
        cov: of all, (n, n).
        measured: of the last k, (k,).
        noise: its variances, (k,).

    Returns:
        mean (n - k,) and covariance (n - k, n - k) of the rest.
    """
    told = len(mean) - len(measured)
    of_target, across = cov[:told, :told], cov[:told, told:]
    of_measured = cov[told:, told:] + np.diag(noise)
    gain = np.linalg.solve(of_measured, across.T).T
    return mean[:told] + gain @ (measured - mean[told:]), of_target - gain @ across.T


def _log_heights(body: MeasuredBody) -> list[float]:
    return [float(np.log(body.heights_mm.of(zone))) for zone in ZONES]


def _log_variances(body: MeasuredBody) -> list[float]:
    return [(body.heights_sd_mm.of(zone) / body.heights_mm.of(zone)) ** 2 for zone in ZONES]


def _told(log_mean: np.ndarray, log_cov: np.ndarray, rests_on: tuple[str, ...]) -> HealthyHeights:
    """Thirds are equally wide, so the whole is their mean."""
    heights = np.exp(log_mean)
    cov = log_cov * np.outer(heights, heights)
    spreads = np.sqrt(np.diag(cov))
    whole_sd = float(np.sqrt(cov.mean()))
    off_diagonal = cov / np.outer(spreads, spreads)
    return HealthyHeights(
        heights_mm=_zones(heights, float(heights.mean())),
        heights_sd_mm=_zones(spreads, whole_sd),
        told_by=CONDITIONAL,
        neighbours=rests_on,
        common=float((off_diagonal.sum() - len(heights)) / (len(heights) * (len(heights) - 1))),
    )


def _zones(values: np.ndarray, whole: float) -> Zones:
    return Zones(
        **{zone: float(value) for zone, value in zip(ZONES, values, strict=True)}, whole=whole
    )
