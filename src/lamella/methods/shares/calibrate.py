"""Turn the network's raw standard deviations into ones whose intervals cover as stated.

A factor is read from a table over the raw standard deviation of a layer's intensity and the
size of the overlap. Each factor is a quantile of |error| / SD on held-out joints (a binned,
"Mondrian" conformal calibration; Vovk et al., Algorithmic Learning in a Random World, 2005).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamella.types import Image

NOMINAL_COVERAGE = 0.9
NORMAL_QUANTILE = 1.6448536269514722
"""Half width of a two-sided 90 % interval in standard deviations."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Factors on the raw standard deviation.

    Args:
        sd_knots: raw SD of intensity at the table's columns, rising.
        size_knots: overlap in network pixels at the table's rows, rising.
        factors: (size, sd).
    """

    sd_knots: np.ndarray
    size_knots: np.ndarray
    factors: np.ndarray

    @classmethod
    def none(cls) -> Calibration:
        """Leave every standard deviation as it is."""
        one = np.ones(1)
        return cls(sd_knots=one, size_knots=one, factors=np.ones((1, 1)))

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Calibration:
        """Read the table of a model card."""
        return cls(**{name: np.asarray(table[name], float) for name in cls.__dataclass_fields__})

    def table(self) -> dict[str, list[Any]]:
        """The table for a model card."""
        return {name: getattr(self, name).tolist() for name in self.__dataclass_fields__}

    def factor(self, raw_sd: Image, overlap_px: float) -> Image:
        """Factor for each pixel: linear between knots (in logarithms), constant beyond them."""
        size = np.log(np.clip(overlap_px, self.size_knots[0], self.size_knots[-1]))
        by_sd = np.array(
            [np.interp(size, np.log(self.size_knots), column) for column in self.factors.T]
        )
        sd = np.log(np.clip(raw_sd, 1e-6, None))
        return np.asarray(np.interp(sd, np.log(np.maximum(self.sd_knots, 1e-6)), by_sd), np.float32)
