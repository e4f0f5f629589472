"""A phantom spine with the exact height map of its middle vertebra, to be fractured."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lamella.physics.phantoms.spine import SpinePhantom, SpinePhantomSpec, spine_phantom
from lamella.physics.phantoms.spine.column import column
from lamella.records import HeightMap

SPEC = SpinePhantomSpec(levels=("T11", "T12", "L1"), spacing_mm=1.5, seed=1, scoliosis_deg=8.0)


@dataclass(frozen=True, kw_only=True)
class Fracturable:
    phantom: SpinePhantom
    height_map: HeightMap


@lru_cache
def fracturable() -> Fracturable:
    """T11 to L1 at 1.5 mm, with T12's endplates known exactly over its middle section."""
    phantom = spine_phantom(SPEC)
    drawn = SPEC.population.draw(np.random.default_rng(SPEC.rng_seed(0)), SPEC.levels)
    vertebra = column(SPEC, drawn)[1]
    shape = vertebra.body
    front, back = (edge + shape.origin_mm[0] for edge in shape.depth_range_mm)
    depth = np.linspace(front + 0.25, back - 0.25, 60)
    width = np.linspace(shape.width_range_mm[0] + 0.25, shape.width_range_mm[1] - 0.25, 80)
    upper, lower = shape.endplates(depth[:, None], width[None, :])
    t, u = shape.normalised(depth[:, None], width[None, :])
    inside = shape.wall(t, u, np.zeros(1)) <= 1.0
    exact = HeightMap(
        frame=vertebra.frame,
        posterior_mm=depth,
        left_mm=width,
        upper_mm=np.where(inside, upper, np.nan),
        lower_mm=np.where(inside, lower, np.nan),
    )
    return Fracturable(phantom=phantom, height_map=exact)
