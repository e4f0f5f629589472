"""Percentile bootstrap of a mean over joints.

Joints of one patient are not independent, and the data do not say which joints are whose:
intervals by joint are optimistic.
"""

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
SEED = 20250
LEVEL_PERCENT = 95.0


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean and its ``LEVEL_PERCENT`` interval.

    Args:
        mean: over the joints.
        low: lower end.
        high: upper end.
    """

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """True when the interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


def mean_interval(values: np.ndarray) -> Interval:
    """Mean of (joint,) values with its percentile interval, ``RESAMPLES`` resamples, fixed seed.

    For a paired difference give the differences of each joint.
    """
    values = np.asarray(values, np.float64)
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(0, values.size, (RESAMPLES, values.size))
    tail = 0.5 * (100.0 - LEVEL_PERCENT)
    low, high = np.percentile(values[drawn].mean(axis=1), (tail, 100.0 - tail))
    return Interval(mean=float(values.mean()), low=float(low), high=float(high))
