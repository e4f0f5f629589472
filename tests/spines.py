"""Vertebrae for the tests: bodies of chosen heights, and small phantoms made once a run."""

from functools import lru_cache
from typing import Any

import numpy as np

from lamella.records import HealthyHeights, HeightMap, MeasuredBody, VertebraFrame, Zones

AXES = {"cranial": (0.0, 0.0, 1.0), "posterior": (0.0, -1.0, 0.0), "left": (-1.0, 0.0, 0.0)}


def zones(anterior: float, middle: float, posterior: float) -> Zones:
    """Three figures and their mean."""
    whole = (anterior + middle + posterior) / 3
    return Zones(anterior=anterior, middle=middle, posterior=posterior, whole=whole)


def alike(value: float) -> Zones:
    """One figure everywhere."""
    return zones(value, value, value)


def frame(height_mm: float = 0.0) -> VertebraFrame:
    """A vertebra's axes in a person lying straight."""
    axes = {name: np.array(axis) for name, axis in AXES.items()}
    return VertebraFrame(centre_mm=np.array([0.0, 0.0, height_mm]), **axes)


def body(
    level: str, heights: Zones, *, sd_mm: float = 0.1, refused: str | None = None
) -> MeasuredBody:
    """A measured body of 30 x 40 mm whose thirds have these heights."""
    depth_mm, width_mm = np.arange(-15.0, 16.0), np.arange(-20.0, 21.0)
    third = np.clip((depth_mm + 15.0) // 10.0, 0, 2).astype(int)
    profile = np.array([heights.anterior, heights.middle, heights.posterior])[third]
    upper = np.repeat(profile[:, None] / 2, len(width_mm), axis=1)
    drawn = HeightMap(
        frame=frame(), posterior_mm=depth_mm, left_mm=width_mm, upper_mm=upper, lower_mm=-upper
    )
    return MeasuredBody(
        level=level,
        frame=frame(),
        heights_mm=heights,
        heights_sd_mm=alike(sd_mm),
        depth_mm=30.0,
        width_mm=40.0,
        volume_mm3=1200.0 * heights.whole,
        height_map=drawn,
        refused=refused,
    )


def told(heights: Zones, sd_mm: float = 0.5, common: float = 0.5) -> HealthyHeights:
    """What a reference would say."""
    return HealthyHeights(
        heights_mm=heights, heights_sd_mm=alike(sd_mm), told_by="test", common=common
    )


class Fractures(dict):
    """Fractures that a cached phantom can be asked for by."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self))


@lru_cache(maxsize=8)
def spine(**spec: Any) -> Any:
    """A spine phantom by the fields of its spec: three lumbar levels at 3 mm unless told."""
    from lamella.physics.phantoms.spine import SpinePhantomSpec, spine_phantom

    usual = {"levels": ("L1", "L2", "L3"), "spacing_mm": 3.0, "seed": 1, "cropped": True}
    return spine_phantom(SpinePhantomSpec(**(usual | spec)))
