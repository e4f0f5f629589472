"""Vertebral bodies with endplates by formula, put on any grid at any angle."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from lamella.physics.vertebra_zones import zone_heights
from lamella.records.vertebra import Zones


@dataclass(frozen=True, kw_only=True)
class FormulaBody:
    """An elliptical body: endplates tilted by ``wedge`` and hollowed by ``dish_mm``.

    upper = H/2 + wedge p/2 - dish (1 - r^2), lower = -upper, r^2 = (2p/D)^2 + (2l/W)^2.
    """

    depth_mm: float = 32.0
    width_mm: float = 44.0
    height_mm: float = 24.0
    wedge: float = 0.1
    dish_mm: float = 1.5

    def radius2(self, posterior_mm, left_mm):
        return (2 * posterior_mm / self.depth_mm) ** 2 + (2 * left_mm / self.width_mm) ** 2

    def upper_mm(self, posterior_mm, left_mm):
        hollow = self.dish_mm * np.clip(1 - self.radius2(posterior_mm, left_mm), 0, None)
        return self.height_mm / 2 + self.wedge * posterior_mm / 2 - hollow

    @property
    def zones(self) -> Zones:
        posterior = np.arange(-self.depth_mm / 2, self.depth_mm / 2 + 0.05, 0.1)
        left = np.arange(-self.width_mm / 2, self.width_mm / 2 + 0.05, 0.1)
        back, aside = np.meshgrid(posterior, left, indexing="ij")
        heights = 2 * self.upper_mm(back, aside)
        heights[self.radius2(back, aside) > 1] = np.nan
        depth, width = self.depth_mm / 2, self.width_mm / 2
        return zone_heights(posterior, left, heights, (-depth, depth), (-width, width))

    def volume(self, spacing_mm, rng, tilt_deg=15.0, number=20):
        """(labels, affine, rows posterior/left/cranial) at a random angle and place."""
        spacing = np.broadcast_to(np.asarray(spacing_mm, dtype=np.float64), (3,))
        shape = np.ceil(76.0 / spacing).astype(int)
        affine = np.diag([*spacing, 1.0])
        affine[:3, 3] = -38.0 + rng.uniform(0, 1, 3) * spacing
        turn = Rotation.from_rotvec(np.radians(tilt_deg) * rng.uniform(-1, 1, 3)).as_matrix()
        axes = (turn @ np.diag([-1.0, -1.0, 1.0])[:, [1, 0, 2]]).T
        grid = np.moveaxis(np.indices(shape), 0, -1) * spacing + affine[:3, 3]
        posterior, left, cranial = np.moveaxis(grid @ axes.T, -1, 0)
        inside = self.radius2(posterior, left) <= 1
        inside &= np.abs(cranial) < self.upper_mm(posterior, left)
        return inside.astype(np.uint8) * np.uint8(number), affine, axes
