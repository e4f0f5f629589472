"""How tall vertebral bodies are: published means of each level and how people vary about them.

Log height of zone z of level v of one person (zones as in
:mod:`lamella.physics.vertebra_zones`):

    ln H_vz = ln N_vz + s + g(v) + r_v + e_vz,

with the level's norm N, the person's scale s, a slow trend g along the spine (Gaussian process,
squared-exponential in the level's number), a residual r of the vertebra that its zones share and
one e of each zone. All are Gaussian, so means and covariances are closed forms and a conditional
Gaussian is the best linear predictor of a vertebra from its neighbours.

Sources. Posterior height, depth and width: Panjabi et al., Spine 1991;16:888 (thoracic) and
1992;17:299 (lumbar), means of cadavers, after their tables (VBHp; mean of upper and lower EPD
and EPW). Wedge of T9 to L5: Masharawi et al., Eur Spine J 2010;19:768, Table 1, mean of women
and men; of T1 to T8 after Goh et al., Clin Biomech 1999;14:439. Dish of the endplates: after
Eastell et al., J Bone Miner Res 1991;6:207 (middle/posterior ratios of 0.92 to 0.96). Discs:
after Kunkel et al., J Anat 2011;219:375 (4.5 to 7.2 mm thick, thoracic) and Onishi et al. 2019
(anterior 9.3 mm at L3-L4, 10.9 mm at L4-L5), less the dish of both endplates. T13 and L6
borrow from their neighbours. Spreads: heights vary by 6 to 7 % between people (Gallagher et al.,
Bone Miner 1988;4:189; Black et al., J Bone Miner Res 1991;6:883, after their tables); ratios
between neighbours by 4 to 5 % and between zones of one vertebra by 3 to 5 %, reading error
included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lamella.physics.vertebra_zones import RIM
from lamella.records.images import LamellaError
from lamella.records.vertebra import ZONES, Zones
from lamella.types import Profile

ZONE_DISTANCE = (1.0 - 2.0 * RIM) * 2.0 / 3.0
"""Distance of the anterior third's middle from the posterior third's, in depths of the body."""

DISH = 0.055
"""How much lower the middle third is than the mean of its neighbours, in posterior heights."""


@dataclass(frozen=True, kw_only=True)
class LevelNorm:
    """Mean size of one level's body and of the disc below.

    Args:
        posterior_mm: height at the posterior wall (VBHp).
        wedge_deg: angle between the endplates, positive when the front is lower.
        depth_mm: front to back, mean of both endplates (EPD).
        width_mm: right to left, mean of both endplates (EPW).
        flare: lower minus upper endplate's width, over their mean.
        disc_mm: height of the disc below between the rims.
    """

    posterior_mm: float
    wedge_deg: float
    depth_mm: float
    width_mm: float
    flare: float
    disc_mm: float

    @property
    def heights_mm(self) -> Profile:
        """Anterior, middle and posterior third, mm, (3,).

        ``H_a = H_p - tan(wedge) d`` with d the distance of the thirds' middles, and
        ``H_m = (H_a + H_p) / 2 - DISH H_p``.
        """
        posterior = self.posterior_mm
        lower = np.tan(np.radians(self.wedge_deg)) * ZONE_DISTANCE * self.depth_mm
        middle = posterior - lower / 2.0 - DISH * posterior
        return np.array([posterior - lower, middle, posterior])


def _norms() -> Mapping[str, LevelNorm]:
    fields = ("posterior_mm", "wedge_deg", "depth_mm", "width_mm", "flare", "disc_mm")
    return {level: LevelNorm(**dict(zip(fields, row, strict=True))) for level, row in _ROWS.items()}


_ROWS: Mapping[str, tuple[float, ...]] = {
    "T1": (14.1, 3.0, 19.1, 26.2, 0.126, 3.8),
    "T2": (15.6, 2.5, 20.6, 26.2, 0.096, 3.4),
    "T3": (15.7, 2.5, 23.0, 25.3, 0.051, 3.3),
    "T4": (16.2, 2.6, 23.9, 25.3, 0.059, 3.3),
    "T5": (16.2, 3.2, 25.1, 26.0, 0.081, 3.5),
    "T6": (17.4, 3.8, 26.5, 27.2, 0.074, 3.7),
    "T7": (18.2, 4.3, 28.0, 28.5, 0.046, 3.9),
    "T8": (18.7, 4.2, 28.7, 30.0, 0.033, 4.2),
    "T9": (19.3, 3.8, 30.2, 31.8, 0.075, 4.5),
    "T10": (20.2, 3.2, 31.1, 33.7, 0.104, 4.9),
    "T11": (21.3, 5.0, 31.9, 37.0, 0.114, 5.2),
    "T12": (22.7, 4.2, 33.1, 40.6, 0.076, 5.8),
    "T13": (23.2, 3.8, 33.9, 41.5, 0.06, 6.2),
    "L1": (23.8, 3.4, 34.7, 42.3, 0.05, 6.8),
    "L2": (24.3, 1.7, 34.8, 44.1, 0.066, 7.7),
    "L3": (23.8, 0.1, 35.0, 46.1, 0.085, 8.4),
    "L4": (24.1, -1.9, 34.7, 48.1, 0.06, 9.2),
    "L5": (22.9, -6.2, 34.0, 48.4, 0.043, 9.0),
    "L6": (22.9, -6.2, 34.0, 48.4, 0.043, 8.0),
}

LEVEL_NORMS: Mapping[str, LevelNorm] = _norms()
"""Means of T1 to L6."""

_NUMBER = {f"T{number}": float(number) for number in range(1, 13)} | {
    "T13": 12.5,
    **{f"L{number}": 12.0 + number for number in range(1, 7)},
}


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnHeights:
    """One person's vertebrae.

    Args:
        levels: names, in the order of the rows.
        expected_log: norm, scale and trend, without any residual, (level, zone).
        log: what the person has, (level, zone), natural logarithm of mm.
        scale: factor of the person's size, exp(s).
    """

    levels: tuple[str, ...]
    expected_log: np.ndarray
    log: np.ndarray
    scale: float

    def heights_mm(self, level: str) -> Profile:
        """Anterior, middle and posterior height, mm, (3,)."""
        return np.exp(self.log[self.levels.index(level)])


@dataclass(frozen=True, kw_only=True)
class HeightPopulation:
    """Level norms and standard deviations of the natural logarithm of heights.

    Args:
        norms: mean size of each level.
        scale_sd: of the person's scale.
        trend_sd: of the slow trend along the spine.
        trend_length: over how many levels the trend changes (SD of its kernel).
        vertebra_sd: of what a vertebra's zones share.
        zone_sd: of each zone alone.

    Example:
        >>> mean, covariance = HeightPopulation().covariance(("T12", "L1"))
        >>> mean.shape, covariance.shape
        ((6,), (6, 6))
    """

    norms: Mapping[str, LevelNorm] = field(default_factory=lambda: LEVEL_NORMS)
    scale_sd: float = 0.06
    trend_sd: float = 0.015
    trend_length: float = 5.0
    vertebra_sd: float = 0.027
    zone_sd: float = 0.017

    def norm(self, level: str) -> LevelNorm:
        """Mean size of a level.

        Raises:
            LamellaError: the population knows no such level.
        """
        if level not in self.norms:
            raise LamellaError(f"expected a level among {list(self.norms)}, got {level!r}")
        return self.norms[level]

    def mean_log(self, levels: Sequence[str]) -> np.ndarray:
        """Natural logarithm of the norms' heights in mm, (level, zone)."""
        return np.log([self.norm(level).heights_mm for level in levels])

    def covariance(self, levels: Sequence[str]) -> tuple[Profile, np.ndarray]:
        """Mean and covariance of log heights in the order (level, zone).

        ``cov = s^2 + t^2 exp(-(v - v')^2 / 2 L^2) + [v = v'] (r^2 + [z = z'] e^2)``.

        Args:
            levels: n names.

        Returns:
            (3 n,) and (3 n, 3 n).
        """
        shared = self.expected_covariance(levels) + self.vertebra_sd**2 * np.eye(len(levels))
        per_zone = self.zone_sd**2 * np.eye(len(ZONES) * len(levels))
        full = np.kron(shared, np.ones((len(ZONES), len(ZONES)))) + per_zone
        return self.mean_log(levels).ravel(), full

    def expected_covariance(self, levels: Sequence[str]) -> np.ndarray:
        """Covariance of scale plus trend, (level, level): what neighbours can tell."""
        number = np.array([_NUMBER[level] for level in levels])
        apart = (number[:, None] - number) / self.trend_length
        return np.asarray(self.scale_sd**2 + self.trend_sd**2 * np.exp(-0.5 * apart**2))

    def draw(
        self, rng: np.random.Generator, levels: Sequence[str] = tuple(LEVEL_NORMS)
    ) -> DrawnHeights:
        """One person, zone by zone.

        Args:
            rng: source of chance.
            levels: names; chance is drawn for every level, so that a person's T12 is the same
                whatever else is asked for.
        """
        every = tuple(self.norms)
        scale = self.scale_sd * rng.standard_normal()
        trend_covariance = self.expected_covariance(every) - self.scale_sd**2
        trend = rng.multivariate_normal(np.zeros(len(every)), trend_covariance, method="eigh")
        vertebra = self.vertebra_sd * rng.standard_normal((len(every), 1))
        zone = self.zone_sd * rng.standard_normal((len(every), len(ZONES)))
        rows = [every.index(level) for level in levels]
        expected = self.mean_log(levels) + scale + trend[rows, None]
        drawn = expected + vertebra[rows] + zone[rows]
        return DrawnHeights(
            levels=tuple(levels), expected_log=expected, log=drawn, scale=float(np.exp(scale))
        )


def zones_of(heights_mm: Profile) -> Zones:
    """Anterior, middle and posterior height as a record; the whole is their mean."""
    anterior, middle, posterior = (float(height) for height in heights_mm)
    whole = float(np.mean(heights_mm))
    return Zones(anterior=anterior, middle=middle, posterior=posterior, whole=whole)
