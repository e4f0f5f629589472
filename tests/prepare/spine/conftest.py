"""Spines every test of this folder may read."""

import pytest

from lamella.physics.phantoms.spine import SpinePhantom, SpinePhantomSpec, spine_phantom
from lamella.physics.virtual_fracture import FractureSpec


@pytest.fixture(scope="package")
def spine() -> SpinePhantom:
    """Three vertebrae at 1.5 mm, the middle one a wedge fracture, axes not RAS."""
    return spine_phantom(
        SpinePhantomSpec(
            levels=("T12", "L1", "L2"),
            spacing_mm=1.5,
            scoliosis_deg=12.0,
            seed=4,
            orientation="PIR",
            fractures={"L1": FractureSpec(kind="wedge", loss=0.35)},
        )
    )
